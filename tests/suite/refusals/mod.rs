//! Every way in which a bundle may be wrong: exit class 3, a message that names the cause, and a
//! data folder that is byte for byte what it was.

mod editor;
mod forge;
mod halves;
mod members;
mod signed;
mod trust;
mod verify;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use tidegate::transfer::{Blame, ImportOptions, TransferError, import};

use crate::support::{
    clock::now,
    sides::{Mirror, Site, bytes},
};

const MIRROR: u128 = 7;

/// What all tests here start from: a site that has taken snapshot 1, and a delta to snapshot 2.
struct Start {
    mirror: Mirror,
    site: Site,
    first: PathBuf,
    delta: Vec<u8>,
}

fn start() -> &'static Start {
    static START: OnceLock<Start> = OnceLock::new();
    START.get_or_init(|| {
        let mirror = Mirror::new(MIRROR);
        mirror.add(1, 1, &[bytes(1, 3000)]);
        let first = mirror.export("plant-7").volumes.remove(0);
        let site = Site::new("plant-7", &mirror.root);
        site.import(std::slice::from_ref(&first)).unwrap();
        mirror.add(2, 1, &[bytes(2, 5000), bytes(3, 700), bytes(4, 1)]);
        let volume = mirror.export("plant-7").volumes.remove(0);
        let delta = fs::read(volume).unwrap();
        Start { mirror, site, first, delta }
    })
}

/// All causes of an error in one text.
fn story(error: &TransferError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// Imports into a copy of the site and expects a refusal that leaves no trace; returns its story.
fn refused(name: &str, volume: &[u8]) -> String {
    refused_by(&start().site.copy(), name, volume)
}

fn refused_by(site: &Site, name: &str, volume: &[u8]) -> String {
    let path = site.folder.path().join("volume.tar");
    fs::write(&path, volume).unwrap();
    refused_path(site, name, &path, &ImportOptions::new(now()))
}

fn refused_path(site: &Site, name: &str, path: &Path, options: &ImportOptions) -> String {
    let before = site.tree();
    let result = import(&site.data, &[path.to_owned()], options, &());
    let error = match result {
        Ok(report) => panic!("{name}: accepted: {report:?}"),
        Err(error) => error,
    };
    assert_eq!(error.blame(), Blame::Refused, "{name}: {}", story(&error));
    let after = site.tree();
    assert_eq!(before, after, "{name}: the data folder changed");
    story(&error)
}

fn write_to(site: &Site, name: &str, bytes: &[u8]) -> PathBuf {
    let path = site.folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}
