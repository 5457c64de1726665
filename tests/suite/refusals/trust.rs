//! Volumes of others, of before, and of keys that no longer count.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bundle_format::{
    index::SegmentKind, policy::PolicyApproval, segment::Record, trust::TrustState,
};
use tidegate::{
    catalog::Catalog,
    content::ContentStore,
    fleet::Fleet,
    transfer::{
        Blame, ImportOptions, KeyRotation, KeysOptions, PolicyChoice, SealOptions, check, import,
        inspect_root, keys_rotate, policy_accept, seal, trust_add,
    },
};

use super::{
    super::support::{
        clock::now,
        sides::{Mirror, Site, bytes, copy_folder, document, update},
    },
    MIRROR, Start,
    forge::{Forge, digests, payload_record, revision_record, volume},
    refused_by, refused_path, start, write_to,
};

#[test]
fn an_older_snapshot() {
    let Start { mirror, first, .. } = start();
    let site = start().site.copy();
    let path = site.folder.path().join("delta.tar");
    fs::write(&path, &start().delta).unwrap();
    site.import(&[path]).unwrap();
    let story = refused_path(&site, "older", first, &ImportOptions::new(now()));
    assert!(story.contains("older"), "{story}");
    let _ = mirror;
}

#[test]
fn another_sites_bundle() {
    let Start { mirror, delta, .. } = start();
    let site = Site::new("plant-9", &mirror.root);
    let story = refused_by(&site, "another site", delta);
    assert!(story.contains("plant-7") && story.contains("plant-9"), "{story}");
}

#[test]
fn another_mirror_and_unknown_signers() {
    let other = Mirror::new(8);
    other.add(1, 1, &[bytes(1, 3000)]);
    let volume = other.export("plant-7").volumes.remove(0);
    let site = start().site.copy();
    let story = refused_path(&site, "another mirror", &volume, &ImportOptions::new(now()));
    assert!(
        story.contains("sign") || story.contains("mirror") || story.contains("root"),
        "{story}"
    );
}

/// A site at snapshot 1, its mirror, and a copy of the mirror's keys.
fn stolen_keys() -> (Mirror, Site, PathBuf) {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[bytes(1, 3000)]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    let stolen = mirror.folder.path().join("stolen");
    copy_folder(&mirror.data.keys(), &stolen);
    (mirror, site, stolen)
}

fn replace_keys(mirror: &Mirror) {
    keys_rotate(&mirror.data, KeyRotation { content: true, ..KeyRotation::default() }, None, now())
        .unwrap();
}

#[test]
fn revoked_signers() {
    let (mirror, site, stolen) = stolen_keys();
    replace_keys(&mirror);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    // The thief has the old keys and the old root, and knows the new root, which is no secret.
    let story = refused_by(&site, "revoked, old root", &Forge::new(50).volume(&stolen));
    assert!(story.contains("sign") || story.contains("root"), "{story}");
    let mut head = Forge::new(50).head(&stolen);
    let root = fs::read(mirror.data.keys().join("2.root.json")).unwrap();
    head.files.insert("metadata/2.root.json".to_owned(), root.into());
    let story = refused_by(&site, "revoked, new root", &volume(&head, 50, &[], &[]));
    assert!(story.contains("sign"), "{story}");
}

#[test]
fn too_few_signatures() {
    let keys = KeysOptions { countersigners: 1, threshold: 2, ..KeysOptions::new(now()) };
    let mirror = Mirror::with_keys(MIRROR, &keys);
    mirror.add(1, 1, &[]);
    let options = SealOptions { add_site: Some("plant-7".to_owned()), ..SealOptions::default() };
    seal(&mirror.data, now(), &options, &()).unwrap();
    let site = Site::new("plant-7", &mirror.root);
    let story = refused_by(&site, "one of two", &Forge::new(1).volume(&mirror.data.keys()));
    assert!(story.contains("signature"), "{story}");
}

