//! `tidegate.toml`: what an administrator sets once. Flags and environment win over it.
mod mistake;

use std::{
    fmt,
    fs::File,
    io::Read as _,
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
    str::FromStr,
};

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::Deserialize;

/// More than any configuration has, in bytes.
const LARGEST: u64 = 1 << 20;

/// The configuration file. Every key is optional; an unknown one is an error, because a misspelt
/// safety setting must not be ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The file that it was read from.
    #[serde(skip)]
    pub(crate) file: Option<PathBuf>,
    /// The data folder.
    pub(crate) data: Option<PathBuf>,
    /// `[serve]`
    #[serde(default)]
    pub(crate) serve: Serve,
    /// `[bounds]`
    #[serde(default)]
    pub(crate) bounds: Bounds,
    /// `[import]`
    #[serde(default)]
    pub(crate) import: Import,
    /// `[check]`
    #[serde(default)]
    pub(crate) check: Check,
    /// `[rules]`
    #[serde(default)]
    #[cfg_attr(not(feature = "upstream"), expect(dead_code, reason = "nothing synchronizes"))]
    pub(crate) rules: Rules,
    /// `[download]`
    #[serde(default)]
    #[cfg_attr(not(feature = "upstream"), expect(dead_code, reason = "nothing downloads"))]
    pub(crate) download: Download,
    /// `[limits]`
    #[serde(default)]
    pub(crate) limits: ConfigLimits,
    /// `[connection]`
    #[serde(default)]
    pub(crate) connection: Connection,
    /// `[microsoft-update]`
    #[serde(default)]
    #[cfg_attr(not(feature = "upstream"), expect(dead_code, reason = "nothing connects"))]
    pub(crate) microsoft_update: MicrosoftUpdate,
}

/// `[serve]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Serve {
    /// Where to listen for plain HTTP; `0.0.0.0:8530` if not given, `none` for TLS only.
    pub(crate) listen: Option<Listen>,
    /// Where to listen for TLS; `0.0.0.0:8531` if not given.
    pub(crate) tls_listen: Option<SocketAddr>,
    /// The certificate of the server, and those that lead to its root; PEM.
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key; PEM.
    pub(crate) tls_key: Option<PathBuf>,
    /// How agents reach the content, if not by the address that they asked.
    pub(crate) public_url: Option<String>,
    /// Ids of the servers that may be downstreams of this one; any if not given.
    pub(crate) downstreams: Option<Vec<uuid::Uuid>>,
    /// Connections at one time; 4096 if not given.
    pub(crate) connections: Option<NonZeroUsize>,
    /// Connections of one address at one time; 1024 if not given.
    pub(crate) connections_per_address: Option<NonZeroUsize>,
}

/// `[bounds]`: what computers and servers may occupy; see `docs/operating.md` for what holds if nothing is
/// given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Bounds {
    /// Computers in all.
    pub(crate) computers: Option<NonZeroU64>,
    /// Computers of one address.
    pub(crate) computers_per_address: Option<NonZeroU64>,
    /// Computers of one address that have never scanned.
    pub(crate) never_scanned_per_address: Option<NonZeroU64>,
    /// Downstream servers of one address.
    pub(crate) servers_per_address: Option<NonZeroU64>,
    /// What all computers reported, as `2GiB`.
    pub(crate) reports: Option<String>,
    /// What the computers of one address reported.
    pub(crate) reports_per_address: Option<String>,
    /// What one computer reported.
    pub(crate) reports_per_computer: Option<String>,
}

/// An address, or `none`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Listen(pub(crate) Option<SocketAddr>);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(None));
        }
        let wrong = "is no address with a port, such as 0.0.0.0:8530, and not `none`";
        let address = text.parse().map_err(|_| format!("{text:?} {wrong}"));
        address.map(|address| Self(Some(address)))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// `[import]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Import {
    /// Refuse bundles whose signatures have expired, instead of warning.
    #[serde(default)]
    pub(crate) refuse_expired: bool,
    /// What becomes of the policy of a bundle.
    #[serde(default)]
    pub(crate) policy: OnArrival,
}

/// What becomes of the policy of a bundle when it arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnArrival {
    /// It takes effect.
    #[default]
    Apply,
    /// It waits for a person.
    Hold,
}

/// `[check]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Check {
    /// The newest snapshot must not be older, as `45 days`.
    pub(crate) max_age: Option<Age>,
}

/// A length of time that is not negative: `45 days`, `6 weeks`, `36 hours`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Age(pub(crate) SignedDuration);

impl TryFrom<String> for Age {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let span = text.parse::<Span>();
        let age = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
        age.ok().filter(|age| !age.is_negative()).map(Self).ok_or_else(|| {
            format!(
                "{text:?} is no length of time, such as \"45 days\", \"6 weeks\" or \"36 hours\""
            )
        })
    }
}

/// `[rules]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(not(feature = "upstream"), expect(dead_code, reason = "nothing synchronizes"))]
pub(crate) struct Rules {
    /// Run the approval rules after each synchronization.
    #[serde(default)]
    pub(crate) after_sync: bool,
}

/// `[download]`: what the flags of `download` mean when they are not given; also for `sync --payloads`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(not(feature = "upstream"), expect(dead_code, reason = "nothing downloads"))]
pub(crate) struct Download {
    /// Bytes per second, as `10MiB`.
    pub(crate) rate: Option<String>,
    /// As `22:00-06:00`.
    pub(crate) window: Option<String>,
    /// Files at a time.
    pub(crate) parallel: Option<u16>,
    /// What stays free, as `1GiB`.
    pub(crate) reserve: Option<String>,
    /// Places that are tried first.
    #[serde(default)]
    pub(crate) locations: Vec<String>,
}

