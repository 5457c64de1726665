//! Parity files beside volumes: any that are lost come back, and bad places in all of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bundle_format::{digest::CHUNK_SIZE, parity::BLOCK_BYTES};
use tidegate::transfer::{ExportOptions, ExportReport, TransferError, add_parity, repair};

use crate::support::sides::{Mirror, Site, bytes};

const CHUNK: usize = 16 * 1024 * 1024;

fn mirror() -> Mirror {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000), bytes(2, 2 * CHUNK + 12_345)]);
    mirror.add(2, 100, &[bytes(3, CHUNK)]);
    mirror
}

fn export(mirror: &Mirror, volume_size: Option<u64>, parity: u32) -> ExportReport {
    let options = ExportOptions { volume_size, parity, ..ExportOptions::default() };
    mirror.export_with("plant-7", &options).unwrap()
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        })
        .collect()
}

/// A folder with these files.
fn medium(files: &BTreeMap<String, Vec<u8>>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn volumes(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    files.keys().filter(|name| name.ends_with(".tar")).cloned().collect()
}

#[test]
fn any_volumes_that_are_lost_come_back_and_are_imported() {
    let mirror = mirror();
    let size = CHUNK_SIZE + 900_000;
    let report = export(&mirror, Some(size), 2);
    let all = contents(&mirror.out());
    assert_eq!((report.volumes.len(), report.parity.files.len(), all.len()), (3, 2, 5));
    assert!(all.values().all(|bytes| bytes.len() as u64 <= size), "no file is larger than asked");
    let names = volumes(&all);
    for first in 0..names.len() {
        let second = (first + 1) % names.len();
        let mut left = all.clone();
        for lost in [first, second] {
            left.remove(&names[lost]);
        }
        let (stick, out) = (medium(&left), tempfile::tempdir().unwrap());
        let report = repair(&[stick.path().to_owned()], out.path(), &()).unwrap();
        assert_eq!((report.of, report.damaged.len()), (3, 2));
        assert!(report.damaged.iter().all(|volume| volume.missing));
        let mut expected = all.clone();
        expected.retain(|name, _| *name == names[first] || *name == names[second]);
        assert_eq!(contents(out.path()), expected);
        let site = Site::new("plant-7", &mirror.root);
        let both = [stick.path().to_owned(), out.path().to_owned()];
        assert!(site.import(&both).unwrap().is_complete());
    }
}

#[test]
fn bad_places_are_made_good_and_what_is_whole_is_left_alone() {
    let mirror = mirror();
    export(&mirror, Some(CHUNK_SIZE + 900_000), 1);
    let all = contents(&mirror.out());
    let names = volumes(&all);
    let mut left = all.clone();
    for (at, name) in names.iter().enumerate() {
        let bytes = left.get_mut(name).unwrap();
        let place = at * BLOCK_BYTES + 100;
        if place < bytes.len() {
            bytes[place..(place + 5000).min((at + 1) * BLOCK_BYTES)].fill(0xee);
        }
    }
    // A renamed volume is found by what it says; a cut one has lost its last blocks.
    let renamed = left.remove(&names[2]).unwrap();
    left.insert("copy.tar".to_owned(), renamed);
    let (stick, out) = (medium(&left), tempfile::tempdir().unwrap());
    let report = repair(&[stick.path().to_owned()], out.path(), &()).unwrap();
    for volume in &report.damaged {
        assert!(!volume.missing, "{volume:?}");
        assert_eq!(fs::read(&volume.restored).unwrap(), all[&volume.name]);
    }
    assert!(report.damaged.len() >= 3, "{report:?}");
    let (whole, out) = (medium(&all), tempfile::tempdir().unwrap());
    let report = repair(&[whole.path().to_owned()], out.path(), &()).unwrap();
    assert!(report.damaged.is_empty() && contents(out.path()).is_empty());
}

#[test]
fn what_cannot_be_restored_is_said_and_leaves_nothing() {
    let mirror = mirror();
    let report = export(&mirror, Some(CHUNK_SIZE + 900_000), 1);
    let all = contents(&mirror.out());
    let names = volumes(&all);
    let refused = |left: &BTreeMap<String, Vec<u8>>, says: &str| {
        let (stick, out) = (medium(left), tempfile::tempdir().unwrap());
        let error = repair(&[stick.path().to_owned()], out.path(), &()).unwrap_err();
        let text = tidegate::error_chain::chain(&error);
        assert!(text.contains(says), "{text}");
        assert!(contents(out.path()).is_empty());
    };
    let mut left = all.clone();
    left.remove(&names[0]);
    left.remove(&names[1]);
    refused(&left, "2 of 3 volumes are damaged or missing, and only 1 parity files are good");
    left = all.clone();
    left.retain(|name, _| name.ends_with(".tar"));
    refused(&left, "there is no parity file");
    left.insert("rubbish.parity".to_owned(), vec![7; 100_000]);
    refused(&left, "there is no parity file");
    // Over what is there, nothing is written.
    let mut damaged = all.clone();
    damaged.get_mut(&names[0]).unwrap()[9] ^= 1;
    let stick = medium(&damaged);
    let folder = stick.path().to_owned();
    let error: TransferError = repair(std::slice::from_ref(&folder), &folder, &()).unwrap_err();
    assert!(tidegate::error_chain::chain(&error).contains("there already"), "{error}");
    assert_eq!(contents(&folder), damaged);
    assert_eq!(report.parity.files.len(), 1);
}

/// The same files come from a bundle that was finished before, also of one volume.
#[test]
fn parity_can_be_added_later() {
    for size in [None, Some(CHUNK_SIZE + 900_000)] {
        let mirror = mirror();
        let exported = export(&mirror, size, 0);
        let out = tempfile::tempdir().unwrap();
        let mut shuffled: Vec<PathBuf> = exported.volumes.clone();
        shuffled.reverse();
        let report = add_parity(&shuffled, out.path(), 2, &()).unwrap();
        assert_eq!(report.files.len(), 2);
        let lost = exported.volumes.last().unwrap();
        let bytes = fs::read(lost).unwrap();
        fs::remove_file(lost).unwrap();
        let restored = tempfile::tempdir().unwrap();
        let left = [mirror.out(), out.path().to_owned()];
        repair(&left, restored.path(), &()).unwrap();
        assert_eq!(fs::read(restored.path().join(lost.file_name().unwrap())).unwrap(), bytes);
        assert!(size.is_none() || add_parity(&[mirror.out()], out.path(), 1, &()).is_err());
    }
}
