//! The metadata fragments: Core, Extended, LocalizedProperties ([MS-WUSP] 3.1.1.1).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    judge::{Judge, clip, decode_base64, parse_instant},
    rulebook as rules, schema,
    tree::{self, Element},
};

/// Most elements that are read of one fragment; component manifests are not counted.
const MAX_ELEMENTS: usize = 1_000_000;

/// What kind of update a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UpdateType {
    Software,
    Driver,
    Category,
    Detectoid,
}

/// What an agent takes from a Core fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Core {
    pub(crate) update_id: Uuid,
    pub(crate) revision: i32,
    pub(crate) kind: UpdateType,
    /// Clauses: one alternative of each must be installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) prerequisites: Vec<Vec<Uuid>>,
    /// Clauses of bundled revisions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<Vec<(Uuid, i32)>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) superseded: Vec<Uuid>,
    /// `ApplicabilityRules`, without component manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rules: Option<Element>,
}

impl Core {
    /// The update has bundled updates.
    pub(crate) fn is_bundle(&self) -> bool {
        !self.children.is_empty()
    }

    /// Reads and judges a Core fragment. `None` when an agent would drop the update.
    pub(crate) fn read(text: &str, revision_id: i32, judge: &mut Judge<'_>) -> Option<Self> {
        let parts = match tree::fragment(text, MAX_ELEMENTS, is_manifest) {
            Ok(parts) => parts,
            Err(error) => {
                judge.broken(&rules::CORE_BROKEN, format!("revision {revision_id}: {error}"));
                return None;
            }
        };
        for part in &parts {
            check_names(part, revision_id, judge);
        }
        check_parts(&parts, schema::CORE, revision_id, &rules::CORE_SHAPE, judge);
        let identity = parts.iter().find(|part| part.name == "UpdateIdentity")?;
        let properties = parts.iter().find(|part| part.name == "Properties")?;
        let update_id = judge.guid(
            identity.attribute("UpdateID").unwrap_or_default(),
            &format!("UpdateID of revision {revision_id}"),
        )?;
        let Some(revision) = identity.attribute("RevisionNumber").and_then(|n| n.parse().ok())
        else {
            judge.broken(&rules::CORE_SHAPE, format!("revision {revision_id}: no RevisionNumber"));
            return None;
        };
        let kind = match properties.attribute("UpdateType") {
            Some("Software") => UpdateType::Software,
            Some("Driver") => UpdateType::Driver,
            Some("Category") => UpdateType::Category,
            Some("Detectoid") => UpdateType::Detectoid,
            other => {
                let what = format!("revision {revision_id}: UpdateType {:?}", other.map(clip));
                judge.broken(&rules::CORE_SHAPE, what);
                return None;
            }
        };
        let relationships = parts.iter().find(|part| part.name == "Relationships");
        let child = |name| relationships.and_then(|all| all.child(name));
        Some(Self {
            update_id,
            revision,
            kind,
            prerequisites: clauses(child("Prerequisites"), revision_id, judge)
                .into_iter()
                .map(|clause| clause.into_iter().map(|(id, _)| id).collect())
                .collect(),
            children: clauses(child("BundledUpdates"), revision_id, judge)
                .into_iter()
                .map(|clause| {
                    clause.into_iter().filter_map(|(id, revision)| Some((id, revision?))).collect()
                })
                .collect(),
            superseded: clauses(child("SupersededUpdates"), revision_id, judge)
                .into_iter()
                .flatten()
                .map(|(id, _)| id)
                .collect(),
            rules: parts.into_iter().find(|part| part.name == "ApplicabilityRules"),
        })
    }
}

/// A file that an update names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) sha1: [u8; 20],
    pub(crate) sha256: Option<[u8; 32]>,
    pub(crate) name: String,
    pub(crate) size: u64,
    /// `PatchingType="Express"`.
    pub(crate) express: bool,
}

/// What an agent takes from an Extended fragment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extended {
    pub(crate) files: Vec<File>,
    pub(crate) kb: Option<String>,
}

/// A fragment of GetExtendedUpdateInfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExtendedFragment {
    Extended(Extended),
    /// Title, and its language.
    Localized {
        title: String,
        language: String,
    },
    /// Something else that is well-formed, or nothing that can be used.
    Other,
}

impl ExtendedFragment {
    /// Reads and judges a fragment of the extended metadata.
    pub(crate) fn read(text: &str, revision_id: i32, judge: &mut Judge<'_>) -> Self {
        let parts = match tree::fragment(text, MAX_ELEMENTS, |_| false) {
            Ok(parts) => parts,
            Err(error) => {
                judge.broken(&rules::EXTENDED_BROKEN, format!("revision {revision_id}: {error}"));
                return Self::Other;
            }
        };
        for part in &parts {
            check_names(part, revision_id, judge);
        }
        if let [localized] = parts.as_slice()
            && localized.name == "LocalizedProperties"
        {
            let text = |name| localized.child_text(name).unwrap_or_default().to_owned();
            if text("Title").is_empty() || text("Language").is_empty() {
                let what = format!(
                    "revision {revision_id}: LocalizedProperties without Language or Title"
                );
                judge.broken(&rules::TITLE_MISSING, what);
            }
            return Self::Localized { title: text("Title"), language: text("Language") };
        }
        check_parts(&parts, schema::EXTENDED, revision_id, &rules::EXTENDED_SHAPE, judge);
        let mut extended = Extended::default();
        for part in &parts {
            match part.name.as_str() {
                "ExtendedProperties" => {
                    let kb = part.child_text("KBArticleID").filter(|kb| !kb.is_empty());
                    extended.kb = kb.map(str::to_owned);
                }
                "Files" => {
                    extended.files = part
                        .all("File")
                        .filter_map(|file| read_file(file, revision_id, judge))
                        .collect();
                }
                _ => {}
            }
        }
        Self::Extended(extended)
    }
}

