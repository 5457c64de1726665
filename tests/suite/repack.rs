//! A finished bundle in volumes of another size: byte for byte what an export of that size would be.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bundle_format::digest::CHUNK_SIZE;
use tidegate::transfer::{
    Blame, ExportOptions, ExportSelection, RepackReport, TransferError, check, repack,
};

use crate::support::{
    clock::now,
    sides::{Mirror, Site, bytes},
};

const CHUNK: usize = 16 * 1024 * 1024;

fn mirror() -> Mirror {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000), bytes(2, 0)]);
    mirror.add(2, 100, &[bytes(3, 5 * CHUNK + 12_345)]);
    mirror.add(3, 100, &[bytes(4, CHUNK), bytes(5, 700)]);
    mirror
}

/// A full export into volumes of this size.
fn export(mirror: &Mirror, volume_size: Option<u64>) -> Vec<PathBuf> {
    let selection = ExportSelection::Full;
    let options = ExportOptions { selection, volume_size, ..ExportOptions::default() };
    mirror.export_with("plant-7", &options).unwrap().volumes
}

fn divide(from: &[PathBuf], out: &Path, size: Option<u64>) -> Result<RepackReport, TransferError> {
    repack(from, out, size, now(), &())
}

fn contents(volumes: &[PathBuf]) -> BTreeMap<String, Vec<u8>> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    volumes.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

#[test]
fn every_size_becomes_every_other_to_the_byte() {
    let mirror = mirror();
    let sizes = [None, Some(2 * CHUNK_SIZE + 100_000), Some(CHUNK_SIZE + 100_000)];
    let exports = sizes.map(|size| export(&mirror, size));
    assert_eq!(exports.clone().map(|volumes| volumes.len()), [1, 3, 6]);
    for from in &exports {
        for (size, expected) in sizes.iter().zip(&exports) {
            let out = tempfile::tempdir().unwrap();
            let report = divide(from, out.path(), *size).unwrap();
            assert_eq!(contents(&report.volumes), contents(expected));
            let largest = report.volumes.iter().map(|v| fs::metadata(v).unwrap().len()).max();
            assert!(size.is_none_or(|size| largest.unwrap() <= size), "{largest:?} of {size:?}");
            let site = Site::new("plant-7", &mirror.root);
            assert!(site.import(&report.volumes).unwrap().is_complete());
            assert!(check(&site.data, now(), false, &()).unwrap().is_good());
        }
    }
}

#[test]
fn what_is_not_whole_or_not_of_one_bundle_is_not_divided() {
    let mirror = mirror();
    let volumes = export(&mirror, Some(2 * CHUNK_SIZE + 100_000));
    let out = tempfile::tempdir().unwrap();
    let refused = |from: &[PathBuf], says: &str| {
        let error = divide(from, out.path(), None).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
        error
    };
    refused(&[volumes[0].clone(), volumes[2].clone()], "these are missing: 2");
    let other = export(&mirror, None);
    refused(
        &[volumes[0].clone(), volumes[1].clone(), volumes[2].clone(), other[0].clone()],
        "two different bundles",
    );
    let damaged = out.path().with_extension("tar");
    let mut broken = fs::read(&volumes[1]).unwrap();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    fs::write(&damaged, broken).unwrap();
    let all = [volumes[0].clone(), damaged.clone(), volumes[2].clone()];
    let error = divide(&all, out.path(), None).unwrap_err();
    fs::remove_file(&damaged).unwrap();
    assert_eq!(error.blame(), Blame::Refused, "{error}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

/// The same disc twice, in any order, is no harm.
#[test]
fn order_and_doubles_do_not_matter() {
    let mirror = mirror();
    let mut volumes = export(&mirror, Some(2 * CHUNK_SIZE + 100_000));
    let whole = export(&mirror, None);
    volumes.reverse();
    volumes.push(volumes[1].clone());
    let out = tempfile::tempdir().unwrap();
    let report = divide(&volumes, out.path(), None).unwrap();
    assert_eq!(contents(&report.volumes), contents(&whole));
    assert_eq!(report.before, 3);
}
