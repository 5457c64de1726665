//! `upstream`: wsusutil packages and folders, real ones and ones made here.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use bundle_format::digest::{Sha1, Sha256};
use cab::{CabinetBuilder, CompressionType};
use tidegate::{
    catalog::{Catalog, PayloadRow},
    update::{DocumentLimits, UpdateIdentity, fragments},
    upstream::{Source, SyncError, SyncOptions, SyncReport, sync},
};

use crate::support::{program::Program, real_data::real_data, stores::Stores};

impl Stores {
    fn sync(&mut self, source: &Path) -> Result<SyncReport, SyncError> {
        let source = Source::detect(source.to_str().unwrap()).unwrap();
        let options = SyncOptions::new("2026-10-04T12:00:00Z".parse().unwrap());
        sync(&source, &mut self.catalog, &self.content, &options, &mut |_| {})
    }

    fn revisions(&self) -> u64 {
        self.catalog.counts().unwrap().revisions
    }
}

fn document(n: u32, revision: u32, title: &str, files: &str) -> String {
    format!(
        "<upd:Update xmlns:upd=\"http://schemas.microsoft.com/msus/2002/12/Update\">\
         <upd:UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"{revision}\"/>\
         <upd:Properties UpdateType=\"Software\" DefaultPropertiesLanguage=\"en\"/>\
         <upd:LocalizedPropertiesCollection><upd:LocalizedProperties>\
         <upd:Language>en</upd:Language><upd:Title>{title}</upd:Title>\
         </upd:LocalizedProperties></upd:LocalizedPropertiesCollection>{files}</upd:Update>",
        id(n)
    )
}

fn id(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

fn files(payloads: &[(&str, &[u8])]) -> String {
    let file = |(name, bytes): &(&str, &[u8])| {
        format!(
            "<upd:File Digest=\"{}\" DigestAlgorithm=\"SHA1\" FileName=\"{name}\" Size=\"{}\" \
             Modified=\"2026-01-01T00:00:00Z\"><upd:AdditionalDigest Algorithm=\"SHA256\">{}\
             </upd:AdditionalDigest></upd:File>",
            Sha1::hash(bytes).to_base64(),
            bytes.len(),
            Sha256::hash(bytes).to_base64()
        )
    };
    let all: String = payloads.iter().map(file).collect();
    format!("<upd:Files>{all}</upd:Files>")
}

/// The two members of a package.
struct Package {
    list: String,
    metadata: String,
}

impl Package {
    fn of(documents: &[(u32, u32, String)]) -> Self {
        let mut package = Self { list: String::new(), metadata: String::new() };
        for (n, revision, xml) in documents {
            package.list(*n, *revision);
            package.record(*n, *revision, xml);
        }
        package
    }

    fn list(&mut self, n: u32, revision: u32) {
        self.list += &format!(
            "<Update UpdateId=\"{}\" RevisionNumber=\"{revision}\"><Files /><Categories /></Update>",
            id(n)
        );
    }

    fn record(&mut self, n: u32, revision: u32, xml: &str) {
        let units = xml.encode_utf16().count();
        self.metadata += &format!("{},{revision:08x},{units:08x},{xml}\r\n", id(n));
    }

    fn list_xml(&self) -> String {
        format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><ExportPackage ServerID=\"{}\" \
             FormatVersion=\"1.0\"><Languages><Language Id=\"0\" ShortName=\"all\"/></Languages>\
             <Files /><Updates>{}</Updates></ExportPackage>",
            id(0),
            self.list
        )
    }

    fn write(&self, path: &Path) {
        write_cabinet(path, &[("package.xml", &self.list_xml()), ("metadata.txt", &self.metadata)]);
    }
}

