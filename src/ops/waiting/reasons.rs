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

impl WaitingReason {
    /// What to do about it on this side, for people, where nothing more special is known.
    pub(super) fn advice(self, is_isolated: bool) -> &'static str {
        match (self, is_isolated) {
            (Self::MissingFile | Self::NotCarried, false) => {
                "`tidegate download`, or `tidegate sync` from a folder, brings them"
            }
            (Self::MissingFile | Self::NotCarried, true) => {
                "bring them to the connected side (`tidegate download`) and export again; `tidegate check` finds what was lost here, and `tidegate export --full` brings it again"
            }
            (Self::Language, false) => {
                "if computers need them, `tidegate sync --languages` with all languages that are wanted, then `tidegate download`"
            }
            (Self::Language, true) => {
                "if computers need them, the connected side takes them too (`tidegate sync --languages`, `tidegate download`) and exports again"
            }
            (Self::ContradictingDigest, false) => {
                "its publisher has to correct it; `tidegate withdraw UPDATE --revision N` takes this revision out for good"
            }
            (Self::ContradictingDigest, true) => {
                "its publisher has to correct it; the connected side takes in what is corrected (`tidegate sync`), and exports again"
            }
            (Self::LicenceNotAccepted, _) => {
                "`tidegate approve UPDATE --group GROUP --accept-eula` accepts it"
            }
            (Self::SupersededRing, _) => {
                "take back the approvals of all of them but one (`tidegate approve --remove`)"
            }
            (Self::UnfitClause | Self::UnreadableDocument, _) => {
                "its publisher has to correct it; until then take the approval back (`tidegate approve --remove`)"
            }
            (Self::PrerequisiteNotHere | Self::MemberNotHere | Self::NotInCatalogue, false) => {
                "`tidegate sync` from a source that has them (of a server: with their products and classifications); `tidegate withdraw --undo` if they were withdrawn here; or take the approval back (`tidegate approve --remove`)"
            }
            (Self::PrerequisiteNotHere | Self::MemberNotHere | Self::NotInCatalogue, true) => {
                "the connected side has to take them in (`tidegate sync`) and export again; or take the approval back (`tidegate approve --remove`)"
            }
            (Self::Expired, _) => {
                "approve what replaces it, and take this approval back (`tidegate approve --remove`)"
            }
            (Self::Declined, _) => "`tidegate decline --undo UPDATE` takes that back",
            (Self::NotInstallable, _) => {
                "approve updates that belong to it, and take this approval back (`tidegate approve --remove`)"
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::WaitingReason::*;

    #[test]
    fn every_reason_says_what_to_do_on_either_side() {
        let all = [
            MissingFile,
            NotCarried,
            Language,
            ContradictingDigest,
            LicenceNotAccepted,
            SupersededRing,
            UnfitClause,
            PrerequisiteNotHere,
            MemberNotHere,
            UnreadableDocument,
            Expired,
            Declined,
            NotInCatalogue,
            NotInstallable,
        ];
        assert_eq!(all.len(), NotInstallable as usize + 1, "one is missing here");
        for reason in all {
            for is_isolated in [false, true] {
                let advice = reason.advice(is_isolated);
                assert!(advice.contains("`tidegate "), "{reason:?}: {advice}");
                let only_connected = ["tidegate withdraw", "`tidegate sync` from"];
                let is_wrong = |command: &&str| is_isolated && advice.contains(command);
                assert!(!only_connected.iter().any(is_wrong), "{reason:?}: {advice}");
            }
        }
    }
}
