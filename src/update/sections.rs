//! The outline of an update document: its root and the parts directly in it.

use super::{
    error::DocumentError,
    limits::DocumentLimits,
    namespace::Namespace,
    reader::{Reader, tag::Tag},
};

/// A child of the root that we know, in the order that the schema wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Identity,
    Properties,
    Localized,
    Relationships,
    ApplicabilityRules,
    Files,
    HandlerSpecificData,
}

impl Section {
    fn from_tag(tag: &Tag<'_>) -> Option<Self> {
        if tag.namespace != Namespace::Update {
            return None;
        }
        Some(match tag.local {
            "UpdateIdentity" => Self::Identity,
            "Properties" => Self::Properties,
            "LocalizedPropertiesCollection" => Self::Localized,
            "Relationships" => Self::Relationships,
            "ApplicabilityRules" => Self::ApplicabilityRules,
            "Files" => Self::Files,
            "HandlerSpecificData" => Self::HandlerSpecificData,
            _ => return None,
        })
    }
}

/// Walks over a document and shows its sections, in document order. Sees to it that the root is
/// right, that each section is there at most once, and that the first two are there. Gives what
/// agents would not read, see [`UpdateDocument::oddity`](super::UpdateDocument::oddity).
pub(super) fn sections<'a>(
    xml: &'a [u8],
    limits: &DocumentLimits,
    mut visit: impl FnMut(&mut Reader<'a>, Section, Tag<'a>) -> Result<(), DocumentError>,
) -> Result<Option<String>, DocumentError> {
    let mut reader = Reader::new(xml, limits)?;
    let mut seen = Vec::new();
    reader.children(|reader, root| {
        if root.namespace != Namespace::Update || root.local != "Update" {
            return Err(reader.invalid(
                "the root is not `Update` of http://schemas.microsoft.com/msus/2002/12/Update",
            ));
        }
        reader.children(|reader, tag| {
            let Some(section) = Section::from_tag(&tag) else { return Ok(()) };
            if seen.contains(&section) {
                return Err(reader.invalid(format!("a second `{}`", tag.local)));
            }
            if seen.last().is_some_and(|last| *last > section) {
                reader.note_oddity(|| format!("`{}` is out of its place", tag.local));
            }
            seen.push(section);
            visit(reader, section, tag)
        })?;
        for (section, name) in
            [(Section::Identity, "UpdateIdentity"), (Section::Properties, "Properties")]
        {
            if !seen.contains(&section) {
                return Err(reader.invalid(format!("no `{name}`")));
            }
        }
        Ok(())
    })?;
    Ok(reader.take_oddity())
}
