//! Removing what belongs to past snapshots only.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use bundle_format::digest::{PayloadHasher, Sha256};
use tidegate::{
    content::{ContentStore, ExpectedPayload},
    transfer::{PruneOptions, check, prune},
};

use crate::support::{
    clock::{days, now},
    program,
    sides::{Mirror, Site, bytes, tree},
};

/// A mirror and a site after several snapshots, merged on the way, so that many segments are of the
/// past. A payload has gone, too.
fn worn() -> (Mirror, Site) {
    let mirror = Mirror::new(7);
    let site = Site::new("plant-7", &mirror.root);
    for n in 1..=5 {
        mirror.add(n, 1, &[bytes(u64::try_from(n).unwrap(), 2000)]);
        site.import(&mirror.export_compacting("plant-7", 2).volumes).unwrap();
    }
    (mirror, site)
}

fn options(dry_run: bool, payloads: bool) -> PruneOptions {
    // Long after all files were written, whatever the clock of this machine says.
    PruneOptions { dry_run, payloads, unneeded: false, now: days(36_500) }
}

#[test]
fn what_is_of_the_past_goes_and_everything_goes_on() {
    let (mirror, site) = worn();
    for data in [&mirror.data, &site.data] {
        let before = tree(data.root());
        let would = prune(data, &options(true, true)).unwrap();
        assert_eq!(tree(data.root()), before, "only tried");
        assert!(!would.segments.is_empty());
        assert_eq!(would.payloads, []);
        assert_eq!(would.bytes, would.segments.iter().map(|(_, size)| size).sum::<u64>());
        let report = prune(data, &options(false, true)).unwrap();
        assert_eq!(report.segments, would.segments);
        for number in 1..=5 {
            assert!(data.snapshot(number).join("metadata/timestamp.json").exists(), "{number}");
        }
        for (segment, _) in &report.segments {
            assert!(!data.segments().join(segment.to_string()).exists());
        }
        assert!(prune(data, &options(false, true)).unwrap().is_empty());
        assert!(check(data, now(), false, &()).unwrap().is_good());
    }
    // Another site gets all of it, and this one the next delta.
    let other = Site::new("plant-8", &mirror.root);
    other.import(&mirror.export("plant-8").volumes).unwrap();
    mirror.add(6, 1, &[bytes(6, 2000)]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert!(report.is_complete() && report.switched.is_some());
    other.import(&mirror.export("plant-8").volumes).unwrap();
    assert_eq!(site.served().lines().filter(|l| l.contains("Update ")).count(), 6);
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());
    assert!(check(&other.data, now(), false, &()).unwrap().is_good());
}

/// What is pending waits for the rest, and what it has stays.
#[test]
fn what_is_pending_stays() {
    let mirror = Mirror::new(7);
    mirror.add(1, 1, &[bytes(1, 16 * 1024 * 1024 + 300_000)]);
    let options_of_export = tidegate::transfer::ExportOptions {
        volume_size: Some(16 * 1024 * 1024 + 200_000),
        ..Default::default()
    };
    let volumes = mirror.export_with("plant-7", &options_of_export).unwrap().volumes;
    let site = Site::new("plant-7", &mirror.root);
    site.import(&volumes[..1]).unwrap();
    let before = site.tree();
    assert!(prune(&site.data, &options(false, true)).unwrap().is_empty());
    assert_eq!(site.tree(), before);
    assert!(site.import(&volumes[1..]).unwrap().is_complete());
}

#[test]
fn payloads_go_only_when_asked_and_not_while_they_are_new() {
    let (_mirror, site) = worn();
    let stray = bytes(99, 500);
    let name = Sha256::hash(&stray);
    let folder = site.data.content().join(&name.to_string()[..2]);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name.to_string());
    fs::write(&path, &stray).unwrap();
    assert_eq!(prune(&site.data, &options(false, false)).unwrap().payloads, []);
    let new = PruneOptions { now: jiff::Timestamp::now(), ..options(false, true) };
    assert_eq!(prune(&site.data, &new).unwrap().payloads, []);
    assert!(path.exists());
    let report = prune(&site.data, &options(false, true)).unwrap();
    assert_eq!((report.payloads, report.bytes), (vec![(name, 500)], 500));
    assert!(!path.exists());
    assert_eq!(check(&site.data, now(), false, &()).unwrap().payloads, 5);
}

#[test]
fn the_program_says_what_it_removes() {
    let (mirror, _site) = worn();
    let run = |args: &[&str]| {
        let output = program::run(mirror.data.root(), &[&["prune"], args].concat());
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let would = run(&["--dry-run"]);
    assert!(
        would.contains("Would remove ")
            && would.contains("segment ")
            && !would.contains("signatures"),
        "{would}"
    );
    assert_eq!(run(&[]), would.replace("Would remove", "Removed"));
    assert_eq!(run(&[]), "Nothing to remove.\n");
    // Another run is at work.
    let lock = mirror.data.trust_state().with_file_name("lock");
    let lock = fs::File::options().write(true).open(lock).unwrap();
    lock.lock().unwrap();
    assert!(prune(&mirror.data, &options(false, false)).is_err());
}

/// Such files lie there from a run that was killed, or as a partial; they are found, and named by the
/// catalogue a little later.
#[test]
fn what_a_run_is_about_to_name_is_not_old() {
    let (mirror, _site) = worn();
    let content = ContentStore::open(&mirror.data.content()).unwrap();
    let old = SystemTime::now() - Duration::from_secs(10 * 24 * 3600);
    let age = |path: &std::path::Path| {
        fs::File::open(path).unwrap().set_modified(old).unwrap();
    };
    let (stray, source) = (bytes(99, 500), mirror.data.root().join("source"));
    fs::write(&source, &stray).unwrap();
    let found = content.path(&content.add_file(&source, &mut |_| {}).unwrap().sha256);
    age(&found);
    content.add_file(&source, &mut |_| {}).unwrap();

    let partial = bytes(98, 500);
    let mut hasher = PayloadHasher::new();
    hasher.update(&partial);
    let digests = hasher.finish();
    let expected = ExpectedPayload { sha1: digests.sha1, sha256: None, size: digests.size };
    let partials = content.partials().unwrap();
    let mut open = partials.open(&expected).unwrap();
    open.add(&partial).unwrap();
    drop(open);
    age(&mirror.data.content().join(format!("partial/sha1-{}", digests.sha1)));
    let open = partials.open(&expected).unwrap();
    content.store_partials(vec![(open, digests.sha256)]).unwrap();

    let options = PruneOptions { now: jiff::Timestamp::now(), ..options(false, true) };
    assert_eq!(prune(&mirror.data, &options).unwrap().payloads, []);
    age(&found);
    assert_eq!(prune(&mirror.data, &options).unwrap().payloads.len(), 1);
}
