//! Packs: the fragments of all revisions, escaped for SOAP and compressed once, read by position.
//!
//! Real Core fragments reach 47 MB each and 1.2 GB for one Windows version: they cannot live in
//! memory, and compressing them for every answer would cost more than everything else. Xpress blocks
//! are independent, so what is stored here is glued into answers as it is.
//!
//! Packs are derived from the catalogue. `packs/<n>.pack` never changes once it has its name; what is
//! new goes into a further pack; a damaged one is thrown away and made again; many are merged into
//! one. All of them may be deleted while no server runs.

mod build;
pub(super) mod error;
mod file;
pub(super) mod fragment;
mod packed;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    path::Path,
    sync::Arc,
};

pub use build::UnpackableRevision;
use build::{Documents, build};
pub use error::PackError;
use file::{OpenPack, Pack, PackEntry, PackWriter};
pub use fragment::{Chunks, PackedFragment};

use crate::update::{DocumentLimits, RevisionId, UpdateIdentity};

/// More packs than this are merged into one.
const MAX_PACKS: usize = 16;

/// Which fragment of a revision. [MS-WUSP] 3.1.1.1
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FragmentKind<'a> {
    /// What SyncUpdates delivers.
    Core,
    /// Properties, files and handler.
    Extended,
    /// Texts in a language.
    Localized(&'a str),
    /// A licence text in a language, for the rest of the world if there are several.
    Eula(&'a str),
}

/// All packs, open, and where each revision's fragments are.
#[derive(Debug, Default)]
pub struct Packs {
    entries: HashMap<UpdateIdentity, (Arc<Pack>, PackEntry)>,
}

impl Packs {
    /// Opens the packs in `folder` and makes what is missing for the revisions in `wanted`. Memory
    /// stays at one large document, or several small ones. Returns what cannot be packed too.
    ///
    /// # Errors
    /// When the disk fails or a document cannot be read from the catalogue.
    pub fn load(
        folder: &Path,
        wanted: &[(RevisionId, UpdateIdentity)],
        limits: &DocumentLimits,
        documents: &mut Documents<'_>,
    ) -> Result<(Self, Vec<UnpackableRevision>), PackError> {
        fs::create_dir_all(folder).map_err(PackError::io("make the folder", folder))?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(PackError::io("make", &lock_path))?;
        fs4::FileExt::lock(&lock).map_err(PackError::io("lock", &lock_path))?;

        let mut files = open_all(folder)?;
        let known: HashSet<UpdateIdentity> =
            files.iter().flat_map(|(_, entries)| entries.iter().map(|(i, _)| *i)).collect();
        let missing: Vec<_> =
            wanted.iter().filter(|(_, identity)| !known.contains(identity)).copied().collect();
        let mut refused = Vec::new();
        if !missing.is_empty() {
            let mut writer = PackWriter::new(folder)?;
            refused = build(&missing, limits, documents, &mut writer)?;
            if !writer.is_empty() {
                files.push(writer.finish(next_number(&files))?);
            }
        }
        let alive: HashSet<UpdateIdentity> = wanted.iter().map(|(_, identity)| *identity).collect();
        remove_dead(&mut files, &alive);
        if files.len() > MAX_PACKS {
            merge(folder, &mut files, &alive)?;
        }
        let mut packs = Self { entries: HashMap::with_capacity(wanted.len()) };
        for (pack, entries) in files {
            packs.entries.extend(
                entries
                    .into_iter()
                    .filter(|(identity, _)| alive.contains(identity))
                    .map(|(identity, entry)| (identity, (Arc::clone(&pack), entry))),
            );
        }
        Ok((packs, refused))
    }

    /// Whether the fragments of a revision are here.
    pub fn contains(&self, identity: &UpdateIdentity) -> bool {
        self.entries.contains_key(identity)
    }

    /// Bytes of the escaped Core fragment of a revision; 0 if it is not here.
    pub fn core_size(&self, identity: &UpdateIdentity) -> u64 {
        self.entries.get(identity).map_or(0, |(_, entry)| entry.core.escaped)
    }

    /// A fragment, if there is one. A language is found in any letter case, and `en-US` finds `en`.
    ///
    /// # Errors
    /// When the disk fails or the pack is damaged.
    pub fn fragment(
        &self,
        identity: &UpdateIdentity,
        kind: FragmentKind<'_>,
    ) -> Result<Option<PackedFragment>, PackError> {
        let Some((pack, entry)) = self.entries.get(identity) else { return Ok(None) };
        let of = |span| Some(PackedFragment::new(Arc::clone(pack), span));
        let language = match kind {
            FragmentKind::Core => return Ok(of(entry.core)),
            FragmentKind::Extended => return Ok(of(entry.extended)),
            FragmentKind::Localized(language) | FragmentKind::Eula(language) => language,
        };
        let eula = matches!(kind, FragmentKind::Eula(_));
        let texts = pack.texts(entry)?;
        let find = |language: &str| {
            texts
                .iter()
                .filter(|t| t.eula == eula && t.language.eq_ignore_ascii_case(language))
                .min_by_key(|t| t.geo_id.is_some())
        };
        let short = language.split('-').next().unwrap_or(language);
        Ok(find(language).or_else(|| find(short)).and_then(|text| of(text.span)))
    }

    /// The texts of a revision that an agent gets which asks for `locales`: for each the fragment in
    /// that language or, for `en-US`, in `en`; and English in any case. Each once. [MS-WUSP] 3.1.5.9
    ///
    /// # Errors
    /// As [`Packs::fragment`].
    pub fn localized(
        &self,
        identity: &UpdateIdentity,
        locales: &[&str],
    ) -> Result<Vec<PackedFragment>, PackError> {
        let mut found: Vec<PackedFragment> = Vec::new();
        for locale in locales.iter().chain(&["en"]) {
            if let Some(fragment) = self.fragment(identity, FragmentKind::Localized(locale))?
                && !found.contains(&fragment)
            {
                found.push(fragment);
            }
        }
        Ok(found)
    }

    /// The licence texts of a revision for a country (three letters), else for the rest of the world,
    /// in the languages as in [`Packs::localized`].
    ///
    /// # Errors
    /// As [`Packs::fragment`].
    pub fn eulas(
        &self,
        identity: &UpdateIdentity,
        locales: &[&str],
        geo_id: Option<&str>,
    ) -> Result<Vec<PackedFragment>, PackError> {
        let Some((pack, entry)) = self.entries.get(identity) else { return Ok(Vec::new()) };
        let texts = pack.texts(entry)?;
        let mut found: Vec<PackedFragment> = Vec::new();
        for locale in locales.iter().chain(&["en"]) {
            let short = locale.split('-').next().unwrap_or(locale);
            let here = geo_id.unwrap_or_default();
            // The language as asked before the short one, the country before the rest of the world.
            let best = texts
                .iter()
                .filter(|t| t.eula)
                .filter(|t| [*locale, short].iter().any(|l| l.eq_ignore_ascii_case(&t.language)))
                .filter(|t| t.geo_id.as_deref().is_none_or(|g| g.eq_ignore_ascii_case(here)))
                .min_by_key(|t| (!t.language.eq_ignore_ascii_case(locale), t.geo_id.is_none()));
            if let Some(text) = best {
                let fragment = PackedFragment::new(Arc::clone(pack), text.span);
                if !found.contains(&fragment) {
                    found.push(fragment);
                }
            }
        }
        Ok(found)
    }
}

/// Opens all packs in the order of their numbers; removes damaged ones and what killed runs left.
fn open_all(folder: &Path) -> Result<Vec<OpenPack>, PackError> {
    let mut packs = Vec::new();
    let listing = || PackError::io("list", folder);
    for entry in fs::read_dir(folder).map_err(listing())? {
        let path = entry.map_err(listing())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(file::UNFINISHED) {
            remove(&path);
            continue;
        }
        let Some(number) = name.strip_suffix(".pack").and_then(|n| n.parse().ok()) else {
            continue;
        };
        match Pack::open(&path, number) {
            Ok((pack, entries)) => packs.push((Arc::new(pack), entries)),
            Err(PackError::Damaged { path, what }) => {
                tracing::warn!(path = %path.display(), what, "a pack is damaged and is made again");
                remove(&path);
            }
            Err(error) => return Err(error),
        }
    }
    packs.sort_by_key(|(pack, _)| pack.number());
    Ok(packs)
}

fn next_number(packs: &[OpenPack]) -> u64 {
    packs.iter().map(|(pack, _)| pack.number()).max().unwrap_or(0) + 1
}

/// Removes packs that hold nothing that is still in the catalogue.
fn remove_dead(packs: &mut Vec<OpenPack>, alive: &HashSet<UpdateIdentity>) {
    packs.retain(|(pack, entries)| {
        let used = entries.iter().any(|(identity, _)| alive.contains(identity));
        if !used {
            remove(pack.path());
        }
        used
    });
}

/// Copies what is alive into one pack and removes the others. Views that still use these keep them
/// open.
fn merge(
    folder: &Path,
    packs: &mut Vec<OpenPack>,
    alive: &HashSet<UpdateIdentity>,
) -> Result<(), PackError> {
    let mut writer = PackWriter::new(folder)?;
    let mut copied = HashSet::new();
    for (pack, entries) in packs.iter().rev() {
        for (identity, entry) in entries {
            if alive.contains(identity) && copied.insert(*identity) {
                writer.copy(*identity, pack, entry)?;
            }
        }
    }
    let merged = writer.finish(next_number(packs))?;
    for (pack, _) in packs.drain(..) {
        remove(pack.path());
    }
    packs.push(merged);
    Ok(())
}

/// What cannot be removed stays: it only takes space, and the next start tries again.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "cannot remove an old pack");
    }
}
