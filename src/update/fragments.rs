//! Whole document → the fragments that agents get. [MS-WUSP] 3.1.1.1
//!
//! The text of the specification is followed where servers follow it; where real ones depart from
//! it, they are followed, and the place says so. Comments and processing instructions are dropped
//! (a captured answer shows the first); line ends become `\n`, as XML asks of any processor.

use super::{
    error::DocumentError,
    limits::DocumentLimits,
    localized::{NO_LANGUAGE, eula_key},
    namespace::Namespace,
    reader::{
        Reader,
        tag::{Attribute, Event, Tag},
    },
    sections::{Section, sections},
    writer::FragmentWriter,
};

/// Attributes of `Properties` that core fragments carry, in the order in which servers write them.
const CORE: [&str; 5] =
    ["UpdateType", "ExplicitlyDeployable", "AutoSelectOnWebSites", "OSUpgrade", "EulaID"];
/// Of these, the ones that are false by default: servers leave that out. Off-spec.
const FALSE_BY_DEFAULT: [&str; 3] = ["ExplicitlyDeployable", "AutoSelectOnWebSites", "OSUpgrade"];
/// Attributes that no fragment carries. `PerUser` is off-spec: servers leave it out.
const NOWHERE: [&str; 7] = [
    "PublicationState",
    "PublisherID",
    "CreationDate",
    "IsPublic",
    "LegacyName",
    "DetectoidType",
    "PerUser",
];

/// All fragments of one document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fragments {
    /// `UpdateIdentity`, `Properties`, `Relationships`, `ApplicabilityRules`.
    pub core: String,
    /// `ExtendedProperties`, `Files`, `HandlerSpecificData`.
    pub extended: String,
    /// One per language.
    pub localized: Vec<LocalizedFragment>,
    /// One per licence text.
    pub eulas: Vec<LocalizedFragment>,
}

/// A fragment in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalizedFragment {
    /// Short language name, as written.
    pub language: String,
    /// Country of a licence text.
    pub geo_id: Option<String>,
    /// The fragment.
    pub xml: String,
}

/// Derives all fragments, deciding by namespace, never by prefix. What is not UTF-8, well-formed
/// and shaped like an update document is refused; values are taken as they are.
///
/// # Errors
/// As [`super::UpdateDocument::parse`].
pub fn fragments(xml: &[u8], limits: &DocumentLimits) -> Result<Fragments, DocumentError> {
    // The core fragment of a cumulative update is nearly all of its document: one allocation,
    // because doubling would need three times that.
    let mut core = FragmentWriter::with_capacity(xml.len());
    let mut extended = FragmentWriter::default();
    let mut fragments = Fragments::default();
    sections(xml, limits, |reader, section, tag| match section {
        Section::Identity | Section::Relationships | Section::ApplicabilityRules => {
            core.start(&tag);
            copy_content(reader, &mut core)
        }
        Section::Properties => {
            core.start_with(&tag, "Properties", core_attributes(&tag));
            core.end();
            extended.start_with(&tag, "ExtendedProperties", extended_attributes(&tag));
            copy_content(reader, &mut extended)
        }
        Section::Files | Section::HandlerSpecificData => {
            extended.start(&tag);
            copy_content(reader, &mut extended)
        }
        Section::Localized => localized(reader, &mut fragments),
    })?;
    fragments.core = core.finish();
    fragments.extended = extended.finish();
    Ok(fragments)
}

fn core_attributes<'t, 'a>(tag: &'t Tag<'a>) -> Vec<&'t Attribute<'a>> {
    let mut kept = Vec::with_capacity(CORE.len());
    for name in CORE {
        kept.extend(tag.attributes.iter().filter(|attribute| {
            let default = FALSE_BY_DEFAULT.contains(&name) && is_false(&attribute.value);
            is_plain(attribute, name) && !default
        }));
    }
    kept
}

fn extended_attributes<'t, 'a>(tag: &'t Tag<'a>) -> Vec<&'t Attribute<'a>> {
    tag.attributes
        .iter()
        .filter(|attribute| !CORE.iter().chain(&NOWHERE).any(|name| is_plain(attribute, name)))
        .collect()
}

fn is_plain(attribute: &Attribute<'_>, name: &str) -> bool {
    attribute.namespace == Namespace::None && attribute.local == name
}

fn is_false(value: &str) -> bool {
    matches!(value.trim(), "false" | "0")
}

/// Copies what is inside the element whose start tag was read last, to its end.
fn copy_content<'a>(
    reader: &mut Reader<'a>,
    out: &mut FragmentWriter<'a>,
) -> Result<(), DocumentError> {
    let inside = reader.depth();
    while reader.depth() >= inside {
        match reader.next()? {
            Some(Event::Start(tag)) => out.start(&tag),
            Some(Event::Text(text)) => out.text(&text),
            Some(Event::End) => out.end(),
            None => break,
        }
    }
    Ok(())
}

/// One fragment per language, and one per licence text.
fn localized(reader: &mut Reader<'_>, fragments: &mut Fragments) -> Result<(), DocumentError> {
    reader.children(|reader, tag| {
        if tag.namespace != Namespace::Update {
            return Ok(());
        }
        let mut out = FragmentWriter::default();
        out.start(&tag);
        match tag.local {
            "LocalizedProperties" => {
                let language = copy_localized_properties(reader, &mut out)?;
                let xml = out.finish();
                fragments.localized.push(LocalizedFragment { language, geo_id: None, xml });
            }
            "EulaFile" => {
                let (language, geo_id) = eula_key(reader, &tag)?;
                copy_content(reader, &mut out)?;
                fragments.eulas.push(LocalizedFragment { language, geo_id, xml: out.finish() });
            }
            _ => {}
        }
        Ok(())
    })
}

/// Copies what is inside `LocalizedProperties` and returns its language.
fn copy_localized_properties<'a>(
    reader: &mut Reader<'a>,
    out: &mut FragmentWriter<'a>,
) -> Result<String, DocumentError> {
    let begin = reader.event_at();
    let inside = reader.depth();
    let mut language = None;
    while reader.depth() >= inside {
        match reader.next()? {
            Some(Event::Start(tag)) => {
                out.start(&tag);
                let is_key = reader.depth() == inside + 1
                    && tag.namespace == Namespace::Update
                    && tag.local == "Language"
                    && language.is_none();
                if is_key {
                    let text = reader.text()?;
                    out.text(&text);
                    out.end();
                    language = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
                }
            }
            Some(Event::Text(text)) => out.text(&text),
            Some(Event::End) => out.end(),
            None => break,
        }
    }
    language.ok_or_else(|| reader.invalid_at(begin, NO_LANGUAGE))
}
