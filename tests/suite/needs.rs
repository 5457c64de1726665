//! What a site lacks, and the export that answers exactly that.

use std::{collections::BTreeSet, fs, path::PathBuf};

use bundle_format::{
    container::VolumeReader,
    digest::{CHUNK_SIZE, Sha256},
    limits::BundleLimits,
    needs::{Needs, NeedsRequest},
};
use tidegate::{
    content::ContentStore,
    data_dir::DataDir,
    transfer::{
        ExportOptions, ExportReport, ExportSelection, PruneOptions, TransferError, check, needs,
        prune,
    },
    update::DocumentLimits,
};

use crate::support::{
    clock::{days, now},
    sides::{Mirror, Site, bytes},
};

fn needs_of(site: &Site) -> Needs {
    needs(&site.data, now(), &DocumentLimits::default()).unwrap()
}

fn answer(mirror: &Mirror, request: NeedsRequest) -> Result<ExportReport, TransferError> {
    let site = request.site.clone();
    let selection = ExportSelection::Needs(request);
    mirror.export_with(&site, &ExportOptions { selection, ..ExportOptions::default() })
}

/// The request as it comes from the file, and as it comes from the code.
fn requests(needs: &Needs) -> [NeedsRequest; 2] {
    let code = needs.to_code().join("\n");
    [needs.to_json(), code.into_bytes()].map(|bytes| NeedsRequest::parse(&bytes).unwrap())
}

/// The names of the objects on volumes.
fn objects(volumes: &[PathBuf]) -> BTreeSet<Sha256> {
    let mut names = BTreeSet::new();
    for volume in volumes {
        let file = fs::File::open(volume).unwrap();
        let (_, note, _) = VolumeReader::open(file, &BundleLimits::default()).unwrap();
        names.extend(note.objects.iter().map(|object| object.sha256));
    }
    names
}

fn remove_keys(data: &DataDir) {
    for entry in fs::read_dir(data.keys()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            fs::remove_file(path).unwrap();
        }
    }
}

fn assert_whole(site: &Site, snapshot: u64) {
    let needs = needs_of(site);
    assert!(needs.is_empty(), "{needs:?}");
    assert_eq!(needs.snapshot, snapshot);
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());
}

/// A disc of a set is lost: what was on it is named, and comes alone, without any key.
#[test]
fn a_lost_disc_is_made_good_by_exactly_what_was_on_it() {
    let mirror = Mirror::new(7);
    let chunk = usize::try_from(CHUNK_SIZE).unwrap();
    for n in 1..=4 {
        mirror.add(n, 100, &[bytes(u64::try_from(n).unwrap(), chunk - 1000)]);
    }
    let size = CHUNK_SIZE + 300_000;
    let options = ExportOptions { volume_size: Some(size), ..ExportOptions::default() };
    let discs = mirror.export_with("plant-7", &options).unwrap().volumes;
    assert_eq!(discs.len(), 4);
    remove_keys(&mirror.data);
    for lost in 0..4 {
        let site = Site::new("plant-7", &mirror.root);
        let mut rest = discs.clone();
        let disc = rest.remove(lost);
        assert!(!site.import(&rest).unwrap().is_complete());
        let needs = needs_of(&site);
        assert_eq!((needs.snapshot, needs.payloads.len()), (1, 1), "{needs:?}");
        for payload in &needs.payloads {
            // The list of updates is on the first disc.
            let named = payload.file.as_ref().is_some_and(|file| file.ends_with(".cab"));
            let titled = payload.updates.iter().any(|title| title.starts_with("Update "));
            assert_eq!((named, titled), (lost > 0, lost > 0), "{payload:?}");
        }
        let [file, code] = requests(&needs);
        let asked: BTreeSet<Sha256> = needs
            .segments
            .iter()
            .map(|segment| segment.sha256)
            .chain(needs.payloads.iter().map(|payload| payload.sha256))
            .collect();
        for request in [file, code] {
            let report = answer(&mirror, request).unwrap();
            assert_eq!((report.snapshot, report.sealed.is_none()), (1, true));
            assert_eq!(objects(&report.volumes), asked);
            assert!(asked.is_subset(&objects(std::slice::from_ref(&disc))));
            let site = Site::new("plant-7", &mirror.root);
            site.import(&rest).unwrap();
            assert!(site.import(&report.volumes).unwrap().is_complete());
            assert_whole(&site, 1);
        }
    }
}

/// The site cannot know what a list of files that it lacks names: the answer brings that too.
#[test]
fn what_a_missing_list_names_comes_with_it() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    mirror.add(2, 100, &[bytes(2, 5000)]);
    mirror.export("plant-7");
    // The second bundle is lost; the third one shows it.
    mirror.add(3, 100, &[bytes(3, 6000)]);
    assert!(!site.import(&mirror.export("plant-7").volumes).unwrap().is_complete());
    let needs = needs_of(&site);
    assert_eq!((needs.snapshot, needs.segments.len(), needs.payloads.len()), (3, 2, 0));
    let [file, _] = requests(&needs);
    let report = answer(&mirror, file).unwrap();
    assert_eq!((report.snapshot, report.segments, report.payloads), (3, 2, 1));
    assert!(site.import(&report.volumes).unwrap().is_complete());
    assert_whole(&site, 3);
}

