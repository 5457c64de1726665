//! The catalogue generator gives what it promises, and the largest documents fit into little memory.

use std::collections::{HashMap, HashSet};

use bundle_format::digest::{Sha1, Sha256};
use tidegate::update::{DocumentLimits, UpdateDocument, UpdateType, fragments};

#[allow(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    unreachable_pub,
    reason = "shared with examples/generate.rs, which uses other parts of it"
)]
#[path = "../generator/mod.rs"]
pub(crate) mod generator;

use generator::{
    Plan, Profile,
    documents::{document, usual_count},
    entry::Kind,
    output, sizes,
};

fn general(seed: u64, count: usize) -> Plan {
    Plan::new(Profile::General, seed, count, 5)
}

fn metadata_digest(plan: &Plan) -> Sha256 {
    let mut bytes = Vec::new();
    output::metadata(plan, &mut bytes).unwrap();
    Sha256::hash(&bytes)
}

#[test]
fn the_seed_decides_everything() {
    let digest = metadata_digest(&general(1, 300));
    assert_eq!(digest, metadata_digest(&general(1, 300)));
    assert_ne!(digest, metadata_digest(&general(2, 300)));
}

#[test]
fn general_profile_is_shaped_like_real_catalogues() {
    let plan = general(7, 4_000);
    let mut sizes = Vec::new();
    let mut depth: HashMap<_, usize> = HashMap::new();
    let mut dependents: HashMap<_, usize> = HashMap::new();
    let mut revisions: HashMap<_, HashSet<u32>> = HashMap::new();
    let mut types: HashMap<UpdateType, usize> = HashMap::new();
    let (mut bundles, mut expired, mut most_languages, mut outside) = (0, 0, 0, 0);
    let mut files = Vec::new();
    let mut most_files = 0;

    for entry in plan.entries() {
        let xml = document(&plan, &entry);
        let read = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default())
            .unwrap_or_else(|error| panic!("{}: {error}\n{xml}", entry.index));
        fragments(xml.as_bytes(), &DocumentLimits::default()).unwrap();
        assert_eq!(read.identity.id.to_string(), entry.id);
        assert_eq!(read.identity.revision, entry.revision);

        sizes.push(xml.len());
        *types.entry(read.update_type).or_default() += 1;
        bundles += usize::from(!read.bundled.is_empty());
        expired += usize::from(read.properties.expired);
        most_languages = most_languages.max(read.localized.len());
        most_files = most_files.max(read.files.len());
        files.extend(read.files.iter().map(|file| file.size));
        assert!(read.files.iter().all(|file| file.sha256.is_some()));

        let mut own = 0;
        for clause in &read.prerequisites {
            for required in &clause.any_of {
                *dependents.entry(*required).or_default() += 1;
                match depth.get(required) {
                    Some(theirs) => own = own.max(theirs + 1),
                    None => outside += 1,
                }
            }
        }
        depth.insert(read.identity.id, own);
        for (id, revision) in entry.bundled.iter().flatten() {
            assert!(
                revisions[&id.parse().unwrap()].contains(revision),
                "bundled before its bundle"
            );
        }
        outside += read.superseded.iter().filter(|id| !depth.contains_key(id)).count();
        assert!(revisions.entry(read.identity.id).or_default().insert(read.identity.revision));
    }

    sizes.sort_unstable();
    let at = |percent: usize| sizes[sizes.len() * percent / 100];
    assert!((1_200..1_700).contains(&at(50)), "median {}", at(50));
    assert!((8_000..25_000).contains(&at(99)), "99 percent under {}", at(99));
    assert!((300_000..900_000).contains(sizes.last().unwrap()), "largest {:?}", sizes.last());
    files.sort_unstable();
    let median = files[files.len() / 2];
    assert!((70_000_000..2_400_000_000).contains(&median), "median of files {median}");
    assert!(*files.last().unwrap() > 4_000_000_000 && most_files > 5);

    for (kind, least) in [
        (UpdateType::Category, 30),
        (UpdateType::Detectoid, 2_000),
        (UpdateType::Driver, 200),
        (UpdateType::Software, 1_000),
    ] {
        assert!(types[&kind] >= least, "{kind:?}: {}", types[&kind]);
    }
    assert!(bundles > 100 && expired > 50 && most_languages >= 20);
    assert!(outside > 50, "references that lead nowhere: {outside}");
    assert!(revisions.values().filter(|revisions| revisions.len() > 1).count() > 50);
    assert!(depth.values().max().is_some_and(|deepest| *deepest >= 15));
    assert!(dependents.values().max().is_some_and(|most| *most >= 100));
}

