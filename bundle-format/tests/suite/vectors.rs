//! Runs the vectors: `tests/vectors/*.json`, each one behaviour, mostly a refusal, for this reader
//! and for anybody else's. Walks the folder.

use std::{collections::BTreeSet, fs, path::PathBuf};

use bundle_format::{
    container::VolumeReader,
    limits::BundleLimits,
    trust::{Expectation, Freshness, TrustState, check_head},
};

use crate::{
    support::whole_check,
    vector::{Expected, Vector, edited, folder, volume},
};

#[test]
fn every_vector_behaves_as_it_says() {
    let mut used = BTreeSet::new();
    let mut count = (0, 0);
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut failed = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "json")) {
        let name = file.file_stem().unwrap().to_string_lossy();
        if name == "root" || name == "other-root" {
            continue;
        }
        let vector: Vector = serde_json::from_slice(&fs::read(file).unwrap())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        used.insert(vector.volume.clone());
        used.extend(vector.after.iter().chain(&vector.seen).cloned());
        let found = run(&vector);
        let good = match (&vector.expect, &found) {
            (Expected::Refused { by, says }, Expected::Refused { by: found, says: what }) => {
                count.1 += 1;
                by == found && what.contains(says.as_str())
            }
            (expected, found) => {
                count.0 += 1;
                expected == found
            }
        };
        if !good {
            failed.push(format!(
                "{name}: {}\n  expected {:?}\n  found {found:?}",
                vector.about, vector.expect
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let volumes = files.iter().filter(|file| file.extension().is_some_and(|e| e == "zst"));
    for volume in volumes {
        let name = volume.file_name().unwrap().to_string_lossy().into_owned();
        assert!(used.contains(&name), "{name} is in no vector");
    }
    eprintln!("{} accepted, {} refused", count.0, count.1);
    assert!(count.0 >= 5 && count.1 >= 40, "vectors are missing: {count:?}");
}

fn run(vector: &Vector) -> Expected {
    let expect = Expectation {
        site: Some(&vector.site),
        now: vector.clock,
        refuse_expired: vector.refuse_expired,
    };
    let mut state = TrustState::pin(&fs::read(folder().join(&vector.root)).unwrap()).unwrap();
    for before in &vector.after {
        let accepted = whole_check(&volume(before), &state, &expect).unwrap();
        state = TrustState::from_bytes(&accepted.next_state.to_bytes()).unwrap();
    }
    for seen in &vector.seen {
        let bytes = volume(seen);
        let (_, _, head) = VolumeReader::open(&bytes[..], &BundleLimits::default()).unwrap();
        check_head(&state, &head, &expect, &BundleLimits::default()).unwrap();
        state = state.with_newest_root(&head.roots()).unwrap();
    }
    match whole_check(&edited(volume(&vector.volume), &vector.edits), &state, &expect) {
        Ok(verified) => Expected::Accepted {
            freshness: match verified.freshness {
                Freshness::Newer => "newer",
                Freshness::Same => "same",
                Freshness::Older => "older",
            }
            .to_owned(),
            warnings: verified.warnings.len(),
        },
        Err(refusal) => Expected::Refused { by: refusal.by.to_owned(), says: refusal.what },
    }
}
