//! The roots that a client trusts, and how a server is judged by them.
//!
//! A server's certificate has to be signed under a root, or to be itself in the file of roots:
//! `openssl req -x509` makes certificates that sign themselves and call themselves those of an
//! authority. Windows takes such a one when exactly it is trusted; the TLS library never does.

use std::sync::Arc;

use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
    version::{TLS12, TLS13},
};

use super::{Validity, failure::why_unusable};

/// Certificates: any number in PEM, or one as DER, which is how Windows and Microsoft hand them out.
///
/// # Errors
/// What is wrong with them; also when there is none.
pub fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    // DER begins with a SEQUENCE; in PEM the byte would be the digit 0.
    if bytes.first() == Some(&0x30) && !bytes.is_ascii() {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| "a certificate in it is cut or changed: it is no PEM that can be read")?;
    if certificates.is_empty() {
        return Err("there is no certificate in it, neither PEM nor DER".to_owned());
    }
    Ok(certificates)
}

/// TLS 1.2 and 1.3 for a client that trusts these roots and nothing else: what is signed under them,
/// and they themselves. Name and dates count in both cases.
///
/// # Errors
/// When one of them is no certificate.
pub fn client_config(roots: Vec<CertificateDer<'static>>) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let words = |e: Error| why_unusable(&e).to_owned();
    let mut store = RootCertStore::empty();
    for root in &roots {
        store.add(root.clone()).map_err(words)?;
    }
    let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
        .build()
        .map_err(|e| e.to_string())?;
    let verifier = TrustedOrSigned { trusted: roots, signed };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(words)?
        // The library calls every verifier that is not its own dangerous.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Takes a certificate that is itself trusted; all others are left to the library.
#[derive(Debug)]
struct TrustedOrSigned {
    trusted: Vec<CertificateDer<'static>>,
    signed: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for TrustedOrSigned {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // All of it, byte for byte: a name or a key of its own would prove nothing.
        if !self.trusted.iter().any(|trusted| trusted.as_ref() == server.as_ref()) {
            return self.signed.verify_server_cert(server, intermediates, name, ocsp, now);
        }
        check_dates(server, now)?;
        verify_server_name(&ParsedCertificate::try_from(server)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, server, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, server, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

fn check_dates(server: &CertificateDer<'_>, time: UnixTime) -> Result<(), Error> {
    let seconds = |at: jiff::Timestamp| u64::try_from(at.as_second()).unwrap_or_default();
    let moment = |at| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds(at)));
    let validity = Validity::read(server).ok_or(CertificateError::BadEncoding)?;
    let (not_before, not_after) = (moment(validity.not_before), moment(validity.not_after));
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if time > not_after {
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    Ok(())
}
