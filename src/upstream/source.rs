//! Which kind of source a text names.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::PathBuf,
};

use reqwest::Url;

use super::{
    address::{server_root, without_credentials},
    client::ConnectionOptions,
    error::SourceError,
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
    /// Looks at what `text` names. A package is opened only by the synchronization.
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
                return Err(SourceError::Absent { path });
            }
            Err(source) => return Err(FileError { doing: "read", path, source }.into()),
        }
        let mut start = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(4).read_to_end(&mut start))
            .doing("read", &path)?;
        if start == cabinet::MAGIC {
            Ok(Self::WsusutilPackage(path))
        } else if start.starts_with(&[0x1f, 0x8b]) {
            Err(SourceError::Gzip { path })
        } else {
            Err(SourceError::Unknown { path })
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
