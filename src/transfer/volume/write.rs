//! Writing the volumes of a bundle: each under a temporary name, and under its own when it is whole.

use std::{
    fs,
    io::{self, BufWriter, IntoInnerError, Read, Write},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{self, ObjectEntry, VolumeNote, VolumeWriter},
    digest::Sha256,
    trust::Head,
};

use tempfile::NamedTempFile;

use super::medium::{self, LARGEST_ON_FAT};
use crate::{
    durable,
    error_chain::causes,
    file_error::{Doing as _, FileError},
    transfer::{error::TransferError, kill, progress::Progress},
};

type Result<T> = std::result::Result<T, TransferError>;

/// Gives the bytes of an object, or of a part of one.
pub(crate) type ObjectSource<'a> = &'a dyn Fn(&ObjectEntry) -> Result<Box<dyn Read>>;

/// A volume that was written.
pub(crate) struct WrittenVolume {
    pub(crate) path: PathBuf,
    /// SHA-256 of its `SHA256SUMS`, which names all that is in it.
    pub(crate) checksums: Sha256,
}

/// Bytes that these volumes take together.
pub(crate) fn size_of(notes: &[VolumeNote], head: &Head) -> u64 {
    notes.iter().map(|note| container::volume_size(note, head)).sum()
}

/// Writes the volumes into the folder, which is there. Gives them in order.
///
/// # Errors
/// When the folder has no room for all of them, the disk fails, or an object is not what its name says.
pub(crate) fn write_volumes(
    notes: &[VolumeNote],
    head: &Head,
    out: &Path,
    source: ObjectSource<'_>,
    progress: &dyn Progress,
) -> Result<Vec<WrittenVolume>> {
    let bytes = size_of(notes, head);
    let free = fs4::available_space(out).doing("ask for the free space of", out)?;
    if free < bytes {
        let path = out.to_owned();
        return Err(TransferError::NoSpace { path, needed: bytes, free, what: "the volumes" });
    }
    progress.phase("packing", Some(bytes));
    remove_leftovers(out)?;
    let mut volumes = Vec::new();
    for note in notes {
        volumes.push(write_volume(note, head, out, source, progress)?);
    }
    medium::sync_folder(out).doing("sync", out)?;
    Ok(volumes)
}

fn write_volume(
    note: &VolumeNote,
    head: &Head,
    out: &Path,
    source: ObjectSource<'_>,
    progress: &dyn Progress,
) -> Result<WrittenVolume> {
    try_volume(note, head, out, source, progress).map_err(|error| too_large(error, note, head, out))
}

fn try_volume(
    note: &VolumeNote,
    head: &Head,
    out: &Path,
    source: ObjectSource<'_>,
    progress: &dyn Progress,
) -> Result<WrittenVolume> {
    let path = out.join(file_name(note));
    let (file, checksums) = pack_into(temporary(out)?, &path, note, head, source, progress)?;
    keep(file, &path)?;
    kill::step("volume renamed");
    Ok(WrittenVolume { path, checksums })
}

/// Writes the only volume to a pipe. It has no path.
///
/// # Errors
/// When nobody reads the pipe to its end, or an object is not what its name says.
pub(crate) fn write_to_pipe(
    notes: &[VolumeNote],
    head: &Head,
    pipe: &mut dyn Write,
    source: ObjectSource<'_>,
    progress: &dyn Progress,
) -> Result<Vec<WrittenVolume>> {
    progress.phase("packing", Some(size_of(notes, head)));
    let name = Path::new("to the standard output");
    for note in notes {
        pack_into(&mut *pipe, name, note, head, source, progress)?;
    }
    Ok(Vec::new())
}

/// Writes a volume; gives the digest of its checksums.
fn pack_into<W: Write>(
    to: W,
    path: &Path,
    note: &VolumeNote,
    head: &Head,
    source: ObjectSource<'_>,
    progress: &dyn Progress,
) -> Result<(W, Sha256)> {
    let failed = |source| TransferError::Export { path: path.to_owned(), source };
    let to = BufWriter::with_capacity(1 << 20, to);
    let mut writer = VolumeWriter::new(to, note, head).map_err(failed)?;
    for entry in &note.objects {
        let source = source(entry)?;
        writer.object(&mut ProgressReader { source, progress }).map_err(failed)?;
    }
    kill::step("objects packed");
    let checksums = writer.checksums();
    let to = writer.finish().map_err(failed)?;
    Ok((to.into_inner().map_err(IntoInnerError::into_error).doing("write", path)?, checksums))
}

/// Says which size to give when the file system takes no volume as large as this one.
fn too_large(error: TransferError, note: &VolumeNote, head: &Head, out: &Path) -> TransferError {
    let is_limit = |cause: &io::Error| cause.kind() == io::ErrorKind::FileTooLarge;
    if !causes(&error).filter_map(|cause| cause.downcast_ref()).any(is_limit) {
        return error;
    }
    let size = container::volume_size(note, head);
    let give = match size > LARGEST_ON_FAT {
        true => "`--volume-size fat32` (4 GiB)".to_owned(),
        false => format!("a `--volume-size` that it takes, below {size}"),
    };
    TransferError::VolumeTooLarge { out: out.to_owned(), size, give }
}

/// A file in a folder of a medium that gets its name when it is whole.
pub(super) fn temporary(out: &Path) -> std::result::Result<NamedTempFile, FileError> {
    let file = tempfile::Builder::new()
        .prefix(".tidegate-")
        .suffix(".partial")
        .tempfile_in(out)
        .doing("write in", out)?;
    // The lock says that this file is still being written. Not every medium can lock.
    let _ = file.as_file().try_lock_shared();
    Ok(file)
}

/// Gives such a file its name; everybody may read it.
pub(super) fn keep(file: NamedTempFile, path: &Path) -> std::result::Result<(), FileError> {
    medium::make_readable(file.path()).doing("set the permissions of", path)?;
    durable::rename(file, path).doing("keep", path)?;
    Ok(())
}

/// Removes half-written volumes of killed runs from the folder.
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

struct ProgressReader<'a> {
    source: Box<dyn Read>,
    progress: &'a dyn Progress,
}

impl Read for ProgressReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buf)?;
        self.progress.advance(n as u64);
        Ok(n)
    }
}