#[test]
fn payloads_have_the_digests_that_documents_say() {
    let plan = general(3, 600);
    let folder = tempfile::tempdir().unwrap();
    output::payloads(&plan, folder.path()).unwrap();
    let mut seen = 0;
    for entry in plan.entries() {
        let read =
            UpdateDocument::parse(document(&plan, &entry).as_bytes(), &DocumentLimits::default())
                .unwrap();
        for file in &read.files {
            let Ok(bytes) = std::fs::read(folder.path().join(&file.name)) else { continue };
            seen += 1;
            assert_eq!(file.size, bytes.len() as u64);
            assert_eq!(file.sha1, Sha1::hash(&bytes));
            assert_eq!(file.sha256, Some(Sha256::hash(&bytes)));
        }
    }
    assert_eq!(seen, std::fs::read_dir(folder.path()).unwrap().count());
    assert!(seen >= 5);
}

#[test]
fn a_folder_and_a_package_hold_the_same() {
    let plan = general(5, 200);
    let folder = tempfile::tempdir().unwrap();
    let bytes = output::folder(&plan, folder.path()).unwrap();
    for entry in plan.entries() {
        let name = format!("documents/{}/{}-r{}.xml", &entry.id[..2], entry.id, entry.revision);
        let written = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(written, document(&plan, &entry));
    }
    let mut metadata = Vec::new();
    assert_eq!(output::metadata(&plan, &mut metadata).unwrap(), bytes);
    assert!(metadata.len() as u64 > bytes);

    #[cfg(feature = "upstream")]
    {
        use std::io::Read as _;
        let path = folder.path().join("package.cab");
        assert_eq!(output::package(&plan, &path).unwrap(), bytes);
        let mut cabinet = cab::Cabinet::new(std::fs::File::open(path).unwrap()).unwrap();
        let mut packed = Vec::new();
        cabinet.read_file("metadata.txt").unwrap().read_to_end(&mut packed).unwrap();
        assert_eq!(packed, metadata);
    }
}

#[test]
fn windows_11_profile_has_its_large_documents() {
    let plan = Plan::new(Profile::Windows11, 1, usual_count(Profile::Windows11), 0);
    let targets: Vec<_> = (0..plan.count).map(|index| plan.target(index)).collect();
    assert_eq!(targets.len(), 5_252);
    assert_eq!(targets.iter().filter(|size| **size > 1_000_000).count(), 46);
    assert_eq!(targets.iter().filter(|size| **size > 32 << 20).count(), 10);
    assert_eq!(targets.iter().max(), Some(&sizes::GIANTS[0]));
    let sum: usize = targets.iter().sum();
    assert!((1_100_000_000..1_300_000_000).contains(&sum), "{sum}");

    // What is written keeps to that.
    let mut manifests = 0;
    for entry in (0..plan.count).step_by(97).map(|index| plan.entry(index)) {
        let xml = document(&plan, &entry);
        let read = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default()).unwrap();
        if entry.kind == Kind::Manifest {
            manifests += 1;
            assert_eq!(read.files.len(), entry.files.len());
            assert!(xml.len().abs_diff(entry.target) < 4_000, "{} {}", xml.len(), entry.target);
            let got = fragments(xml.as_bytes(), &DocumentLimits::default()).unwrap();
            let assembly = "<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\"";
            assert_eq!(got.core.matches(assembly).count(), 1);
            assert_eq!(got.core.matches("xmlns").count(), 1);
        }
    }
    assert!(manifests > 10);
}

/// The size of address space that the child below may have.
const MEMORY: &str = "262144";

#[test]
#[cfg(target_os = "linux")]
fn the_largest_document_fits_into_256_mib() {
    // The test program again, with this one test, under a limit that the system enforces: the
    // document itself, what is read from it and all fragments, and the program.
    let child = std::process::Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "update_generator::read_the_largest_document"])
        .args(["--ignored", "--test-threads=1"])
        .env("RUST_MIN_STACK", "1048576")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the_largest_document_fits_into_256_mib"]
fn read_the_largest_document() {
    let plan = Plan::new(Profile::Windows11, 1, 200, 0);
    let index = (0..plan.count).max_by_key(|index| plan.target(*index)).unwrap();
    let xml = document(&plan, &plan.entry(index));
    assert!(xml.len() >= 46_900_000);
    let read = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default()).unwrap();
    let got = fragments(xml.as_bytes(), &DocumentLimits::default()).unwrap();
    assert_eq!(read.update_type, UpdateType::Software);
    assert!(got.core.len() > 46_000_000);
}