fn write_cabinet(path: &Path, members: &[(&str, &str)]) {
    let mut builder = CabinetBuilder::new();
    // As wsusutil does: room for a signature that is not there.
    builder.set_reserve_data(vec![0; 6144]);
    let folder = builder.add_folder(CompressionType::MsZip);
    for (name, _) in members {
        folder.add_file(*name);
    }
    let mut writer = builder.build(fs::File::create(path).unwrap()).unwrap();
    for (_, text) in members {
        writer.next_file().unwrap().unwrap().write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
}

fn some_documents() -> Vec<(u32, u32, String)> {
    let titles = ["plain", "two\r\nlines", "für 日本語 😀 &amp; more", "x\ny,00000001,00000002,<"];
    (1..)
        .zip(titles)
        .map(|(n, title)| (n, 200, document(n, 200, &title.replace(",<", ",&lt;"), "")))
        .collect()
}

#[test]
fn a_package_goes_in_once() {
    let mut mirror = Stores::new();
    let path = mirror.folder.path().join("export.cab");
    let documents = some_documents();
    Package::of(&documents).write(&path);
    let report = mirror.sync(&path).unwrap();
    assert_eq!(
        report,
        SyncReport { changed: true, documents: 4, new_revisions: 4, ..Default::default() }
    );
    for (n, revision, xml) in &documents {
        let identity = UpdateIdentity { id: id(*n).parse().unwrap(), revision: *revision };
        let number = mirror.catalog.revision_id(&identity).unwrap().unwrap();
        let stored = mirror.catalog.document(number).unwrap().unwrap();
        assert_eq!(stored, xml.as_bytes(), "the document of {identity}");
    }
    let change = mirror.catalog.change().unwrap();
    let report = mirror.sync(&path).unwrap();
    assert_eq!(report, SyncReport { documents: 4, known: 4, ..Default::default() });
    assert_eq!(mirror.catalog.change().unwrap(), change);

    // The same revisions with other bytes are the same revisions; a newer one comes in.
    let mut later: Vec<_> =
        documents.iter().map(|(n, r, x)| (*n, *r, x.replace("\r\n", "\n"))).collect();
    later.push((1, 201, document(1, 201, "newer", "")));
    Package::of(&later).write(&path);
    let report = mirror.sync(&path).unwrap();
    let expected = SyncReport {
        changed: true,
        documents: 5,
        new_revisions: 1,
        known: 3,
        other_bytes: 1,
        ..Default::default()
    };
    assert_eq!(report, expected);
}

#[test]
fn what_a_package_holds_but_cannot_go_in_is_named() {
    let mut mirror = Stores::new();
    let path = mirror.folder.path().join("export.cab");
    let mut documents = some_documents();
    documents[1].2 = documents[1].2.replace("</upd:Title>", "</upd:Titel>");
    documents[2].2 = documents[2].2.replace("UpdateID=\"00000003", "UpdateID=\"00000009");
    Package::of(&documents).write(&path);
    let report = mirror.sync(&path).unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (2, 2), "{report:?}");
    assert_eq!(report.problems[0].at, format!("{} revision 200", id(2)));
    assert!(report.problems[0].what.contains("line 2"), "{report:?}");
    assert!(report.problems[1].what.contains("announced as 00000003"), "{report:?}");
}

const EMPTY_PREREQUISITE: &str = "<upd:Relationships><upd:Prerequisites>\
    <upd:AtLeastOne IsCategory=\"true\"/></upd:Prerequisites></upd:Relationships>";
const EMPTY_BUNDLE: &str = "<upd:Relationships><upd:BundledUpdates><upd:AtLeastOne/>\
    </upd:BundledUpdates></upd:Relationships>";

/// Five documents: 3 bundles one of no updates and cannot be kept, 4 requires one of no updates and
/// is kept.
fn with_empty_clauses() -> Vec<(u32, u32, String)> {
    let more = ["", "", EMPTY_BUNDLE, EMPTY_PREREQUISITE, ""];
    (1..).zip(more).map(|(n, more)| (n, 200, document(n, 200, "some title", more))).collect()
}

