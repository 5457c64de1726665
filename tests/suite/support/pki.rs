//! Authorities and certificates for tests, made when a test runs.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// An authority, and a folder for what it makes.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    algorithm: Algorithm,
    /// The certificates between its root and what it signs, as PEM.
    chain: String,
    folder: TempDir,
}

/// With which keys an authority and those below it sign.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Algorithm {
    /// ECDSA P-256.
    Usual,
    /// RSA with 4096 bits and SHA-256.
    Rsa4096,
    /// ECDSA P-384 with SHA-384.
    EcdsaP384,
}

impl Algorithm {
    fn key(self) -> KeyPair {
        match self {
            Self::Usual => KeyPair::generate(),
            Self::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
            Self::EcdsaP384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        }
        .unwrap()
    }
}

/// Files of a certificate and its key.
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    _folder: TempDir,
}

/// What a certificate says.
pub(crate) struct Wish {
    pub(crate) name: &'static str,
    /// First and last year.
    pub(crate) years: (i32, i32),
}

impl Default for Wish {
    /// What the address of a test server needs, for a long time.
    fn default() -> Self {
        Self { name: "127.0.0.1", years: (2020, 2999) }
    }
}

/// A certificate as `openssl req -x509` makes it: it signs itself, and calls itself that of an
/// authority. Its root is the file of the certificate.
pub(crate) fn self_signed(wish: &Wish) -> Pair {
    self_signed_but(wish, |_| ())
}

/// The same, with something changed.
pub(crate) fn self_signed_but(wish: &Wish, change: impl FnOnce(&mut CertificateParams)) -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    let mut params = CertificateParams::new([wish.name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(wish.years.0, 1, 1);
    params.not_after = date_time_ymd(wish.years.1, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let private = KeyPair::generate().unwrap();
    std::fs::write(&certificate, params.self_signed(&private).unwrap().pem()).unwrap();
    std::fs::write(&key, private.serialize_pem()).unwrap();
    Pair { certificate, key, _folder: folder }
}

impl Authority {
    /// A new authority of this name.
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, Algorithm::Usual)
    }

    /// The same, with keys of this kind.
    pub(crate) fn with(name: &str, algorithm: Algorithm) -> Self {
        let issuer = CertifiedIssuer::self_signed(Self::params(name), algorithm.key()).unwrap();
        Self::of(issuer, algorithm, String::new())
    }

    /// An authority below this one; what it signs comes with its own certificate.
    pub(crate) fn below(&self, name: &str) -> Self {
        let key = self.algorithm.key();
        let issuer = CertifiedIssuer::signed_by(Self::params(name), key, &self.issuer).unwrap();
        let chain = issuer.pem() + &self.chain;
        Self::of(issuer, self.algorithm, chain)
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    fn of(issuer: CertifiedIssuer<'static, KeyPair>, algorithm: Algorithm, chain: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), issuer.pem()).unwrap();
        Self { issuer, algorithm, chain, folder }
    }

    /// The file of its root.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// Its root as PEM.
    pub(crate) fn root_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its root as DER.
    pub(crate) fn root_der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// SHA-256 of its root, as people write it.
    pub(crate) fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.issuer.der());
        digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    /// Makes a certificate and its key.
    pub(crate) fn sign(&self, wish: &Wish) -> Pair {
        let folder = tempfile::tempdir().unwrap();
        let pair = Pair {
            certificate: folder.path().join("server.pem"),
            key: folder.path().join("server.key"),
            _folder: folder,
        };
        self.sign_into(wish, &pair.certificate, &pair.key);
        pair
    }

    /// The same, into these files.
    pub(crate) fn sign_into(&self, wish: &Wish, certificate: &Path, key: &Path) {
        let mut params = CertificateParams::new([wish.name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(wish.years.0, 1, 1);
        params.not_after = date_time_ymd(wish.years.1, 1, 1);
        let private = self.algorithm.key();
        let made = params.signed_by(&private, &self.issuer).unwrap();
        std::fs::write(key, private.serialize_pem()).unwrap();
        std::fs::write(certificate, made.pem() + &self.chain).unwrap();
    }
}