#[test]
fn a_damaged_trust_state() {
    let good = fs::read(start().site.data.trust_state()).unwrap();
    let mut cases: Vec<Vec<u8>> = vec![Vec::new(), b"{}".to_vec(), good[..good.len() / 2].to_vec()];
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        cases.push(bad);
    }
    for (n, state) in cases.iter().enumerate() {
        let site = start().site.copy();
        fs::write(site.data.trust_state(), state).unwrap();
        let story = refused_by(&site, &format!("damaged state {n}"), &start().delta);
        assert!(story.contains("trust state"), "{story}");
    }
    // A person who compares the fingerprint can mend it; older snapshots stay out.
    let Start { mirror, first, .. } = start();
    let site = start().site.copy();
    let path = site.folder.path().join("delta.tar");
    fs::write(&path, &start().delta).unwrap();
    site.import(std::slice::from_ref(&path)).unwrap();
    fs::write(site.data.trust_state(), b"rubbish").unwrap();
    assert_eq!(trust_add(&site.data, &mirror.root, None).unwrap_err().blame(), Blame::Refused);
    let fingerprint = inspect_root(&mirror.root).unwrap().fingerprint;
    trust_add(&site.data, &mirror.root, Some(&fingerprint)).unwrap();
    let report = site.import(std::slice::from_ref(first)).unwrap();
    assert_eq!((report.in_force, report.switched.is_some()), (Some(2), false));
    site.import(&[path]).unwrap();
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());

    let site = start().site.copy();
    fs::remove_file(site.data.trust_state()).unwrap();
    let story = refused_by(&site, "no trust", &start().delta);
    assert!(story.contains("trust add"), "{story}");
}

/// A site that a thief has led far ahead, and a mirror that has replaced its keys since.
fn led_astray(numbers: &[u64]) -> (Mirror, Site, PathBuf) {
    let (mirror, site, stolen) = stolen_keys();
    for number in numbers {
        let path =
            write_to(&site, &format!("thief{number}.tar"), &Forge::new(*number).volume(&stolen));
        assert_eq!(site.import(&[path]).unwrap().in_force, Some(*number));
    }
    replace_keys(&mirror);
    (mirror, site, stolen)
}

#[test]
fn trust_follows_after_a_kill_and_another_bundle() {
    let (mirror, site, stolen) = led_astray(&[100]);
    let before = fs::read(site.data.trust_state()).unwrap();
    let report = site.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(2));
    // Killed between the commit and the trust state; then the next bundle comes first.
    fs::write(site.data.trust_state(), before).unwrap();
    mirror.add(2, 1, &[bytes(2, 3000)]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(3));
    let good = check(&site.data, now(), false, &()).unwrap();
    assert_eq!(good.problems, Vec::<String>::new());
    refused_by(&site, "the thief comes back", &Forge::new(101).volume(&stolen));
}

#[test]
fn numbers_of_the_thief_do_not_block_honest_ones() {
    let (mirror, site, _) = led_astray(&[2, 3]);
    let report = site.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(2));
    mirror.add(2, 1, &[bytes(2, 3000)]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(3));
}

#[test]
fn policy_of_the_thief_does_not_stay() {
    let (mirror, site, stolen) = stolen_keys();
    let mut forge = Forge::new(2);
    forge.policy.approvals.push(PolicyApproval {
        update: update(1).0,
        group: "All Computers".to_owned(),
        action: "uninstall".to_owned(),
        deadline: None,
        rule: None,
    });
    let path = write_to(&site, "thief.tar", &forge.volume(&stolen));
    site.import(&[path]).unwrap();
    assert_eq!(Fleet::open(&site.data.fleet()).unwrap().approvals().unwrap().len(), 1);
    replace_keys(&mirror);
    let report = site.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(2));
    assert_eq!(Fleet::open(&site.data.fleet()).unwrap().approvals().unwrap().len(), 0);
}

#[test]
fn the_new_root_in_the_same_folder_counts_at_once() {
    let (mirror, site, stolen) = stolen_keys();
    replace_keys(&mirror);
    let mut paths = mirror.export("plant-7").volumes;
    paths.push(write_to(&site, "thief.tar", &Forge::new(100).volume(&stolen)));
    let report = site.import(&paths).unwrap();
    assert_eq!(report.in_force, Some(2));
    assert!(report.warnings.iter().any(|w| w.contains("does not take effect")), "{report:?}");
    refused_path(&site, "the thief alone", paths.last().unwrap(), &ImportOptions::new(now()));
}