/// Synchronizes twice from a source with [`with_empty_clauses`].
#[track_caller]
fn all_but_the_third_come_in(source: &Path, at: &str) {
    let mut mirror = Stores::new();
    let first = mirror.sync(source).unwrap();
    assert_eq!((first.new_revisions, first.problems.len()), (4, 1), "{first:?}");
    assert_eq!(first.notes.len(), 1, "{first:?}");
    assert!(first.notes[0].contains(&id(4)), "{first:?}");
    let again = mirror.sync(source).unwrap();
    assert_eq!((again.known, again.changed), (4, false), "{again:?}");
    for report in [&first, &again] {
        assert_eq!(report.problems[0].at, at);
        assert!(report.problems[0].what.contains("bundles one of no updates"), "{report:?}");
    }
    let third = UpdateIdentity { id: id(3).parse().unwrap(), revision: 200 };
    assert!(!mirror.catalog.is_held(&third).unwrap());
    let mut numbers = Vec::new();
    mirror.catalog.nodes(&mut |node| numbers.push(node.revision_id.0)).unwrap();
    assert_eq!(numbers, [1, 2, 3, 4], "what was set aside has taken no number");
}

#[test]
fn one_unfit_document_of_a_folder_or_a_package_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    for (n, _, xml) in with_empty_clauses() {
        fs::write(folder.path().join(format!("{n}.xml")), xml).unwrap();
    }
    all_but_the_third_come_in(folder.path(), "3.xml");
    let elsewhere = tempfile::tempdir().unwrap();
    let package = elsewhere.path().join("export.cab");
    Package::of(&with_empty_clauses()).write(&package);
    all_but_the_third_come_in(&package, &format!("{} revision 200", id(3)));
}

/// The program itself, to the bundle and back: what was kept travels.
#[test]
fn a_mirror_with_an_unfit_document_in_its_source_seals_and_exports() {
    let temp = tempfile::tempdir().unwrap();
    let source = temp.path().join("source");
    fs::create_dir(&source).unwrap();
    for (n, _, xml) in with_empty_clauses() {
        fs::write(source.join(format!("{n}.xml")), xml).unwrap();
    }
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/documents/msi.xml");
    fs::copy(sample, source.join("msi.xml")).unwrap();
    let (connected, isolated) = (
        Program::init(temp.path(), "connected", &[], ""),
        Program::init(temp.path(), "isolated", &["--site", "plant-7"], ""),
    );
    for new in [5, 0] {
        let report = connected.run_to(&["sync", "--from", source.to_str().unwrap()], 4);
        assert_eq!(report["new-revisions"], new, "{report}");
        assert_eq!(report["problems"][0]["where"], "3.xml", "{report}");
    }
    let keys = connected.run(&["keys", "init"]);
    connected.run(&["seal"]);
    let bundle = temp.path().join("bundle.tar");
    let bundle = bundle.to_str().unwrap();
    connected.run(&["export", "--site", "plant-7", "--out", bundle]);
    isolated.run(&["trust", "add", keys["root"].as_str().unwrap(), "--yes"]);
    isolated.run(&["import", bundle]);
    for side in [&connected, &isolated] {
        let catalog = Catalog::open(&side.data.join("catalog.sqlite")).unwrap();
        let mut empty = 0;
        let mut all = 0;
        catalog
            .nodes(&mut |node| {
                all += 1;
                empty += node.prerequisites.iter().filter(|c| c.any_of.is_empty()).count();
            })
            .unwrap();
        assert_eq!((all, empty), (5, 2));
    }
}

/// Agents read the number as a signed integer of 32 bits.
#[test]
fn a_revision_number_that_agents_cannot_read_is_set_aside() {
    let mut mirror = Stores::new();
    let folder = tempfile::tempdir().unwrap();
    let put = |n: u32, revision, more: &str| {
        let xml = document(n, revision, "some title", more);
        fs::write(folder.path().join(format!("{n}.xml")), xml).unwrap();
    };
    let bundle = |member: u32| {
        format!(
            "<upd:Relationships><upd:BundledUpdates><upd:UpdateIdentity UpdateID=\"{}\" \
             RevisionNumber=\"{member}\"/></upd:BundledUpdates></upd:Relationships>",
            id(9)
        )
    };
    put(1, 0x7fff_ffff, "");
    put(2, 0x8000_0000, "");
    put(3, u32::MAX, "");
    put(4, 1, &bundle(0x8000_0000));
    put(5, 1, &bundle(0x7fff_ffff));
    for new in [2, 0] {
        let report = mirror.sync(folder.path()).unwrap();
        assert_eq!(report.new_revisions, new, "{report:?}");
        let at: Vec<_> = report.problems.iter().map(|p| p.at.as_str()).collect();
        assert_eq!(at, ["2.xml", "3.xml", "4.xml"]);
        assert!(report.problems[0].what.contains("2147483648"), "{report:?}");
    }
}

