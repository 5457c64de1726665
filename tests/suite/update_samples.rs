//! Hand-made documents for what the captures do not show, with hand-made expectations.

use std::{collections::BTreeMap, fs, path::PathBuf};

use tidegate::update::{DocumentLimits, UpdateDocument, UpdateType, fragments};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/documents"))
}

fn read(name: &str) -> UpdateDocument {
    let bytes = fs::read(folder().join(name)).unwrap();
    UpdateDocument::parse(&bytes, &DocumentLimits::default()).unwrap()
}

#[test]
fn every_sample_gives_its_fragments() {
    let mut got = BTreeMap::new();
    let mut wanted = BTreeMap::new();
    let mut documents = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match name.split_once('.') {
            Some(("" | "README", _)) => {}
            Some((stem, "xml")) => {
                documents += 1;
                let bytes = fs::read(&path).unwrap();
                let found = fragments(&bytes, &DocumentLimits::default())
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                got.insert(format!("{stem}.core"), found.core);
                got.insert(format!("{stem}.extended"), found.extended);
                for one in found.localized {
                    got.insert(format!("{stem}.localized-{}", one.language), one.xml);
                }
                for one in found.eulas {
                    let country = one.geo_id.map(|id| format!("-{id}")).unwrap_or_default();
                    got.insert(format!("{stem}.eula-{}{country}", one.language), one.xml);
                }
            }
            _ => {
                wanted.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(documents >= 7);
    for (name, wanted) in &wanted {
        assert_eq!(got.get(name), Some(wanted), "{name}");
    }
    assert_eq!(got.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
}

#[test]
fn driver_metadata_is_read() {
    let document = read("driver.xml");
    assert_eq!(document.update_type, UpdateType::Driver);
    let [first, second] = &document.drivers[..] else { panic!("{:?}", document.drivers) };
    assert_eq!(first.hardware_id, r"pci\ven_1234&dev_5678");
    assert_eq!(first.model.as_deref(), Some("Example \"10G\" Adapter"));
    assert_eq!(first.ver_date.as_deref(), Some("2026-01-01"));
    assert_eq!(first.ver_version.as_deref(), Some("1.2.3.4"));
    assert_eq!(first.class.as_deref(), Some("Net"));
    assert_eq!(first.manufacturer.as_deref(), Some("Example Corp."));
    assert_eq!(first.provider.as_deref(), Some("Example"));
    assert_eq!(first.whql_driver_id.as_deref(), Some("42"));
    let scores = [("amd64.10.0".to_owned(), 0), ("x86.10.0".to_owned(), 255)];
    assert_eq!(first.feature_scores, scores);
    assert_eq!(first.distribution_computer_ids, ["1d000000-0000-4000-8000-00000000000a"]);
    assert_eq!(first.target_computer_ids, ["1d000000-0000-4000-8000-00000000000b"]);
    assert_eq!(second.hardware_id, r"pci\ven_1234&dev_9999");
    assert!(second.feature_scores.is_empty());
    assert_eq!(document.properties.languages, ["all"]);
    assert_eq!(document.files[0].patching_type.as_deref(), Some("SelfContained"));
}

#[test]
fn licence_and_properties_are_read() {
    let document = read("eula.xml");
    assert_eq!(document.identity.id.to_string(), "1d000000-0000-4000-8000-000000000002");
    let properties = &document.properties;
    assert!(properties.expired && properties.explicitly_deployable && properties.uninstallable);
    assert!(!properties.is_public);
    assert_eq!(properties.eula_id.as_deref(), Some("1d000000-0000-4000-8000-0000000000e1"));
    assert_eq!(properties.kb_article_ids, ["1234567", "7654321"]);
    assert_eq!(properties.security_bulletins, ["EX26-001"]);
    assert_eq!(properties.msrc_severity.as_deref(), Some("Critical"));
    assert_eq!(document.title("en"), Some("An update with a licence"));
    assert_eq!(document.title("fr"), Some("Ein Update mit Lizenz"), "the default language");
    let keys: Vec<_> =
        document.eulas.iter().map(|eula| (&*eula.language, eula.geo_id.as_deref())).collect();
    assert_eq!(keys, [("en", None), ("de", Some("94"))]);
    assert_eq!(document.eulas[0].file.size, 12);
    assert!(document.eulas[0].file.sha256.is_some());
    assert!(document.eulas[1].file.sha256.is_none());
}

#[test]
fn texts_are_read_as_meant() {
    let document = read("text.xml");
    assert_eq!(document.title("en"), Some("5 < 6 & 7 > 6 & <b> \"so\" it's ☺ end"));
    let description = document.localized[0].description.as_deref();
    assert_eq!(description, Some("one\ntwo\nthree\rfour\n\t'\">"));

    let document = read("msi.xml");
    assert!(document.properties.locally_published);
    assert_eq!(document.properties.max_download_size, Some(4096));
    let [product, none] = &document.prerequisites[..] else { panic!() };
    assert!(product.is_category && none.is_category && none.any_of.is_empty());

    let document = read("prefixes.xml");
    assert_eq!(document.prerequisites.len(), 1, "a foreign UpdateIdentity is none");
    assert!(document.files.is_empty() && document.properties.eula_id.is_none());
}
