//! Certificates: which server a client trusts, why it does not, and how long one holds.
//!
//! | file | owns |
//! |---|---|
//! | `client` | the roots that a client trusts, and how a server is judged by them |
//! | `failure` | why a server is not trusted, for people: the same words for every client |
//! | here | how long a certificate holds. [RFC 5280] 4.1 |
//!
//! ```text
//! Certificate    ::= SEQUENCE { tbsCertificate SEQUENCE { … }, … }
//! tbsCertificate ::= { [0] version OPTIONAL, serialNumber INTEGER, signature SEQUENCE,
//!                      issuer SEQUENCE, validity SEQUENCE { notBefore Time, notAfter Time }, … }
//! Time           ::= UTCTime (YYMMDDHHMMSSZ) or GeneralizedTime (YYYYMMDDHHMMSSZ)
//! ```

mod client;
mod failure;

pub use client::{certificates, client_config};
#[cfg(any(feature = "upstream", feature = "probe"))]
pub(crate) use failure::NO_SYSTEM_ROOTS;
pub(crate) use failure::why_unusable;
pub use failure::{TlsFailure, tls_failure};

use jiff::{Timestamp, civil};

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// From when to when a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: Timestamp,
    /// The last moment.
    pub not_after: Timestamp,
}

impl Validity {
    /// Of a certificate as DER; `None` when it is none.
    pub fn read(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(SEQUENCE, certificate)?;
        let (mut rest, _) = expect(SEQUENCE, certificate)?;
        if let Some((_, after)) = expect(VERSION, rest) {
            rest = after;
        }
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            (_, rest) = expect(tag, rest)?;
        }
        let (validity, _) = expect(SEQUENCE, rest)?;
        let (not_before, rest) = time(validity)?;
        let (not_after, _) = time(rest)?;
        Some(Self { not_before, not_after })
    }

    /// Whole days until it ends; negative when it has ended.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.not_after.duration_since(now).as_secs().div_euclid(24 * 3600)
    }
}

/// The content of the element at the beginning, and what follows, if it has this tag.
fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x84 => {
            let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            rest = after;
            digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256)?.checked_add(usize::from(*digit))
            })?
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    let text = str::from_utf8(content).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, text) = match tag {
        UTC_TIME => {
            let (year, text) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text)
        }
        GENERALIZED_TIME => {
            let (year, text) = text.split_at_checked(4)?;
            (year.parse().ok()?, text)
        }
        _ => return None,
    };
    if text.len() != 10 {
        return None;
    }
    let part = |at: usize| text.get(at..at + 2)?.parse::<i8>().ok();
    let time =
        civil::DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    Some((time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(), rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: i32, to: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(["wsus.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 2);
        params.not_after = date_time_ymd(to, 3, 4);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        for (from, to) in [(1980, 2024), (2026, 2049), (2026, 2050), (2051, 4096)] {
            let validity = Validity::read(&certificate(from, to)).unwrap();
            assert_eq!(validity.not_before.to_string(), format!("{from}-01-02T00:00:00Z"));
            assert_eq!(validity.not_after.to_string(), format!("{to}-03-04T00:00:00Z"));
        }
        let validity = Validity::read(&certificate(2026, 2027)).unwrap();
        assert_eq!(validity.days_left("2027-03-03T00:00:00Z".parse().unwrap()), 1);
        assert_eq!(validity.days_left("2027-03-03T00:00:01Z".parse().unwrap()), 0);
        assert_eq!(validity.days_left("2027-03-04T00:00:01Z".parse().unwrap()), -1);
    }

    #[test]
    fn what_is_cut_or_changed_is_no_certificate_and_does_no_harm() {
        let certificate = certificate(2026, 2027);
        for end in 0..certificate.len() {
            assert_eq!(Validity::read(&certificate[..end]), None, "{end}");
        }
        for at in 0..certificate.len().min(150) {
            for byte in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = certificate.clone();
                changed[at] = byte;
                let _ = Validity::read(&changed);
            }
        }
    }
}