/// One sentence of the refusal for each kind of damage; the catalogue stays as it was.
#[test]
fn a_package_that_contradicts_itself_is_refused() {
    let mut mirror = Stores::new();
    let path = mirror.folder.path().join("export.cab");
    let good = || Package::of(&some_documents());
    let refused = |mirror: &mut Stores, expected: &str| {
        let error = mirror.sync(&path).unwrap_err();
        assert!(matches!(error, SyncError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{expected:?} is not in {error}");
        assert!(error.to_string().contains("Nothing was taken"), "{error}");
        assert_eq!(mirror.revisions(), 0);
    };

    let mut package = good();
    package.list(9, 1);
    package.write(&path);
    refused(&mut mirror, "lacks 1 of 5 documents");

    let mut package = good();
    package.record(9, 1, &document(9, 1, "unlisted", ""));
    package.write(&path);
    refused(&mut mirror, "holds 00000009-0000-4000-8000-000000000000 revision 1, which");

    let mut package = good();
    package.metadata.truncate(package.metadata.len() - 40);
    package.write(&path);
    refused(&mut mirror, "is cut short");

    let mut package = good();
    package.metadata.remove(700);
    package.write(&path);
    refused(&mut mirror, "metadata.txt, byte ");

    let package = good();
    let list = package.list_xml();
    let metadata = package.metadata.as_str();
    for (list, metadata, expected) in [
        (&list[..list.len() - 9], metadata, "package.xml: "),
        (
            &list.replace("<Updates>", "<Updates><Update/>"),
            metadata,
            "update number 1 has no identity",
        ),
        (&list.replace("ExportPackage", "Other"), metadata, "it begins with \"Other\""),
        (&format!("\u{feff}<!DOCTYPE a>{}", &list[3..]), metadata, "a document type"),
        (&list.replace("all", &"x".repeat(3 << 20)), metadata, "too large"),
        ("", metadata, "package.xml: it is cut short"),
        (&list, "", "lacks 4 of 4"),
    ] {
        write_cabinet(&path, &[("package.xml", list), ("metadata.txt", metadata)]);
        refused(&mut mirror, expected);
    }
    write_cabinet(&path, &[("package.xml", &list)]);
    refused(&mut mirror, "no member \"metadata.txt\"");
}

#[test]
fn a_source_is_recognized_or_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let refused = |text: &str| Source::detect(text).unwrap_err().to_string();
    assert_eq!(Source::detect("Microsoft-Update").unwrap(), Source::MicrosoftUpdate);
    assert!(refused("ftp://wsus.example").contains("only https://"));
    let credentials = refused("https://me:secret@wsus.example");
    assert!(credentials.contains("credentials") && !credentials.contains("secret"));
    let server = Source::detect("https://WSUS.example:8531/ServerSyncWebService?x").unwrap();
    assert!(matches!(server, Source::Server(url) if url.as_str() == "https://wsus.example:8531/"));
    assert!(refused(&file("a.xml.gz", b"\x1f\x8b\x08")).contains("wsusutil export"));
    assert!(refused(&file("a.txt", b"rubbish")).contains("put single files into a folder"));
    assert!(refused(&file("empty", b"")).contains("neither"));
    assert!(refused("/nowhere/at/all").contains("there is no file"));
    let package = file("any-name", b"MSCF....");
    assert_eq!(Source::detect(&package).unwrap(), Source::WsusutilPackage(PathBuf::from(package)));
    let path = folder.path().to_owned();
    assert_eq!(Source::detect(path.to_str().unwrap()).unwrap(), Source::Folder(path));
}

#[test]
fn a_folder_gives_documents_and_the_payloads_they_name() {
    let mut mirror = Stores::new();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let large: Vec<u8> = (0..1_000_003u32).map(|n| (n * 7 % 251) as u8).collect();
    let payloads: [(&str, &[u8]); 3] =
        [("setup.exe", b"MZ one"), ("b.cab", &large), ("late.psf", b"later")];
    put("deep/er/any.name", document(1, 1, "one", &files(&payloads)).as_bytes());
    put("bom", format!("\u{feff} \r\n<!-- c --><?pi?>{}", document(2, 1, "two", "")).as_bytes());
    put(
        "with-declaration.xml",
        format!("<?xml version=\"1.0\"?>\n{}", document(3, 1, "3", "")).as_bytes(),
    );
    put("broken.xml", document(4, 1, "four", "").replace("</upd:Update>", "").as_bytes());
    put("other.xml", b"<Update xmlns=\"http://other\"/>");
    put("payload without extension", b"MZ one");
    put("deep/B", &large);
    put("a-flipped-copy", b"MZ 0ne");
    put("readme.txt", b"not a payload at all");
    put("empty", b"");
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("bom"), folder.path().join("link")).unwrap();

    let report = mirror.sync(folder.path()).unwrap();
    assert_eq!(
        (report.documents, report.new_revisions, report.payloads_added),
        (3, 3, 2),
        "{report:?}"
    );
    assert_eq!(report.payload_bytes, 1_000_009);
    let problems: Vec<_> =
        report.problems.iter().map(|p| (p.at.as_str(), p.what.as_str())).collect();
    let about = |at: &str| {
        problems.iter().find(|(p, _)| *p == at).map(|(_, what)| *what).unwrap_or_default()
    };
    assert!(about("broken.xml").contains("line "), "{problems:?}");
    assert!(
        about("a-flipped-copy").contains("the size of setup.exe, but other bytes"),
        "{problems:?}"
    );
    assert!(about("other.xml").contains("neither"), "{problems:?}");
    assert!(about("readme.txt").contains("neither"), "{problems:?}");
    assert!(about("empty").contains("neither"), "{problems:?}");
    #[cfg(unix)]
    assert!(about("link").contains("symbolic link"), "{problems:?}");
    assert_eq!(problems.len(), if cfg!(unix) { 6 } else { 5 });
    for (_, bytes) in &payloads[..2] {
        let sha256 = Sha256::hash(bytes);
        assert_eq!(fs::read(mirror.content.path(&sha256)).unwrap(), *bytes);
        let row = mirror.catalog.payload(&sha256).unwrap().unwrap();
        assert!(row.present && row.chunks.len() == 1 && row.sha1 == Sha1::hash(bytes));
    }

    // Again: nothing changes. Then what was missing arrives, alone, in another folder.
    let again = mirror.sync(folder.path()).unwrap();
    assert!(!again.changed && again.known == 3 && again.payloads_added == 0, "{again:?}");
    assert_eq!(again.payloads_known, 3, "{again:?}");
    let late = tempfile::tempdir().unwrap();
    fs::write(late.path().join("x"), b"later").unwrap();
    let report = mirror.sync(late.path()).unwrap();
    assert_eq!((report.payloads_added, report.problems.len(), report.changed), (1, 0, true));
    let mut missing = 0;
    mirror.catalog.missing_files(&mut |_, _, _, _| missing += 1).unwrap();
    assert_eq!(missing, 0);
}

