//! GetUpdateData: the documents and where their files are. [MS-WSUSSS] 3.1.4.6

use std::{convert::Infallible, io::BufRead};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bundle_format::digest::Sha1;

use super::{
    MAX_UPDATES_PER_REQUEST, NAMESPACE,
    answer::{self, AnswerError},
    auth::SyncCookie,
    blob::Blob,
    operation::{Operation, write_result},
    revisions::write_identity,
};
use crate::protocol::ErrorCode;
use crate::{
    protocol::{fault::ProtocolFault, fields::Fields},
    soap::{Element, MessageLimits, Writer, read_lists},
    update::UpdateIdentity,
};

/// Bytes of a document that is worth moving instead of copying.
const LARGE: usize = 64 * 1024;

/// A downstream asks for documents. The answer can be large: [`Self::read_items`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetUpdateData {
    /// Its cookie.
    pub cookie: Option<SyncCookie>,
    /// At least one, at most as many as the upstream says. One that it does not have fails the
    /// whole call.
    pub updates: Vec<UpdateIdentity>,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateData {
    /// Which revision; the document may spell its GUID in other letters.
    pub identity: UpdateIdentity,
    /// Its files, licence texts apart. What is no SHA-1 is left out.
    pub digests: Vec<Sha1>,
    /// The document.
    pub blob: Blob,
}

/// Where a file is. No proof that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl {
    /// Which file.
    pub digest: Sha1,
    /// At Microsoft.
    pub mu_url: Option<String>,
    /// Not used by any server: the address at the upstream is made from the digest.
    pub uss_url: Option<String>,
    /// If the file is encrypted.
    pub decryption_key: Option<Vec<u8>>,
}

/// A part of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateItem {
    /// First all documents.
    Update(UpdateData),
    /// Then all addresses.
    Url(FileUrl),
}

impl Operation for GetUpdateData {
    type Answer = Vec<UpdateItem>;
    const NAME: &'static str = "GetUpdateData";

    /// With more than [`MAX_UPDATES_PER_REQUEST`] ids, or none, it is not read.
    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        const LIST: &str = "updateIds";
        let fields = Fields::new(operation);
        let cookie = SyncCookie::read(&fields, "cookie")?;
        let list = fields.each_within(LIST, "UpdateIdentity", MAX_UPDATES_PER_REQUEST)?;
        let updates: Vec<_> = list
            .iter()
            .map(Fields::identity)
            .collect::<Result<_, _>>()
            .map_err(|_| ProtocolFault::invalid(LIST))?;
        if updates.is_empty() && cookie.is_some() {
            return Err(ProtocolFault::invalid(LIST));
        }
        Ok(Self { cookie, updates })
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
        let result = Fields::new(answer).within("GetUpdateDataResult")?;
        let mut items = Vec::new();
        for update in result.each_within("updates", "ServerSyncUpdateData", usize::MAX - 1)? {
            items.push(UpdateItem::Update(UpdateData::read(&update)?));
        }
        for url in result.each_within("fileUrls", "ServerSyncUrlData", usize::MAX - 1)? {
            items.extend(FileUrl::read(&url)?.map(UpdateItem::Url));
        }
        Ok(items)
    }
}

impl GetUpdateData {
    /// The fault for a revision that the upstream does not have; as a WSUS it does not say which.
    pub fn unknown() -> ProtocolFault {
        ProtocolFault::new(ErrorCode::InternalServerError, "")
    }

    /// Reads the answer while it arrives; one item is held at a time. `item_bytes`: how long one
    /// may be as it is sent, escaped or compressed.
    ///
    /// # Errors
    /// When it is a fault, cut short or malformed, and what `each` returns. What `each` got until
    /// then is not all.
    pub fn read_items<E: From<AnswerError>>(
        source: impl BufRead,
        item_bytes: usize,
        each: &mut dyn FnMut(UpdateItem) -> Result<(), E>,
    ) -> Result<(), E> {
        const LISTS: &[&str] = &["updates", "fileUrls"];
        let limits = MessageLimits { bytes: item_bytes, ..MessageLimits::default() };
        let malformed = |fault: ProtocolFault| answer::malformed(Self::NAME, &fault);
        let rest = read_lists(source, &limits, NAMESPACE, LISTS, &mut |list, item| {
            let read = match list {
                "updates" => UpdateData::read_item(item).map(UpdateItem::Update).map(Some),
                _ => FileUrl::read(&Fields::new(&item)).map(|url| url.map(UpdateItem::Url)),
            };
            match read.map_err(malformed).map_err(Step::Answer)? {
                Some(item) => each(item).map_err(Step::Each),
                None => Ok(()),
            }
        });
        let rest = rest.map_err(|step| match step {
            Step::Answer(error) => error.into(),
            Step::Each(error) => error,
        })?;
        let body = answer::body(rest, Self::NAMESPACE, Self::NAME)?;
        Fields::new(&body).within("GetUpdateDataResult").map_err(malformed)?;
        Ok(())
    }
}

