//! Which kind of source a text names.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use reqwest::Url;

use super::{
    address::{server_root, without_credentials},
    client::ConnectionOptions,
    error::SourceError,
    source_kind::SourceKind,
    wsus::error::UpstreamError,
};
use crate::{
    cabinet,
    file_error::{Doing as _, FileError},
};

/// Where update documents and payloads come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// What `wsusutil export NAME.cab LOG` wrote: documents without payloads.
    WsusutilPackage(PathBuf),
    /// A folder with update documents and payload files, in any depth and under any names.
    Folder(PathBuf),
    /// Microsoft Update, at the address of the options.
    MicrosoftUpdate,
    /// A WSUS, or another Tidegate, by the root of its address.
    Server(Url),
}

impl Source {
    /// Looks at what `text` names. Of a package only its list of members is read.
    ///
    /// # Errors
    /// When it is an address of no use, is not there, or is a file of another kind.
    pub fn detect(text: &str) -> Result<Self, SourceError> {
        if text.eq_ignore_ascii_case("microsoft-update") {
            return Ok(Self::MicrosoftUpdate);
        }
        if text.contains("://") {
            let base = server_root(text)
                .map_err(|why| UpstreamError::Address { url: without_credentials(text), why })?;
            return Ok(Self::Server(base));
        }
        let path = PathBuf::from(text);
        match fs::metadata(&path) {
            Ok(data) if data.is_dir() => return Ok(Self::Folder(path)),
            Ok(data) if data.is_file() => {}
            Ok(_) => return Err(SourceError::Unknown { path }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(match address_without_scheme(text) {
                    Some(address) => SourceError::NoScheme { path, address },
                    None => SourceError::Absent { path },
                });
            }
            Err(source) => return Err(FileError { doing: "read", path, source }.into()),
        }
        match SourceKind::of(&path).doing("read", &path)? {
            Some(SourceKind::WsusutilPackage) => Ok(Self::WsusutilPackage(path)),
            Some(kind) => Err(SourceError::OtherKind { path, what: kind.advice() }),
            // A damaged one: the synchronization says what is wrong with it.
            None if is_cabinet(&path).doing("read", &path)? => Ok(Self::WsusutilPackage(path)),
            None => Err(SourceError::Unknown { path }),
        }
    }

    /// The root of the address, if it is a server.
    pub fn server<'a>(&'a self, options: &'a ConnectionOptions) -> Option<&'a Url> {
        match self {
            Self::MicrosoftUpdate => Some(options.microsoft.base()),
            Self::Server(base) => Some(base),
            Self::WsusutilPackage(_) | Self::Folder(_) => None,
        }
    }
}

/// How the address of a server is written, if a text is one but for its beginning: `localhost:8530`,
/// `wsus.example`.
fn address_without_scheme(text: &str) -> Option<String> {
    let host = text.strip_suffix('/').unwrap_or(text);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let is_path = host.contains(['/', '\\']) || host.starts_with('.');
    if is_path || !(has_port || host.contains('.')) {
        return None;
    }
    let scheme = if host.ends_with(":8530") || host.ends_with(":80") { "http" } else { "https" };
    let address = format!("{scheme}://{host}");
    server_root(&address).is_ok().then_some(address)
}

fn is_cabinet(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(start == cabinet::MAGIC)
}
