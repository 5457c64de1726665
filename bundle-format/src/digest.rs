//! Digests as types: a digest is never a bare string or array outside this module.

use std::{
    fmt,
    io::{self, Read, Write},
    str::FromStr,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Payloads are cut into chunks of this many bytes (16 MiB); each has a digest of its own.
pub const CHUNK_SIZE: u64 = 16 * 1024 * 1024;

/// A text that is no digest.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not a {name} digest ({expected})")]
pub struct BadDigest {
    text: String,
    name: &'static str,
    expected: &'static str,
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident, $len:literal, $hasher:ty, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Wraps raw digest bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw digest bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Hashes `bytes`.
            pub fn hash(bytes: &[u8]) -> Self {
                use sha2::Digest as _;
                Self(<$hasher>::digest(bytes).into())
            }

            /// The digest in a byte slice of exactly the right length.
            ///
            /// # Errors
            /// [`BadDigest`] for any other length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, BadDigest> {
                <[u8; $len]>::try_from(bytes).map(Self).map_err(|_| BadDigest {
                    text: hex::encode(bytes.get(..bytes.len().min(40)).unwrap_or_default()),
                    name: $what,
                    expected: concat!(stringify!($len), " bytes"),
                })
            }

            /// Reads standard base64, as update documents write digests.
            ///
            /// # Errors
            /// [`BadDigest`] for other text.
            pub fn from_base64(text: &str) -> Result<Self, BadDigest> {
                let bad = || BadDigest {
                    text: text.chars().take(100).collect(),
                    name: $what,
                    expected: concat!("base64 of ", stringify!($len), " bytes"),
                };
                let bytes = STANDARD.decode(text.trim()).map_err(|_| bad())?;
                <[u8; $len]>::try_from(bytes.as_slice()).map(Self).map_err(|_| bad())
            }

            /// Standard base64, as update documents write digests.
            pub fn to_base64(&self) -> String {
                STANDARD.encode(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}:{self}", $what)
            }
        }

        impl FromStr for $name {
            type Err = BadDigest;

            /// Reads lower- or upper-case hexadecimal.
            fn from_str(text: &str) -> Result<Self, BadDigest> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| BadDigest {
                    text: text.chars().take(100).collect(),
                    name: $what,
                    expected: concat!("hexadecimal of ", stringify!($len), " bytes"),
                })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

digest_type!(
    /// A SHA-256 digest: the name of every object, and the digest that content is verified against.
    Sha256, 32, sha2::Sha256, "SHA-256"
);
digest_type!(
    /// A SHA-1 digest: how agents and WSUS name a payload. A name, never a proof.
    Sha1, 20, sha1::Sha1, "SHA-1"
);

/// What one pass over a payload yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadDigests {
    /// Of the whole payload.
    pub sha256: Sha256,
    /// Of the whole payload.
    pub sha1: Sha1,
    /// In bytes.
    pub size: u64,
    /// SHA-256 of each [`CHUNK_SIZE`] piece; empty payloads have none.
    pub chunks: Vec<Sha256>,
}

/// Hashes a payload in one pass: whole SHA-256 and SHA-1, and the SHA-256 of each chunk.
#[derive(Clone, Default)]
pub struct PayloadHasher {
    sha256: sha2::Sha256,
    sha1: sha1::Sha1,
    size: u64,
    chunk: sha2::Sha256,
    chunks: Vec<Sha256>,
}

impl PayloadHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        use sha2::Digest as _;
        self.sha1.update(bytes);
        while !bytes.is_empty() {
            let room = CHUNK_SIZE - self.size % CHUNK_SIZE;
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let (now, rest) = bytes.split_at(take);
            self.sha256.update(now);
            // Until the first chunk ends it is the whole: most payloads are hashed once only.
            if self.size >= CHUNK_SIZE {
                self.chunk.update(now);
            }
            self.size += now.len() as u64;
            if self.size == CHUNK_SIZE {
                self.chunks.push(Sha256(self.sha256.clone().finalize().into()));
            } else if self.size.is_multiple_of(CHUNK_SIZE) {
                self.chunks.push(Sha256(self.chunk.finalize_reset().into()));
            }
            bytes = rest;
        }
    }

    /// The digests of all bytes taken.
    pub fn finish(mut self) -> PayloadDigests {
        use sha2::Digest as _;
        let sha256 = Sha256(self.sha256.finalize().into());
        if !self.size.is_multiple_of(CHUNK_SIZE) {
            let first = self.size < CHUNK_SIZE;
            self.chunks.push(if first { sha256 } else { Sha256(self.chunk.finalize().into()) });
        }
        PayloadDigests {
            sha256,
            sha1: Sha1(self.sha1.finalize().into()),
            size: self.size,
            chunks: self.chunks,
        }
    }
}

