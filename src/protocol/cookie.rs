//! Cookies: small tokens of fixed layout, encrypted and authenticated under a key that the servers
//! of a site share. Verified before anything in them is read. [MS-WUSP] 2.2.3.4, 2.2.3.5
//!
//! Layout: version, nonce (12), ciphertext, tag (16). The version and the kind are authenticated.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use uuid::Uuid;

use super::ErrorCode;
use super::{fault::ProtocolFault, fields::Fields, time::DateTime, version::ProtocolVersion};
use crate::soap::Writer;

const VERSION: u8 = 1;
/// `ClientIdString` has at most 255 characters.
const MAX_CLIENT_ID: usize = 255;

/// What GetAuthorizationCookie states: who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCookie {
    /// `clientId`.
    pub client: String,
    /// Not to be used after this.
    pub expires: Timestamp,
}

/// What a client carries from call to call, so that a server need not remember it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// `clientId`.
    pub client: String,
    /// The end that counts; `Expiration` beside it is only a copy.
    pub expires: Timestamp,
    /// The client's protocol version.
    pub version: ProtocolVersion,
    /// `LastChange` of the configuration that the client has.
    pub last_change: Timestamp,
    /// The change mark up to which the client knows its deployments.
    pub anchor: u64,
}

/// A cookie as messages carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedCookie {
    /// `Expiration`: a copy, for the client.
    pub expiration: Timestamp,
    /// `EncryptedData`.
    pub data: Vec<u8>,
}

impl EncodedCookie {
    /// Writes its two elements.
    pub(super) fn write<F>(&self, name: &str, w: &mut Writer<F>) {
        w.element(name, |w| {
            w.value("Expiration", DateTime(self.expiration));
            w.value("EncryptedData", STANDARD.encode(&self.data));
        });
    }
}

/// Reads `EncryptedData` of a cookie. Absent, empty and nil are alike: agents send a first
/// `oldCookie` with nothing but an `Expiration`.
pub(super) fn read_cookie(
    fields: &Fields<'_>,
    name: &str,
) -> Result<Option<Vec<u8>>, ProtocolFault> {
    let Some(cookie) = fields.maybe_within(name) else { return Ok(None) };
    cookie
        .base64("EncryptedData")
        .map_err(|_| ProtocolFault::new(ErrorCode::InvalidCookie, "the cookie is not base64"))
}

/// Seals and opens cookies.
pub struct CookieSealer {
    key: RandomizedNonceKey,
    server: Uuid,
}

#[derive(Clone, Copy)]
enum Kind {
    Authorization = 1,
    Cookie = 2,
}

impl CookieSealer {
    /// `key` is shared by the servers of a site; `server` stands for the numbering of revisions:
    /// cookies of another one are answered with `ServerChanged`.
    pub fn new(key: &[u8; 32], server: Uuid) -> Option<Self> {
        Some(Self { key: RandomizedNonceKey::new(&AES_256_GCM, key).ok()?, server })
    }

    /// A token for GetCookie; `None` when the system has no randomness.
    pub fn seal_authorization(&self, cookie: &AuthorizationCookie) -> Option<Vec<u8>> {
        let mut plain = self.head(cookie.expires);
        plain.extend_from_slice(cookie.client.as_bytes());
        self.seal(Kind::Authorization, plain)
    }

