//! Where files are.

use bundle_format::digest::Sha1;

use super::NAMESPACE;
use crate::{
    protocol::{
        cookie::{EncodedCookie, read_cookie},
        fault::ProtocolFault,
        fields::Fields,
    },
    soap::{Element, Writer},
};

/// A client asks where files are. [MS-WUSP] 2.2.2.2.7
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetFileLocations {
    /// `EncryptedData` of its cookie.
    pub cookie: Option<Vec<u8>>,
    /// The files.
    pub digests: Vec<Sha1>,
}

impl GetFileLocations {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` when a digest has not 20 bytes, `InvalidCookie`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        const LIST: &str = "fileDigests";
        let fields = Fields::new(operation);
        let cookie = read_cookie(&fields, "cookie")?;
        let digests = fields
            .base64_list(LIST, "base64Binary", 10_000)?
            .iter()
            .map(|bytes| Sha1::from_slice(bytes).map_err(|_| ProtocolFault::invalid(LIST)))
            .collect::<Result<_, _>>()?;
        Ok(Self { cookie, digests })
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLocation {
    /// How agents name it.
    pub digest: Sha1,
    /// Absolute.
    pub url: String,
}

/// Files of an answer; each digest once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileLocations(pub Vec<FileLocation>);

impl FileLocations {
    /// Writes the element if there is any file.
    pub(super) fn write<F>(&self, w: &mut Writer<F>) {
        if self.0.is_empty() {
            return;
        }
        w.element("FileLocations", |w| {
            for file in &self.0 {
                w.element("FileLocation", |w| {
                    w.value("FileDigest", file.digest.to_base64());
                    w.value("Url", &file.url);
                });
            }
        });
    }

    /// Writes the answer to GetFileLocations.
    pub fn write_answer<F>(&self, cookie: &EncodedCookie, w: &mut Writer<F>) {
        w.element_in(NAMESPACE, "GetFileLocationsResponse", |w| {
            w.element("GetFileLocationsResult", |w| {
                self.write(w);
                cookie.write("NewCookie", w);
            });
        });
    }
}