/// Passes bytes on to `inner` and hashes them on the way.
pub(crate) struct HashingWriter<W> {
    inner: W,
    sha256: sha2::Sha256,
    size: u64,
}

impl<W: Write> HashingWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, sha256: sha2::Sha256::default(), size: 0 }
    }

    /// The inner writer, the digest of what it was given, and how many bytes that was.
    pub(crate) fn finish(self) -> (W, Sha256, u64) {
        use sha2::Digest as _;
        (self.inner, Sha256(self.sha256.finalize().into()), self.size)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        use sha2::Digest as _;
        let written = self.inner.write(buf)?;
        self.sha256.update(buf.get(..written).unwrap_or(buf));
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads from `inner` and hashes on the way.
pub(crate) struct HashingReader<R> {
    inner: R,
    sha256: sha2::Sha256,
    size: u64,
}

impl<R: Read> HashingReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, sha256: sha2::Sha256::default(), size: 0 }
    }

    /// The digest of what was read, and how many bytes that was.
    pub(crate) fn finish(self) -> (Sha256, u64) {
        use sha2::Digest as _;
        (Sha256(self.sha256.finalize().into()), self.size)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        use sha2::Digest as _;
        let read = self.inner.read(buf)?;
        self.sha256.update(buf.get(..read).unwrap_or(buf));
        self.size += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn texts_of_a_digest() {
        let digest = Sha256::hash(b"abc");
        assert_eq!(digest.to_string(), ABC);
        assert_eq!(ABC.parse(), Ok(digest));
        assert_eq!(ABC.to_uppercase().parse(), Ok(digest));
        assert_eq!(Sha256::from_base64(&digest.to_base64()), Ok(digest));
        assert_eq!(Sha256::from_slice(digest.as_bytes()), Ok(digest));
        assert_eq!(serde_json::to_string(&digest).unwrap(), format!("\"{ABC}\""));
        assert_eq!(Sha1::hash(b"abc").to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn what_is_no_digest() {
        assert!(ABC[..63].parse::<Sha256>().is_err());
        assert!(ABC.parse::<Sha1>().is_err());
        assert!(format!("0x{}", &ABC[2..]).parse::<Sha256>().is_err());
        assert!(Sha256::from_base64("AAAA").is_err());
        assert!(Sha256::from_slice(&[0; 31]).is_err());
        assert!(serde_json::from_str::<Sha256>("\"abc\"").is_err());
    }

    #[test]
    fn chunks_end_where_they_must() {
        let chunk = usize::try_from(CHUNK_SIZE).unwrap();
        let bytes: Vec<u8> = (0..=250).cycle().take(2 * chunk + 1).collect();
        let lengths =
            [(0, 0), (1, 1), (chunk - 1, 1), (chunk, 1), (chunk + 1, 2), (2 * chunk + 1, 3)];
        for (length, chunks) in lengths {
            let mut hasher = PayloadHasher::new();
            // Pieces of an odd size, so that a chunk's end falls within one.
            bytes[..length].chunks(1_000_003).for_each(|piece| hasher.update(piece));
            let digests = hasher.finish();
            assert_eq!(digests.size, length as u64);
            assert_eq!(digests.sha256, Sha256::hash(&bytes[..length]));
            assert_eq!(digests.sha1, Sha1::hash(&bytes[..length]));
            let expected: Vec<Sha256> = bytes[..length].chunks(chunk).map(Sha256::hash).collect();
            assert_eq!(expected.len(), chunks);
            assert_eq!(digests.chunks, expected);
        }
    }

    #[test]
    fn hashing_on_the_way() {
        let mut writer = HashingWriter::new(Vec::new());
        writer.write_all(b"abc").unwrap();
        assert_eq!(writer.finish(), (b"abc".to_vec(), Sha256::hash(b"abc"), 3));
        let mut reader = HashingReader::new(&b"abc"[..]);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(reader.finish(), (Sha256::hash(b"abc"), 3));
    }
}
