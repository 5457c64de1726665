//! `Properties`: kind, publication and what an administrator sees.

use super::{
    document::{Properties, UpdateType},
    error::DocumentError,
    kb::kb_number,
    namespace::Namespace,
    reader::{Reader, tag::Tag},
};

pub(super) fn properties(
    reader: &mut Reader<'_>,
    tag: &Tag<'_>,
) -> Result<(UpdateType, Properties), DocumentError> {
    let value = |name: &str| tag.attribute(name).map(str::to_owned);
    let flag = |name: &str, default: bool| match tag.attribute(name).map(str::trim) {
        None => Ok(default),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(reader.invalid(format!("`{name}` is `{other}`, not true or false"))),
    };
    let size = |name: &str| match tag.attribute(name).map(str::trim) {
        None => Ok(None),
        Some(text) => {
            text.parse().map(Some).map_err(|_| reader.invalid(format!("`{name}` is `{text}`")))
        }
    };
    let update_type = update_type(reader, tag)?;
    let mut properties = Properties {
        default_language: value("DefaultPropertiesLanguage"),
        expired: tag.attribute("PublicationState") == Some("Expired"),
        explicitly_deployable: flag("ExplicitlyDeployable", false)?,
        is_public: flag("IsPublic", true)?,
        locally_published: flag("IsLocallyPublished", false)?,
        handler: value("Handler"),
        msrc_severity: value("MsrcSeverity"),
        creation_date: value("CreationDate"),
        eula_id: value("EulaID"),
        max_download_size: size("MaxDownloadSize")?,
        ..Properties::default()
    };
    read_children(reader, &mut properties)?;
    Ok((update_type, properties))
}

fn update_type(reader: &Reader<'_>, tag: &Tag<'_>) -> Result<UpdateType, DocumentError> {
    match tag.attribute("UpdateType") {
        Some("Software") => Ok(UpdateType::Software),
        Some("Driver") => Ok(UpdateType::Driver),
        Some("Category") => Ok(UpdateType::Category),
        Some("Detectoid") => Ok(UpdateType::Detectoid),
        Some(other) => Err(reader.invalid(format!("`UpdateType` is `{other}`"))),
        None => Err(reader.invalid("`Properties` without `UpdateType`")),
    }
}

fn read_children(
    reader: &mut Reader<'_>,
    properties: &mut Properties,
) -> Result<(), DocumentError> {
    reader.children(|reader, tag| {
        if tag.namespace != Namespace::Update {
            return Ok(());
        }
        if tag.local == "SecuredFragment" {
            // May occur more than once, with other words.
            properties.file_decryption |= reader.text()?.trim() == "FileDecryption";
            return Ok(());
        }
        let into = match tag.local {
            "KBArticleID" => &mut properties.kb_article_ids,
            "SecurityBulletinID" => &mut properties.security_bulletins,
            "Language" => &mut properties.languages,
            "UninstallationBehavior" => {
                properties.uninstallable = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        let text = reader.text()?;
        let text = match tag.local {
            "KBArticleID" => kb_number(&text),
            _ => text.trim(),
        };
        if !text.is_empty() {
            into.push(text.to_owned());
        }
        Ok(())
    })
}