/// The payload that is here has the size of one that is still missing, and there are two of it.
#[test]
fn a_payload_that_is_here_is_known_by_its_digest() {
    let mut mirror = Stores::new();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let named = files(&[("a.exe", b"MZ one"), ("b.exe", b"MZ two")]);
    put("a.xml", document(1, 1, "one", &named).as_bytes());
    put("one", b"MZ one");
    put("one again", b"MZ one");
    let first = mirror.sync(folder.path()).unwrap();
    assert_eq!((first.payloads_added, first.payloads_known), (1, 1), "{first:?}");
    let again = mirror.sync(folder.path()).unwrap();
    assert_eq!((again.payloads_added, again.payloads_known), (0, 2), "{again:?}");
    assert!(!again.changed && first.problems.is_empty() && again.problems.is_empty(), "{again:?}");
    put("two", b"MZ 2wo");
    let other = mirror.sync(folder.path()).unwrap();
    assert_eq!(other.problems.len(), 1, "{other:?}");
}

/// The catalogue holds wrong words about the bytes of one payload, as an earlier source gave them.
#[test]
fn one_payload_that_contradicts_the_catalogue_does_not_stop_the_others() {
    let mut mirror = Stores::new();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let named = files(&[("a.exe", b"MZ one"), ("b.exe", b"MZ two")]);
    let sha256 = Sha256::hash(b"MZ one");
    let digest = format!(
        "<upd:AdditionalDigest Algorithm=\"SHA256\">{}</upd:AdditionalDigest>",
        sha256.to_base64()
    );
    put("a.xml", document(1, 1, "one", &named.replace(&digest, "")).as_bytes());
    put("one", b"MZ one");
    put("two", b"MZ two");
    let mut writer = mirror.catalog.write().unwrap();
    let row = PayloadRow {
        sha256,
        sha1: Sha1::hash(b"something else"),
        size: 6,
        chunks: Vec::new(),
        present: true,
        not_carried: None,
    };
    writer.store_payload(&row).unwrap();
    writer.commit().unwrap();
    for (added, known) in [(1, 0), (0, 1)] {
        let report = mirror.sync(folder.path()).unwrap();
        assert_eq!((report.payloads_added, report.payloads_known), (added, known), "{report:?}");
        assert_eq!(report.problems.len(), 1, "{report:?}");
        assert_eq!(report.problems[0].at, "one");
    }
}

