//! The channel to an upstream: whose certificate is taken, and what is said when it is not. In front
//! of the fake upstream stands a server that speaks real TLS.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tidegate::{
    error_chain::chain,
    upstream::{MicrosoftUpdate, Source, SyncError, sync},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use super::{
    support::pki::{Algorithm, Authority, Pair as Files, Wish, self_signed},
    support::real_data::real_data,
    support::upstream_fake::{Pair, Uss},
};
use crate::support::mock::runtime;

/// The fake upstream behind TLS.
pub(crate) struct Secure {
    pub(crate) pair: Pair,
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Secure {
    pub(crate) fn new(files: &Files) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                CertificateDer::pem_file_iter(&files.certificate)
                    .unwrap()
                    .collect::<Result<_, _>>()
                    .unwrap(),
                PrivateKeyDer::from_pem_file(&files.key).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut pair = Pair::new(Uss { anchor: "1,2026".into(), limit: 4, ..Uss::default() });
        pair.options.upstream.selection.categories_only = true;
        pair.options.upstream.connection.allow_http = false;
        let behind = pair.mock.url.strip_prefix("http://").unwrap().to_owned();
        let (address, connections, runtime) = listening(move |stream| {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut plain).await;
            }
        });
        Self { pair, address, connections, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn trusting(mut self, roots: &Path) -> Self {
        self.pair.options.upstream.connection.roots = Some(roots.to_owned());
        self
    }

    fn microsoft(&mut self, roots: &Path, fingerprints: Option<&[String]>) {
        let roots = Some(roots.to_owned());
        self.pair.options.upstream.connection.microsoft =
            MicrosoftUpdate::new(Some(&self.url()), roots, fingerprints).unwrap();
    }

    fn sync(&mut self, from: &str) -> Result<(), SyncError> {
        self.pair.sync_from(from).map(|_| ())
    }

    /// Synchronizes; some operations must have come through.
    #[track_caller]
    fn answers(&mut self, from: &str) {
        let before = self.pair.mock.operations().len();
        self.sync(from).unwrap();
        assert_eq!(self.pair.mock.operations()[before..][0], "GetAuthConfig");
    }

    /// The whole message of a refusal. Nothing may have been asked, and once is enough.
    #[track_caller]
    pub(crate) fn refuses(&mut self, from: &str, connections: usize) -> String {
        let before = (self.pair.mock.asked().len(), self.connections.load(Ordering::SeqCst));
        let error = self.sync(from).unwrap_err();
        assert_eq!(self.pair.mock.asked().len(), before.0, "something was asked: {error}");
        assert_eq!(self.connections.load(Ordering::SeqCst) - before.1, connections, "{error}");
        in_our_words(&error)
    }
}

/// The whole message, which must be in no words of a library.
#[track_caller]
pub(crate) fn in_our_words(error: &dyn std::error::Error) -> String {
    let message = chain(error);
    for theirs in [
        "(\"",
        "(Connect)",
        "(Send",
        "client error",
        "url (",
        "Issuer",
        "Error(",
        "os error",
        "hyper",
    ] {
        assert!(!message.contains(theirs), "{theirs:?} in: {message}");
    }
    message
}

/// A listener whose connections are counted.
pub(crate) fn listening<F>(
    talk: impl Fn(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>, Runtime)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = runtime();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(talk(stream));
        }
    });
    (address, connections, runtime)
}

#[track_caller]
pub(crate) fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

#[test]
fn a_given_root_is_taken_and_any_other_refused_at_once() {
    let ours = Authority::new("Ours");
    let mut secure = Secure::new(&ours.sign(&Wish::default())).trusting(&ours.root());
    let url = secure.url();
    secure.answers(&url);

    // The second has the name of the right one, not its key.
    for other in [Authority::new("Others"), Authority::new("Ours")] {
        secure = secure.trusting(&other.root());
        let message = secure.refuses(&url, 1);
        says(&message, &["signed by nobody whom this machine trusts", "--roots FILE"]);
    }
    secure.trusting(&ours.root()).answers(&url);
}

/// As `openssl req -x509` makes it: Windows takes it when exactly it is trusted.
#[test]
fn a_certificate_that_is_itself_trusted_is_taken_with_its_name_and_dates() {
    let files = self_signed(&Wish::default());
    let mut secure = Secure::new(&files).trusting(&files.certificate);
    let url = secure.url();
    secure.answers(&url);
    // Another one that says the same of itself is not it.
    let like = self_signed(&Wish::default());
    let mut secure = Secure::new(&files).trusting(&like.certificate);
    let url = secure.url();
    says(&secure.refuses(&url, 1), &["CA:TRUE", "give exactly this certificate with --roots"]);

    for (wish, said) in [
        (Wish { name: "wsus.example", ..Wish::default() }, ["is for wsus.example:", "use a name"]),
        (Wish { years: (2020, 2021), ..Wish::default() }, ["expired 2021-01-01", "renewed"]),
        (Wish { years: (2900, 2999), ..Wish::default() }, ["not valid yet", "from 2900-01-01"]),
    ] {
        let files = self_signed(&wish);
        let mut secure = Secure::new(&files).trusting(&files.certificate);
        let url = secure.url();
        says(&secure.refuses(&url, 1), &said);
    }
    // For Microsoft only what is signed under a pinned root counts.
    let mut secure = Secure::new(&files);
    let pin = fingerprint_of(&files.certificate);
    secure.microsoft(&files.certificate, Some(&[pin]));
    says(&secure.refuses("microsoft-update", 1), &["does not lead to a pinned root"]);
}

