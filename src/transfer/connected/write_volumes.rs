//! Writing volumes, each once, from front to end: into a folder, where it gets its name when it is whole, or
//! to a pipe.

use std::{
    fs,
    io::{BufWriter, Cursor, IntoInnerError, Read, Write},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{ObjectEntry, VolumeNote, VolumeWriter},
    digest::Sha256,
    trust::Head,
};

use super::medium;
use crate::{
    content::ContentStore,
    data_dir::DataDir,
    durable,
    file_error::Doing as _,
    transfer::{error::TransferError, kill, progress::Progress},
};

type Result<T> = std::result::Result<T, TransferError>;

/// What volumes are made of.
pub(super) struct Source<'a> {
    pub(super) data: &'a DataDir,
    pub(super) content: &'a ContentStore,
    pub(super) head: &'a Head,
    pub(super) progress: &'a dyn Progress,
}

impl Source<'_> {
    /// Writes the volumes into a folder that has room for all of them.
    pub(super) fn write_volumes(
        &self,
        notes: &[VolumeNote],
        bytes: u64,
        out: &Path,
    ) -> Result<Vec<PathBuf>> {
        let free = fs4::available_space(out).doing("ask for the free space of", out)?;
        if free < bytes {
            let path = out.to_owned();
            return Err(TransferError::NoSpace { path, needed: bytes, free, what: "the volumes" });
        }
        remove_leftovers(out)?;
        let volumes =
            notes.iter().map(|note| self.write_volume(note, out)).collect::<Result<_>>()?;
        medium::sync_folder(out).doing("sync", out)?;
        Ok(volumes)
    }

    /// Writes one volume under a temporary name; when it is whole and synced, it gets its final name.
    fn write_volume(&self, note: &VolumeNote, out: &Path) -> Result<PathBuf> {
        let path = out.join(file_name(note));
        let file = tempfile::Builder::new()
            .prefix(".tidegate-")
            .suffix(".partial")
            .tempfile_in(out)
            .doing("write in", out)?;
        // The lock says that this file is still being written. Not every medium can lock.
        let _ = file.as_file().try_lock_shared();
        let file = self.pack_into(file, note, &path)?;
        medium::make_readable(file.path()).doing("set the permissions of", &path)?;
        durable::rename(file, &path).doing("keep", &path)?;
        kill::step("volume renamed");
        Ok(path)
    }

    /// Writes the only volume to a pipe.
    pub(super) fn write_to_pipe(
        &self,
        notes: &[VolumeNote],
        pipe: &mut dyn Write,
    ) -> Result<Vec<PathBuf>> {
        for note in notes {
            self.pack_into(&mut *pipe, note, Path::new("to the standard output"))?;
        }
        Ok(Vec::new())
    }

    fn pack_into<W: Write>(&self, to: W, note: &VolumeNote, path: &Path) -> Result<W> {
        let failed = |source| TransferError::Export { path: path.to_owned(), source };
        let to = BufWriter::with_capacity(1 << 20, to);
        let mut writer = VolumeWriter::new(to, note, self.head).map_err(failed)?;
        for entry in &note.objects {
            let source = open_object(self.data, self.content, entry)?;
            let progress = self.progress;
            writer.object(&mut ProgressReader { source, progress }).map_err(failed)?;
        }
        kill::step("objects packed");
        let to = writer.finish().map_err(failed)?;
        Ok(to.into_inner().map_err(IntoInnerError::into_error).doing("write", path)?)
    }
}

/// Removes half-written volumes of killed exports from the folder.
fn remove_leftovers(out: &Path) -> Result<()> {
    for entry in fs::read_dir(out).doing("list", out)? {
        let path = entry.doing("list", out)?.path();
        let ours = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(".tidegate-") && name.ends_with(".partial"));
        if !ours {
            continue;
        }
        let file = fs::File::open(&path).doing("open the leftover", &path)?;
        if file.try_lock().is_ok() {
            fs::remove_file(&path).doing("remove the leftover", &path)?;
        }
    }
    Ok(())
}

/// The file name of a volume, which sorts by site and snapshot:
/// `tidegate-plant-7-000012-1a2b3c4d-1of1.tar`.
fn file_name(note: &VolumeNote) -> String {
    let set = note.set.simple().to_string();
    format!(
        "tidegate-{}-{:06}-{}-{}of{}.tar",
        note.site,
        note.snapshot,
        set.get(..8).unwrap_or_default(),
        note.volume,
        note.of
    )
}

fn open_object(
    data: &DataDir,
    content: &ContentStore,
    entry: &ObjectEntry,
) -> Result<Box<dyn Read>> {
    let segment = data.segments().join(entry.sha256.to_string());
    let mut file = if segment.exists() {
        fs::File::open(&segment).doing("open the segment", &segment)?
    } else {
        content.read(&entry.sha256)?
    };
    if entry.size == 0 {
        return Ok(Box::new(Cursor::new([])));
    }
    if let Some(offset) = entry.offset {
        use std::io::{Seek as _, SeekFrom};
        file.seek(SeekFrom::Start(offset)).doing("read", object_name(&entry.sha256))?;
    }
    Ok(Box::new(file.take(entry.size)))
}

fn object_name(sha256: &Sha256) -> PathBuf {
    PathBuf::from(sha256.to_string())
}

struct ProgressReader<'a> {
    source: Box<dyn Read>,
    progress: &'a dyn Progress,
}

impl Read for ProgressReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.source.read(buf)?;
        self.progress.advance(n as u64);
        Ok(n)
    }
}