/// A site at snapshot 1 and a mirror whose keys were stolen and then replaced: the disc that was sealed
/// before, the disc that carries the new root and lacks what the first has, and the stolen keys.
fn replaced_on_the_way() -> (Mirror, Site, PathBuf, [Vec<PathBuf>; 2]) {
    let (mirror, site, stolen) = stolen_keys();
    mirror.add(2, 1, &[bytes(2, 3000)]);
    let before = mirror.export("plant-7").volumes;
    replace_keys(&mirror);
    mirror.add(3, 1, &[bytes(3, 3000)]);
    let after = mirror.export("plant-7").volumes;
    (mirror, site, stolen, [before, after])
}

#[test]
fn a_new_root_counts_while_its_snapshot_is_pending() {
    let (mirror, site, stolen, [_, after]) = replaced_on_the_way();
    let trusted = fs::read(site.data.trust_state()).unwrap();
    site.dry_run(&after).unwrap();
    assert_eq!(fs::read(site.data.trust_state()).unwrap(), trusted, "a dry run stores nothing");
    let report = site.import(&after).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(1), 1));
    let found = check(&site.data, now(), false, &()).unwrap();
    assert_eq!(
        found.problems,
        Vec::<String>::new(),
        "what is served is right while that one is awaited"
    );
    for number in [2, 3, 4, 50] {
        let thief = Forge::new(number).volume(&stolen);
        let story = refused_by(&site, "a stolen key, while pending", &thief);
        assert!(story.contains("revoked"), "{story}");
    }
    let report = site.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(3), 0));
    refused_by(&site, "a stolen key, afterwards", &Forge::new(51).volume(&stolen));
}

#[test]
fn a_disc_of_before_fills_gaps_when_the_administrator_names_it() {
    let (_mirror, site, stolen, [before, after]) = replaced_on_the_way();
    site.import(&after).unwrap();
    let usual = ImportOptions::new(now());
    let story = refused_path(&site, "not named", &before[0], &usual);
    assert!(story.contains("revoked") && story.contains("--replaced-keys"), "{story}");
    let named = |number| ImportOptions { replaced_keys: Some(number), ..ImportOptions::new(now()) };
    refused_path(&site, "another one named", &before[0], &named(9));
    let thief = write_to(&site, "thief.tar", &Forge::new(50).volume(&stolen));
    refused_path(&site, "a thief's snapshot named", &thief, &named(50));
    let report = import(&site.data, &before, &named(2), &()).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(3), 0), "{report:?}");
    assert!(report.warnings.iter().any(|w| w.contains("keys that were replaced")), "{report:?}");
    refused_path(&site, "named once more", &thief, &named(50));
}

#[test]
fn discs_of_before_and_after_together_need_no_word() {
    for turned in [false, true] {
        let (_mirror, site, _, [before, after]) = replaced_on_the_way();
        let mut both = [before, after].concat();
        if turned {
            both.reverse();
        }
        let report = site.import(&both).unwrap();
        assert_eq!((report.in_force, report.pending.len()), (Some(3), 0), "{report:?}");
    }
    let (_mirror, site, _, [before, after]) = replaced_on_the_way();
    assert_eq!(site.import(&before).unwrap().in_force, Some(2));
    assert_eq!(site.import(&after).unwrap().in_force, Some(3));
}