/// Whose error ended the reading.
enum Step<E> {
    Answer(AnswerError),
    Each(E),
}

impl<E> From<crate::soap::ListError> for Step<E> {
    fn from(error: crate::soap::ListError) -> Self {
        Self::Answer(error.into())
    }
}

impl UpdateData {
    /// Reads an item without holding its document twice.
    fn read_item(mut item: Element) -> Result<Self, ProtocolFault> {
        const PLAIN: &str = "XmlUpdateBlob";
        let document = item
            .children
            .iter_mut()
            .find(|child| child.has_name(NAMESPACE, PLAIN) && child.text.len() > LARGE)
            .map(|child| std::mem::replace(&mut child.text, "-".to_owned()));
        let mut data = Self::read(&Fields::new(&item))?;
        if let (Blob::Plain(blob), Some(document)) = (&mut data.blob, document) {
            *blob = document;
        }
        Ok(data)
    }

    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        let blob = match fields.base64("XmlUpdateBlobCompressed")? {
            Some(cabinet) => Blob::Compressed(cabinet),
            None => Blob::Plain(fields.raw_text("XmlUpdateBlob")?.to_owned()),
        };
        let digests = fields.base64_list("FileDigestList", "base64Binary", 1_000_000)?;
        Ok(Self {
            identity: fields.within("Id")?.identity()?,
            digests: digests.iter().filter_map(|bytes| Sha1::from_slice(bytes).ok()).collect(),
            blob,
        })
    }

    /// Writes the item of the list.
    pub fn write<F>(&self, w: &mut Writer<F>) {
        w.element("ServerSyncUpdateData", |w| {
            write_identity(w, "Id", &self.identity);
            if let Blob::Plain(document) = &self.blob {
                w.value("XmlUpdateBlob", document);
            }
            if !self.digests.is_empty() {
                w.element("FileDigestList", |w| {
                    for digest in &self.digests {
                        w.value("base64Binary", digest.to_base64());
                    }
                });
            }
            if let Blob::Compressed(cabinet) = &self.blob {
                w.value("XmlUpdateBlobCompressed", STANDARD.encode(cabinet));
            }
        });
    }
}

impl FileUrl {
    /// `None` if it is not of a SHA-1: nobody can ask for that.
    fn read(fields: &Fields<'_>) -> Result<Option<Self>, ProtocolFault> {
        let digest = fields.base64("FileDigest")?.and_then(|bytes| Sha1::from_slice(&bytes).ok());
        let Some(digest) = digest else { return Ok(None) };
        Ok(Some(Self {
            digest,
            mu_url: fields.maybe_text("MUUrl").map(str::to_owned),
            uss_url: fields.maybe_text("UssUrl").map(str::to_owned),
            decryption_key: fields.base64("DecryptionKey")?,
        }))
    }

    fn write<F>(&self, w: &mut Writer<F>) {
        w.element("ServerSyncUrlData", |w| {
            w.value("FileDigest", self.digest.to_base64());
            w.optional("MUUrl", self.mu_url.as_ref());
            w.value("UssUrl", self.uss_url.as_deref().unwrap_or_default());
            w.optional(
                "DecryptionKey",
                self.decryption_key.as_ref().map(|key| STANDARD.encode(key)),
            );
        });
    }
}

/// Writes the answer to GetUpdateData when its items were written before and are held elsewhere.
pub fn write_spooled_update_data<F>(updates: F, urls: &[FileUrl], w: &mut Writer<F>) {
    write_result::<GetUpdateData, F>(w, |w| {
        w.foreign("updates", updates);
        w.element("fileUrls", |w| urls.iter().for_each(|url| url.write(w)));
    });
}

/// Writes the answer to GetUpdateData. `urls`: each digest once, or Microsoft's client fails.
pub fn write_update_data<F>(
    updates: impl IntoIterator<Item = UpdateData>,
    urls: &[FileUrl],
    w: &mut Writer<F>,
) {
    write_result::<GetUpdateData, F>(w, |w| {
        w.element("updates", |w| updates.into_iter().for_each(|update| update.write(w)));
        w.element("fileUrls", |w| urls.iter().for_each(|url| url.write(w)));
    });
}
