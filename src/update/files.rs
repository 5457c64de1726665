//! `Files`: payloads as a document names them.

use bundle_format::digest::{Sha1, Sha256};
use jiff::{Timestamp, civil::DateTime};

use super::{
    document::UpdateFile,
    error::DocumentError,
    namespace::Namespace,
    reader::{Reader, tag::Tag},
};

pub(super) fn files(reader: &mut Reader<'_>) -> Result<Vec<UpdateFile>, DocumentError> {
    let mut files = Vec::new();
    reader.children(|reader, tag| {
        if tag.namespace == Namespace::Update && tag.local == "File" {
            files.push(file(reader, &tag)?);
        }
        Ok(())
    })?;
    Ok(files)
}

/// What agents need of a file beyond what we need of it. [MS-WUSP] 3.1.1.1
fn note_oddities(reader: &Reader<'_>, tag: &Tag<'_>) {
    // With a time zone or without.
    let is_time =
        |text: &str| text.parse::<Timestamp>().is_ok() || text.parse::<DateTime>().is_ok();
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let odd = match () {
        () if tag.attribute("DigestAlgorithm") != Some("SHA1") => "`DigestAlgorithm` is not SHA1",
        () if !tag.attribute("Modified").is_some_and(is_time) => "`Modified` is no time",
        () if tag.attribute("FileName").is_some_and(|name| name.trim().is_empty()) => {
            "`FileName` is empty"
        }
        () if !tag.attribute("Size").is_some_and(is_number) => "`Size` is no plain number",
        () => return,
    };
    reader.note_oddity(|| format!("{odd} in a `{}`", tag.local));
}

/// A `File` or `EulaFile`, read to its end.
pub(super) fn file(reader: &mut Reader<'_>, tag: &Tag<'_>) -> Result<UpdateFile, DocumentError> {
    let what = tag.local;
    let required = |name: &str| {
        tag.attribute(name).ok_or_else(|| reader.invalid(format!("`{what}` without `{name}`")))
    };
    note_oddities(reader, tag);
    let digest = required("Digest")?;
    let algorithm = tag.attribute("DigestAlgorithm").unwrap_or("SHA1");
    if !algorithm.eq_ignore_ascii_case("SHA1") {
        let what = format!("a file digest that is not SHA1 but `{algorithm}`");
        return Err(reader.invalid(what));
    }
    let sha1 = Sha1::from_base64(digest.trim())
        .map_err(|error| reader.invalid(format!("`Digest` of a `{what}`: {error}")))?;
    let name = required("FileName")?.to_owned();
    let size = required("Size")?;
    let size = size.trim().parse().map_err(|_| reader.invalid(format!("`Size` is `{size}`")))?;

    let mut sha256 = None;
    reader.children(|reader, tag| {
        let is_sha256 = tag.namespace == Namespace::Update
            && tag.local == "AdditionalDigest"
            && tag.attribute("Algorithm").is_some_and(|name| name.eq_ignore_ascii_case("SHA256"));
        if is_sha256 {
            let text = reader.text()?;
            sha256 = Some(
                Sha256::from_base64(text.trim())
                    .map_err(|error| reader.invalid(format!("`AdditionalDigest`: {error}")))?,
            );
        }
        Ok(())
    })?;
    Ok(UpdateFile {
        sha1,
        sha256,
        name,
        size,
        patching_type: tag.attribute("PatchingType").map(str::to_owned),
    })
}
