//! Secret key files: ed25519 in PKCS#8 PEM, with an optional passphrase.
//!
//! The plain form is version 1 of PKCS#8, which OpenSSL and Python read too; the encrypted form is
//! the standard one (PBES2 with scrypt and AES-256-CBC). Signatures of ed25519 are deterministic:
//! the same snapshot sealed twice with the same keys has the same bytes.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use aws_lc_rs::{
    rand,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument,
    pkcs5::{self, pbes2, scrypt},
};
use tough::sign::Sign as _;

use super::{
    error::{KeyError, io_error},
    public::{KeyName, KeyRole, PublicKey},
};

/// What a guess of a passphrase costs, as scrypt's parameters: N = 2^17 and r = 8 take 128 MiB and about
/// half a second. Each file carries its own, so files with others are read too.
const LOG_N: u8 = 17;
const R: u32 = 8;
const P: u32 = 1;

/// Bytes that a key file may have.
const FILE_LIMIT: u64 = 16 * 1024;
const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// A secret ed25519 key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Unusable {
            path: "(new key)".to_owned(),
            what: "the system gave no randomness".to_owned(),
        })?;
        Ok(Self { pair })
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When the file is missing, no key, or the passphrase does not open it.
    pub fn load(path: &Path, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let unusable = |what: &str| KeyError::Unusable {
            path: path.display().to_string(),
            what: what.to_owned(),
        };
        let mut pem = String::new();
        File::open(path)
            .and_then(|file| file.take(FILE_LIMIT).read_to_string(&mut pem))
            .map_err(|source| io_error(path, source))?;
        let (label, document) = SecretDocument::from_pem(&pem)
            .map_err(|_| unusable("it is no PEM file with a private key"))?;
        let document = match (label, passphrase) {
            (PLAIN, _) => document,
            (ENCRYPTED, None) => return Err(unusable("it needs a passphrase")),
            (ENCRYPTED, Some(passphrase)) => {
                EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .map_err(|_| unusable("its encrypted key is damaged"))?
                    .decrypt(passphrase)
                    .map_err(|_| unusable("the passphrase does not open it, or it is damaged"))?
            }
            (label, _) => return Err(unusable(&format!("it holds a {label:?}, no private key"))),
        };
        let pair = Ed25519KeyPair::from_pkcs8(document.as_bytes())
            .map_err(|_| unusable("its key is not ed25519; make one with `tidegate keys make`"))?;
        Ok(Self { pair })
    }

    /// Writes a key file that only its owner may read; never overwrites one.
    ///
    /// # Errors
    /// When it exists or cannot be written.
    pub fn save(&self, path: &Path, passphrase: Option<&str>) -> Result<(), KeyError> {
        let unusable = |what: String| KeyError::Unusable { path: path.display().to_string(), what };
        let plain = self
            .pair
            .to_pkcs8v1()
            .map_err(|_| unusable("the key cannot be written as PKCS#8".to_owned()))?;
        let pem = match passphrase {
            None => SecretDocument::try_from(plain.as_ref())
                .and_then(|document| document.to_pem(PLAIN, LineEnding::LF))
                .map_err(pkcs8::Error::from),
            Some("") => return Err(unusable("an empty passphrase protects nothing".to_owned())),
            Some(passphrase) => PrivateKeyInfoRef::try_from(plain.as_ref())
                .and_then(|key| key.encrypt_with_params(strong()?, passphrase))
                .and_then(|document| Ok(document.to_pem(ENCRYPTED, LineEnding::LF)?)),
        }
        .map_err(|e| unusable(format!("the key cannot be written as PEM ({e})")))?;
        create_private(path)
            .and_then(|mut file| file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(|source| io_error(path, source))
    }

    /// The TUF key id, in hexadecimal.
    pub fn key_id(&self) -> String {
        self.tuf_key().key_id().map(|id| hex::encode(id.into_vec())).unwrap_or_default()
    }

    /// Its public part.
    ///
    /// # Errors
    /// When it is no key of 32 bytes, which ed25519 rules out.
    pub fn public_part(&self, role: KeyRole, name: Option<KeyName>) -> Result<PublicKey, KeyError> {
        let bytes = self.pair.public_key().as_ref().try_into().map_err(|_| KeyError::Unusable {
            path: "(new key)".to_owned(),
            what: "its public part has not 32 bytes".to_owned(),
        })?;
        Ok(PublicKey { role, name, bytes })
    }

    /// The public key, 32 bytes in hexadecimal, as TUF metadata hold it.
    pub fn public(&self) -> String {
        hex::encode(self.pair.public_key().as_ref())
    }

    /// The public key as TUF writes it.
    pub(crate) fn tuf_key(&self) -> tough::schema::key::Key {
        self.pair.tuf_key()
    }

    /// Signs `message`; the same message always gives the same signature.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl std::fmt::Debug for SigningKey {
    /// Names the key and shows nothing of it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.key_id())
    }
}

