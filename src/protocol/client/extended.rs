//! GetExtendedUpdateInfo and GetExtendedUpdateInfo2.

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bundle_format::digest::Sha1;

use super::{NAMESPACE, files::FileLocations, sync::write_ids};
use crate::{
    protocol::{cookie::read_cookie, fault::ProtocolFault, fields::Fields},
    soap::{Element, Writer},
    update::UpdateIdentity,
};

/// Most revisions in one request, as GetConfig says.
pub const MAX_EXTENDED_UPDATES: usize = 50;

/// `XmlUpdateFragmentType`. [MS-WUSP] 2.2.2.2.6
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FragmentType {
    /// No rule makes such fragments.
    Published,
    /// What SyncUpdates brings.
    Core,
    /// Handler and files.
    Extended,
    /// No rule makes such fragments.
    VerificationRule,
    /// Title and description.
    LocalizedProperties,
    /// Licence text.
    Eula,
    /// Locations; they come unasked.
    FileUrl,
    /// Keys of encrypted files.
    FileDecryption,
}

/// A word that is no fragment type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no fragment type")]
pub struct UnknownFragmentType;

impl FromStr for FragmentType {
    type Err = UnknownFragmentType;

    fn from_str(word: &str) -> Result<Self, UnknownFragmentType> {
        Ok(match word {
            "Published" => Self::Published,
            "Core" => Self::Core,
            "Extended" => Self::Extended,
            "VerificationRule" => Self::VerificationRule,
            "LocalizedProperties" => Self::LocalizedProperties,
            "Eula" => Self::Eula,
            "FileUrl" => Self::FileUrl,
            "FileDecryption" => Self::FileDecryption,
            _ => return Err(UnknownFragmentType),
        })
    }
}

/// A client asks for more about revisions, by number. [MS-WUSP] 2.2.2.2.6
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetExtendedUpdateInfo {
    /// `EncryptedData` of its cookie.
    pub cookie: Option<Vec<u8>>,
    /// The revisions.
    pub revision_ids: Vec<i32>,
    /// What it wants.
    pub info_types: Vec<FragmentType>,
    /// In which languages, best first.
    pub locales: Vec<String>,
    /// Three letters; chooses among licence texts.
    pub geo_id: Option<String>,
}

/// As [`GetExtendedUpdateInfo`], by identity. [MS-WUSP] 2.2.2.2.10
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetExtendedUpdateInfo2 {
    /// `EncryptedData` of its cookie.
    pub cookie: Option<Vec<u8>>,
    /// The revisions.
    pub identities: Vec<UpdateIdentity>,
    /// What it wants.
    pub info_types: Vec<FragmentType>,
    /// In which languages, best first.
    pub locales: Vec<String>,
    /// Three letters; chooses among licence texts.
    pub geo_id: Option<String>,
}

impl GetExtendedUpdateInfo {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` with the path, `InvalidCookie`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let cookie = read_cookie(&fields, "cookie")?;
        let revision_ids = fields.list("revisionIDs", "int", MAX_EXTENDED_UPDATES)?;
        let (info_types, locales) = read_fragment_query(&fields)?;
        Ok(Self { cookie, revision_ids, info_types, locales, geo_id: geo_id(&fields) })
    }
}

impl GetExtendedUpdateInfo2 {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` with the path, `InvalidCookie`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let cookie = read_cookie(&fields, "cookie")?;
        let identities = fields.each_within("updateIDs", "UpdateIdentity", MAX_EXTENDED_UPDATES)?;
        let identities = identities.iter().map(Fields::identity).collect::<Result<_, _>>()?;
        let (info_types, locales) = read_fragment_query(&fields)?;
        Ok(Self { cookie, identities, info_types, locales, geo_id: geo_id(&fields) })
    }
}

fn read_fragment_query(
    fields: &Fields<'_>,
) -> Result<(Vec<FragmentType>, Vec<String>), ProtocolFault> {
    let mut types = Vec::new();
    for found in fields.list::<FragmentType>("infoTypes", "XmlUpdateFragmentType", 100)? {
        if !types.contains(&found) {
            types.push(found);
        }
    }
    if types.is_empty() {
        return Err(ProtocolFault::invalid("infoTypes"));
    }
    let locales: Vec<String> = fields.list("locales", "string", 100)?;
    let needed =
        types.iter().any(|t| matches!(t, FragmentType::LocalizedProperties | FragmentType::Eula));
    if needed && locales.is_empty() {
        return Err(ProtocolFault::invalid("locales"));
    }
    Ok((types, locales))
}

fn geo_id(fields: &Fields<'_>) -> Option<String> {
    fields.maybe_text("GeoId").map(str::to_owned)
}

/// One fragment in an answer; `X` holds its text, escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FragmentUpdate<X> {
    /// Number of the revision; comes again with every fragment of it.
    pub id: i32,
    /// The fragment.
    pub xml: X,
}

/// The answer to both operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedInfo<X> {
    /// One per revision and fragment.
    pub updates: Vec<FragmentUpdate<X>>,
    /// Files of the revisions, each once.
    pub locations: FileLocations,
    /// Asked for, but not deployed to this client.
    pub out_of_scope: Vec<i32>,
    /// What decrypts files of the revisions: `FileDecryption`, of the second operation only.
    pub keys: Vec<(Sha1, Vec<u8>)>,
}

impl<X> ExtendedInfo<X> {
    /// Writes the answer to `GetExtendedUpdateInfo` or `GetExtendedUpdateInfo2`; only the first can
    /// name what is out of scope.
    pub fn write(self, operation: &str, w: &mut Writer<X>) {
        w.element_in(NAMESPACE, &format!("{operation}Response"), |w| {
            w.element(&format!("{operation}Result"), |w| {
                if !self.updates.is_empty() {
                    w.element("Updates", |w| {
                        for update in self.updates {
                            w.element("Update", |w| {
                                w.value("ID", update.id);
                                w.foreign("Xml", update.xml);
                            });
                        }
                    });
                }
                self.locations.write(w);
                if operation == "GetExtendedUpdateInfo" {
                    write_ids("OutOfScopeRevisionIDs", &self.out_of_scope, w);
                } else if !self.keys.is_empty() {
                    w.element("FileDecryptionData", |w| {
                        self.keys.iter().for_each(|(sha1, key)| write_key(sha1, key, w));
                    });
                }
            });
        });
    }
}

fn write_key<X>(sha1: &Sha1, key: &[u8], w: &mut Writer<X>) {
    let key = STANDARD.encode(key);
    w.element("FileDecryption", |w| {
        w.value("FileDigest", sha1.to_base64());
        w.value("DecryptionKey", &key);
        // One element, the same as the key. [MS-WUSP] 2.2.2.2.10
        w.element("SecurityData", |w| w.value("base64Binary", &key));
    });
}
