//! Volumes through pipes: from a mirror to a site without a file in between, several one behind the other,
//! cut anywhere, and with strange bytes.

#![cfg(unix)]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use bundle_format::digest::CHUNK_SIZE;
use tidegate::transfer::ExportOptions;

use crate::support::{
    program::{messages, tidegate, utf8},
    sides::{Mirror, Site, bytes},
};

/// Runs a command with these bytes on its standard input, in portions of this size.
fn feed(data: &Path, args: &[&str], input: &[u8], portion: usize) -> Output {
    let mut command = tidegate(data);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A refusal ends before everything was sent.
    let _ = input.chunks(portion).try_for_each(|part| stdin.write_all(part));
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn filled() -> Mirror {
    let mirror = Mirror::new(7);
    for n in 1..4 {
        mirror.add(n, 1, &[bytes(u64::try_from(n).unwrap(), 40_000)]);
    }
    mirror
}

/// Two discs of a set.
fn two_volumes(mirror: &Mirror) -> Vec<u8> {
    mirror.add(9, 1, &[bytes(9, usize::try_from(CHUNK_SIZE).unwrap() + 70_000)]);
    let options = ExportOptions { volume_size: Some(CHUNK_SIZE + 150_000), ..Default::default() };
    let volumes = mirror.export_with("plant-7", &options).unwrap().volumes;
    assert!(volumes.len() > 1);
    volumes.iter().flat_map(|volume| fs::read(volume).unwrap()).collect()
}

fn nothing_is_kept(site: &Site) {
    for entry in fs::read_dir(site.data.root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with(".tidegate") && name != "incoming", "{name} is left");
    }
}

