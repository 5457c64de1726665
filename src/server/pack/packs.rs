//! All packs, and where each revision's fragments are.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use super::{
    build::{Documents, UnpackableRevision, build},
    error::PackError,
    file::Pack,
    folder,
    format::PackEntry,
    fragment::{FragmentKind, PackedFragment},
    writer::PackWriter,
};
use crate::update::{DocumentLimits, RevisionId, UpdateIdentity};

/// More packs than this are merged into one.
const MAX_PACKS: usize = 16;

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
        let _lock = folder::lock(folder)?;
        let mut files = folder::open_all(folder)?;
        let packed: HashSet<UpdateIdentity> =
            files.iter().flat_map(|(_, entries)| entries.iter().map(|(i, _)| *i)).collect();
        let missing: Vec<_> =
            wanted.iter().filter(|(_, identity)| !packed.contains(identity)).copied().collect();
        let mut refused = Vec::new();
        if !missing.is_empty() {
            let mut writer = PackWriter::new(folder)?;
            refused = build(&missing, limits, documents, &mut writer)?;
            if !writer.is_empty() {
                files.push(writer.finish(folder::next_number(&files))?);
            }
        }
        let alive: HashSet<UpdateIdentity> = wanted.iter().map(|(_, identity)| *identity).collect();
        folder::remove_dead(&mut files, &alive);
        if files.len() > MAX_PACKS {
            folder::merge(folder, &mut files, &alive)?;
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
        let fragment = |span| Some(PackedFragment::new(Arc::clone(pack), span));
        let language = match kind {
            FragmentKind::Core => return Ok(fragment(entry.core)),
            FragmentKind::Extended => return Ok(fragment(entry.extended)),
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
        Ok(find(language).or_else(|| find(short)).and_then(|text| fragment(text.span)))
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
            // The full language is preferred to the short one, the country to the rest of the world.
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