/// What is wrong with the volumes that bring a newer root must not keep the keys alive that it revokes.
#[test]
fn a_new_root_counts_whatever_is_wrong_beside_it() {
    let damaged = |site: &Site, after: &[PathBuf]| {
        let mut bytes = fs::read(&after[0]).unwrap();
        let at = bytes.windows(22).position(|w| w == b"metadata/timestamp.jso").unwrap();
        bytes[at + 600] ^= 1;
        (vec![write_to(site, "damaged.tar", &bytes)], ImportOptions::new(now()))
    };
    let foreign = |site: &Site, after: &[PathBuf]| {
        let other = Mirror::new(8);
        other.add(1, 1, &[bytes(1, 3000)]);
        let volume =
            write_to(site, "foreign.tar", &fs::read(&other.export("plant-7").volumes[0]).unwrap());
        (vec![volume, after[0].clone()], ImportOptions::new(now()))
    };
    let rubbish = |site: &Site, after: &[PathBuf]| {
        (
            vec![after[0].clone(), write_to(site, "rubbish.tar", b"rubbish")],
            ImportOptions::new(now()),
        )
    };
    let expired = |_: &Site, after: &[PathBuf]| {
        let late = now() + jiff::SignedDuration::from_hours(24 * 365 * 30);
        (after.to_vec(), ImportOptions { refuse_expired: true, ..ImportOptions::new(late) })
    };
    type Case<'a> = &'a dyn Fn(&Site, &[PathBuf]) -> (Vec<PathBuf>, ImportOptions);
    let cases: [Case<'_>; 4] = [&damaged, &foreign, &rubbish, &expired];
    for case in cases {
        let (_mirror, site, stolen, [_, after]) = replaced_on_the_way();
        let (volumes, options) = case(&site, &after);
        let refusal = import(&site.data, &volumes, &options, &()).unwrap_err();
        assert_eq!(refusal.blame(), Blame::Refused, "{refusal}");
        let thief = Forge::new(50).volume(&stolen);
        let story = refused_by(&site, "a stolen key, after a refusal", &thief);
        assert!(story.contains("revoked"), "{story}");
        let good = check(&site.data, now(), false, &()).unwrap();
        assert_eq!(good.problems, Vec::<String>::new());
    }
    // For another site.
    let (mirror, _, _, [_, after]) = replaced_on_the_way();
    let site = Site::new("plant-8", &mirror.root);
    assert_eq!(
        import(&site.data, &after, &ImportOptions::new(now()), &()).unwrap_err().blame(),
        Blame::Refused
    );
    let state = TrustState::from_bytes(&fs::read(site.data.trust_state()).unwrap()).unwrap();
    assert_eq!(state.root_version(), 2);
}

#[test]
fn volumes_of_revoked_keys_fill_no_disk() {
    let (_mirror, site, stolen, [before, after]) = replaced_on_the_way();
    let payload = bytes(77, 50_000);
    let forge = Forge::new(50)
        .segment(SegmentKind::Payloads, &[Record::Payload(payload_record(&payload))])
        .payload(&payload);
    let thief = write_to(&site, "thief.tar", &forge.volume(&stolen));
    let report = site.import(&[before, after, vec![thief]].concat()).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(3), 0), "{report:?}");
    let store = ContentStore::open(&site.data.content()).unwrap();
    assert!(!store.path(&digests(&payload).sha256).exists(), "{report:?}");
    assert!(report.skipped_objects > 0, "{report:?}");
}

/// A snapshot of a thief that lacks something: one payload that it names is on no volume.
fn lacking(number: u64, stolen: &Path) -> (Vec<u8>, Vec<u8>) {
    let (lost, there) = (bytes(78, 50_000), bytes(77, 50_000));
    let records = [&there, &lost].map(|payload| Record::Payload(payload_record(payload)));
    let forge = Forge::new(number).segment(SegmentKind::Payloads, &records);
    (forge.payload(&there).volume(stolen), there)
}

/// What revoked keys have signed counts for nothing against what the new keys sign.
#[test]
fn a_pending_snapshot_of_revoked_keys_is_dropped() {
    let (_mirror, site, stolen, [before, after]) = replaced_on_the_way();
    let (thief, payload) = lacking(3, &stolen);
    let thief = write_to(&site, "thief.tar", &thief);
    let report = site.import(std::slice::from_ref(&thief)).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(1), 1), "{report:?}");
    // The real snapshot of the same number.
    let report = site.import(&[before, after].concat()).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(3), 0), "{report:?}");
    assert!(report.warnings.iter().any(|w| w.contains("is dropped")), "{report:?}");
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());

    // It asks for nothing any more either.
    let (_mirror, site, stolen, [_, after]) = replaced_on_the_way();
    let (thief, _) = lacking(9, &stolen);
    let thief = write_to(&site, "thief.tar", &thief);
    site.import(std::slice::from_ref(&thief)).unwrap();
    let store = ContentStore::open(&site.data.content()).unwrap();
    fs::remove_file(store.path(&digests(&payload).sha256)).unwrap();
    site.import(&after).unwrap();
    let named = ImportOptions { replaced_keys: Some(9), ..ImportOptions::new(now()) };
    let taken = import(&site.data, std::slice::from_ref(&thief), &named, &());
    assert!(taken.is_err(), "{taken:?}");
    assert!(!store.path(&digests(&payload).sha256).exists());
}