#[test]
fn from_a_mirror_to_a_site_through_a_pipe() {
    let mirror = filled();
    let (site, twin) = (Site::new("plant-7", &mirror.root), Site::new("plant-7", &mirror.root));
    let mut exporting = tidegate(mirror.data.root())
        .args(["export", "--site", "plant-7", "--out", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let imported = tidegate(site.data.root())
        .args(["import", "-"])
        .stdin(exporting.stdout.take().unwrap())
        .output()
        .unwrap();
    let exported = exporting.wait_with_output().unwrap();
    assert!(exported.status.success(), "{}", messages(&exported));
    assert!(messages(&exported).contains("Packed snapshot 1"), "{}", messages(&exported));
    assert!(imported.status.success(), "{}", messages(&imported));
    twin.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!(site.served(), twin.served());
    nothing_is_kept(&site);
}

#[test]
fn nothing_else_is_on_the_standard_output() {
    let mirror = filled();
    let out = tidegate(mirror.data.root())
        .args(["export", "--full", "--site", "plant-7", "--out", "-"])
        .output()
        .unwrap();
    let file = mirror.export_full("plant-7").volumes.remove(0);
    assert!(out.stdout == fs::read(file).unwrap());
    for args in [["--json", "--full"], ["--volume-size", "700M"]] {
        let refused = tidegate(mirror.data.root())
            .args(["export", "--site", "plant-7", "--out", "-"])
            .args(args)
            .output()
            .unwrap();
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{args:?}");
    }
    assert!(!Path::new("-").exists());
}

/// However the bytes arrive.
#[test]
fn several_volumes_one_behind_the_other() {
    let mirror = filled();
    let stream = two_volumes(&mirror);
    let root = utf8(&mirror.root);
    for portion in [777, 4096, stream.len()] {
        let site = Site::new("plant-7", &mirror.root);
        let verified = feed(site.data.root(), &["verify", "-", "--root", root], &stream, portion);
        assert!(verified.status.success(), "{portion}: {}", messages(&verified));
        let text = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(text.contains("(standard input, volume 2): good"), "{text}");
        let imported = feed(site.data.root(), &["--json", "import", "-"], &stream, portion);
        assert!(imported.status.success(), "{portion}: {}", messages(&imported));
        let said: serde_json::Value = serde_json::from_slice(&imported.stdout).unwrap();
        assert_eq!(said["volumes"][1]["path"], "standard input, volume 2");
        nothing_is_kept(&site);
    }
}

/// A stream that ends too early, anywhere, or goes on with something else changes nothing.
#[test]
fn what_is_cut_or_strange_is_refused_and_leaves_nothing() {
    let mirror = filled();
    let stream = two_volumes(&mirror);
    let site = Site::new("plant-7", &mirror.root);
    feed(site.data.root(), &["import", "-"], &[], 1);
    // What was refused is in the journal.
    let tree = || {
        let mut tree = site.tree();
        tree.retain(|name, _| !name.starts_with("journal/"));
        tree
    };
    let before = tree();
    let len = stream.len();
    let cuts = [1, 300, 512, 1024, 4097, 9000, 100_000, len / 2, len - 9000, len - 1024, len - 1];
    let mut streams: Vec<Vec<u8>> = cuts.iter().map(|cut| stream[..*cut].to_vec()).collect();
    streams.push([&stream[..], &[0; 512]].concat());
    streams.push([&stream[..], b"more"].concat());
    let mut flipped = stream.clone();
    flipped[len - 200_000] ^= 1;
    streams.push(flipped);
    for (at, stream) in streams.iter().enumerate() {
        for command in [&["import", "-"][..], &["verify", "-"], &["import", "--dry-run", "-"]] {
            let refused = feed(site.data.root(), command, stream, 65_536);
            assert_eq!(refused.status.code(), Some(3), "{at}, {command:?}: {}", messages(&refused));
            assert_eq!(tree(), before, "{at}: {command:?}");
            nothing_is_kept(&site);
        }
    }
    for command in ["import", "verify"] {
        let empty = feed(site.data.root(), &[command, "-"], &[], 1);
        assert_eq!(empty.status.code(), Some(1), "{}", messages(&empty));
        assert!(messages(&empty).contains("nothing came"), "{}", messages(&empty));
    }
}

/// What is not signed by whom the site trusts is refused by its head: the rest is not waited for.
#[test]
fn a_stranger_is_refused_before_the_rest_has_come() {
    let (mirror, stranger) = (filled(), filled());
    let site = Site::new("plant-7", &mirror.root);
    let volume = fs::read(&stranger.export("plant-7").volumes[0]).unwrap();
    let mut child = tidegate(site.data.root())
        .args(["import", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Most of it, and the pipe stays open.
    stdin.write_all(&volume[..volume.len() - 80_000]).unwrap();
    let refused = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(refused.status.code(), Some(3), "{}", messages(&refused));
    nothing_is_kept(&site);
}

/// Whoever reads goes away: nothing counts as packed, and the next export has it all.
#[test]
fn a_pipe_that_breaks_packs_nothing() {
    let mirror = Mirror::new(7);
    for n in 1..4 {
        mirror.add(n, 1, &[bytes(u64::try_from(n).unwrap(), 2_000_000)]);
    }
    let mut exporting = tidegate(mirror.data.root())
        .args(["export", "--site", "plant-7", "--out", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(exporting.stdout.take());
    let broken = exporting.wait_with_output().unwrap();
    assert_eq!(broken.status.code(), Some(1), "{}", messages(&broken));
    assert!(messages(&broken).contains("standard output"), "{}", messages(&broken));
    let site = Site::new("plant-7", &mirror.root);
    let report = mirror.export("plant-7");
    assert_eq!(report.payloads, 3);
    assert!(site.import(&report.volumes).unwrap().is_complete());
}

/// Killed while it receives: the next import, of whatever bundle, clears what was kept.
#[test]
fn what_a_killed_run_has_kept_goes_with_the_next_import() {
    let mirror = filled();
    let stream = two_volumes(&mirror);
    let site = Site::new("plant-7", &mirror.root);
    let mut command = tidegate(site.data.root());
    command.args(["import", "-"]).env("TIDEGATE_KILL_AT", "1").stdin(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(&stream);
    assert!(child.wait().unwrap().code().is_none());
    let kept = |site: &Site| -> Vec<PathBuf> {
        let entries = fs::read_dir(site.data.root()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.display().to_string().contains(".tidegate-pipe-")).collect()
    };
    assert_eq!(kept(&site).len(), 1);
    let volumes = mirror.export_full("plant-7").volumes;
    site.import(&volumes).unwrap();
    assert_eq!(kept(&site), Vec::<PathBuf>::new());
}
