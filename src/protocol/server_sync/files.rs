//! What else there is to say about files. [MS-WSUSSS] 3.1.4.11, 3.1.4.18

use std::convert::Infallible;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bundle_format::digest::Sha1;

use super::{
    MAX_UPDATES_PER_REQUEST, NAMESPACE,
    auth::SyncCookie,
    operation::{Operation, write_result},
    revisions::write_identity,
};
use crate::{
    protocol::{fault::ProtocolFault, fields::Fields},
    soap::{Element, Writer},
    update::UpdateIdentity,
};

/// Digests of one DownloadFiles.
pub const MAX_DIGESTS_PER_REQUEST: usize = 100;

/// A downstream misses files that the upstream named: it should fetch them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadFiles {
    /// The downstream's cookie.
    pub cookie: Option<SyncCookie>,
    /// The files.
    pub digests: Vec<Sha1>,
}

impl Operation for DownloadFiles {
    type Answer = ();
    const NAME: &'static str = "DownloadFiles";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        const LIST: &str = "fileDigestList";
        let fields = Fields::new(operation);
        let cookie = SyncCookie::read(&fields, "cookie")?;
        let digests = fields
            .base64_list(LIST, "base64Binary", MAX_DIGESTS_PER_REQUEST)?
            .iter()
            .map(|bytes| Sha1::from_slice(bytes).map_err(|_| ProtocolFault::invalid(LIST)))
            .collect::<Result<Vec<_>, _>>()?;
        if digests.is_empty() && cookie.is_some() {
            return Err(ProtocolFault::invalid(LIST));
        }
        Ok(Self { cookie, digests })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        if let Some(cookie) = &self.cookie {
            cookie.write("cookie", w);
        }
        w.element("fileDigestList", |w| {
            for digest in &self.digests {
                w.value("base64Binary", digest.to_base64());
            }
        });
    }

    fn read_answer(_: &Element) -> Result<(), ProtocolFault> {
        Ok(())
    }
}

/// Writes the answer to DownloadFiles: it says nothing.
pub fn write_downloading<F>(w: &mut Writer<F>) {
    w.element_in(NAMESPACE, "DownloadFilesResponse", |_| {});
}

/// A downstream asks for the keys of encrypted files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetUpdateDecryptionData {
    /// Its cookie.
    pub cookie: Option<SyncCookie>,
    /// Whose `SecuredFragment` is `FileDecryption`.
    pub updates: Vec<UpdateIdentity>,
}

/// Keys of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateKeys {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// Its files.
    pub files: Vec<FileKey>,
}

/// The key of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileKey {
    /// Which file.
    pub digest: Sha1,
    /// If it is encrypted.
    pub key: Option<Vec<u8>>,
}

impl Operation for GetUpdateDecryptionData {
    type Answer = Vec<UpdateKeys>;
    const NAME: &'static str = "GetUpdateDecryptionData";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        const LIST: &str = "updateIds";
        let fields = Fields::new(operation);
        let cookie = SyncCookie::read(&fields, "cookie")?;
        let list = fields.each_within(LIST, "UpdateIdentity", MAX_UPDATES_PER_REQUEST)?;
        let updates = list.iter().map(Fields::identity).collect::<Result<_, _>>();
        Ok(Self { cookie, updates: updates.map_err(|_| ProtocolFault::invalid(LIST))? })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        if let Some(cookie) = &self.cookie {
            cookie.write("cookie", w);
        }
        w.element("updateIds", |w| {
            for identity in &self.updates {
                write_identity(w, "UpdateIdentity", identity);
            }
        });
    }

    fn read_answer(answer: &Element) -> Result<Self::Answer, ProtocolFault> {
        let result = Fields::new(answer).within("GetUpdateDecryptionDataResult")?;
        let updates = result.each_within(
            "UpdateFileDecryptionData",
            "ServerSyncUpdateFileDecryption",
            100_000,
        )?;
        updates
            .iter()
            .map(|update| {
                let files = update.each_within(
                    "FileDecryptionData",
                    "ServerSyncFileDecryption",
                    1_000_000,
                )?;
                let files = files.iter().map(|file| {
                    let digest = file.base64("FileDigest")?.unwrap_or_default();
                    let digest = Sha1::from_slice(&digest)
                        .map_err(|_| ProtocolFault::invalid("FileDigest"))?;
                    Ok(FileKey { digest, key: file.base64("DecryptionKey")? })
                });
                Ok(UpdateKeys {
                    identity: update.within("UpdateId")?.identity()?,
                    files: files.collect::<Result<_, ProtocolFault>>()?,
                })
            })
            .collect()
    }
}

/// Writes the answer to GetUpdateDecryptionData.
pub fn write_keys<F>(updates: &[UpdateKeys], w: &mut Writer<F>) {
    write_result::<GetUpdateDecryptionData, F>(w, |w| {
        w.element("UpdateFileDecryptionData", |w| {
            for update in updates {
                w.element("ServerSyncUpdateFileDecryption", |w| {
                    write_identity(w, "UpdateId", &update.identity);
                    w.element("FileDecryptionData", |w| {
                        for file in &update.files {
                            w.element("ServerSyncFileDecryption", |w| {
                                w.value("FileDigest", file.digest.to_base64());
                                let key = file.key.as_ref().map(|key| STANDARD.encode(key));
                                w.optional("DecryptionKey", key);
                            });
                        }
                    });
                });
            }
        });
    });
}
