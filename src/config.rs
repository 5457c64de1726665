//! `tidegate.toml`: what an administrator sets once. Flags and environment win over it.

use std::{
    fs::File,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// More than any configuration has, in bytes.
const LARGEST: u64 = 1 << 20;

/// The configuration file. Every key is optional; an unknown one is an error, because a misspelt
/// safety setting must not be ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The data folder.
    pub(crate) data: Option<PathBuf>,
    /// `[serve]`
    #[serde(default)]
    pub(crate) serve: Serve,
    /// `[import]`
    #[serde(default)]
    pub(crate) import: Import,
    /// `[limits]`
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// `[serve]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Serve {
    /// Where to listen; `0.0.0.0:8530` if not given.
    pub(crate) listen: Option<SocketAddr>,
    /// How agents reach the content, if not by the address that they asked.
    pub(crate) public_url: Option<String>,
}

/// `[import]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Import {
    /// Refuse bundles whose signatures have expired, instead of warning.
    #[serde(default)]
    pub(crate) refuse_expired: bool,
}

/// `[limits]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Limits {
    /// Largest update document that is accepted, in bytes; 128 MiB if not given.
    pub(crate) document_bytes: Option<u64>,
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
    #[error("the configuration {path} has a mistake")]
    Mistake {
        /// The file.
        path: PathBuf,
        /// Where and what.
        #[source]
        source: toml::de::Error,
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
        toml::from_str(&text)
            .map_err(|source| ConfigError::Mistake { path: path.to_owned(), source })
    }

    /// Bounds on update documents.
    pub(crate) fn document_limits(&self) -> tidegate::update::Limits {
        let default = tidegate::update::Limits::default();
        tidegate::update::Limits {
            bytes: self.limits.document_bytes.unwrap_or(default.bytes),
            ..default
        }
    }
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
}
