//! `LocalizedPropertiesCollection`: texts and licence texts by language.

use super::{
    document::{EulaFile, LocalizedProperties},
    error::DocumentError,
    files::file,
    namespace::Namespace,
    reader::{Reader, tag::Tag},
};

pub(super) const NO_LANGUAGE: &str = "`LocalizedProperties` without `Language`";

pub(super) fn localized_properties_collection(
    reader: &mut Reader<'_>,
    localized: &mut Vec<LocalizedProperties>,
    eulas: &mut Vec<EulaFile>,
) -> Result<(), DocumentError> {
    reader.children(|reader, tag| {
        match (&tag.namespace, tag.local) {
            (Namespace::Update, "LocalizedProperties") => {
                localized.push(localized_properties(reader)?);
            }
            (Namespace::Update, "EulaFile") => {
                let (language, geo_id) = eula_key(reader, &tag)?;
                eulas.push(EulaFile { language, geo_id, file: file(reader, &tag)? });
            }
            _ => {}
        }
        Ok(())
    })
}

/// Language and country of a licence text. [MS-WUSP] 3.1.1.1
pub(super) fn eula_key(
    reader: &Reader<'_>,
    tag: &Tag<'_>,
) -> Result<(String, Option<String>), DocumentError> {
    let language = tag
        .attribute("Language")
        .map(str::trim)
        .filter(|language| !language.is_empty())
        .ok_or_else(|| reader.invalid("`EulaFile` without `Language`"))?;
    let geo_id = tag.attribute("GeoId").map(str::trim).filter(|id| !id.is_empty());
    Ok((language.to_owned(), geo_id.map(str::to_owned)))
}

fn localized_properties(reader: &mut Reader<'_>) -> Result<LocalizedProperties, DocumentError> {
    let begin = reader.event_at();
    let (mut language, mut title, mut description) = (None, None, None);
    reader.children(|reader, tag| {
        let into = match (&tag.namespace, tag.local) {
            (Namespace::Update, "Language") => &mut language,
            (Namespace::Update, "Title") => &mut title,
            (Namespace::Update, "Description") => &mut description,
            _ => return Ok(()),
        };
        if into.is_none() {
            *into = Some(reader.text()?);
        }
        Ok(())
    })?;
    let language = language.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(LocalizedProperties {
        language: language.ok_or_else(|| reader.invalid_at(begin, NO_LANGUAGE))?,
        title: title.unwrap_or_default(),
        description,
    })
}