/// SHA-256 of a certificate.
fn fingerprint_of(certificate: &Path) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(CertificateDer::from_pem_file(certificate).unwrap()))
}

#[test]
fn the_name_must_be_that_of_the_server() {
    let ours = Authority::new("Ours");
    let files = ours.sign(&Wish { name: "wsus.example", ..Wish::default() });
    let mut secure = Secure::new(&files).trusting(&ours.root());
    let url = secure.url();
    let message = secure.refuses(&url, 1);
    says(&message, &["127.0.0.1", "is for wsus.example: use a name that it has"]);
}

#[test]
fn a_certificate_out_of_its_time_is_refused_and_the_clock_is_named() {
    let ours = Authority::new("Ours");
    let expired = ours.sign(&Wish { years: (2020, 2021), ..Wish::default() });
    let mut secure = Secure::new(&expired).trusting(&ours.root());
    let url = secure.url();
    let message = secure.refuses(&url, 1);
    says(&message, &["expired 2021-01-01T00:00:00Z", "renewed", "If the clock of this machine"]);

    let early = ours.sign(&Wish { years: (2900, 2999), ..Wish::default() });
    let mut secure = Secure::new(&early).trusting(&ours.root());
    let url = secure.url();
    let message = secure.refuses(&url, 1);
    let clock = format!("it says {}", jiff::Timestamp::now().strftime("%Y-%m-%dT"));
    says(&message, &["not valid yet", "from 2900-01-01T00:00:00Z", "set the clock", &clock]);
}

/// What answers every connection with the same bytes.
pub(crate) fn saying(bytes: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>, Runtime) {
    listening(move |mut stream| async move {
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello).await;
        let _ = stream.write_all(bytes).await;
        // The other side closes; bytes that were not read would make a reset of our end.
        let _ = stream.read(&mut hello).await;
    })
}

