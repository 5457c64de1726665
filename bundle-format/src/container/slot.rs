//! A further signature in a finished volume, in place.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{
    VolumeError, VolumeReader,
    layout::{BLOCK, NOTE_NAME, SUMS_NAME, Sums, TAIL, member_size},
    write::volume_size,
};
use crate::{
    digest::Sha256,
    keys::SigningKey,
    limits::BundleLimits,
    trust::{Head, Part, TrustError, countersign},
};

/// Why a finished volume was not countersigned. It is unchanged then, unless the medium failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CountersignError {
    /// The volume is refused, or the medium failed.
    #[error("cannot countersign the volume")]
    Volume(#[from] VolumeError),
    /// The key or the head is refused.
    #[error("cannot countersign the volume")]
    Trust(#[from] TrustError),
}

/// Adds a signature to a finished volume: changes the timestamp in its slot and its line in
/// `SHA256SUMS`, and no other byte. `shown` is the timestamp's digest by
/// [`inspect_for_signing`](crate::trust::inspect_for_signing). Objects are not read.
///
/// # Errors
/// When the volume or its timestamp is not as it must be, it is another one than was shown, the key is not one of the role's or has
/// signed already, or the medium cannot be written.
pub fn countersign_volume<F: Read + Write + Seek>(
    mut file: F,
    key: &SigningKey,
    shown: &Sha256,
    limits: &BundleLimits,
) -> Result<Head, CountersignError> {
    file.rewind().map_err(VolumeError::from)?;
    let (_, note, mut head) = VolumeReader::open(&mut file, limits)?;
    let name = Part::Timestamp.name();
    let before = head.get(Part::Timestamp).cloned().unwrap_or_default();
    countersign(&mut head, key, shown)?;
    let after = head.get(Part::Timestamp).cloned().unwrap_or_default();

    let note_size = note.to_bytes().map_or(0, |bytes| bytes.len() as u64);
    let roots = head.roots();
    let timestamp_at = member_size(note_size)
        + roots.iter().map(|r| member_size(r.len() as u64)).sum::<u64>()
        + BLOCK;
    let names = (1..=roots.len() as u64).map(|version| Part::Root(version).name());
    let lines_before: u64 =
        Sums::line_size(NOTE_NAME) + names.map(|name| Sums::line_size(&name)).sum::<u64>();
    let line = |bytes: &[u8]| {
        let mut sums = Sums::default();
        sums.push(&name, Sha256::hash(bytes));
        sums.as_bytes().to_vec()
    };
    let sums_at = volume_size(&note, &head) - TAIL as u64 - super::write::sums_size(&note, &head);

    replace(&mut file, sums_at + lines_before, &line(&before), &line(&after), SUMS_NAME)?;
    replace(&mut file, timestamp_at, &before, &after, &name)?;
    file.flush().map_err(VolumeError::from)?;
    Ok(head)
}

/// Writes `after` where `before` is, and nothing when it is not there.
fn replace<F: Read + Write + Seek>(
    file: &mut F,
    at: u64,
    before: &[u8],
    after: &[u8],
    what: &str,
) -> Result<(), VolumeError> {
    let mut found = vec![0; before.len()];
    file.seek(SeekFrom::Start(at))?;
    match file.read_exact(&mut found) {
        Ok(()) if found == before && before.len() == after.len() => {}
        // A run that was killed between the two places has written this one.
        Ok(()) if found == after => {}
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error.into()),
        _ => {
            let what = format!("{what} is not where it must be; export again");
            return Err(VolumeError::Refused { at, what });
        }
    }
    file.seek(SeekFrom::Start(at))?;
    file.write_all(after)?;
    Ok(())
}
