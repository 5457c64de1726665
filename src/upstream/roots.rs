//! Certificates that are trusted as roots: reading them from a file, and those that are pinned for
//! Microsoft Update.
//!
//! Metadata documents are not signed: what makes them Microsoft's is the channel. So no root but
//! the pinned ones counts for it, neither those of the system nor those of an administrator's TLS
//! inspection. The certificate does not come with the program: an administrator brings it,
//! and it is checked against the fingerprints here.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use reqwest::Url;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::address::{server_root, without_credentials};
use crate::certificate::certificates;

/// Where Microsoft Update answers downstream servers.
const MICROSOFT_UPDATE: &str = "https://sws.update.microsoft.com/";

/// The domain of Microsoft Update's services: hosts below it must prove a pinned root. Hosts
/// of content need not: each file is compared with the digests in the metadata.
const MICROSOFT_DOMAIN: &str = "update.microsoft.com";

/// The roots under which hosts of that domain answer, and the SHA-256 of each, as documented (see
/// docs/operating.md). The first is RSA and valid to 2036, the second ECC and valid to 2043. Hosts of
/// the domain serve both already, and the authority that issues under the first ends in June 2027.
const MICROSOFT_ROOTS: [(&str, &str); 2] = [
    (
        "Microsoft Root Certificate Authority 2011",
        "847DF6A78497943F27FC72EB93F9A637320A02B561D0A91B09E87A7807ED7C61",
    ),
    (
        "Microsoft ECC Product Root Certificate Authority 2018",
        "CACA93B9D23D2B6FA76E8B8471931E0DF3EC6F63AF3CDBB936C41954A1872326",
    ),
];

/// More than any file of roots has, in bytes.
const LARGEST: u64 = 4 << 20;

/// The SHA-256 of a certificate (of its DER form).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn from_certificate(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

/// Hexadecimal, with or without colons or spaces, in either case.
impl FromStr for Fingerprint {
    type Err = RootsError;

    fn from_str(text: &str) -> Result<Self, RootsError> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(&digits, &mut bytes)
            .map_err(|_| RootsError::Fingerprint { text: text.chars().take(200).collect() })?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        f.write_str(&pairs.join(":"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where Microsoft Update is, and what it must prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicrosoftUpdate {
    base: Url,
    roots: Option<PathBuf>,
    fingerprints: Vec<Fingerprint>,
}

impl MicrosoftUpdate {
    /// At `url`, else where Microsoft has it; with the roots in the file `roots`, all of which must
    /// have one of the `fingerprints`, else one of those that the program pins.
    ///
    /// # Errors
    /// When the address is none with https, or a fingerprint is none.
    pub fn new(
        url: Option<&str>,
        roots: Option<PathBuf>,
        fingerprints: Option<&[String]>,
    ) -> Result<Self, RootsError> {
        let text = url.unwrap_or(MICROSOFT_UPDATE);
        let wrong = |why| RootsError::Address { url: without_credentials(text), why };
        let base = server_root(text).map_err(|_| wrong("it is no address of a server"))?;
        if base.scheme() != "https" {
            return Err(wrong("only https:// proves who answers"));
        }
        let fingerprints = match fingerprints {
            None => MICROSOFT_ROOTS
                .iter()
                .map(|(_, fingerprint)| fingerprint.parse())
                .collect::<Result<_, _>>()?,
            Some(texts) => texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
        };
        Ok(Self { base, roots, fingerprints })
    }

    /// The root of its address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Whether a server belongs to it, and so must prove it.
    pub(super) fn is_at(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let below = host.strip_suffix(MICROSOFT_DOMAIN);
        let same_host = url.host() == self.base.host() && url.port() == self.base.port();
        same_host || below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Reads the roots. Every certificate in the file must be a pinned one.
    pub(super) fn pinned_roots(&self) -> Result<Vec<CertificateDer<'static>>, RootsError> {
        let path = self.roots.clone().unwrap_or_else(|| "microsoft-roots.pem".into());
        let roots = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let fingerprints =
                    self.fingerprints.iter().map(ToString::to_string).collect::<Vec<_>>();
                return Err(RootsError::Absent { path, pinned: fingerprints.join(" and ") });
            }
            _ => read(&path).map_err(|why| RootsError::File { path: path.clone(), why })?,
        };
        for root in &roots {
            let fingerprint = Fingerprint::from_certificate(root);
            if !self.fingerprints.contains(&fingerprint) {
                return Err(RootsError::NotPinned { path, fingerprint });
            }
        }
        Ok(roots)
    }
}

impl Default for MicrosoftUpdate {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "constants, which a test reads")]
        Self::new(None, None, None).expect("the address and the fingerprints in this file are good")
    }
}

