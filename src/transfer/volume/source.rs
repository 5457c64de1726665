//! The volumes of a finished bundle, all of them, read and compared with what they say of themselves.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::PathBuf,
};

use bundle_format::{
    container::{VolumeNote, VolumeReader},
    limits::BundleLimits,
    trust::Head,
};

use super::read::find_volumes;
use crate::{
    file_error::Doing as _,
    transfer::{error::TransferError, progress::Progress},
};

type Result<T> = std::result::Result<T, TransferError>;

/// A volume, all bytes of which agree with what it says of itself.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) note: VolumeNote,
    pub(super) head: Head,
    /// Where in the file the bytes of each object begin.
    pub(super) places: Vec<u64>,
}

impl Source {
    fn read(path: PathBuf, limits: &BundleLimits, progress: &dyn Progress) -> Result<Self> {
        let file = File::open(&path).doing("open the volume", &path)?;
        let failed = |source| TransferError::Volume { path: path.clone(), source };
        let (mut reader, note, head) = VolumeReader::open(file, limits).map_err(failed)?;
        let mut places = Vec::new();
        let mut reached = 0;
        while reader.next_object().map_err(failed)?.is_some() {
            places.push(reader.position());
            let mut block = vec![0; 1 << 20];
            while reader.read(&mut block).map_err(|e| failed(e.into()))? > 0 {
                progress.advance(reader.position() - reached);
                reached = reader.position();
            }
        }
        progress.advance(reader.position() - reached);
        Ok(Self { path, note, head, places })
    }

    fn name(&self) -> std::path::Display<'_> {
        self.path.display()
    }
}

/// Reads all volumes of one bundle, in whatever order they are named.
///
/// # Errors
/// When one is damaged, missing, or does not belong to the others.
pub(super) fn read_whole(bundles: &[PathBuf], progress: &dyn Progress) -> Result<Vec<Source>> {
    let limits = BundleLimits::default();
    let paths = find_volumes(bundles)?;
    let total = paths.iter().filter_map(|path| fs::metadata(path).ok()).map(|m| m.len()).sum();
    progress.phase("verifying", Some(total));
    let sources = paths
        .into_iter()
        .map(|path| Source::read(path, &limits, progress))
        .collect::<Result<Vec<Source>>>()?;
    require_whole(&sources)?;
    Ok(sources)
}

/// Whether they are one set, signed alike, and all of it.
fn require_whole(sources: &[Source]) -> Result<()> {
    let unfit = |what: String| Err(TransferError::Unfit { what });
    let Some(first) = sources.first() else { return unfit("no volume was named".to_owned()) };
    let mut here: BTreeMap<u32, &Source> = BTreeMap::new();
    for source in sources {
        let (note, is) = (&source.note, first.note.set);
        if note.set != is || note.of != first.note.of {
            return unfit(format!(
                "{} and {} are of two different bundles: name the volumes of one",
                first.name(),
                source.name()
            ));
        }
        if source.head != first.head {
            return unfit(format!(
                "{} has other signatures than {}: countersign all volumes, or none",
                source.name(),
                first.name()
            ));
        }
        here.insert(note.volume, source);
    }
    let missing: Vec<String> =
        (1..=first.note.of).filter(|n| !here.contains_key(n)).map(|n| n.to_string()).collect();
    if !missing.is_empty() {
        return unfit(format!(
            "this needs the whole bundle, and of its {} volumes these are missing: {}",
            first.note.of,
            missing.join(", ")
        ));
    }
    Ok(())
}
