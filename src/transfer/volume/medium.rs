//! What the file system of a medium can take.

use std::{fs, io, path::Path};

use crate::durable;

/// Bytes of the largest file on FAT: its length is a number of 32 bits.
pub const LARGEST_ON_FAT: u64 = 4_294_967_295;

/// Lets everybody read a volume, if that can be said on the medium: a temporary file can be read by its
/// owner alone.
pub(crate) fn make_readable(volume: &Path) -> io::Result<()> {
    if_allowed(durable::permit(volume, 0o644))
}

/// Makes the names in a folder of the medium durable, if that can be done there.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
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
pub(crate) fn largest_file(folder: &Path) -> Option<u64> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read("/proc/self/mounts").ok()?;
    limit_of(&mounts, folder.as_os_str().as_encoded_bytes())
}

/// The size that volumes are cut at: what was asked for, unless the medium takes less. And whether the
/// medium decides.
pub(crate) fn volume_limit(asked: Option<u64>, medium: Option<u64>) -> (Option<u64>, bool) {
    match (asked, medium) {
        (Some(asked), Some(medium)) => (Some(asked.min(medium)), medium < asked),
        (asked, medium) => (asked.or(medium), asked.is_none() && medium.is_some()),
    }
}

/// As [`largest_file`], of what `/proc/self/mounts` says: device, place and kind in each line.
fn limit_of(mounts: &[u8], folder: &[u8]) -> Option<u64> {
    let mount = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ');
        Some((unescaped(fields.nth(1)?), fields.next()?.to_owned()))
    };
    // Of two mounts at one place the later one is seen.
    let (_, kind) = mounts
        .split(|byte| *byte == b'\n')
        .filter_map(mount)
        .filter(|(place, _)| is_within(folder, place))
        .max_by_key(|(place, _)| place.len())?;
    matches!(kind.as_slice(), b"vfat" | b"msdos").then_some(LARGEST_ON_FAT)
}

fn is_within(folder: &[u8], place: &[u8]) -> bool {
    let place = place.strip_suffix(b"/").unwrap_or(place);
    folder.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// A place as it is; in the list, spaces, line ends, backslashes and the like are `\` and three octal
/// digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let digits = if first == b'\\' { after.get(..3) } else { None };
        let byte = digits
            .and_then(|digits| str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push(byte.unwrap_or(first));
        rest = if byte.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_is_found_by_the_longest_place() {
        let mounts = "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /media/a\\040stick vfat rw 0 0\n\
                      /dev/sdc1 /media/a\\040stick/inner ext4 rw 0 0\n";
        let limit = |folder: &str| limit_of(mounts.as_bytes(), folder.as_bytes());
        assert_eq!(limit("/media/a stick"), Some(LARGEST_ON_FAT));
        assert_eq!(limit("/media/a stick/out"), Some(LARGEST_ON_FAT));
        assert_eq!(limit("/media/a stick/inner"), None);
        assert_eq!(limit("/media/a stickler"), None);
        assert_eq!(limit("/home"), None);
        assert_eq!(limit_of(b"", b"/home"), None);
    }

    #[test]
    fn places_are_read_whatever_their_names_hold() {
        for (listed, place) in [
            (&b"/media/a\\134b"[..], &b"/media/a\\b"[..]),
            (b"/media/\\134040", b"/media/\\040"),
            (b"/media/a\\012b\\011c", b"/media/a\nb\tc"),
            (b"/media/\\043one", b"/media/#one"),
            (b"/media/\xe9t\xe9", b"/media/\xe9t\xe9"),
            (b"/media/a\\9", b"/media/a\\9"),
        ] {
            let line = [b"/dev/sdb1 ", listed, b" vfat rw 0 0\n"].concat();
            assert_eq!(limit_of(&line, place), Some(LARGEST_ON_FAT), "{}", listed.escape_ascii());
        }
    }

    #[test]
    fn the_smaller_size_counts_and_who_decides_is_known() {
        assert_eq!(volume_limit(None, None), (None, false));
        assert_eq!(volume_limit(Some(5), None), (Some(5), false));
        assert_eq!(volume_limit(Some(5), Some(9)), (Some(5), false));
        assert_eq!(volume_limit(Some(9), Some(9)), (Some(9), false));
        assert_eq!(volume_limit(Some(10), Some(9)), (Some(9), true));
        assert_eq!(volume_limit(None, Some(9)), (Some(9), true));
    }
}