/// A file with the right SHA-1 and size but another SHA-256 cannot be made here; a document that
/// lies about its SHA-256 can.
#[test]
fn both_digests_must_match() {
    let mut mirror = Stores::new();
    let folder = tempfile::tempdir().unwrap();
    let lying = files(&[("a.exe", b"bytes")])
        .replace(&Sha256::hash(b"bytes").to_base64(), &Sha256::hash(b"x").to_base64());
    fs::write(folder.path().join("a.xml"), document(1, 1, "one", &lying)).unwrap();
    fs::write(folder.path().join("a.exe"), b"bytes").unwrap();
    let report = mirror.sync(folder.path()).unwrap();
    assert_eq!(report.payloads_added, 0);
    assert!(report.problems[0].what.contains("another SHA-256"), "{report:?}");
    assert!(!mirror.content.contains(&Sha256::hash(b"bytes"), 5).unwrap());
}

/// The documents that `tidegate demo` brings along.
#[test]
fn our_samples_go_in_whole() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/samples");
    let listed = fs::read_to_string(samples.join("mod.rs")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for from in [samples.clone(), samples.join("payloads")] {
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_file() && name != "mod.rs" {
                assert!(listed.contains(&format!("(\"{name}\"")), "{name} is not listed in mod.rs");
                fs::copy(entry.path(), folder.path().join(name)).unwrap();
                count += 1;
            }
        }
    }
    assert_eq!(listed.matches("include_bytes!").count(), count);
    let mut mirror = Stores::new();
    let report = mirror.sync(folder.path()).unwrap();
    assert_eq!((report.new_revisions, report.payloads_added), (14, 4), "{report:?}");
    assert_eq!(report.problems, []);
    mirror.catalog.missing_files(&mut |_, _, _, name| panic!("{name} is missing")).unwrap();
    // Every reference leads to another sample, every document gives its fragments.
    let (mut ids, mut references) = (Vec::new(), Vec::new());
    mirror
        .catalog
        .nodes(&mut |node| {
            ids.push(node.identity);
            references.extend(node.prerequisites.iter().flat_map(|clause| clause.any_of.clone()));
            references.extend(node.superseded);
            for child in node.bundled.iter().flat_map(|clause| &clause.any_of) {
                assert!(ids.contains(child), "{child} comes after its bundle or is not there");
            }
        })
        .unwrap();
    for reference in references {
        assert!(ids.iter().any(|identity| identity.id == reference), "{reference} is not there");
    }
    for entry in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|e| e == "xml") {
            let xml = fs::read(entry.path()).unwrap();
            let fragments = fragments(&xml, &DocumentLimits::default()).unwrap();
            for fragment in [&fragments.core, &fragments.extended] {
                assert!(
                    fragment.starts_with('<') && !fragment.contains(['\n', '\r']),
                    "{fragment}"
                );
            }
        }
    }
}

