//! Reading a whole document, section by section.

use super::{
    document::UpdateDocument,
    drivers,
    error::DocumentError,
    files,
    limits::DocumentLimits,
    localized::localized_properties_collection,
    properties,
    relationships::{self, Relationships},
    sections::{Section, sections},
};

impl UpdateDocument {
    /// Reads a document. It must be UTF-8 (a byte order mark is allowed), with or without an XML
    /// declaration.
    ///
    /// # Errors
    /// When it is over a limit, malformed, or not an update document; with line and column.
    pub fn parse(xml: &[u8], limits: &DocumentLimits) -> Result<Self, DocumentError> {
        let mut identity = None;
        let mut properties = None;
        let (mut localized, mut eulas) = (Vec::new(), Vec::new());
        let mut relationships = Relationships::default();
        let (mut drivers, mut files) = (Vec::new(), Vec::new());
        let mut category_type = None;
        let oddity = sections(xml, limits, |reader, section, tag| {
            match section {
                Section::Identity => identity = Some(relationships::identity(reader, &tag)?),
                Section::Properties => properties = Some(properties::properties(reader, &tag)?),
                Section::Localized => {
                    localized_properties_collection(reader, &mut localized, &mut eulas)?;
                }
                Section::Relationships => relationships = relationships::relationships(reader)?,
                Section::ApplicabilityRules => drivers = drivers::drivers(reader)?,
                Section::Files => files = files::files(reader)?,
                Section::HandlerSpecificData => reader.children(|_, tag| {
                    if tag.namespace.is_msus() && tag.local == "CategoryInformation" {
                        category_type = tag.attribute("CategoryType").map(str::to_owned);
                    }
                    Ok(())
                })?,
            }
            Ok(())
        })?;
        // The outline holds both, or the walk would have failed.
        let (Some(identity), Some((update_type, properties))) = (identity, properties) else {
            let what = "no `UpdateIdentity` or `Properties`".into();
            return Err(DocumentError::Invalid { line: 1, column: 1, what });
        };
        Ok(Self {
            identity,
            update_type,
            properties,
            localized,
            eulas,
            prerequisites: relationships.prerequisites,
            bundled: relationships.bundled,
            superseded: relationships.superseded,
            files,
            category_type,
            drivers,
            oddity,
        })
    }
}
