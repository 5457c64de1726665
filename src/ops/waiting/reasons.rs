//! Why an approved update is not offered.

use serde::Serialize;

use crate::update::UpdateId;

/// More files or updates than these are not named for one reason.
pub(super) const NAMED: usize = 20;

/// Why an approved update is not offered. The names in JSON are those of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitingReason {
    /// Files that it needs are not here.
    MissingFile,
    /// Files that it needs are not carried, by choice of the mirror or of this side.
    NotCarried,
    /// Its files are for languages that are not carried.
    Language,
    /// A file of its name is here, but its bytes are not what the document says.
    ContradictingDigest,
    /// Its licence is not accepted.
    LicenceNotAccepted,
    /// Approved updates supersede each other in a ring: agents take none of them.
    SupersededRing,
    /// It requires one of no updates, which never holds.
    UnfitClause,
    /// What it requires is not in the catalogue.
    PrerequisiteNotHere,
    /// Updates that it consists of are not in the catalogue.
    MemberNotHere,
    /// No agent can be given its document.
    UnreadableDocument,
    /// Its publisher has withdrawn it.
    Expired,
    /// It is declined.
    Declined,
    /// The catalogue does not have it.
    NotInCatalogue,
    /// It is a category or a detectoid, which nobody installs.
    NotInstallable,
}

/// An update with its title.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamedUpdate {
    /// The update.
    pub update: UpdateId,
    /// Its title, or its id if it is not here.
    pub title: String,
}

/// A reason, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReasonDetails {
    /// The reason.
    pub reason: WaitingReason,
    /// Names of the files, the first twenty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Short names of the languages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// The other updates, the first twenty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<NamedUpdate>,
    /// The id of the licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// What is wrong with the document, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// What to do, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl From<WaitingReason> for ReasonDetails {
    fn from(reason: WaitingReason) -> Self {
        Self {
            reason,
            files: Vec::new(),
            languages: Vec::new(),
            updates: Vec::new(),
            licence: None,
            what: None,
            advice: None,
        }
    }
}

impl ReasonDetails {
    /// A reason that is about these files; `None` if there are none.
    pub(super) fn of_files(
        reason: WaitingReason,
        files: impl IntoIterator<Item = String>,
    ) -> Option<Self> {
        let files: Vec<String> = files.into_iter().take(NAMED).collect();
        (!files.is_empty()).then(|| Self { files, ..reason.into() })
    }

    /// A reason that is about these updates; `None` if there are none.
    pub(super) fn of_updates(
        reason: WaitingReason,
        updates: impl IntoIterator<Item = NamedUpdate>,
    ) -> Option<Self> {
        let updates: Vec<NamedUpdate> = updates.into_iter().take(NAMED).collect();
        (!updates.is_empty()).then(|| Self { updates, ..reason.into() })
    }
}

/// An approved update that is not offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaitingUpdate {
    /// The update.
    pub update: UpdateId,
    /// Its title, or its id if it is not here.
    pub title: String,
    /// Why, at least one reason.
    pub reasons: Vec<ReasonDetails>,
}

impl From<&WaitingUpdate> for NamedUpdate {
    fn from(waiting: &WaitingUpdate) -> Self {
        Self { update: waiting.update, title: waiting.title.clone() }
    }
}
