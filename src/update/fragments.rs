//! Whole document → the fragments that agents get. [MS-WUSP] 3.1.1.1

use super::{DocumentError, Limits};

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

/// Derives all fragments, deciding by namespace, never by prefix.
///
/// # Errors
/// As [`super::UpdateDocument::parse`].
pub fn fragments(xml: &[u8], limits: &Limits) -> Result<Fragments, DocumentError> {
    let _ = (xml, limits);
    unimplemented!()
}