#[test]
fn a_held_policy_of_revoked_keys_is_not_accepted() {
    let (_mirror, site, stolen, [_, after]) = replaced_on_the_way();
    let mut forge = Forge::new(2);
    forge.policy.groups.push("Thieves".to_owned());
    let thief = write_to(&site, "thief.tar", &forge.volume(&stolen));
    let hold = ImportOptions { hold_policy: true, ..ImportOptions::new(now()) };
    assert!(import(&site.data, &[thief], &hold, &()).unwrap().policy_held);
    site.import(&after).unwrap();
    let refusal = policy_accept(&site.data, &PolicyChoice::default(), now()).unwrap_err();
    assert!(refusal.to_string().contains("revoked"), "{refusal}");
}

/// What the thief's snapshot says of numbers and documents does not stand in the way of the mirror's, and
/// agents that may have seen it begin anew. Killed before the commit, nothing has changed.
#[test]
fn revisions_of_the_thief_make_room_for_the_mirrors() {
    for number in [2, 50] {
        let (mirror, site, stolen) = stolen_keys();
        let numbering = || Catalog::open(&site.data.catalog()).unwrap().numbering().unwrap();
        let before = numbering();
        // The mirror's own first update with other words, and the number that its second one will have.
        let first = document(1, 1, &[]).replace("Update 1", "Update one");
        let records = [revision_record(1, 1, &first), revision_record(9, 2, &document(9, 1, &[]))];
        let only_second = number == 50;
        let records = if only_second { &records[1..] } else { &records[..] };
        let forged = Forge::new(number).segment(SegmentKind::Catalogue, records);
        let path = write_to(&site, "thief.tar", &forged.volume(&stolen));
        assert_eq!(site.import(&[path]).unwrap().in_force, Some(number));
        assert_eq!(numbering(), before);
        mirror.add(2, 1, &[bytes(2, 3000)]);
        replace_keys(&mirror);
        let volumes = mirror.export_full("plant-7").volumes;
        let dry = site.dry_run(&volumes).unwrap();
        assert_eq!(dry.in_force, Some(2));
        assert_eq!(numbering(), before);
        let report = site.import(&volumes).unwrap();
        let changes = report.switched.unwrap();
        assert!(changes.revisions_replaced > 0, "{changes:?}");
        assert!(report.warnings.iter().any(|w| w.contains("agents begin anew")));
        let twin = Site::new("plant-7", &mirror.root);
        twin.import(&volumes).unwrap();
        assert_eq!(revisions(&site), revisions(&twin));
        let renumbered = numbering();
        assert_ne!(renumbered, before);
        assert!(check(&site.data, now(), false, &()).unwrap().is_good());
        // The next ones are as always.
        mirror.add(3, 1, &[]);
        site.import(&mirror.export("plant-7").volumes).unwrap();
        assert_eq!(numbering(), renumbered);
    }
}

/// Who replaces keys and was not robbed keeps the numbering: no agent begins anew for it.
#[test]
fn replaced_keys_alone_renumber_nothing() {
    let (mirror, site, _) = stolen_keys();
    let numbering = || Catalog::open(&site.data.catalog()).unwrap().numbering().unwrap();
    let before = numbering();
    replace_keys(&mirror);
    mirror.add(2, 1, &[bytes(2, 3000)]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!((report.in_force, report.switched.unwrap().revisions_added), (Some(2), 1));
    assert_eq!(numbering(), before);
}

/// Number, update and digest of every revision.
fn revisions(site: &Site) -> Vec<String> {
    let connection = rusqlite::Connection::open(site.data.catalog()).unwrap();
    let sql =
        "SELECT revision_id || ' ' || hex(update_id) || ' ' || hex(document_sha256) || withdrawn
               FROM revision ORDER BY revision_id";
    let mut rows = connection.prepare(sql).unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
