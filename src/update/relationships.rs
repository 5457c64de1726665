//! `Relationships`: what an update requires, replaces and consists of.

use super::{
    document::Clause,
    error::DocumentError,
    identity::{UpdateId, UpdateIdentity},
    namespace::Namespace,
    reader::{Reader, tag::Tag},
};

/// `Relationships`, read.
#[derive(Debug, Default)]
pub(super) struct Relationships {
    pub(super) prerequisites: Vec<Clause<UpdateId>>,
    pub(super) bundled: Vec<Clause<UpdateIdentity>>,
    pub(super) superseded: Vec<UpdateId>,
}

pub(super) fn relationships(reader: &mut Reader<'_>) -> Result<Relationships, DocumentError> {
    let mut found = Relationships::default();
    reader.children(|reader, tag| match (&tag.namespace, tag.local) {
        (Namespace::Update, "Prerequisites") => {
            clauses(reader, &mut found.prerequisites, update_id)
        }
        (Namespace::Update, "BundledUpdates") => clauses(reader, &mut found.bundled, identity),
        (Namespace::Update, "SupersededUpdates") => reader.children(|reader, tag| {
            if is_identity(&tag) {
                found.superseded.push(update_id(reader, &tag)?);
            }
            Ok(())
        }),
        _ => Ok(()),
    })?;
    Ok(found)
}

/// An exact revision, as `UpdateIdentity` names it.
pub(super) fn identity(
    reader: &Reader<'_>,
    tag: &Tag<'_>,
) -> Result<UpdateIdentity, DocumentError> {
    let id = update_id(reader, tag)?;
    let revision = tag
        .attribute("RevisionNumber")
        .ok_or_else(|| reader.invalid("`UpdateIdentity` without `RevisionNumber`"))?;
    if !revision.bytes().all(|byte| byte.is_ascii_digit()) {
        reader.note_oddity(|| format!("`RevisionNumber` is `{revision}`, no plain number"));
    }
    match revision.trim().parse() {
        Ok(revision) => Ok(UpdateIdentity { id, revision }),
        Err(_) => Err(reader.invalid(format!("`RevisionNumber` is `{revision}`"))),
    }
}

fn update_id(reader: &Reader<'_>, tag: &Tag<'_>) -> Result<UpdateId, DocumentError> {
    let id = tag
        .attribute("UpdateID")
        .ok_or_else(|| reader.invalid("`UpdateIdentity` without `UpdateID`"))?;
    // 32 digits and four hyphens: there are other ways to write one, which agents do not read.
    if id.len() != 36 {
        reader.note_oddity(|| format!("`UpdateID` is written as `{id}`"));
    }
    id.trim().parse().map_err(|_| reader.invalid(format!("`UpdateID` is `{id}`")))
}

fn is_identity(tag: &Tag<'_>) -> bool {
    tag.namespace == Namespace::Update && tag.local == "UpdateIdentity"
}

/// All clauses must hold; a bare reference is a clause of one. [MS-WUSP] 3.1.1
fn clauses<T>(
    reader: &mut Reader<'_>,
    clauses: &mut Vec<Clause<T>>,
    read: impl Fn(&Reader<'_>, &Tag<'_>) -> Result<T, DocumentError>,
) -> Result<(), DocumentError> {
    reader.children(|reader, tag| {
        if is_identity(&tag) {
            clauses.push(Clause { is_category: false, any_of: vec![read(reader, &tag)?] });
        } else if tag.namespace == Namespace::Update && tag.local == "AtLeastOne" {
            let is_category =
                matches!(tag.attribute("IsCategory").map(str::trim), Some("true" | "1"));
            let mut any_of = Vec::new();
            reader.children(|reader, tag| {
                if is_identity(&tag) {
                    any_of.push(read(reader, &tag)?);
                }
                Ok(())
            })?;
            clauses.push(Clause { is_category, any_of });
        }
        Ok(())
    })
}
