//! Looking before taking: what `inspect` and `verify` say of discs, whole, missing, damaged, doubled.

use std::{fs, path::PathBuf};

use bundle_format::digest::{CHUNK_SIZE, Sha256};
use tidegate::{
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    transfer::{
        Blame, ExportOptions, InspectReport, UpdateSummary, VerifyAgainst, VerifyOptions,
        VerifyReport, inspect, verify,
    },
};

use crate::support::{
    clock::now,
    sides::{Mirror, Site, bytes, document, update},
};

fn look(mirror: &Mirror, volumes: &[PathBuf]) -> InspectReport {
    inspect(volumes, VerifyAgainst::Root(&mirror.root), &VerifyOptions::new(now()), &()).unwrap()
}

fn check_here(site: &Site, volumes: &[PathBuf]) -> VerifyReport {
    verify(volumes, VerifyAgainst::Data(&site.data), &VerifyOptions::new(now()), &()).unwrap()
}

fn check_alone(mirror: &Mirror, volumes: &[PathBuf]) -> VerifyReport {
    verify(volumes, VerifyAgainst::Root(&mirror.root), &VerifyOptions::new(now()), &()).unwrap()
}

/// A mirror with four updates, whose files fill a disc each, and these discs.
fn four_discs() -> (Mirror, Vec<PathBuf>) {
    let mirror = Mirror::new(7);
    let chunk = usize::try_from(CHUNK_SIZE).unwrap();
    for n in 1..=4 {
        mirror.add(n, 100, &[bytes(u64::try_from(n).unwrap(), chunk - 1000)]);
    }
    let options =
        ExportOptions { volume_size: Some(CHUNK_SIZE + 300_000), ..ExportOptions::default() };
    let discs = mirror.export_with("plant-7", &options).unwrap().volumes;
    assert_eq!(discs.len(), 4);
    (mirror, discs)
}

fn titles(updates: &[UpdateSummary]) -> Vec<&str> {
    updates.iter().map(|update| update.title.as_str()).collect()
}

/// From the medium and a root alone: updates with titles, articles and sizes, files with the updates that
/// need them, withdrawals, decisions with titles, signers.
#[test]
fn a_bundle_says_what_is_in_it_before_anything_is_taken_in() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000), bytes(2, 7000)]);
    mirror.add(2, 100, &[]);
    let article = document(3, 100, &[]).replace(
        r#"CreationDate="2026-01-01T00:00:00Z" />"#,
        r#"CreationDate="2026-01-01T00:00:00Z"><KBArticleID>5001234</KBArticleID></Properties>"#,
    );
    mirror.add_document(&article);
    let mut fleet = Fleet::open(&mirror.data.fleet()).unwrap();
    let install = ApprovalAction::Install;
    fleet.approve(update(1), ALL_COMPUTERS, install, None, Origin::Local, now()).unwrap();
    fleet.decline(update(2), Origin::Local, now()).unwrap();
    let first = mirror.export("plant-7").volumes;

    let report = look(&mirror, &first);
    let volume = &report.verified.volumes[0];
    assert_eq!((volume.snapshot, &volume.sites[..]), (1, &["plant-7".to_owned()][..]));
    assert!(volume.expires > now());
    let roles: Vec<&str> = volume.signers.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, ["root", "timestamp", "snapshot", "targets", "policy"]);
    assert!(volume.signers.iter().all(|(_, signers)| !signers.is_empty()));
    let found: Vec<(&str, u64)> =
        report.updates.iter().map(|one| (one.named.title.as_str(), one.size)).collect();
    assert_eq!(found, [("Update 1", 12_000), ("Update 2", 0), ("Update 3", 0)]);
    assert_eq!(report.updates[2].named.kb, ["5001234"]);
    assert_eq!(report.updates[2].known, None, "nothing is known without a data folder");
    let sizes: Vec<u64> = report.files.iter().map(|file| file.named.size).collect();
    assert_eq!(sizes, [7000, 5000]);
    for file in &report.files {
        assert_eq!(
            (&file.named.updates[..], &file.volumes[..]),
            (&["Update 1".to_owned()][..], &[1][..])
        );
        assert!(file.named.file.as_ref().unwrap().ends_with(".cab"));
    }
    let approval = &report.policy.approvals[0];
    assert_eq!((approval.named.title.as_str(), approval.action.as_str()), ("Update 1", "install"));
    assert_eq!(titles(&report.policy.declined), ["Update 2"]);

    // A later bundle: only what is new and withdrawn is on it.
    mirror.add(4, 100, &[bytes(4, 3000)]);
    mirror.withdraw(3, 100);
    let second = mirror.export("plant-7").volumes;
    let report = look(&mirror, &second);
    assert_eq!(report.updates.len(), 1);
    assert_eq!(report.withdrawn.len(), 1, "its title is not on this disc");
    let both = look(&mirror, &[first.clone(), second.clone()].concat());
    assert_eq!(titles(&both.withdrawn), ["Update 3"]);
    assert_eq!(both.updates.len(), 3);

    // Against a site: what it has is known there, and names what the disc does not.
    let site = Site::new("plant-7", &mirror.root);
    site.import(&first).unwrap();
    let before = site.tree();
    let here = inspect(
        &[first, second].concat(),
        VerifyAgainst::Data(&site.data),
        &VerifyOptions::new(now()),
        &(),
    )
    .unwrap();
    let known: Vec<Option<bool>> = here.updates.iter().map(|update| update.known).collect();
    assert_eq!(known, [Some(true), Some(true), Some(false)]);
    assert_eq!(titles(&here.withdrawn), ["Update 3"]);
    assert_eq!(site.tree(), before, "nothing is written");
}

