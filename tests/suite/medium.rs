//! What lies on a medium beside the volumes, what it cannot take, and what a wrong clock signs.

use std::fs;

use tidegate::{
    transfer::{
        ExportOptions, KeyRotation, SealOptions, VerifyAgainst, VerifyOptions, keys_rotate, seal,
        verify,
    },
    update::DocumentLimits,
};

use crate::support::{
    clock::{days, now},
    program::{messages, run, run_json, utf8},
    sides::{Mirror, Site, bytes, document},
};

/// As a Mac writes it beside each file on a stick.
const APPLE_DOUBLE: &[u8] = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ";

#[test]
fn what_systems_put_beside_volumes_is_passed_over() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    let exported = mirror.export("plant-7");
    let name = exported.volumes[0].file_name().unwrap().to_str().unwrap().to_owned();
    fs::write(mirror.out().join(format!("._{name}")), APPLE_DOUBLE).unwrap();
    fs::write(mirror.out().join(".hidden.TAR"), b"x").unwrap();
    fs::create_dir(mirror.out().join("System Volume Information")).unwrap();
    let site = Site::new("plant-7", &mirror.root);
    let options = VerifyOptions::new(now());
    let verified = verify(&[mirror.out()], VerifyAgainst::Data(&site.data), &options, &()).unwrap();
    assert_eq!(verified.volumes.len(), 1);
    let imported = site.import(&[mirror.out()]).unwrap();
    assert_eq!(imported.in_force, Some(1));
}

#[test]
fn what_systems_put_beside_documents_is_passed_over() {
    let mirror = Mirror::new(7);
    let folder = tempfile::tempdir().unwrap();
    let xml = document(1, 1, &[]);
    tidegate::update::UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default()).unwrap();
    fs::write(folder.path().join("1.xml"), &xml).unwrap();
    for name in ["._1.xml", ".DS_Store", "Thumbs.db", "desktop.ini"] {
        fs::write(folder.path().join(name), APPLE_DOUBLE).unwrap();
    }
    fs::create_dir(folder.path().join("$RECYCLE.BIN")).unwrap();
    fs::write(folder.path().join("$RECYCLE.BIN").join("2.xml"), document(2, 1, &[])).unwrap();
    let synced = run_json(mirror.data.root(), &["sync", "--from", utf8(folder.path())], 0);
    assert_eq!(synced["new-revisions"], 1, "{synced:#}");
    assert_eq!(synced["problems"], serde_json::json!([]), "{synced:#}");
}

#[test]
fn a_clock_behind_the_last_seal_signs_nothing() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[]);
    seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
    mirror.add(2, 100, &[]);
    let error = seal(&mirror.data, days(-900), &SealOptions::default(), &()).unwrap_err();
    let said = error.to_string();
    for part in ["2026-02-03", "2023-08-18", "snapshot 1", "--clock-is-right"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(mirror.catalog().snapshots().unwrap().len(), 1, "nothing was sealed");
    // Nothing to sign: nothing to ask.
    let same = Mirror::new(8);
    same.add(1, 100, &[]);
    seal(&same.data, now(), &SealOptions::default(), &()).unwrap();
    assert!(!seal(&same.data, days(-900), &SealOptions::default(), &()).unwrap().new);

    let sealing = SealOptions { clock_is_right: true, ..SealOptions::default() };
    let options = ExportOptions { seal: sealing, ..ExportOptions::default() };
    assert_eq!(mirror.export_with("plant-7", &options).unwrap().snapshot, 2);
    // A clock that was corrected by minutes is no question.
    mirror.add(3, 100, &[]);
    let corrected = now() - jiff::SignedDuration::from_mins(5);
    assert!(seal(&mirror.data, corrected, &SealOptions::default(), &()).unwrap().new);
}

#[test]
fn a_first_seal_before_the_keys_is_asked_about_too() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[]);
    let error = seal(&mirror.data, days(-900), &SealOptions::default(), &()).unwrap_err();
    let said = error.to_string();
    for part in ["2023-08-18", "the newest keys were made at 2026-02-03", "--clock-is-right"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(mirror.catalog().snapshots().unwrap().is_empty(), "nothing was sealed");
    let sealing = SealOptions { clock_is_right: true, ..SealOptions::default() };
    assert!(seal(&mirror.data, days(-900), &sealing, &()).unwrap().new);
    // Asked once: the snapshot stands for the keys now.
    mirror.add(2, 100, &[]);
    assert!(seal(&mirror.data, days(-899), &SealOptions::default(), &()).unwrap().new);
    // New keys of a later date are asked about again.
    let which = KeyRotation { content: true, ..KeyRotation::default() };
    keys_rotate(&mirror.data, which, None, now()).unwrap();
    assert!(seal(&mirror.data, days(-898), &SealOptions::default(), &()).is_err());
}

#[test]
fn keys_are_not_replaced_by_a_clock_that_is_behind() {
    let mirror = Mirror::new(7);
    let which = KeyRotation { content: true, ..KeyRotation::default() };
    let error = keys_rotate(&mirror.data, which.clone(), None, days(-16 * 365)).unwrap_err();
    let said = error.to_string();
    for part in ["would be dated 2010-", "made at 2026-02-03", "--clock-is-right"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!mirror.data.keys().join("2.root.json").exists(), "nothing was made");
    let which = KeyRotation { clock_is_right: true, ..which };
    keys_rotate(&mirror.data, which, None, days(-900)).unwrap();
}

#[test]
fn a_date_to_come_is_warned_of_and_told_by_status() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[]);
    let root = mirror.data.root();
    let output = run(root, &["seal", "--created", "2999-01-01T00:00:00Z"]);
    assert!(output.status.success(), "{}", messages(&output));
    assert!(messages(&output).contains("2999-01-01T00:00:00Z, which is to come"));
    let said = String::from_utf8(run(root, &["status"]).stdout).unwrap();
    let line = said.lines().find(|line| line.starts_with("Snapshot 1: ")).unwrap();
    assert!(line.starts_with("Snapshot 1: sealed 2999-01-01T00:00:00Z ("), "{line}");
    assert!(line.ends_with(" days from now: that date is wrong, or the clock here)"), "{line}");
    assert!(said.contains(", no sites yet\n"), "{said}");
    mirror.add(2, 100, &[]);
    let said = messages(&run(root, &["seal", "--created", "2026-03-01T00:00:00Z"]));
    let parts =
        ["the new snapshot would be dated 2026-03-01", "set the clock (or --created) right"];
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
}

/// A file system with a limit for files, as `ulimit` makes one.
#[cfg(unix)]
#[test]
fn a_volume_that_is_too_large_is_told_a_size_that_helps() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 900_000)]);
    let out = mirror.folder.path().join("stick");
    let export = |size: &str| {
        let script = format!(
            "trap '' XFSZ; ulimit -f 700; exec '{}' --data '{}' export --site plant-7 --out '{}' {size}",
            env!("CARGO_BIN_EXE_tidegate"),
            mirror.data.root().display(),
            out.display()
        );
        let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    };
    for size in ["", "--volume-size fat32", "--volume-size 2MB"] {
        let said = export(size);
        assert!(said.contains("takes no file of ") && said.contains(", below "), "{said}");
        assert!(!said.contains("fat32"), "no volume is as large as that: {said}");
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "nothing is left on the stick");
}
