//! The nine captured documents: 27 fragments, byte for byte as a real server sent them.

use std::fs;

use tidegate::update::{DocumentLimits, UpdateDocument, UpdateType, fragments};

use crate::support::real_data::real_data;

/// The one fragment that was sanitized, what it says, and what the server sent.
const REDACTED: (&str, &str, &str) = (
    "a2fef9b0-7951-4c2c-a42b-9e351dd1c1fe-r200.localized-en.xml",
    "LinkId=REDACTED",
    "LinkId=52661",
);

#[test]
fn captured_fragments_byte_for_byte() {
    let Some(folder) = real_data() else { return };
    let folder = folder.join("captures/metadata");
    let mut compared = 0;
    for entry in fs::read_dir(folder.join("documents")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let document = fs::read(&path).unwrap();
        let got = fragments(&document, &DocumentLimits::default()).unwrap();
        let english = got.localized.iter().find(|fragment| fragment.language == "en").unwrap();
        for (kind, got) in
            [("core", &got.core), ("extended", &got.extended), ("localized-en", &english.xml)]
        {
            let file = format!("{name}.{kind}.xml");
            let mut wanted = fs::read_to_string(folder.join("wsus-fragments").join(&file)).unwrap();
            if file == REDACTED.0 {
                assert_eq!(wanted.matches(REDACTED.1).count(), 1);
                wanted = wanted.replace(REDACTED.1, REDACTED.2);
            }
            assert_eq!(*got, wanted, "{file}");
            compared += 1;
        }
        assert!(got.eulas.is_empty());

        let parsed = UpdateDocument::parse(&document, &DocumentLimits::default()).unwrap();
        let identity = parsed.identity;
        assert_eq!(format!("{}-r{}", identity.id, identity.revision), name);
        assert_eq!(parsed.localized.len(), got.localized.len());
    }
    assert_eq!(compared, 27);
}

#[test]
fn captured_documents_read() {
    let Some(folder) = real_data() else { return };
    let read = |name: &str| {
        let path = folder.join("captures/metadata/documents").join(name);
        UpdateDocument::parse(&fs::read(path).unwrap(), &DocumentLimits::default()).unwrap()
    };

    let bundle = read("a2fef9b0-7951-4c2c-a42b-9e351dd1c1fe-r200.xml");
    assert_eq!(bundle.update_type, UpdateType::Software);
    assert!(bundle.properties.explicitly_deployable);
    assert_eq!(bundle.properties.kb_article_ids, ["2267602"]);
    assert_eq!(bundle.localized.len(), 35);
    assert_eq!(bundle.superseded.len(), 10);
    let sizes: Vec<_> = bundle.bundled.iter().map(|clause| clause.any_of.len()).collect();
    assert_eq!(sizes, [7, 7, 7, 103]);
    assert!(bundle.prerequisites.iter().any(|clause| clause.is_category));
    assert_eq!(
        bundle.title("th"),
        Some(bundle.localized.iter().find(|l| l.language == "th").unwrap().title.as_str())
    );
    assert_eq!(bundle.title("xx"), bundle.title("en"));

    let leaf = read("266f6222-c89d-43f2-9f8a-69340271e677-r200.xml");
    let [file] = &leaf.files[..] else { panic!("{:?}", leaf.files) };
    assert_eq!((file.name.as_str(), file.size), ("AM_Delta.exe", 11_606_440));
    assert_eq!(file.sha1.to_base64(), "h/W9BGlYUAaqXTp30cZi/SiV3c0=");
    assert_eq!(file.sha256.unwrap().to_base64(), "Amt0qymy5KsROiwIXm4QIIV75Ju4r+Cl28Pg8gaLXUA=");
    assert_eq!(leaf.prerequisites.len(), 4);

    let company = read("56309036-4c77-4dd9-951a-99ee9c246a94-r101.xml");
    assert_eq!(company.update_type, UpdateType::Category);
    assert_eq!(company.category_type.as_deref(), Some("Company"));
    assert!(company.prerequisites.is_empty());
}