/// A pipe gives its bytes once, from front to end.
#[cfg(unix)]
#[test]
fn a_medium_is_read_once() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 200_000)]);
    let volume = mirror.export("plant-7").volumes.remove(0);
    let pipe = mirror.folder.path().join("pipe.tar");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let to = pipe.clone();
    let writer = std::thread::spawn(move || fs::copy(volume, to).map(drop));
    let report = look(&mirror, &[pipe]);
    writer.join().unwrap().unwrap();
    assert_eq!((report.updates.len(), report.files.len()), (1, 1));
}

#[test]
fn a_damaged_disc_keeps_no_other_from_being_checked() {
    let (mirror, discs) = four_discs();
    let mut volume = fs::read(&discs[2]).unwrap();
    let middle = volume.len() / 2;
    volume[middle] ^= 1;
    fs::write(&discs[2], volume).unwrap();
    let report = check_alone(&mirror, &discs);
    assert_eq!((report.volumes.len(), report.refused.len()), (3, 1));
    let refused = &report.refused[0];
    assert_eq!((refused.volume, refused.refused), (Some((3, 4)), true));
    let [file] = &refused.files[..] else { panic!("{refused:?}") };
    assert!(file.file.is_some() && file.updates[0].starts_with("Update "), "{file:?}");
    let set = &report.sets[0];
    assert_eq!((&set.here[..], &set.damaged[..]), (&[1, 2, 4][..], &[3][..]));
    assert!(set.missing.is_empty() && !report.is_complete());
    assert_eq!(report.refusal().unwrap().blame(), Blame::Refused);
    // What is no volume at all is told beside the others, too.
    fs::write(&discs[2], "no volume").unwrap();
    let report = check_alone(&mirror, &discs);
    assert_eq!((report.refused[0].volume, &report.sets[0].missing[..]), (None, &[(3, 3)][..]));
    // A file that cannot be read is no refusal.
    let gone = [discs[0].clone(), discs[2].with_file_name("gone.tar")];
    let report = check_alone(&mirror, &gone);
    assert!(!report.refused[0].refused);
    assert_eq!(report.refusal().unwrap().blame(), Blame::Machine);
    let alone =
        verify(&discs[2..3], VerifyAgainst::Root(&mirror.root), &VerifyOptions::new(now()), &());
    assert_eq!(alone.unwrap_err().blame(), Blame::Refused);
    // Looking at the others works, too.
    assert_eq!(look(&mirror, &discs).updates.len(), 4);
}