/// `[limits]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ConfigLimits {
    /// Largest update document that is accepted, in bytes; 128 MiB if not given.
    pub(crate) document_bytes: Option<u64>,
}

/// `[connection]`: how servers are reached.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Connection {
    /// The proxy, with its credentials if it wants some: `http://user:password@host:port`.
    pub(crate) proxy: Option<String>,
    /// A file of the only roots that are trusted, instead of those of the system.
    pub(crate) roots: Option<PathBuf>,
}

/// Without the credentials of the proxy.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("proxy", &self.proxy.as_ref().map(|_| "…"))
            .field("roots", &self.roots)
            .finish()
    }
}

/// `[microsoft-update]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(not(feature = "upstream"), expect(dead_code, reason = "nothing connects"))]
pub(crate) struct MicrosoftUpdate {
    /// Another address; https only.
    pub(crate) url: Option<String>,
    /// The file of its roots; `microsoft-roots.pem` in the data folder if not given.
    pub(crate) roots: Option<PathBuf>,
    /// SHA-256 of the certificates that may stand in it, instead of those that the program knows.
    pub(crate) fingerprints: Option<Vec<String>>,
}

/// Why the configuration could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or has an unknown key or a wrong value.
    #[error("the configuration {path} has a mistake in line {line}: {what}")]
    Mistake {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What. Not the line itself: it may hold credentials.
        what: String,
    },
}

impl Config {
    /// Reads the file; without one, all is default.
    ///
    /// # Errors
    /// When it cannot be read, or has a mistake.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text).map_err(|error| mistake(path, &text, &error))?;
        if config.holds_credentials() && can_be_read_by_others(path) {
            tracing::warn!(?path, "other users can read the credentials of the proxy: chmod 600");
        }
        Ok(Self { file: Some(path.to_owned()), ..config })
    }

    fn holds_credentials(&self) -> bool {
        self.connection.proxy.as_ref().is_some_and(|proxy| proxy.contains('@'))
    }

    /// Bounds on update documents.
    pub(crate) fn document_limits(&self) -> tidegate::update::DocumentLimits {
        let default = tidegate::update::DocumentLimits::default();
        tidegate::update::DocumentLimits {
            bytes: self.limits.document_bytes.unwrap_or(default.bytes),
            ..default
        }
    }
}

#[cfg(unix)]
fn can_be_read_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|data| data.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn can_be_read_by_others(_: &Path) -> bool {
    false
}

fn mistake(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.as_bytes().iter().take(at);
    let line = 1 + before.filter(|byte| **byte == b'\n').count();
    let what = mistake::what(text.lines().nth(line - 1).unwrap_or_default(), error.message());
    ConfigError::Mistake { path: path.to_owned(), line, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_an_error() {
        assert!(
            toml::from_str::<Config>("[import]\nrefuse-expired = true\n")
                .unwrap()
                .import
                .refuse_expired
        );
        let error = toml::from_str::<Config>("[import]\nrefuse-expird = true\n").unwrap_err();
        assert!(error.to_string().contains("refuse-expird"), "{error}");
    }

    #[test]
    fn mistakes_are_told_without_the_parsers_words() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, says) in [
            ("[bounds]\ncomputers = 0\n", "line 2: computers must be a whole number from 1"),
            ("[bounds]\ncomputers = -4\n", "computers must be a whole number from 1"),
            ("[bounds]\nreports = 5\n", "reports must be a text in quotation marks"),
            ("[import]\npolicy = \"holt\"\n", "policy must be apply or hold"),
            ("[import]\nrefuse-expired = 1\n", "refuse-expired must be true or false"),
            (
                "[import]\nrefuse = true\n",
                "there is no setting \"refuse\" here; there are refuse-expired, policy",
            ),
            ("[serve]\nlisten = \"8530\"\n", "is no address with a port"),
            ("[serve]\ntls-listen = \"8531\"\n", "tls-listen must be an address with a port"),
            ("[serve]\ndownstreams = [\"a\"]\n", "downstreams must be a list of ids"),
            ("[serve]\ndownstreams = \"a\"\n", "downstreams must be a list in brackets"),
            ("serve = 4\n", "serve must be a section"),
            ("data = /srv\n", "form `key = value`"),
            ("[serve\n", "form `key = value`"),
            ("[limits]\ndocument-bytes = -1\n", "document-bytes must be a whole number"),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let said = Config::load(Some(file.path())).unwrap_err().to_string();
            assert!(said.contains(says), "{text}: {said}");
        }
    }

    #[test]
    fn an_age_is_a_length_of_time() {
        let read = |text: &str| {
            let config = toml::from_str::<Config>(&format!("[check]\nmax-age = \"{text}\"\n"));
            config.map(|config| config.check.max_age.unwrap().0.as_hours())
        };
        assert_eq!(read("45 days").unwrap(), 45 * 24);
        assert_eq!(read("6 weeks").unwrap(), 6 * 7 * 24);
        assert_eq!(read("36 hours").unwrap(), 36);
        for wrong in ["45", "-3 days", "2 months", "soon"] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains("45 days"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_mistake_beside_credentials_does_not_show_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, line) in [
            ("[connection]\nproxy = http://anna:geheim@proxy.example:3128\n", "line 2"),
            ("[connection]\nprxy = \"http://anna:geheim@proxy.example:3128\"\n", "line 2"),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let error = Config::load(Some(file.path())).unwrap_err();
            let all = format!("{error} {error:?}");
            assert!(all.contains(line) && !all.contains("geheim"), "{all}");
        }
        std::fs::write(file.path(), "[connection]\nproxy = \"http://anna:geheim@p\"\n").unwrap();
        let config = Config::load(Some(file.path())).unwrap();
        assert!(config.connection.proxy.is_some() && !format!("{config:?}").contains("geheim"));
    }
}