/// Fresh parameters to encrypt a key file with.
fn strong() -> Result<pbes2::Parameters, pkcs5::Error> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    rand::fill(&mut salt).and_then(|()| rand::fill(&mut iv)).map_err(|_| pkcs5::Error::Rng)?;
    let cost = scrypt::Params::new(LOG_N, R, P).map_err(|_| pkcs5::Error::EncryptFailed)?;
    pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
}

/// Whether a key file can be opened with a passphrase only.
///
/// # Errors
/// When it cannot be read.
pub fn is_encrypted(path: &Path) -> Result<bool, KeyError> {
    let mut pem = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_LIMIT).read_to_string(&mut pem))
        .map_err(|source| io_error(path, source))?;
    Ok(pem.trim_start().starts_with(&format!("-----BEGIN {ENCRYPTED}-----")))
}

/// Creates a file that must not exist yet and that only its owner may read.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_and_loaded_with_and_without_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        for (name, passphrase) in [("plain.pem", None), ("secret.pem", Some("open sesame"))] {
            let path = dir.path().join(name);
            key.save(&path, passphrase).unwrap();
            let loaded = SigningKey::load(&path, passphrase).unwrap();
            assert_eq!(loaded.key_id(), key.key_id());
            assert_eq!(loaded.sign(b"m"), key.sign(b"m"));
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = std::fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
            }
        }
    }

    #[test]
    fn a_passphrase_is_needed_and_must_be_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let key = SigningKey::generate().unwrap();
        assert!(key.save(&path, Some("")).is_err());
        key.save(&path, Some("right")).unwrap();
        assert!(SigningKey::load(&path, None).unwrap_err().to_string().contains("needs a pass"));
        assert!(SigningKey::load(&path, Some("wrong")).is_err());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{text}");
    }

    #[test]
    fn a_guess_is_dear_and_older_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let key = SigningKey::generate().unwrap();
        key.save(&path, Some("open sesame")).unwrap();
        let pem = std::fs::read_to_string(&path).unwrap();
        let (_, document) = SecretDocument::from_pem(&pem).unwrap();
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).unwrap();
        let pbes2 = encrypted.encryption_algorithm.pbes2().unwrap();
        assert_eq!(pbes2.kdf.scrypt().unwrap().cost_parameter, 1 << 17);
        // As version 0.1 wrote them: N = 2^14.
        let plain = key.pair.to_pkcs8v1().unwrap();
        let older = PrivateKeyInfoRef::try_from(plain.as_ref()).unwrap().encrypt("old").unwrap();
        std::fs::write(&path, older.to_pem(ENCRYPTED, LineEnding::LF).unwrap()).unwrap();
        assert_eq!(SigningKey::load(&path, Some("old")).unwrap().key_id(), key.key_id());
    }

    #[test]
    fn a_key_file_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let first = SigningKey::generate().unwrap();
        first.save(&path, None).unwrap();
        assert!(matches!(
            SigningKey::generate().unwrap().save(&path, None),
            Err(KeyError::Io { .. })
        ));
        assert_eq!(SigningKey::load(&path, None).unwrap().key_id(), first.key_id());
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        assert!(matches!(SigningKey::load(&path, None), Err(KeyError::Io { .. })));
        for text in [
            "",
            "no key",
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = SigningKey::load(&path, None).unwrap_err();
            assert!(matches!(error, KeyError::Unusable { .. }), "{text:?}: {error}");
        }
    }
}