/// Bytes that a disk has lost come back, named by file and update; nothing else is packed.
#[test]
fn lost_bytes_come_back() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000), bytes(2, 6000)]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_whole(&site, 1);
    let lost = Sha256::hash(&bytes(2, 6000));
    fs::remove_file(ContentStore::for_reading(&site.data.content()).path(&lost)).unwrap();
    // Newer snapshots were exported since, and this is still about the first one.
    mirror.add(2, 100, &[bytes(3, 7000)]);
    mirror.export("plant-7");
    let needs = needs_of(&site);
    assert_eq!(needs.payloads.len(), 1);
    assert_eq!(
        (needs.payloads[0].sha256, &needs.payloads[0].updates[..]),
        (lost, &["Update 1".to_owned()][..])
    );
    let report = answer(&mirror, requests(&needs)[1].clone()).unwrap();
    assert_eq!((report.snapshot, objects(&report.volumes)), (1, BTreeSet::from([lost])));
    assert!(site.import(&report.volumes).unwrap().is_complete());
    assert_whole(&site, 1);
}

/// Where the snapshot that was asked for is of no use any more, the newest one answers, whole.
#[test]
fn the_newest_snapshot_answers_where_the_asked_one_is_gone() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    let first = mirror.export("plant-7");
    mirror.add(2, 100, &[bytes(2, 5000)]);
    mirror.export("plant-7");
    mirror.add(3, 100, &[bytes(3, 5000)]);
    let third = mirror.export("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    site.import(&first.volumes).unwrap();
    site.import(&third.volumes).unwrap();
    let needs = needs_of(&site);
    assert_eq!(needs.snapshot, 3);
    mirror.add(4, 100, &[bytes(4, 5000)]);
    mirror.export_compacting("plant-8", 2);
    let options =
        PruneOptions { dry_run: false, payloads: true, unneeded: false, now: days(36_500) };
    prune(&mirror.data, &options).unwrap();
    let report = answer(&mirror, requests(&needs)[0].clone()).unwrap();
    assert!(site.import(&report.volumes).unwrap().is_complete(), "{report:?}");
    assert_whole(&site, report.snapshot);
}

#[test]
fn what_came_after_a_snapshot_is_packed_where_nothing_may_leave_the_site() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    for n in 2..=4 {
        mirror.add(n, 100, &[bytes(u64::try_from(n).unwrap(), 5000)]);
        mirror.export("plant-7");
    }
    let since = |snapshot| {
        let selection = ExportSelection::Since(snapshot);
        mirror.export_with("plant-7", &ExportOptions { selection, ..ExportOptions::default() })
    };
    let report = since(1).unwrap();
    assert_eq!((report.snapshot, report.segments, report.payloads), (4, 6, 3));
    assert!(site.import(&report.volumes).unwrap().is_complete());
    assert_whole(&site, 4);
    assert_eq!(since(4).unwrap().payloads, 0);
    assert!(since(5).unwrap_err().to_string().contains("the newest one is 4"));
}

#[test]
fn needs_of_others_are_refused_and_what_cannot_come_is_named() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000), bytes(2, 6000)]);
    let exported = mirror.export("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    let error = needs(&site.data, now(), &DocumentLimits::default()).unwrap_err().to_string();
    assert!(error.contains("nothing was imported here yet"), "{error}");
    site.import(&exported.volumes).unwrap();
    let whole = requests(&needs_of(&site))[0].clone();
    let refused = |request: &NeedsRequest, says: &str| {
        let error = answer(&mirror, request.clone()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    refused(&whole, "lacks nothing");
    refused(&NeedsRequest { mirror: [1; 4], ..whole.clone() }, "another mirror");
    refused(&NeedsRequest { site: "plant-9".to_owned(), ..whole.clone() }, "plant-9");
    for seed in [1, 2] {
        let name = Sha256::hash(&bytes(seed, if seed == 1 { 5000 } else { 6000 }));
        fs::remove_file(ContentStore::for_reading(&site.data.content()).path(&name)).unwrap();
    }
    let both = requests(&needs_of(&site))[0].clone();
    assert_eq!(both.payloads.len(), 2);
    let name = Sha256::hash(&bytes(1, 5000));
    fs::remove_file(ContentStore::for_reading(&mirror.data.content()).path(&name)).unwrap();
    let report = answer(&mirror, both).unwrap();
    assert_eq!((report.payloads, report.unanswered.len()), (1, 1));
    assert!(report.unanswered[0].contains("Update 1"), "{:?}", report.unanswered);
}

/// A payload that the mirror has lost keeps back no other: the rest is packed, and it is named.
#[test]
fn a_lost_payload_does_not_stop_an_export() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000), bytes(2, 6000)]);
    mirror.add(2, 100, &[bytes(3, 7000)]);
    let lost = Sha256::hash(&bytes(1, 5000));
    let path = ContentStore::for_reading(&mirror.data.content()).path(&lost);
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let report = mirror.export("plant-7");
    assert_eq!((report.payloads, report.unanswered.len()), (2, 1));
    assert!(report.unanswered[0].contains("Update 1"), "{:?}", report.unanswered);
    let site = Site::new("plant-7", &mirror.root);
    assert!(!site.import(&report.volumes).unwrap().is_complete());
    // Found again, it comes with the next export by itself.
    fs::write(&path, whole).unwrap();
    let report = mirror.export("plant-7");
    assert_eq!((objects(&report.volumes), report.unanswered.len()), (BTreeSet::from([lost]), 0));
    assert!(site.import(&report.volumes).unwrap().is_complete());
    assert_whole(&site, 1);
}