    /// Opens a token of GetAuthorizationCookie.
    ///
    /// # Errors
    /// `InvalidAuthorizationCookie`.
    pub fn open_authorization(
        &self,
        token: &[u8],
        now: Timestamp,
    ) -> Result<AuthorizationCookie, ProtocolFault> {
        let bad = |why| ProtocolFault::new(ErrorCode::InvalidAuthorizationCookie, why);
        let plain = self.open(Kind::Authorization, token).ok_or_else(|| bad("not one of ours"))?;
        let mut input = Input(&plain);
        let read = |input: &mut Input<'_>| {
            let server = input.uuid()?;
            let expires = input.instant()?;
            Some((server, AuthorizationCookie { client: input.client()?, expires }))
        };
        let (server, cookie) = read(&mut input).ok_or_else(|| bad("not one of ours"))?;
        if server != self.server {
            return Err(bad("of another server"));
        }
        if now > cookie.expires {
            return Err(bad("expired"));
        }
        Ok(cookie)
    }

    /// A cookie for the client; `None` when the system has no randomness.
    pub fn seal_cookie(&self, cookie: &Cookie) -> Option<EncodedCookie> {
        let mut plain = self.head(cookie.expires);
        plain.extend_from_slice(&cookie.version.major.to_le_bytes());
        plain.extend_from_slice(&cookie.version.minor.to_le_bytes());
        plain.extend_from_slice(&cookie.last_change.as_microsecond().to_le_bytes());
        plain.extend_from_slice(&cookie.anchor.to_le_bytes());
        plain.extend_from_slice(cookie.client.as_bytes());
        let data = self.seal(Kind::Cookie, plain)?;
        Some(EncodedCookie { expiration: cookie.expires, data })
    }

    /// Opens a cookie without looking at its end.
    ///
    /// # Errors
    /// `InvalidCookie` when it is none of ours, `ServerChanged` when it belongs to another numbering.
    pub fn open_cookie(&self, token: &[u8]) -> Result<Cookie, ProtocolFault> {
        let bad = || ProtocolFault::new(ErrorCode::InvalidCookie, "the cookie is not one of ours");
        let plain = self.open(Kind::Cookie, token).ok_or_else(bad)?;
        let mut input = Input(&plain);
        let read = |input: &mut Input<'_>| {
            let server = input.uuid()?;
            let expires = input.instant()?;
            let version = ProtocolVersion { major: input.u16()?, minor: input.u16()? };
            let last_change = input.instant()?;
            let anchor = u64::from_le_bytes(input.array()?);
            let client = input.client()?;
            Some((server, Cookie { client, expires, version, last_change, anchor }))
        };
        let (server, cookie) = read(&mut input).ok_or_else(bad)?;
        if server != self.server {
            return Err(ProtocolFault::new(
                ErrorCode::ServerChanged,
                "the cookie is of another numbering",
            ));
        }
        Ok(cookie)
    }

    fn head(&self, expires: Timestamp) -> Vec<u8> {
        let mut plain = self.server.as_bytes().to_vec();
        plain.extend_from_slice(&expires.as_microsecond().to_le_bytes());
        plain
    }

    fn seal(&self, kind: Kind, mut plain: Vec<u8>) -> Option<Vec<u8>> {
        let aad = Aad::from([VERSION, kind as u8]);
        let nonce = self.key.seal_in_place_append_tag(aad, &mut plain).ok()?;
        let mut token = vec![VERSION];
        token.extend_from_slice(nonce.as_ref());
        token.append(&mut plain);
        Some(token)
    }

    fn open(&self, kind: Kind, token: &[u8]) -> Option<Vec<u8>> {
        let (version, rest) = token.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        if *version != VERSION || sealed.len() > 1024 {
            return None;
        }
        let mut sealed = sealed.to_vec();
        let aad = Aad::from([VERSION, kind as u8]);
        let plain = self.key.open_in_place(Nonce::from(nonce), aad, &mut sealed).ok()?.len();
        sealed.truncate(plain);
        Some(sealed)
    }
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn uuid(&mut self) -> Option<Uuid> {
        self.array().map(Uuid::from_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn instant(&mut self) -> Option<Timestamp> {
        Timestamp::from_microsecond(i64::from_le_bytes(self.array()?)).ok()
    }

    fn client(&mut self) -> Option<String> {
        let text = std::str::from_utf8(self.0).ok()?;
        (1..=MAX_CLIENT_ID).contains(&text.len()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn sealer(server: u128) -> CookieSealer {
        CookieSealer::new(&KEY, Uuid::from_u128(server)).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn cookie() -> Cookie {
        Cookie {
            client: "e1da06a3-5601-43c9-bac3-52d5db701494".to_owned(),
            expires: at(1000),
            version: ProtocolVersion { major: 2, minor: 90 },
            last_change: at(5),
            anchor: 77,
        }
    }

    #[test]
    fn a_cookie_comes_back() {
        let wire = sealer(1).seal_cookie(&cookie()).unwrap();
        assert_eq!(wire.expiration, at(1000));
        assert_eq!(sealer(1).open_cookie(&wire.data), Ok(cookie()));
        assert_ne!(wire.data, sealer(1).seal_cookie(&cookie()).unwrap().data, "nonces differ");
    }

    #[test]
    fn other_numberings_and_keys_are_told_apart() {
        let wire = sealer(1).seal_cookie(&cookie()).unwrap();
        let code = |sealer: &CookieSealer| sealer.open_cookie(&wire.data).unwrap_err().code;
        assert_eq!(code(&sealer(2)), ErrorCode::ServerChanged);
        let other = CookieSealer::new(&[8; 32], Uuid::from_u128(1)).unwrap();
        assert_eq!(code(&other), ErrorCode::InvalidCookie);
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_noticed() {
        let token = sealer(1).seal_cookie(&cookie()).unwrap().data;
        let code = |token: &[u8]| sealer(1).open_cookie(token).unwrap_err().code;
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut changed = token.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(code(&changed), ErrorCode::InvalidCookie);
            }
            assert_eq!(code(&token[..at]), ErrorCode::InvalidCookie);
        }
        assert_eq!(code(&[0; 168]), ErrorCode::InvalidCookie);
        assert_eq!(code(&vec![1; 1 << 20]), ErrorCode::InvalidCookie);
    }

    #[test]
    fn the_kinds_do_not_pass_for_each_other() {
        let auth = AuthorizationCookie { client: "c".to_owned(), expires: at(10) };
        let token = sealer(1).seal_authorization(&auth).unwrap();
        assert_eq!(sealer(1).open_authorization(&token, at(10)), Ok(auth));
        assert!(sealer(1).open_cookie(&token).is_err());
        for (sealer, now) in [(sealer(1), 11), (sealer(2), 10)] {
            assert_eq!(
                sealer.open_authorization(&token, at(now)).unwrap_err().code,
                ErrorCode::InvalidAuthorizationCookie
            );
        }
        let wire = sealer(1).seal_cookie(&cookie()).unwrap();
        assert!(sealer(1).open_authorization(&wire.data, at(0)).is_err());
    }
}
