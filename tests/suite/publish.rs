//! `publish`: installers of every kind become update documents that our own readers accept.

use std::{
    fs,
    io::{Cursor, Write as _},
    path::PathBuf,
};

use bundle_format::digest::{Sha1, Sha256};
use cab::{CabinetBuilder, CompressionType};
use tidegate::{
    catalog::{Numbering, RevisionSummary},
    publish::{Classification, PublishError, PublishRequest, Published, Reboot, Severity, publish},
    update::{Clause, DocumentLimits, UpdateDocument, UpdateId, UpdateType, fragments},
};

use crate::support::stores::Stores;

impl Stores {
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn publish(&mut self, request: &PublishRequest) -> Result<Published, PublishError> {
        let now = "2026-10-04T12:00:00.5Z".parse().unwrap();
        publish(request, &mut self.catalog, &self.content, Numbering::Assign, now, &mut |_| {})
    }

    fn refused(&mut self, request: &PublishRequest) -> String {
        let before = self.catalog.change().unwrap();
        let error = self.publish(request).unwrap_err();
        assert_eq!(self.catalog.change().unwrap(), before, "{error}");
        error.to_string()
    }

    /// The document as it is stored, checked by those who will read it.
    fn document(&self, published: &Published) -> (UpdateDocument, String) {
        let xml = self.catalog.document(published.revision_id).unwrap().unwrap();
        let document = UpdateDocument::parse(&xml, &DocumentLimits::default()).unwrap();
        assert_eq!(document.identity, published.identity);
        let fragments = fragments(&xml, &DocumentLimits::default()).unwrap();
        assert!(
            fragments.core.starts_with("<UpdateIdentity ") && !fragments.core.contains("xmlns:")
        );
        assert!(fragments.extended.contains("<Files><File Digest="), "{}", fragments.extended);
        assert_eq!(fragments.localized.len(), 1);
        (document, String::from_utf8(xml).unwrap())
    }

    fn newest(&self, id: UpdateId) -> RevisionSummary {
        self.catalog.newest(id).unwrap().unwrap()
    }
}

fn request(file: PathBuf) -> PublishRequest {
    let mut request = PublishRequest::new(file, "Contoso Tools 2.1", "Contoso/Tools");
    request.applies_if = Some(r"file:%ProgramFiles%\Contoso\tools.exe >= 2.1".parse().unwrap());
    request.command_line = Some("/S".to_owned());
    request
}

