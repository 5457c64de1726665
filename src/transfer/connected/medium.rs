//! What the file system of a medium can take.

use std::{fs, io, path::Path};

use crate::durable;

/// The largest file on FAT: its length is a number of 32 bits.
const FAT: u64 = 4_294_967_295;

/// Lets everybody read a volume, if that can be said on the medium: a temporary file can be read by its
/// owner alone.
pub(super) fn make_readable(volume: &Path) -> io::Result<()> {
    if_allowed(durable::permit(volume, 0o644))
}

/// Makes the names in a folder of the medium durable, if that can be done there.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if_allowed(durable::sync_folder(folder))
}

/// On a share, others say who may do that; the volumes are written all the same.
fn if_allowed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// Bytes of the largest file that fits into the file system of `folder`, if it has a limit that matters
/// and the system says which file system it is (Linux).
pub(super) fn largest_file(folder: &Path) -> Option<u64> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    limit_of(&mounts, &folder)
}

/// As [`largest_file`], of the text of `/proc/self/mounts`: device, place and kind in each line.
fn limit_of(mounts: &str, folder: &Path) -> Option<u64> {
    let mount = |line: &'_ str| {
        let mut fields = line.split(' ');
        let place = fields.nth(1)?.replace("\\040", " ").replace("\\011", "\t");
        Some((place, fields.next()?.to_owned()))
    };
    // Of two mounts at one place the later one is seen.
    let (_, kind) = mounts
        .lines()
        .filter_map(mount)
        .filter(|(place, _)| folder.starts_with(place))
        .max_by_key(|(place, _)| place.len())?;
    matches!(kind.as_str(), "vfat" | "msdos").then_some(FAT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_is_found_by_the_longest_place() {
        let mounts = "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /media/a\\040stick vfat rw 0 0\n\
                      /dev/sdc1 /media/a\\040stick/inner ext4 rw 0 0\n";
        let limit = |folder: &str| limit_of(mounts, Path::new(folder));
        assert_eq!(limit("/media/a stick"), Some(FAT));
        assert_eq!(limit("/media/a stick/out"), Some(FAT));
        assert_eq!(limit("/media/a stick/inner"), None);
        assert_eq!(limit("/media/a stickler"), None);
        assert_eq!(limit("/home"), None);
        assert_eq!(limit_of("", Path::new("/home")), None);
    }
}