#[test]
fn what_speaks_no_tls_or_an_old_one_is_told_apart() {
    const TEXT: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    // Alert: fatal, protocol_version.
    const ALERT: &[u8] = &[0x15, 3, 2, 0, 2, 2, 70];
    // ServerHello of TLS 1.1: random of zeros, no session, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA.
    const HELLO: [u8; 47] = {
        let mut hello = [0; 47];
        let head = [0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
        let mut at = 0;
        while at < head.len() {
            hello[at] = head[at];
            at += 1;
        }
        hello[44] = 0xc0;
        hello[45] = 0x13;
        hello
    };
    for (bytes, expected) in [
        (TEXT, ["does not speak TLS", "8531 for https"]),
        (ALERT, ["no TLS in common", "TLS 1.2 or 1.3"]),
        (&HELLO[..], ["no TLS in common", "TLS 1.2 or 1.3"]),
    ] {
        let (address, connections, _runtime) = saying(bytes);
        let mut pair = Pair::new(Uss::default());
        let error = pair.sync_from(&format!("https://{address}")).unwrap_err();
        says(&in_our_words(&error), &expected);
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{error} was tried again");
    }
}

#[test]
fn one_who_never_shakes_hands_is_given_up_and_tried_again() {
    let (address, connections, _runtime) = listening(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let mut pair = Pair::new(Uss::default());
    pair.options.upstream.connection.connect_timeout = Duration::from_millis(100);
    let error = pair.sync_from(&format!("https://{address}")).unwrap_err();
    says(&in_our_words(&error), &["to GetAuthConfig in attempt 3: nothing came in time. Check"]);
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[test]
fn microsoft_update_is_held_to_its_pinned_root_whatever_else_is_trusted() {
    let (microsoft, other) = (Authority::new("Microsoft"), Authority::new("Inspection"));
    let pins = [microsoft.fingerprint()];
    // The root that is given with --roots does not count, in neither direction.
    let genuine = microsoft.sign(&Wish::default());
    let mut secure = Secure::new(&genuine).trusting(&other.root());
    secure.microsoft(&microsoft.root(), Some(&pins));
    secure.answers("microsoft-update");

    let inspected = other.sign(&Wish::default());
    let mut secure = Secure::new(&inspected).trusting(&other.root());
    secure.microsoft(&microsoft.root(), Some(&pins));
    let url = secure.url();
    for from in ["microsoft-update", &url] {
        let message = secure.refuses(from, 1);
        says(&message, &["does not lead to a pinned root of Microsoft", "TLS inspection"]);
    }
    // The same server would do as any other WSUS.
    secure.pair.options.upstream.connection.microsoft = MicrosoftUpdate::default();
    secure.answers(&url);
}

/// Hosts of Microsoft serve chains of both kinds: one file has both roots.
#[test]
fn chains_of_both_of_microsofts_kinds_are_taken() {
    let roots = [
        Authority::with("RSA root", Algorithm::Rsa4096),
        Authority::with("ECC root", Algorithm::EcdsaP384),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    fs::write(&file, roots[0].root_pem() + &roots[1].root_pem()).unwrap();
    let pins = roots.each_ref().map(Authority::fingerprint);
    for (at, root) in roots.iter().enumerate() {
        let issuing = root.below("Secure Server CA 2.1");
        let mut secure = Secure::new(&issuing.sign(&Wish::default()));
        secure.microsoft(&file, Some(&pins));
        secure.answers("microsoft-update");
        // With the other root alone it is somebody else.
        secure.microsoft(&roots[1 - at].root(), Some(&pins));
        let message = secure.refuses("microsoft-update", 1);
        says(&message, &["does not lead to a pinned root", "there are two"]);
    }
}

/// The real certificates are those that the program pins.
#[test]
fn the_real_roots_of_microsoft_are_pinned() {
    let Some(folder) = real_data() else { return };
    let folder = folder.join("data/microsoft-roots");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let roots = read("microsoft-root-ca-2011.pem") + &read("microsoft-ecc-product-root-2018.pem");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, &roots).unwrap();
    // They are taken, and who answers is not Microsoft.
    let mut secure = Secure::new(&Authority::new("Other").sign(&Wish::default()));
    secure.microsoft(file.path(), None);
    says(&secure.refuses("microsoft-update", 1), &["does not lead to a pinned root"]);
    // What is issued below them is no root.
    for issuing in [
        "microsoft-update-secure-server-ca-2.1.pem",
        "microsoft-ecc-update-secure-server-ca-2.1.pem",
    ] {
        fs::write(&file, roots.clone() + &read(issuing)).unwrap();
        says(&secure.refuses("microsoft-update", 0), &["not pinned for Microsoft Update"]);
    }
}

#[test]
fn the_file_of_pinned_roots_is_checked_before_anything_is_asked() {
    let (microsoft, other) = (Authority::new("Microsoft"), Authority::new("Other"));
    let pins = [microsoft.fingerprint()];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    let mut secure = Secure::new(&microsoft.sign(&Wish::default()));

    secure.microsoft(&file, Some(&pins));
    let message = secure.refuses("microsoft-update", 0);
    says(&message, &["roots.pem", "https://www.microsoft.com/pkiops", &pins[0]]);

    // One stranger in it is one too many.
    fs::write(&file, format!("{}{}", microsoft.root_pem(), other.root_pem())).unwrap();
    let message = secure.refuses("microsoft-update", 0);
    says(&message, &["not pinned", &other.fingerprint(), "fingerprints"]);

    for rubbish in [&b""[..], b"no certificate", b"-----BEGIN CERTIFICATE-----\n%%\n"] {
        fs::write(&file, rubbish).unwrap();
        says(&secure.refuses("microsoft-update", 0), &["cannot use the roots", "roots.pem"]);
    }

    // As Microsoft hands it out.
    fs::write(&file, microsoft.root_der()).unwrap();
    secure.answers("microsoft-update");

    // What the program itself pins is not ours.
    secure.microsoft(&file, None);
    says(&secure.refuses("microsoft-update", 0), &["not pinned", &pins[0]]);
}

#[test]
fn a_redirect_leads_nowhere_even_from_the_right_server() {
    let microsoft = Authority::new("Microsoft");
    let mut secure = Secure::new(&microsoft.sign(&Wish::default()));
    secure.microsoft(&microsoft.root(), Some(&[microsoft.fingerprint()]));
    secure.pair.bend(|_, _, mut reply| {
        reply.status = 307;
        reply.with("Location", "https://elsewhere.example/ServerSyncWebService.asmx")
    });
    let source = Source::MicrosoftUpdate;
    let pair = &mut secure.pair;
    let content = tempfile::tempdir().unwrap();
    let content = tidegate::content::ContentStore::open(content.path()).unwrap();
    let error = sync(&source, &mut pair.catalog, &content, &pair.options, &mut |_| {}).unwrap_err();
    says(&error.to_string(), &["redirected to \"https://elsewhere.example", "not followed"]);
    assert_eq!(pair.mock.asked().len(), 1);
}

#[test]
fn retry_after_is_honoured() {
    let mut pair = Pair::new(Uss { anchor: "1,2026".into(), limit: 4, ..Uss::default() });
    pair.options.upstream.selection.categories_only = true;
    let mut sent_away = false;
    pair.bend(move |_, _, mut reply| {
        if !std::mem::replace(&mut sent_away, true) {
            reply.status = 503;
            return reply.with("Retry-After", "1");
        }
        reply
    });
    let begun = std::time::Instant::now();
    pair.sync().unwrap();
    // Without the header the pause is 1 ms.
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(pair.mock.operations()[..2], ["GetAuthConfig", "GetAuthConfig"]);
}
