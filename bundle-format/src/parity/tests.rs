use std::{collections::BTreeMap, io::Cursor};

use uuid::Uuid;

use super::*;
use crate::digest::Sha256;

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

/// Volumes of several sizes, none at a border of blocks but one, one empty.
fn volumes() -> Vec<Vec<u8>> {
    let sizes = [3 * BLOCK_BYTES + 17, 5 * BLOCK_BYTES, 2 * BLOCK_BYTES + 1, 0, 100];
    (1..).zip(sizes).map(|(seed, size)| bytes(seed, size)).collect()
}

fn parity_of(volumes: &[Vec<u8>], of: usize) -> Vec<Vec<u8>> {
    let described = (1..)
        .zip(volumes)
        .map(|(n, bytes)| ParityVolume {
            name: format!("volume-{n}.tar"),
            size: bytes.len() as u64,
            sha256: Sha256::hash(b""),
        })
        .collect();
    let of_files = u32::try_from(of).unwrap();
    let note = ParityNote::new(Uuid::from_u128(5), "plant-7".to_owned(), 3, described, of_files);
    let mut sources: Vec<&[u8]> = volumes.iter().map(Vec::as_slice).collect();
    let mut outs: Vec<Cursor<Vec<u8>>> = (0..of).map(|_| Cursor::new(Vec::new())).collect();
    let mut read = 0;
    make_parity(&note, &mut sources, &mut outs, &mut |n| read += n).unwrap();
    assert_eq!(read, volumes.iter().map(|v| v.len() as u64).sum::<u64>());
    outs.into_iter().map(Cursor::into_inner).collect()
}

/// What is damaged, and what comes out.
fn restore(
    volumes: &[Option<Vec<u8>>],
    parity: &[Vec<u8>],
) -> Result<(Vec<Damage>, Outputs<Vec<u8>>), ParityError> {
    let mut files = Vec::new();
    for bytes in parity {
        let mut file = Cursor::new(bytes.clone());
        files.push((ParityFile::read(&mut file)?, file));
    }
    let mut sources: Vec<Option<Cursor<Vec<u8>>>> =
        volumes.iter().map(|bytes| bytes.clone().map(Cursor::new)).collect();
    let mut found = Vec::new();
    let outs = restore_volumes(
        &mut files,
        &mut sources,
        &mut |damage| {
            found = damage.to_vec();
            Ok(damage.iter().map(|damage| (damage.volume, Vec::new())).collect())
        },
        &mut |_| {},
    )?;
    Ok((found, outs))
}

#[test]
fn any_volumes_that_are_lost_come_back_from_as_many_parity_files() {
    let volumes = volumes();
    let parity = parity_of(&volumes, 2);
    let sizes: Vec<u64> = volumes.iter().map(|v| v.len() as u64).collect();
    assert!(parity.iter().all(|file| file.len() as u64 <= parity_size(&sizes, 12)));
    for first in 0..volumes.len() {
        for second in 0..volumes.len() {
            let mut left: Vec<Option<Vec<u8>>> = volumes.iter().cloned().map(Some).collect();
            left[first] = None;
            left[second] = None;
            let (damage, restored) = restore(&left, &parity).unwrap();
            assert!(damage.iter().all(|damage| damage.missing));
            let expected: BTreeMap<usize, Vec<u8>> =
                [first, second].into_iter().map(|n| (n, volumes[n].clone())).collect();
            assert_eq!(restored, expected);
        }
    }
}

#[test]
fn one_parity_file_of_several_is_enough_for_one_volume() {
    let volumes = volumes();
    let parity = parity_of(&volumes, 3);
    for file in &parity {
        let mut left: Vec<Option<Vec<u8>>> = volumes.iter().cloned().map(Some).collect();
        left[1] = None;
        let (_, restored) = restore(&left, std::slice::from_ref(file)).unwrap();
        assert_eq!(restored[&1], volumes[1]);
    }
}

#[test]
fn bad_places_in_all_files_are_made_good_where_they_do_not_meet() {
    let volumes = volumes();
    let parity = parity_of(&volumes, 1);
    let mut left = volumes.clone();
    left[0][5] ^= 1;
    left[1][BLOCK_BYTES + 7] ^= 1;
    left[2].truncate(2 * BLOCK_BYTES);
    // The parity file is bad where no volume is, and its first description too.
    let mut damaged = parity[0].clone();
    let block = damaged.len() - 3 * BLOCK_BYTES / 2;
    damaged[block] ^= 1;
    damaged[60] ^= 1;
    // Bytes behind the end are damage as well.
    left[4].push(0);
    let left: Vec<Option<Vec<u8>>> = left.into_iter().map(Some).collect();
    let (damage, restored) = restore(&left, &[damaged.clone()]).unwrap();
    let found: Vec<(usize, u64)> = damage.iter().map(|d| (d.volume, d.blocks)).collect();
    assert_eq!(found, [(0, 1), (1, 1), (2, 1), (4, 0)]);
    assert_eq!(restored, [0, 1, 2, 4].into_iter().map(|n| (n, volumes[n].clone())).collect());
}

#[test]
fn what_is_whole_is_left_alone_and_what_cannot_be_restored_is_said() {
    let volumes = volumes();
    let parity = parity_of(&volumes, 1);
    let whole: Vec<Option<Vec<u8>>> = volumes.iter().cloned().map(Some).collect();
    assert_eq!(restore(&whole, &parity).unwrap(), (Vec::new(), BTreeMap::new()));
    let mut left = whole.clone();
    left[0] = None;
    left[1].as_mut().unwrap()[0] ^= 1;
    let error = restore(&left, &parity).unwrap_err();
    assert!(
        matches!(error, ParityError::TooDamaged { places: 1, missing: 2, volumes: 5, parity: 1 }),
        "{error}"
    );
    assert!(restore(&whole, &[]).is_err());
    let other = parity_of(&volumes[..4], 1);
    assert!(restore(&whole, &[parity[0].clone(), other[0].clone()]).is_err());
}

#[test]
fn counts_that_cannot_be_are_refused() {
    let none: &mut [&[u8]] = &mut [];
    let note = ParityNote::new(Uuid::nil(), "a".to_owned(), 1, Vec::new(), 1);
    let mut outs = [Cursor::new(Vec::new())];
    assert!(matches!(
        make_parity(&note, none, &mut outs, &mut |_| {}),
        Err(ParityError::Count { volumes: 0, parity: 1 })
    ));
}

/// Every byte of a description is covered, and none makes it panic.
#[test]
fn a_changed_description_is_refused_or_read_from_its_copy() {
    let parity = parity_of(&volumes()[4..], 1).remove(0);
    let good = ParityFile::read(&mut Cursor::new(&parity)).unwrap();
    let length = parity.len();
    for at in (0..400).chain(length - 400..length) {
        let mut changed = parity.clone();
        changed[at] ^= 0x40;
        assert_eq!(ParityFile::read(&mut Cursor::new(&changed)).unwrap(), good, "{at}");
    }
    for cut in [0, 1, 15, 60, 100] {
        assert!(ParityFile::read(&mut Cursor::new(&parity[..cut])).is_err());
        let mut both = parity.clone();
        both[cut] ^= 1;
        both[length - 9 - cut] ^= 1;
        let _ = ParityFile::read(&mut Cursor::new(&both));
    }
}
