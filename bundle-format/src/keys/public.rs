//! The public part of a key: a small file that may be shown to anybody. Trust is by key id alone; role
//! and name are for people.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use tough::schema::key::{Ed25519Key, Ed25519Scheme, Key};

use super::error::{KeyError, io_error};
use crate::{digest::Sha256, trust::spoken};

/// The version of the file format.
const VERSION: u32 = 1;
/// Bytes that a public key file may have.
const FILE_LIMIT: u64 = 16 * 1024;
/// Characters that a name may have.
const NAME_LIMIT: usize = 64;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// Signs roots.
    Root,
    /// Signs snapshots.
    Content,
    /// Signs approvals and declines.
    Policy,
    /// A second person's, who signs snapshots too.
    Countersigner,
}

impl std::fmt::Display for KeyRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Content => "content",
            Self::Policy => "policy",
            Self::Countersigner => "countersigner",
        })
    }
}

/// What people call a key, such as `Anna, 2nd floor`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let length = name.chars().count();
        if name.trim() != name || !(1..=NAME_LIMIT).contains(&length) {
            return Err(format!(
                "the name of a key has 1 to {NAME_LIMIT} characters, and no spaces at its ends"
            ));
        }
        // Nothing that acts on a terminal, or makes one line look like two.
        let is_plain = |c: char| c == ' ' || c.is_alphanumeric() || c.is_ascii_punctuation();
        match name.chars().find(|c| !is_plain(*c)) {
            Some(c) => Err(format!(
                "the name of a key has letters, digits, spaces and punctuation, no {c:?}"
            )),
            None => Ok(Self(name)),
        }
    }
}

impl FromStr for KeyName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        name.to_owned().try_into()
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.0
    }
}

/// The public part of an ed25519 key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// What it was made for.
    pub role: KeyRole,
    /// What people call it.
    pub name: Option<KeyName>,
    pub(crate) bytes: [u8; 32],
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PublicKeyFile {
    tidegate_public_key: u32,
    role: KeyRole,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<KeyName>,
    key_id: String,
    fingerprint: String,
    public: String,
}

impl PublicKey {
    /// Reads a public key file.
    ///
    /// # Errors
    /// When it cannot be read, is none, or contradicts itself.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let unusable = |what: &str| KeyError::Unusable {
            path: path.display().to_string(),
            what: what.to_owned(),
        };
        let mut text = Vec::new();
        File::open(path)
            .and_then(|file| file.take(FILE_LIMIT).read_to_end(&mut text))
            .map_err(|source| io_error(path, source))?;
        if text.starts_with(b"-----BEGIN") {
            return Err(unusable(
                "it is a secret key; give the public part, which `tidegate keys make` wrote beside it (*.pub)",
            ));
        }
        let file: PublicKeyFile = serde_json::from_slice(&text).map_err(|_| {
            unusable("it is no public key of `tidegate keys make`, or it was damaged")
        })?;
        if file.tidegate_public_key != VERSION {
            return Err(unusable("it is of a newer version; install a newer tidegate here"));
        }
        let bytes = hex::decode(&file.public).ok().and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or_else(|| unusable("its key has not 32 bytes"))?;
        let key = Self { role: file.role, name: file.name, bytes };
        if key.key_id() != file.key_id || key.fingerprint() != file.fingerprint {
            return Err(unusable(
                "its key is not the one that its key id and fingerprint name: it was altered or damaged",
            ));
        }
        Ok(key)
    }

    /// Writes a public key file; never overwrites one.
    ///
    /// # Errors
    /// When it exists or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let file = PublicKeyFile {
            tidegate_public_key: VERSION,
            role: self.role,
            name: self.name.clone(),
            key_id: self.key_id(),
            fingerprint: self.fingerprint(),
            public: hex::encode(self.bytes),
        };
        serde_json::to_vec_pretty(&file)
            .map_err(std::io::Error::other)
            .and_then(|json| {
                let mut file = File::create_new(path)?;
                file.write_all(&json)?;
                file.write_all(b"\n")?;
                file.sync_all()
            })
            .map_err(|source| io_error(path, source))
    }

    /// The TUF key id, in hexadecimal.
    pub fn key_id(&self) -> String {
        self.tuf_key().key_id().map(|id| hex::encode(id.into_vec())).unwrap_or_default()
    }

    /// The key id as words, to compare by voice.
    pub fn fingerprint(&self) -> String {
        let id: Option<Sha256> = self.key_id().parse().ok();
        id.map(|id| spoken(id.as_bytes())).unwrap_or_default()
    }

    /// The key as TUF writes it.
    pub(crate) fn tuf_key(&self) -> Key {
        Key::Ed25519 {
            keyval: Ed25519Key { public: self.bytes.to_vec().into(), _extra: Default::default() },
            scheme: Ed25519Scheme::Ed25519,
            _extra: Default::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;

    #[test]
    fn the_public_part_is_the_same_key_and_comes_back_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let secret = SigningKey::generate().unwrap();
        let name: KeyName = "Anna, 2nd floor".parse().unwrap();
        let key = secret.public_part(KeyRole::Countersigner, Some(name)).unwrap();
        assert_eq!(key.key_id(), secret.key_id());
        assert_eq!(key.fingerprint().split(' ').count(), 16);
        let path = dir.path().join("anna.pub");
        key.save(&path).unwrap();
        assert_eq!(PublicKey::load(&path).unwrap(), key);
        assert!(key.save(&path).is_err(), "never overwritten");
    }

    #[test]
    fn another_key_under_a_known_id_or_fingerprint_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pub");
        let public = || SigningKey::generate().unwrap().public_part(KeyRole::Root, None).unwrap();
        let (ours, theirs) = (public(), public());
        ours.save(&path).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [
            (hex::encode(ours.bytes), hex::encode(theirs.bytes)),
            (ours.key_id(), theirs.key_id()),
            (ours.fingerprint(), theirs.fingerprint()),
            ("\"root\"".to_owned(), "\"king\"".to_owned()),
            ("-public-key\": 1".to_owned(), "-public-key\": 2".to_owned()),
        ] {
            let bad = good.replace(&from, &to);
            assert_ne!(bad, good);
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(PublicKey::load(&path), Err(KeyError::Unusable { .. })), "{from}");
        }
        std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\n").unwrap();
        let error = PublicKey::load(&path).unwrap_err().to_string();
        assert!(error.contains("secret key"), "{error}");
    }

    #[test]
    fn names_are_plain() {
        for good in ["Anna", "Anna, 2nd floor", "Jürgen (root 1)", "佐藤"] {
            assert!(good.parse::<KeyName>().is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for bad in ["", " Anna", "Anna\n", "a\u{1b}[2J", "a\u{202e}b", long.as_str()] {
            assert!(bad.parse::<KeyName>().is_err(), "{bad:?}");
        }
    }
}