/// Why the pinned roots cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// The file is not there.
    #[error(
        "there is no {path}: Microsoft Update is trusted by its own roots only, which you have to bring. Get {} from https://www.microsoft.com/pkiops/docs/repository.htm, put them there (PEM, one after the other), and compare their SHA-256 with Microsoft's page: {pinned} are expected. docs/operating.md says more",
        root_names()
    )]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
        /// The fingerprints that count.
        pinned: String,
    },
    /// The file is of no use.
    #[error("cannot use the roots of Microsoft Update in {path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A certificate in it is not a pinned one.
    #[error(
        "{path} holds a certificate that is not pinned for Microsoft Update, SHA-256 {fingerprint}; nothing was asked. Take it out; or, if Microsoft's page names it, add it to `fingerprints` in [microsoft-update] of the configuration"
    )]
    NotPinned {
        /// The file.
        path: PathBuf,
        /// Of the certificate.
        fingerprint: Fingerprint,
    },
    /// A fingerprint in the configuration is none.
    #[error("{text:?} is no SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")]
    Fingerprint {
        /// As given.
        text: String,
    },
    /// The address in the configuration is of no use.
    #[error("{url} cannot be the address of Microsoft Update: {why}")]
    Address {
        /// As given.
        url: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// The names of the roots that are pinned.
fn root_names() -> String {
    MICROSOFT_ROOTS.map(|(name, _)| format!("\"{name}\"")).join(" and ")
}

/// Reads the certificates in a file. Says what is wrong.
pub(super) fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .map_err(|e| e.to_string())?;
    certificates(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> bool {
        MicrosoftUpdate::default().is_at(&Url::parse(url).unwrap())
    }

    #[test]
    fn services_of_microsoft_are_known_by_their_domain() {
        assert!(at("https://sws.update.microsoft.com/"));
        assert!(at("https://SWS.update.MICROSOFT.com./x"));
        assert!(at("https://fe2.update.microsoft.com:8443/"));
        assert!(!at("https://sws.update.microsoft.com.example/"));
        assert!(!at("https://notupdate.microsoft.com/"));
        assert!(!at("http://download.windowsupdate.com/"));
        let ours = MicrosoftUpdate::new(Some("https://127.0.0.1:8531"), None, None).unwrap();
        assert!(ours.is_at(&Url::parse("https://127.0.0.1:8531/").unwrap()));
        assert!(ours.is_at(&Url::parse("https://sws.update.microsoft.com/").unwrap()));
        assert!(!ours.is_at(&Url::parse("https://127.0.0.1:8532/").unwrap()));
    }

    #[test]
    fn fingerprints_are_read_as_people_write_them() {
        let pinned = MicrosoftUpdate::default().fingerprints;
        assert_eq!(pinned.len(), 2);
        let text = pinned[0].to_string();
        assert!(text.starts_with("84:7D:F6:A7:") && text.ends_with(":07:ED:7C:61"), "{text}");
        assert_eq!(text.to_lowercase().parse::<Fingerprint>().unwrap(), pinned[0]);
        for bad in ["", "84:7D", &text[1..], "zz"] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_http_cannot_be_configured() {
        let error = MicrosoftUpdate::new(Some("http://127.0.0.1:8530"), None, None).unwrap_err();
        assert!(error.to_string().contains("https://"), "{error}");
    }
}
