//! All documents of two real packages, and the ten of them whose core fragments a real server was
//! seen to send. (The oracle in `tests/outside` compares all their fragments.)

use std::{collections::HashMap, fs, fs::File, io::Read as _, path::Path};

use tidegate::update::{DocumentLimits, UpdateDocument, UpdateType, fragments};

use crate::support::real_data::real_data;

pub(crate) fn metadata(package: &Path) -> String {
    let mut cabinet = cab::Cabinet::new(File::open(package).unwrap()).unwrap();
    let mut text = String::new();
    cabinet.read_file("metadata.txt").unwrap().read_to_string(&mut text).unwrap();
    text
}

/// (`<id>,<revision in hexadecimal>`, document). No character in them takes two UTF-16 units.
pub(crate) fn records(text: &str) -> HashMap<String, &str> {
    let mut records = HashMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_at(45);
        let length = usize::from_str_radix(&after[1..9], 16).unwrap();
        let after = &after[10..];
        let end = after.char_indices().nth(length).unwrap().0;
        assert!(records.insert(name.to_lowercase(), &after[..end]).is_none());
        rest = after[end..].strip_prefix("\r\n").unwrap();
    }
    records
}

#[test]
fn whole_packages_read() {
    let Some(folder) = real_data() else { return };
    for (name, count) in [("WSUS-2020-04-22.cab", 3_690), ("WSUS-2024-06-19.cab", 4_125)] {
        let text = metadata(&folder.join("data/wsusutil-export").join(name));
        let records = records(&text);
        assert_eq!(records.len(), count);
        let (mut categories, mut laid_out) = (0, 0);
        for (key, xml) in &records {
            let read = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default())
                .unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_eq!(read.oddity, None, "{key}");
            let identity = read.identity;
            assert_eq!(format!("{},{:08x}", identity.id, identity.revision), *key);
            assert!(read.title("en").is_some_and(|title| !title.is_empty()), "{key}");
            assert_eq!(read.category_type.is_some(), read.update_type == UpdateType::Category);
            categories += usize::from(read.category_type.is_some());
            let derived = fragments(xml.as_bytes(), &DocumentLimits::default()).unwrap();
            // One that is laid out with line breaks: a real server was seen to send it without them.
            if key.starts_with("c3a1b9b7") {
                assert!(xml.contains(">\r\n") || xml.contains(">\n"), "{key}");
                let gaps: Vec<&str> = derived.core.split('>').skip(1).collect();
                assert!(gaps.iter().all(|gap| !gap.starts_with(char::is_whitespace)), "{key}");
                laid_out += 1;
            }
        }
        assert!(categories > 300);
        assert!(laid_out > 0 || !name.contains("2024"), "{name}");
    }
}

#[test]
fn captured_answers_hold_the_fragments_of_packaged_documents() {
    let Some(folder) = real_data() else { return };
    let texts: Vec<_> = ["WSUS-2020-04-22.cab", "WSUS-2024-06-19.cab"]
        .iter()
        .map(|name| metadata(&folder.join("data/wsusutil-export").join(name)))
        .collect();
    let documents: Vec<_> = texts.iter().map(|text| records(text)).collect();

    let (mut compared, mut with_comments) = (0, 0);
    for entry in fs::read_dir(folder.join("captures/agent-win11-25h2")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.contains("SyncUpdates.response") || !name.ends_with(".xml") {
            continue;
        }
        let answer = fs::read_to_string(&path).unwrap();
        for escaped in answer.split("<Xml>").skip(1) {
            let escaped = escaped.split("</Xml>").next().unwrap();
            let sent = quick_xml::escape::unescape(escaped).unwrap();
            let mut quoted = sent.split('"').skip(1).step_by(2);
            let (Some(id), Some(revision)) = (quoted.next(), quoted.next()) else { continue };
            let Ok(revision) = revision.parse::<u32>() else { continue };
            let key = format!("{},{revision:08x}", id.to_lowercase());
            for xml in documents.iter().filter_map(|records| records.get(&key)) {
                let got = fragments(xml.as_bytes(), &DocumentLimits::default()).unwrap();
                assert_eq!(got.core, sent, "{key} in {name}");
                compared += 1;
                // A server drops comments.
                with_comments += usize::from(xml.contains("<!--"));
            }
        }
    }
    assert_eq!((compared, with_comments), (10, 1));
}
