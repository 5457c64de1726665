use proptest::prelude::*;

use super::*;
use crate::index::SegmentKind;

fn needs(segments: u8, payloads: u8) -> Needs {
    let mut needs = Needs::new(Uuid::from_u128(0x1234_5678 << 96), "plant-7".to_owned(), 12);
    needs.segments = (0..segments)
        .map(|n| MissingSegment {
            sha256: Sha256::hash(&[n]),
            kind: SegmentKind::Catalogue,
            size: 5,
        })
        .collect();
    needs.payloads = (0..payloads)
        .map(|n| MissingPayload {
            sha256: Sha256::hash(&[n, 1]),
            size: 7,
            file: Some("a.cab".to_owned()),
            updates: vec!["An update".to_owned()],
        })
        .collect();
    needs
}

#[test]
fn both_forms_ask_for_the_same() {
    for (segments, payloads) in [(0, 0), (1, 0), (0, 1), (3, 200)] {
        let needs = needs(segments, payloads);
        let file = NeedsRequest::parse(&needs.to_json()).unwrap();
        let code = NeedsRequest::parse(needs.to_code().join("\n").as_bytes()).unwrap();
        assert_eq!(
            (&file.site, file.mirror, file.snapshot),
            (&code.site, code.mirror, code.snapshot)
        );
        assert!(file.is_of(needs.mirror_id) && !file.is_of(Uuid::nil()));
        let names = |list: &[ObjectPrefix], of: &NeedsRequest| -> usize {
            assert_eq!(of.is_empty(), needs.is_empty());
            list.len()
        };
        assert_eq!(names(&code.segments, &code), usize::from(segments));
        assert_eq!(names(&code.payloads, &code), usize::from(payloads));
        for (short, whole) in code.payloads.iter().zip(&file.payloads) {
            assert!(
                short.matches(whole.range().start()) && !short.matches(&Sha256::hash(b"other"))
            );
        }
    }
}

#[test]
fn rows_are_read_in_any_order_spacing_and_case_and_scanned_codes_too() {
    let needs = needs(1, 20);
    let mut rows = needs.to_code();
    let request = NeedsRequest::parse(rows.join("\n").as_bytes()).unwrap();
    rows.reverse();
    let first = rows[0].clone();
    rows.push(first);
    let spoken = rows.join("/").to_lowercase().replace(' ', "").replace('0', "o").replace('1', "l");
    // The numbers of the rows are numbers.
    let spoken: Vec<String> = spoken
        .split('/')
        .map(|row| {
            let (number, letters) = row.split_once(':').unwrap();
            format!("{}: {letters}", number.replace('o', "0").replace('l', "1"))
        })
        .collect();
    assert_eq!(NeedsRequest::parse(spoken.join(" / ").as_bytes()).unwrap(), request);
}

#[test]
fn a_misread_row_and_a_missing_one_are_named() {
    let rows = needs(0, 20).to_code();
    for (at, row) in rows.iter().enumerate() {
        let mut wrong = rows.clone();
        let letter = row.chars().nth(5).unwrap();
        let other = if letter == 'A' { 'B' } else { 'A' };
        let head: String = row.chars().take(5).collect();
        let tail: String = row.chars().skip(6).collect();
        wrong[at] = format!("{head}{other}{tail}");
        let error = NeedsRequest::parse(wrong.join("\n").as_bytes()).unwrap_err();
        assert_eq!(error, NeedsError::Row { row: at + 1 });
        let mut cut = rows.clone();
        cut.remove(at);
        let error = NeedsRequest::parse(cut.join("\n").as_bytes()).unwrap_err().to_string();
        let named = if at == 0 { "first row".to_owned() } else { format!("missing: {}", at + 1) };
        assert!(error.contains(&named), "{error}");
    }
}

#[test]
fn a_newer_file_and_a_broken_one_are_told_apart() {
    let file = needs(1, 1).to_json();
    let text = String::from_utf8(file.clone()).unwrap();
    let newer = text.replace("\"format-version\": 1", "\"format-version\": 2");
    assert!(matches!(NeedsRequest::parse(newer.as_bytes()), Err(NeedsError::Version { .. })));
    for broken in [
        text.replace("plant-7", "../plant"),
        text.replace("\"snapshot\": 12", "\"snapshot\": 12, \"snapshot\": 13"),
        text.replace("\"snapshot\": 12", "\"snapshot\": 9007199254740992"),
        text.replace("\"size\": 5", "\"size\": -5"),
        text.replace("a.cab\",", "a.cab\""),
        text.chars().take(200).collect(),
        "{}".to_owned(),
        String::new(),
        "1: 00".to_owned(),
    ] {
        assert!(NeedsRequest::parse(broken.as_bytes()).is_err(), "{broken}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = NeedsRequest::parse(&bytes);
    }

    #[test]
    fn no_rows_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 1..60)) {
        let rows: Vec<String> = (1..)
            .zip(bytes.chunks(15))
            .map(|(row, bytes)| code::write_row(row, bytes))
            .collect();
        let _ = NeedsRequest::parse(rows.join("\n").as_bytes());
    }
}