/// Component manifests are foreign, reach 47 MB, and are not evaluated here.
fn is_manifest(name: &str) -> bool {
    name == "CbsPackageApplicabilityMetadata"
}

fn check_parts(
    parts: &[Element],
    fields: &[schema::Field],
    revision_id: i32,
    rule: &rules::Rule,
    judge: &mut Judge<'_>,
) {
    let mut place = 0;
    for (n, part) in parts.iter().enumerate() {
        match fields.iter().position(|field| field.name == part.name) {
            Some(index) if index < place || (n > 0 && index == place) => {
                judge
                    .broken(rule, format!("revision {revision_id}: {} is out of place", part.name));
            }
            Some(index) => place = index,
            None => judge.broken(rule, format!("revision {revision_id}: {}", clip(&part.name))),
        }
    }
    for field in fields.iter().filter(|field| field.need == schema::Occurrence::Required) {
        if !parts.iter().any(|part| part.name == field.name) {
            judge.broken(rule, format!("revision {revision_id}: no {}", field.name));
        }
    }
}

/// Names carry no namespace prefix but b., m., d.; attributes none at all. Foreign content, which
/// keeps its namespace, is not looked into.
fn check_names(element: &Element, revision_id: i32, judge: &mut Judge<'_>) {
    if !element.namespace.is_empty() {
        if element.namespace.contains("schemas.microsoft.com/msus") {
            let what =
                format!("revision {revision_id}: {} keeps its namespace", clip(&element.name));
            judge.broken(&rules::CORE_PREFIX, what);
        }
        return;
    }
    let prefix_fits = match element.name.split_once('.') {
        Some((prefix, _)) => matches!(prefix, "b" | "m" | "d"),
        None => true,
    };
    if !prefix_fits || element.name.contains(':') {
        judge.broken(
            &rules::CORE_PREFIX,
            format!("revision {revision_id}: {}", clip(&element.name)),
        );
    }
    for (name, _) in &element.attributes {
        if name.contains(':') {
            let what = format!("revision {revision_id}: {} has {}", element.name, clip(name));
            judge.broken(&rules::ATTRIBUTE_PREFIX, what);
        }
    }
    for child in &element.children {
        check_names(child, revision_id, judge);
    }
}

/// Clauses of a relationship: `AtLeastOne`, or a bare identity as a clause of one.
fn clauses(
    parent: Option<&Element>,
    revision_id: i32,
    judge: &mut Judge<'_>,
) -> Vec<Vec<(Uuid, Option<i32>)>> {
    let mut identity = |element: &Element| {
        let id = element.attribute("UpdateID").unwrap_or_default();
        let id = judge.guid(id, &format!("a relationship of revision {revision_id}"))?;
        Some((id, element.attribute("RevisionNumber").and_then(|n| n.parse().ok())))
    };
    let Some(parent) = parent else { return Vec::new() };
    let mut found = Vec::new();
    for child in &parent.children {
        match child.name.as_str() {
            "UpdateIdentity" => found.push(identity(child).into_iter().collect()),
            "AtLeastOne" => {
                found.push(child.all("UpdateIdentity").filter_map(&mut identity).collect());
            }
            _ => {}
        }
    }
    found
}

fn read_file(file: &Element, revision_id: i32, judge: &mut Judge<'_>) -> Option<File> {
    let name = file.attribute("FileName").unwrap_or_default();
    let shown = format!("revision {revision_id}, file {:?}", clip(name));
    let sha1 = file
        .attribute("Digest")
        .and_then(decode_base64)
        .and_then(|digest| <[u8; 20]>::try_from(digest).ok());
    let size = file.attribute("Size").and_then(|size| size.parse::<u64>().ok());
    let algorithm = file.attribute("DigestAlgorithm") == Some("SHA1");
    let modified = file.attribute("Modified").is_some_and(|time| parse_instant(time).is_some());
    if sha1.is_none() || size.is_none() || !algorithm || !modified || name.is_empty() {
        judge.broken(&rules::FILE_ATTRIBUTES, shown.clone());
    }
    let sha256 = file
        .all("AdditionalDigest")
        .find(|digest| digest.attribute("Algorithm") == Some("SHA256"))
        .and_then(|digest| decode_base64(&digest.text))
        .and_then(|digest| <[u8; 32]>::try_from(digest).ok());
    if sha256.is_none() {
        judge.broken(&rules::FILE_SHA256, shown);
    }
    let express = file.attribute("PatchingType") == Some("Express");
    Some(File { sha1: sha1?, sha256, name: name.to_owned(), size: size?, express })
}
