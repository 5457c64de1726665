//! What the catalogue gives out and takes in.

use bundle_format::digest::{Sha1, Sha256};
use jiff::Timestamp;
use serde::Serialize;

use crate::update::{Clause, RevisionId, UpdateId, UpdateIdentity, UpdateType};

/// Revisions published on the isolated side are numbered from here, clear of the mirror's numbers.
pub const FIRST_LOCAL_REVISION_ID: i32 = 0x4000_0000;

/// A revision as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RevisionSummary {
    /// Its number towards agents.
    pub revision_id: RevisionId,
    /// Which revision it is.
    pub identity: UpdateIdentity,
    /// Its kind.
    pub update_type: UpdateType,
    /// Title in English, else in its default language.
    pub title: String,
    /// KB article numbers, digits only.
    pub kb: Vec<String>,
    /// MSRC severity.
    pub severity: Option<String>,
    /// Can be approved by an administrator.
    pub explicitly_deployable: bool,
    /// Withdrawn by its publisher.
    pub expired: bool,
    /// Withdrawn by the mirror.
    pub withdrawn: bool,
    /// `Company`, `ProductFamily`, `Product`, `UpdateClassification`.
    pub category_type: Option<String>,
    /// Licence that must be accepted before approval.
    pub eula_id: Option<String>,
    /// `CreationDate` as written.
    pub created: Option<String>,
    /// When this store first held it.
    pub arrived: Timestamp,
    /// Published on the isolated side.
    pub local: bool,
}

/// A revision as the server's view loads it: relationships and files, no texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphNode {
    /// Its number towards agents.
    pub revision_id: RevisionId,
    /// Which revision it is.
    pub identity: UpdateIdentity,
    /// Its kind.
    pub update_type: UpdateType,
    /// Withdrawn by its publisher.
    pub expired: bool,
    /// Can be approved by an administrator.
    pub explicitly_deployable: bool,
    /// Licence that must be accepted before approval.
    pub eula_id: Option<String>,
    /// When this store first held it.
    pub arrived: Timestamp,
    /// All clauses must hold.
    pub prerequisites: Vec<Clause<UpdateId>>,
    /// Exact revisions.
    pub bundled: Vec<Clause<UpdateIdentity>>,
    /// Updates that it supersedes.
    pub superseded: Vec<UpdateId>,
    /// Its payload files (no licence texts).
    pub files: Vec<GraphFile>,
    /// Its licence texts: served like payloads, but no agent needs them to install.
    pub eulas: Vec<GraphFile>,
}

/// A file of a [`GraphNode`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphFile {
    /// How agents name it.
    pub sha1: Sha1,
    /// Of its content, from the payload table if the document has none.
    pub sha256: Option<Sha256>,
    /// In bytes.
    pub size: u64,
    /// File name in the document.
    pub name: String,
    /// Whether its bytes can be served.
    pub state: PayloadState,
}

/// Whether the bytes of a payload are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PayloadState {
    /// In `content/`.
    Present,
    /// Named by a document, but not here.
    Missing,
    /// Not carried by choice of the mirror.
    NotCarried,
}

/// A row of the payload table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadRow {
    /// Its name.
    pub sha256: Sha256,
    /// How agents name it.
    pub sha1: Sha1,
    /// In bytes.
    pub size: u64,
    /// Digests of its 16 MiB chunks.
    pub chunks: Vec<Sha256>,
    /// Its bytes are in `content/`.
    pub present: bool,
    /// Why the mirror does not carry it.
    pub not_carried: Option<String>,
}

/// What to look for; all given conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct RevisionFilter {
    /// A KB number, digits only.
    pub kb: Option<String>,
    /// Part of the title, in any letter case.
    pub title: Option<String>,
    /// The kind.
    pub update_type: Option<UpdateType>,
    /// Only what an administrator can approve.
    pub deployable: bool,
    /// Only the newest revision of each update, without withdrawn ones.
    pub newest: bool,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CatalogCounts {
    /// Different updates.
    pub updates: u64,
    /// Revisions, withdrawn ones included.
    pub revisions: u64,
    /// Withdrawn by the mirror.
    pub withdrawn: u64,
    /// Payload rows.
    pub payloads: u64,
    /// Payloads whose bytes are here.
    pub present: u64,
    /// Their bytes.
    pub present_bytes: u64,
    /// Distinct files that documents name, licence texts among them.
    pub files: u64,
}
