//! TLS on the server: TLS 1.2 and 1.3, with a certificate and key from files. A renewed certificate
//! is taken without a restart.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        version::{TLS12, TLS13},
    },
};

use crate::{
    certificate::{Validity, why_unusable},
    error_chain,
    file_error::Doing as _,
    server::{error::TlsError, options::TlsOptions},
};

/// More than any certificate chain or key has, in bytes.
const LARGEST: u64 = 1 << 20;
/// A certificate that holds for fewer days is warned of.
const SOON: i64 = 30;

/// From when to when the certificate of a server in this file holds; `None` when that cannot be read.
///
/// # Errors
/// When the file cannot be read, or holds no certificate.
pub fn certificate_validity(path: &Path) -> Result<Option<Validity>, TlsError> {
    Ok(chain(path)?.first().and_then(|first| Validity::read(first)))
}

/// Certificate and key for new connections.
pub(crate) struct Tls {
    options: TlsOptions,
    config: ArcSwap<ServerConfig>,
    changed: [Option<SystemTime>; 2],
}

impl Tls {
    /// Reads the files. Blocking.
    pub(crate) fn load(options: TlsOptions) -> Result<Self, TlsError> {
        let changed = changed(&options);
        let config = ArcSwap::new(config(&options)?);
        Ok(Self { options, config, changed })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Looks at the files again after each `pause`, without end. Files that cannot be used are ignored:
    /// the old certificate stays.
    pub(crate) async fn watch(self: Arc<Self>, pause: Duration) {
        let mut seen = self.changed;
        loop {
            tokio::time::sleep(pause).await;
            let tls = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || tls.renew(seen)).await;
            seen = looked.unwrap_or(seen);
        }
    }

    /// Takes the files if they are others than those that were seen. Blocking.
    fn renew(&self, seen: [Option<SystemTime>; 2]) -> [Option<SystemTime>; 2] {
        let now = changed(&self.options);
        if now == seen {
            return seen;
        }
        match config(&self.options) {
            Ok(config) => {
                self.config.store(config);
                let certificate = self.options.certificate.display();
                tracing::info!(%certificate, "a new certificate is used");
                now
            }
            // Perhaps one of the two is still being written.
            Err(error) => {
                let error = error_chain::chain(&error);
                tracing::warn!(%error, "the certificate has changed, but cannot be used");
                seen
            }
        }
    }
}

fn changed(options: &TlsOptions) -> [Option<SystemTime>; 2] {
    [&options.certificate, &options.key]
        .map(|path| fs::metadata(path).and_then(|data| data.modified()).ok())
}

fn config(options: &TlsOptions) -> Result<Arc<ServerConfig>, TlsError> {
    let (certificate, key) = (&options.certificate, &options.key);
    let chain = chain(certificate)?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| TlsError::Pem {
        path: key.clone(),
        what: "private key without a passphrase",
    })?;
    warn_of_readers(key);
    if let Some(validity) = chain.first().and_then(|first| Validity::read(first)) {
        let certificate = certificate.display();
        match validity.days_left(Timestamp::now()) {
            days @ ..0 => tracing::warn!(%certificate, days, "the certificate has expired"),
            days @ 0..SOON => tracing::warn!(%certificate, days, "the certificate expires soon"),
            _ => {}
        }
    }
    let wrong = |error: rustls::Error| {
        let why = why_unusable(&error);
        TlsError::Pair { certificate: certificate.clone(), key: key.clone(), why }
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A private key that every user of this machine can read is no secret.
fn warn_of_readers(key: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(key).map_or(0, |found| found.permissions().mode());
        if mode & 0o007 != 0 {
            let key = key.display();
            tracing::warn!(%key, "every user of this machine can read the private key of the certificate: run `chmod o= FILE` on it");
        }
    }
    #[cfg(not(unix))]
    let _ = key;
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| TlsError::Pem { path: path.to_owned(), what: "certificate" })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .doing("read", path)?;
    Ok(bytes)
}
