//! What people of closed networks have at hand and give us: it is said what it is, and what to give
//! instead; a document that was saved as UTF-16 is read.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::support::{
    cabinets::{mszip, utf16},
    documents::samples,
    program::{messages, number, run, run_json, text, utf8},
};

const CATALOGUE: &str = r#"<?xml version="1.0"?><smc:SystemsManagementCatalog xmlns:smc="http://schemas.microsoft.com/sms/2005/04/CorporatePublishing/SystemsManagementCatalog.xsd"/>"#;
const PACKAGE: &str = r#"<sdp:SoftwareDistributionPackage xmlns:sdp="http://schemas.microsoft.com/wsus/2005/04/CorporatePublishing/SoftwareDistributionPackage.xsd"/>"#;
const LIST: &str =
    r#"<ExportPackage ServerID="1d000000-0000-4000-8000-000000000001"><Updates/></ExportPackage>"#;

fn mirror() -> (TempDir, std::path::PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("mirror");
    run_json(&data, &["init"], 0);
    (root, data)
}

/// Each file, and what has to be said of it.
fn kinds() -> Vec<(&'static str, Vec<u8>, [&'static str; 2])> {
    let scan = ["catalogue for offline scans", "wsusutil export"];
    let vendor = ["a vendor's catalogue", "tidegate publish"];
    vec![
        ("wsusscn2.cab", mszip(&["index.xml", "package.cab", "package2.cab"], b"x"), scan),
        ("scup.cab", mszip(&["Catalogue.xml"], CATALOGUE.as_bytes()), vendor),
        ("v2.cab", mszip(&["V2\\1.sdp", "list.txt"], PACKAGE.as_bytes()), vendor),
        ("vendor.xml", utf16(CATALOGUE), vendor),
        ("a.sdp", PACKAGE.into(), ["a package of a vendor's catalogue", "tidegate publish"]),
        ("package.xml", LIST.into(), ["the list out of a package", ".cab"]),
    ]
}

#[test]
fn a_file_of_another_kind_is_said_to_be_one() {
    let (root, data) = mirror();
    let mut others = kinds();
    others.push(("other.cab", mszip(&["setup.exe"], b"MZ"), ["no package", "folder"]));
    others.push(("e.xml.gz", vec![0x1f, 0x8b, 8, 0], ["gzip", "PACKAGE.cab"]));
    others.push(("e.txt", b"text".to_vec(), ["neither a wsusutil package", "folder"]));
    for (name, bytes, said) in others {
        let path = root.path().join(name);
        fs::write(&path, bytes).unwrap();
        let output = run(&data, &["sync", "--from", utf8(&path)]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let messages = messages(&output);
        assert!(said.iter().all(|said| messages.contains(said)), "{name}: {messages}");
        assert!(!messages.contains("damaged"), "{name}: {messages}");
    }
}

#[test]
fn in_a_folder_each_is_said_to_be_one_and_the_rest_comes() {
    let (root, data) = mirror();
    let folder = samples();
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let mut expected: Vec<_> = kinds();
    let export = mszip(&["package.xml", "metadata.txt"], LIST.as_bytes());
    expected.push(("export.cab", export, ["a package of `wsusutil export`", "sync --from"]));
    expected.push(("e.xml.gz", vec![0x1f, 0x8b, 8, 0], ["compressed with gzip", "gunzip"]));
    for (name, bytes, _) in &expected {
        put(name, bytes);
    }
    let report = run_json(&data, &["sync", "--from", utf8(folder.path())], 4);
    assert_eq!(number(&report, "/new-revisions"), 14, "{report:#}");
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems.len(), expected.len(), "{report:#}");
    for (name, _, said) in expected {
        let problem = problems.iter().find(|one| text(one, "/where") == name).unwrap();
        let what = text(problem, "/what");
        assert!(said.iter().all(|said| what.contains(said)), "{name}: {what}");
    }
    drop(root);
}

/// A folder that holds nothing, and choices that only servers know, are not taken in silence.
#[test]
fn an_empty_folder_and_choices_for_servers_are_said() {
    let (root, data) = mirror();
    let empty = root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let output = run(&data, &["sync", "--from", utf8(&empty)]);
    assert_eq!(output.status.code(), Some(0));
    assert!(messages(&output).contains("holds no files"), "{}", messages(&output));
    for choice in [
        &["--products", "Windows 11"][..],
        &["--classifications", "Updates"],
        &["--categories-only"],
    ] {
        let output = run(&data, &[&["sync", "--from", utf8(&empty)], choice].concat());
        assert_eq!(output.status.code(), Some(2), "{choice:?}");
        let said = messages(&output);
        assert!(said.contains(choice[0]) && said.contains("for servers"), "{said}");
    }
    run_json(&data, &["sync", "--from", utf8(&empty), "--languages", "en,zh-TW"], 0);
    for (language, says) in [("deutsch", "Do you mean de?"), ("dd", "There are: all, ar")] {
        let output = run(&data, &["sync", "--from", utf8(&empty), "--languages", language]);
        assert_eq!(output.status.code(), Some(2), "{language}");
        assert!(messages(&output).contains(says), "{}", messages(&output));
    }
}

/// The document is the same, however it was saved.
#[test]
fn documents_saved_as_utf_16_are_read() {
    let source = samples();
    let documents = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|e| e == "xml")).collect::<Vec<_>>()
    };
    let (root, data) = mirror();
    for (at, path) in documents(source.path()).iter().enumerate() {
        let plain = fs::read_to_string(path).unwrap();
        let declared = format!("<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n{plain}");
        let bytes = match at % 3 {
            0 => utf16(&format!("\u{feff}{declared}")),
            1 => format!("\u{feff}{declared}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
            // What .NET declares, and a program saves as UTF-8.
            _ => declared.into_bytes(),
        };
        fs::write(path, bytes).unwrap();
    }
    let report = run_json(&data, &["sync", "--from", utf8(source.path())], 0);
    assert_eq!(number(&report, "/new-revisions"), 14, "{report:#}");
    // A snapshot of it goes across, and the plain documents are the same ones.
    let plain = samples();
    let report = run_json(&data, &["sync", "--from", utf8(plain.path())], 0);
    assert_eq!(number(&report, "/new-revisions"), 0);
    fs::write(source.path().join("half.xml"), &utf16("\u{feff}<Update/>")[..7]).unwrap();
    let report = run_json(&data, &["sync", "--from", utf8(source.path())], 4);
    assert_eq!(report["problems"].as_array().unwrap().len(), 1, "{report:#}");
    drop(root);
}