fn cabinet(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = CabinetBuilder::new();
    let folder = builder.add_folder(CompressionType::MsZip);
    for (name, _) in files {
        folder.add_file(*name);
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    for (_, bytes) in files {
        writer.next_file().unwrap().unwrap().write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_program_becomes_an_update() {
    let mut mirror = Stores::new();
    let bytes = b"MZ a program".repeat(50_000);
    let mut request = request(mirror.file("tools-2.1.exe", &bytes));
    request.title = "  Contoso <Tools> & \"more\" 'für' 日本 😀 ".to_owned();
    request.description = Some("First line.\r\n\r\nSecond <line>.".to_owned());
    request.kb = Some("KB5001234".to_owned());
    request.severity = Some(Severity::Important);
    request.classification = Classification::SecurityUpdates;
    request.command_line = Some("/S /D=\"C:\\Program Files\\A & B\"".to_owned());
    request.languages = vec!["de".to_owned(), "pt-BR".to_owned()];
    request.reboot = Reboot::Never;
    request.support_url = Some("https://contoso.example/?a=1&b=2".to_owned());
    let published = mirror.publish(&request).unwrap();
    assert!(published.changed);
    assert_eq!(published.categories_made, ["Security Updates", "Contoso", "Tools"]);
    assert_eq!(published.warnings.len(), 1, "{:?}", published.warnings);
    assert!(published.warnings[0].contains("no Authenticode signature"));

    let (document, xml) = mirror.document(&published);
    assert_eq!(document.identity.revision, 1);
    assert_eq!(document.title("en"), Some("Contoso <Tools> & \"more\" 'für' 日本 😀"));
    assert_eq!(document.localized[0].description.as_deref(), Some("First line.\n\nSecond <line>."));
    let properties = &document.properties;
    assert_eq!(properties.kb_article_ids, ["5001234"]);
    assert_eq!(properties.msrc_severity.as_deref(), Some("Important"));
    assert_eq!(properties.languages, ["de", "pt-br"]);
    assert_eq!(properties.creation_date.as_deref(), Some("2026-10-04T12:00:00Z"));
    assert_eq!(properties.max_download_size, Some(bytes.len() as u64));
    assert!(properties.explicitly_deployable && properties.locally_published);
    let [file] = document.files.as_slice() else { panic!("{:?}", document.files) };
    assert_eq!((file.name.as_str(), file.size), ("tools-2.1.exe", bytes.len() as u64));
    assert_eq!((file.sha1, file.sha256), (Sha1::hash(&bytes), Some(Sha256::hash(&bytes))));
    assert!(xml.contains(
        "<cmd:InstallCommand Program=\"tools-2.1.exe\" Arguments=\"/S /D=&quot;C:\\Program Files\\A &amp; B&quot;\""
    ));
    assert!(xml.contains(
        "<upd:IsInstalled><bar:FileVersion Path=\"Contoso\\tools.exe\" Comparison=\"GreaterThanOrEqualTo\" Version=\"2.1.0.0\" Csidl=\"38\" /></upd:IsInstalled>"
    ));
    let order = [
        "<upd:UpdateIdentity",
        "<upd:Properties",
        "<upd:LocalizedPropertiesCollection",
        "<upd:Relationships",
        "<upd:ApplicabilityRules",
        "<upd:Files",
        "<upd:HandlerSpecificData",
    ];
    let places: Vec<_> = order.iter().map(|name| xml.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{xml}");

    // Product first, then classification, each an IsCategory clause that leads to a document.
    let clause = |id| Clause { is_category: true, any_of: vec![id] };
    let product = document.prerequisites[0].any_of[0];
    assert_eq!(
        document.prerequisites,
        [clause(product), clause(Classification::SecurityUpdates.id())]
    );
    assert_eq!(mirror.newest(product).title, "Tools");
    assert_eq!(mirror.newest(product).category_type.as_deref(), Some("Product"));
    assert_eq!(mirror.newest(product).update_type, UpdateType::Category);
    assert_eq!(mirror.newest(Classification::SecurityUpdates.id()).title, "Security Updates");

    // The payload is there, with the chunks that a bundle carries.
    let sha256 = Sha256::hash(&bytes);
    assert_eq!(fs::read(mirror.content.path(&sha256)).unwrap(), bytes);
    let row = mirror.catalog.payload(&sha256).unwrap().unwrap();
    assert!(row.present && row.chunks == [sha256]);
    mirror.catalog.missing_files(&mut |_, _, _, name| panic!("{name} is missing")).unwrap();
}

#[test]
fn the_same_again_changes_nothing_and_other_details_make_a_revision() {
    let mut mirror = Stores::new();
    let mut request = request(mirror.file("a.exe", b"MZ 1"));
    let first = mirror.publish(&request).unwrap();
    let change = mirror.catalog.change().unwrap();
    let again = mirror.publish(&request).unwrap();
    assert_eq!(
        (again.changed, again.identity, again.revision_id),
        (false, first.identity, first.revision_id)
    );
    assert_eq!(again.categories_made, Vec::<String>::new());
    assert_eq!(mirror.catalog.change().unwrap(), change);

    request.kb = Some("42".to_owned());
    let second = mirror.publish(&request).unwrap();
    assert_eq!(second.identity.id, first.identity.id);
    assert_eq!((second.identity.revision, second.changed), (2, true));

    // Another title is another update, unless it is said to be the next revision of this one.
    request.title += " (corrected)";
    assert_ne!(mirror.publish(&request).unwrap().identity.id, first.identity.id);
    request.update_id = Some(first.identity.id);
    request.description = Some("By its id.".to_owned());
    assert_eq!(mirror.publish(&request).unwrap().identity.revision, 3);

    // The same file, title and product give the same identity on another mirror.
    let mut other = Stores::new();
    let mut same = self::request(other.file("renamed.exe", b"MZ 1"));
    same.product = "Contoso/Tools".to_owned();
    assert_eq!(other.publish(&same).unwrap().identity, first.identity);
}

#[test]
fn a_new_version_supersedes_the_old_one() {
    let mut mirror = Stores::new();
    let old = mirror.publish(&request(mirror.file("old.exe", b"MZ old"))).unwrap();
    let mut newer = request(mirror.file("new.exe", b"MZ new"));
    let unknown: UpdateId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    newer.supersedes = vec![old.identity.id, unknown];
    let published = mirror.publish(&newer).unwrap();
    assert!(
        published.warnings.iter().any(|w| w.starts_with(&unknown.to_string())),
        "{published:?}"
    );
    assert_eq!(mirror.document(&published).0.superseded, [old.identity.id, unknown]);
    newer.update_id = Some(old.identity.id);
    assert!(mirror.refused(&newer).contains("supersede itself"));
}

#[test]
fn products_are_found_before_they_are_made() {
    let mut mirror = Stores::new();
    let publish = |mirror: &mut Stores, name: &str, product: &str| {
        let mut request = request(mirror.file(name, name.as_bytes()));
        request.product = product.to_owned();
        let published = mirror.publish(&request).unwrap();
        let document = mirror.document(&published).0;
        (document.prerequisites[0].any_of[0], published.categories_made)
    };
    let (tools, made) = publish(&mut mirror, "1.exe", "Contoso/Suite/Tools");
    assert_eq!(made, ["Updates", "Contoso", "Suite", "Tools"]);
    for product in ["Contoso/Suite/Tools", "contoso/TOOLS", "Tools", " Contoso / suite / tools "] {
        assert_eq!(publish(&mut mirror, "2.exe", product), (tools, vec![]), "{product}");
    }
    let (other, made) = publish(&mut mirror, "3.exe", "Fabrikam/Tools");
    assert_eq!(made, ["Fabrikam", "Tools"]);
    assert_ne!(other, tools);
    let mut ambiguous = request(mirror.file("4.exe", b"4"));
    ambiguous.product = "tools".to_owned();
    assert!(mirror.refused(&ambiguous).contains("several products"));
    let (_, made) = publish(&mut mirror, "5.exe", "Alone");
    assert_eq!(made, ["Local Publisher", "Alone"]);
    // Found again although the name of one is part of the other's.
    assert_eq!(publish(&mut mirror, "6.exe", "Fabrikam/Tool").1, ["Tool"]);
}

fn installer_package(product_code: Option<&str>) -> Vec<u8> {
    let package = Cursor::new(Vec::new());
    let mut package = msi::Package::create(msi::PackageType::Installer, package).unwrap();
    let columns = vec![
        msi::Column::build("Property").primary_key().id_string(72),
        msi::Column::build("Value").nullable().localizable().text_string(0),
    ];
    package.create_table("Property", columns).unwrap();
    let mut rows = vec![("ProductName", "Contoso Tools"), ("ProductVersion", "2.1.0")];
    rows.extend(product_code.map(|code| ("ProductCode", code)));
    for (name, value) in rows {
        let row = vec![msi::Value::from(name), msi::Value::from(value)];
        package.insert_rows(msi::Insert::into("Property").row(row)).unwrap();
    }
    package.into_inner().unwrap().into_inner()
}

#[test]
fn an_installer_package_names_its_product_itself() {
    let code = "{0A1B2C3D-0000-4000-8000-0123456789AB}";
    let mut mirror = Stores::new();
    let mut request = request(mirror.file("tools.msi", &installer_package(Some(code))));
    request.applies_if = None;
    request.command_line = Some("ALLUSERS=1".to_owned());
    let published = mirror.publish(&request).unwrap();
    assert_eq!(published.warnings.len(), 1, "{published:?}");
    let (_, xml) = mirror.document(&published);
    for part in [
        "<upd:IsInstalled><mar:MsiApplicationInstalled /></upd:IsInstalled>",
        "<upd:IsSuperseded><mar:MsiApplicationSuperseded /></upd:IsSuperseded>",
        "<upd:IsInstallable><mar:MsiApplicationInstallable /></upd:IsInstallable>",
        &format!("<mar:MsiApplicationMetadata><mar:ProductCode>{code}</mar:ProductCode>"),
        "xsi:type=\"msp:WindowsInstallerApp\"",
        &format!(
            "<msp:MsiData ProductCode=\"{code}\" MsiFile=\"tools.msi\" CommandLine=\"ALLUSERS=1\" />"
        ),
    ] {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }

    // Without a product code it must be said; a damaged package is none.
    request.file = mirror.file("mute.msi", &installer_package(None));
    assert!(mirror.refused(&request).contains("--applies-if msi:{PRODUCT-CODE}"));
    let mut damaged = installer_package(Some(code));
    damaged.truncate(1000);
    request.file = mirror.file("damaged.msi", &damaged);
    assert!(mirror.refused(&request).contains("--applies-if msi:{PRODUCT-CODE}"));
    request.file = mirror.file("text.msi", b"not at all");
    assert!(mirror.refused(&request).contains("no Windows Installer package"));
    request.file = mirror.file("mute.msi", &installer_package(None));
    request.applies_if = Some(format!("msi:{code}").parse().unwrap());
    let published = mirror.publish(&request).unwrap();
    assert!(
        mirror
            .document(&published)
            .1
            .contains(&format!("<mar:MsiProductInstalled ProductCode=\"{code}\" />"))
    );
}

/// Whatever is changed in a package: published, refused, never a panic that gets out.
#[test]
fn damaged_installer_packages_do_no_harm() {
    let mut mirror = Stores::new();
    let whole = installer_package(Some("{0A1B2C3D-0000-4000-8000-0123456789AB}"));
    let mut request = request(mirror.folder.path().join("a.msi"));
    request.applies_if = None;
    for at in (8..whole.len()).step_by(311) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        fs::write(&request.file, &damaged).unwrap();
        let _ = mirror.publish(&request);
    }
}

#[test]
fn a_cabinet_is_a_servicing_package_or_a_box_with_a_program() {
    let mut mirror = Stores::new();
    let manifest = "\u{feff}<?xml version=\"1.0\"?>\r\n<!-- c --><assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\" \
        manifestVersion=\"1.0\"><assemblyIdentity name=\"Package_for_KB1\" version=\"1.2.3.4\"/><package identifier=\"KB1\"/></assembly>\r\n";
    let servicing = cabinet(&[("payload.dll", b"MZ"), ("update.mum", manifest.as_bytes())]);
    let mut request = request(mirror.file("windows-kb1.cab", &servicing));
    request.command_line = None;
    assert!(mirror.refused(&request).contains("leave --applies-if away"));
    request.applies_if = None;
    let published = mirror.publish(&request).unwrap();
    let (document, xml) = mirror.document(&published);
    assert!(document.properties.handler.unwrap().ends_with("/UpdateHandlers/Cbs"));
    assert!(xml.contains("<cbsar:CbsPackageApplicabilityMetadata><assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\""));
    assert!(xml.contains("</assembly></cbsar:CbsPackageApplicabilityMetadata>"));
    assert!(
        xml.contains("xsi:type=\"cbs:Cbs\"")
            && xml.contains("<cbs:CbsData PackageIdentity=\"\" />")
    );
    let core = fragments(xml.as_bytes(), &DocumentLimits::default()).unwrap().core;
    assert!(core.contains("<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\""), "{core}");

    for broken in [
        "<assembly>",
        "<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\"><a></b></assembly>",
        "<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\"><a/>",
        "",
        "<other/>",
    ] {
        request.file = mirror.file("broken.cab", &cabinet(&[("update.mum", broken.as_bytes())]));
        assert!(mirror.refused(&request).contains("no well-formed package manifest"), "{broken}");
    }

    let archive = cabinet(&[("Setup.exe", b"MZ"), ("data.bin", b"1")]);
    request.file = mirror.file("tools.cab", &archive);
    assert!(mirror.refused(&request).contains("--command-line"));
    request.command_line = Some("install.exe /q".to_owned());
    assert!(mirror.refused(&request).contains("(Setup.exe, data.bin)"));
    request.command_line = Some("\"setup.exe\"  /q".to_owned());
    request.applies_if = Some("always".parse().unwrap());
    let published = mirror.publish(&request).unwrap();
    assert!(mirror.document(&published).1.contains("Program=\"setup.exe\" Arguments=\"/q\""));
    assert!(published.warnings.iter().any(|w| w.contains("at every scan")), "{published:?}");
    request.file = mirror.file("cut.cab", &archive[..archive.len() - 1]);
    assert!(mirror.refused(&request).contains("cut short"));
}

#[test]
fn an_update_package_is_installed_by_its_installer() {
    let mut mirror = Stores::new();
    let package = cabinet(&[("WSUSSCAN.cab", b"x"), ("kb1.cab", b"y")]);
    let mut request = request(mirror.file("windows-kb1.msu", &package));
    request.command_line = None;
    let published = mirror.publish(&request).unwrap();
    let (_, xml) = mirror.document(&published);
    assert!(
        xml.contains(
            "Program=\"wusa.exe\" Arguments=\"&quot;windows-kb1.msu&quot; /quiet /norestart\""
        ),
        "{xml}"
    );
}

#[test]
fn what_cannot_become_an_update_is_refused_with_advice() {
    let mut mirror = Stores::new();
    let good = request(mirror.file("a.exe", b"MZ"));
    let refused = |mirror: &mut Stores, change: &dyn Fn(&mut PublishRequest), expected: &str| {
        let mut request = good.clone();
        change(&mut request);
        let error = mirror.refused(&request);
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
    };
    refused(&mut mirror, &|r| r.title = " ".into(), "the title is empty");
    refused(&mut mirror, &|r| r.title = "x".repeat(201), "more than 200");
    refused(&mut mirror, &|r| r.title = "a\u{1}".into(), "not allowed");
    refused(&mut mirror, &|r| r.title = "a\nb".into(), "not allowed");
    refused(&mut mirror, &|r| r.description = Some("\u{ffff}".into()), "the description");
    refused(&mut mirror, &|r| r.product = "a/b/c/d".into(), "too many parts");
    refused(&mut mirror, &|r| r.product = "a//c".into(), "is empty");
    refused(&mut mirror, &|r| r.kb = Some("KB12a".into()), "no KB article");
    refused(&mut mirror, &|r| r.language = "english".into(), "no language");
    refused(&mut mirror, &|r| r.support_url = Some("ftp://a".into()), "no address");
    let missing = mirror.folder.path().join("missing.exe");
    refused(&mut mirror, &|r| r.file = missing.clone(), "cannot read");
    let empty = mirror.file("empty.exe", b"");
    refused(&mut mirror, &|r| r.file = empty.clone(), "empty");
    let other = mirror.file("a.zip", b"PK");
    refused(&mut mirror, &|r| r.file = other.clone(), "only .exe, .msi, .cab and .msu");
    let patch = mirror.file("a.msp", b"x");
    refused(&mut mirror, &|r| r.file = patch.clone(), ".msp");
    if cfg!(unix) {
        let odd = mirror.file("a:b.exe", b"MZ");
        refused(&mut mirror, &|r| r.file = odd.clone(), "rename the file");
    }
    assert_eq!(mirror.catalog.counts().unwrap().revisions, 0);
    let text = mirror.file("text.exe", b"#!/bin/sh");
    let mut request = good.clone();
    request.file = text;
    let warnings = mirror.publish(&request).unwrap().warnings;
    assert!(warnings.iter().any(|w| w.contains("no Windows program")), "{warnings:?}");
}

/// What others published is not ours to revise.
#[test]
fn an_update_of_another_publisher_is_not_revised() {
    let mut mirror = Stores::new();
    let mut request = request(mirror.file("a.exe", b"MZ"));
    mirror.publish(&request).unwrap();
    request.update_id = Some(Classification::Updates.id());
    assert!(mirror.refused(&request).contains("was not published locally"));
}