fn real(name: &str) -> Option<PathBuf> {
    real_data().map(|folder| folder.join("data/wsusutil-export").join(name))
}

#[test]
fn real_packages_go_in_whole_and_once() {
    let (Some(older), Some(newer)) = (real("WSUS-2020-04-22.cab"), real("WSUS-2024-06-19.cab"))
    else {
        return;
    };
    let mut mirror = Stores::new();
    let first = mirror.sync(&older).unwrap();
    let expected =
        SyncReport { changed: true, documents: 3690, new_revisions: 3690, ..Default::default() };
    assert_eq!(first, expected);
    let again = mirror.sync(&older).unwrap();
    assert_eq!(again, SyncReport { documents: 3690, known: 3690, ..Default::default() });
    let next = mirror.sync(&newer).unwrap();
    assert_eq!((next.documents, next.problems.len()), (4125, 0));
    assert_eq!(next.new_revisions + next.known + next.other_bytes, 4125);
    assert!(next.new_revisions > 400 && next.known > 3000 && next.other_bytes > 0, "{next:?}");
    assert_eq!(mirror.revisions(), 3690 + next.new_revisions);
    let last = mirror.sync(&newer).unwrap();
    assert_eq!((last.changed, last.new_revisions), (false, 0));
    assert_eq!((last.known, last.other_bytes), (4125 - next.other_bytes, next.other_bytes));
}

/// A byte lost, a byte changed, or the end lost, at places all over a real package.
#[test]
fn damaged_real_packages_are_refused_and_change_nothing() {
    let Some(path) = real("WSUS-2024-06-19.cab") else { return };
    let whole = fs::read(&path).unwrap();
    let mut mirror = Stores::new();
    let copy = mirror.folder.path().join("copy.cab");
    let mut refused = |bytes: &[u8], what: &str| {
        fs::write(&copy, bytes).unwrap();
        let error = mirror.sync(&copy).expect_err(what);
        assert!(matches!(error, SyncError::Damaged { .. }), "{what}: {error:?}");
        assert_eq!(mirror.revisions(), 0, "{what}");
    };
    let end = whole.len();
    // Signature and lengths, the reserved area, folder and members, the first block, data, the end.
    for at in [5, 9, 30, 40, 6200, 6230, 6300, 10_000, end / 3, end / 2, end - 70_000, end - 1] {
        let mut less = whole.clone();
        less.remove(at);
        refused(&less, &format!("byte {at} lost"));
        // The header made to agree with the new length, so that only the contents can tell.
        let length = u32::try_from(less.len()).unwrap().to_le_bytes();
        if at > 12 {
            less[8..12].copy_from_slice(&length);
            refused(&less, &format!("byte {at} lost and the length corrected"));
        }
    }
    for at in [4, 100, 6144, 6250, 6300, 10_000, end / 3, end / 2, end - 1] {
        refused(&whole[..at], &format!("cut at {at}"));
    }
    for at in [8, 6300, 10_000, end / 3, end / 2, end - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        refused(&changed, &format!("byte {at} changed"));
    }
}
