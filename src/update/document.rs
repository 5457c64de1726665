//! What we read from an update document.

use bundle_format::digest::{Sha1, Sha256};
use serde::{Deserialize, Serialize};

use super::identity::{UpdateId, UpdateIdentity};

/// [MS-WUSP] 3.1.1: the kind of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpdateType {
    /// Software, bundles included.
    Software,
    /// A driver.
    Driver,
    /// A product, product family, company or classification.
    Category,
    /// A rule that others require.
    Detectoid,
}

/// One clause of a conjunctive normal form: any one of its members satisfies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause<T> {
    /// Names product or classification. Always false for bundled updates.
    pub is_category: bool,
    /// The alternatives; a bare reference is a clause of one.
    pub any_of: Vec<T>,
}

/// A whole document, as far as we need it.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateDocument {
    /// Which revision it is.
    pub identity: UpdateIdentity,
    /// Its kind.
    pub update_type: UpdateType,
    /// `Properties`.
    pub properties: Properties,
    /// `LocalizedProperties`, in document order.
    pub localized: Vec<LocalizedProperties>,
    /// `EulaFile`, in document order.
    pub eulas: Vec<EulaFile>,
    /// `Prerequisites`: all clauses must hold.
    pub prerequisites: Vec<Clause<UpdateId>>,
    /// `BundledUpdates`: exact revisions.
    pub bundled: Vec<Clause<UpdateIdentity>>,
    /// `SupersededUpdates`.
    pub superseded: Vec<UpdateId>,
    /// `Files`.
    pub files: Vec<UpdateFile>,
    /// `CategoryInformation/@CategoryType` (`Company`, `ProductFamily`, `Product`, `UpdateClassification`).
    pub category_type: Option<String>,
    /// `WindowsDriverMetaData`, one per hardware id.
    pub drivers: Vec<DriverMetadata>,
    /// The first thing in it that we can read, but agents cannot, which get it unchanged: parts out of
    /// order, numbers and ids in another form. None in what a WSUS writes.
    pub oddity: Option<String>,
}

/// `Properties`, defaults applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// `DefaultPropertiesLanguage`.
    pub default_language: Option<String>,
    /// `PublicationState="Expired"`: withdrawn by its publisher.
    pub expired: bool,
    /// `ExplicitlyDeployable`, default false.
    pub explicitly_deployable: bool,
    /// `IsPublic`, default true.
    pub is_public: bool,
    /// `IsLocallyPublished`, default false.
    pub locally_published: bool,
    /// `Handler`.
    pub handler: Option<String>,
    /// `MsrcSeverity`.
    pub msrc_severity: Option<String>,
    /// `CreationDate`, as written.
    pub creation_date: Option<String>,
    /// `EulaID`.
    pub eula_id: Option<String>,
    /// `MaxDownloadSize` in bytes.
    pub max_download_size: Option<u64>,
    /// `KBArticleID` without a leading `KB`, in document order: digits, but for some vendors.
    pub kb_article_ids: Vec<String>,
    /// `SecurityBulletinID`.
    pub security_bulletins: Vec<String>,
    /// `Language` children: which languages the payload is for.
    pub languages: Vec<String>,
    /// `SecuredFragment` is `FileDecryption`: its files are encrypted, the server has the keys.
    pub file_decryption: bool,
    /// `UninstallationBehavior` is there: the update can be removed.
    pub uninstallable: bool,
}

/// Texts in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalizedProperties {
    /// Short language name.
    pub language: String,
    /// Title.
    pub title: String,
    /// Description.
    pub description: Option<String>,
}

/// A licence text that must be accepted first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EulaFile {
    /// Short language name.
    pub language: String,
    /// Country; `None` means the rest of the world.
    pub geo_id: Option<String>,
    /// The file.
    pub file: UpdateFile,
}

/// A payload file as a document names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFile {
    /// `Digest`: how agents name it.
    pub sha1: Sha1,
    /// `AdditionalDigest Algorithm="SHA256"`: what content is verified against.
    pub sha256: Option<Sha256>,
    /// `FileName`.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// `PatchingType`.
    pub patching_type: Option<String>,
}

/// A driver for one hardware id. [MS-WUSP] 3.1.1.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverMetadata {
    /// `HardwareID`.
    pub hardware_id: String,
    /// `DriverVerDate`, as written.
    pub ver_date: Option<String>,
    /// `DriverVerVersion`, as written.
    pub ver_version: Option<String>,
    /// `Class`.
    pub class: Option<String>,
    /// `Manufacturer`.
    pub manufacturer: Option<String>,
    /// `Provider`.
    pub provider: Option<String>,
    /// `Model`.
    pub model: Option<String>,
    /// `WhqlDriverID`.
    pub whql_driver_id: Option<String>,
    /// (`OperatingSystem`, `FeatureScore`).
    pub feature_scores: Vec<(String, u8)>,
    /// `DistributionComputerHardwareId`.
    pub distribution_computer_ids: Vec<String>,
    /// `TargetComputerHardwareId`.
    pub target_computer_ids: Vec<String>,
}

impl UpdateFile {
    /// Whether it is an express file (`PatchingType="Express"`): one from which agents take only the
    /// ranges that they need.
    pub fn is_express(&self) -> bool {
        self.patching_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("Express"))
    }
}

impl UpdateDocument {
    /// The title in `language`, else in the default language, else in English, else the first.
    pub fn title(&self, language: &str) -> Option<&str> {
        let default = self.properties.default_language.as_deref();
        [Some(language), default, Some("en")]
            .into_iter()
            .flatten()
            .find_map(|wanted| {
                self.localized.iter().find(|texts| texts.language.eq_ignore_ascii_case(wanted))
            })
            .or(self.localized.first())
            .map(|texts| texts.title.as_str())
    }
}