#[test]
fn discs_that_are_missing_doubled_or_stale_are_told() {
    let (mirror, discs) = four_discs();
    let three = [discs[0].clone(), discs[2].clone(), discs[3].clone(), discs[3].clone()];
    let report = check_alone(&mirror, &three);
    assert!(!report.is_complete());
    let set = &report.sets[0];
    assert_eq!((&set.missing[..], &set.doubled[..]), (&[(2, 2)][..], &[4][..]));
    assert!(check_alone(&mirror, &discs).is_complete());

    // Against the site it is told what is missing, by name, until it is here.
    let site = Site::new("plant-7", &mirror.root);
    let lacking = check_here(&site, &three).lacking.unwrap();
    assert_eq!((lacking.snapshot, lacking.segments, lacking.files.len()), (1, 0, 1));
    assert!(lacking.files[0].updates[0].starts_with("Update "), "{lacking:?}");
    site.import(&discs[1..2]).unwrap();
    let report = check_here(&site, &three);
    assert!(report.is_complete(), "disc 2 was brought before: {report:?}");
    site.import(&discs).unwrap();
    mirror.add(5, 100, &[bytes(5, 5000)]);
    let later = mirror.export("plant-7").volumes;
    site.import(&later).unwrap();
    let report = check_here(&site, &[discs, later].concat());
    let stale: Vec<(u64, bool)> = report.sets.iter().map(|set| (set.snapshot, set.stale)).collect();
    assert_eq!(stale, [(1, true), (2, false)]);
    assert!(report.is_complete());
}

/// The note of a volume is signed by nobody: whatever it claims costs nothing.
#[test]
fn a_note_that_claims_a_world_of_discs_costs_nothing() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    let volume = mirror.export("plant-7").volumes.remove(0);
    let good = fs::read(&volume).unwrap();
    fs::write(&volume, crate::parts::rewrite(&good, |note, _| note.of = u32::MAX)).unwrap();
    let report = check_alone(&mirror, &[volume]);
    assert_eq!(report.sets[0].missing, [(2, u64::from(u32::MAX))]);
}

/// Bundles that were never brought are told by number, and what is missing by file, by `verify` as by
/// `import`, tried or done.
#[test]
fn bundles_that_were_never_brought_are_told() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    for n in 2..=4 {
        mirror.add(n, 100, &[bytes(u64::try_from(n).unwrap(), 5000)]);
        mirror.export("plant-7");
    }
    mirror.add(5, 100, &[bytes(5, 6000)]);
    let fifth = mirror.export("plant-7").volumes;
    let report = check_here(&site, &fifth);
    assert!(!report.is_complete());
    let lacking = report.lacking.unwrap();
    assert_eq!((lacking.snapshot, &lacking.never_brought[..]), (5, &[(2, 4)][..]));
    assert_eq!(lacking.segments, 6);
    let tried = site.dry_run(&fifth).unwrap();
    assert_eq!(tried.never_brought, [(2, 4)]);
    let done = site.import(&fifth).unwrap();
    assert_eq!((&done.never_brought[..], done.is_complete()), (&[(2, 4)][..], false));
}

#[test]
fn what_a_pending_snapshot_lacks_is_named_by_import() {
    let (mirror, discs) = four_discs();
    let three = [discs[0].clone(), discs[1].clone(), discs[3].clone()];
    let site = Site::new("plant-7", &mirror.root);
    let tried = site.dry_run(&three).unwrap();
    let done = site.import(&three).unwrap();
    assert_eq!(tried.missing_files, done.missing_files);
    let [file] = &done.missing_files[..] else { panic!("{done:?}") };
    assert!(file.updates[0].starts_with("Update ") && file.file.is_some(), "{file:?}");
    assert_ne!(file.sha256, Sha256::hash(b""));
    assert!(site.import(&discs).unwrap().missing_files.is_empty());
}
