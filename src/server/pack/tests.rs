use std::{cell::RefCell, collections::BTreeMap, fs, path::PathBuf};

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    build::{UnpackableRevision, piece},
    error::PackError,
    fragment::{FragmentKind, PackedFragment},
    packs::Packs,
};
use crate::{
    file_error::Doing as _,
    protocol::xpress,
    update::{DocumentLimits, RevisionId, UpdateId, UpdateIdentity},
};

fn identity(n: u32) -> UpdateIdentity {
    UpdateIdentity { id: UpdateId(Uuid::from_u128(u128::from(n))), revision: 1 }
}

fn revision(n: u32) -> (RevisionId, UpdateIdentity) {
    (RevisionId(n.cast_signed()), identity(n))
}

/// A document with texts in English and German, and licences for the world, for the USA, and in
/// Swiss German.
fn document(n: u32) -> String {
    let id = identity(n).id;
    let eula = |attributes: &str| {
        format!(
            r#"<upd:EulaFile Digest="AAAAAAAAAAAAAAAAAAAAAAAAAAA=" DigestAlgorithm="SHA1" FileName="{n}.txt" Size="1" Modified="2026-01-01T00:00:00Z" {attributes} />"#
        )
    };
    format!(
        r#"<upd:Update xmlns:upd="http://schemas.microsoft.com/msus/2002/12/Update"><upd:UpdateIdentity UpdateID="{id}" RevisionNumber="1" /><upd:Properties DefaultPropertiesLanguage="en" UpdateType="Software" /><upd:LocalizedPropertiesCollection><upd:LocalizedProperties><upd:Language>en</upd:Language><upd:Title>Update {n} &amp; more</upd:Title></upd:LocalizedProperties><upd:LocalizedProperties><upd:Language>de</upd:Language><upd:Title>Aktualisierung {n} für Größeres</upd:Title></upd:LocalizedProperties>{}{}{}</upd:LocalizedPropertiesCollection></upd:Update>"#,
        eula(r#"Language="en" GeoId="USA""#),
        eula(r#"Language="en""#),
        eula(r#"Language="de-CH""#),
    )
}

/// A folder of packs over a catalogue in memory; counts what is read from it.
struct Bench {
    folder: tempfile::TempDir,
    documents: BTreeMap<i32, Vec<u8>>,
    read: RefCell<Vec<i32>>,
}

impl Bench {
    fn new(documents: impl IntoIterator<Item = u32>) -> Self {
        let documents = documents.into_iter().map(|n| (n.cast_signed(), document(n).into_bytes()));
        Self {
            folder: tempfile::tempdir().unwrap(),
            documents: documents.collect(),
            read: RefCell::default(),
        }
    }

    fn load(&self, wanted: impl IntoIterator<Item = u32>) -> (Packs, Vec<UnpackableRevision>) {
        let wanted: Vec<_> = wanted.into_iter().map(revision).collect();
        let mut documents = |id: RevisionId| {
            self.read.borrow_mut().push(id.0);
            Ok(self.documents.get(&id.0).cloned())
        };
        Packs::load(self.folder.path(), &wanted, &DocumentLimits::default(), &mut documents)
            .unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap() != "lock")
            .collect();
        files.sort();
        files
    }

    /// What was read from the catalogue since the last question.
    fn read(&self) -> usize {
        self.read.take().len()
    }
}

fn text(fragment: &PackedFragment) -> String {
    let escaped = fragment.escaped().unwrap();
    assert_eq!(escaped.len() as u64, fragment.escaped_len());
    String::from_utf8(escaped.to_vec()).unwrap()
}

fn core(packs: &Packs, n: u32) -> String {
    text(&packs.fragment(&identity(n), FragmentKind::Core).unwrap().unwrap())
}

fn expected_core(n: u32) -> String {
    let id = identity(n).id;
    format!(
        r#"&lt;UpdateIdentity UpdateID="{id}" RevisionNumber="1" /&gt;&lt;Properties UpdateType="Software" /&gt;"#
    )
}

#[test]
fn fragments_come_back_escaped_once_framed_and_in_pieces() {
    let bench = Bench::new(1..=3);
    let (packs, refused) = bench.load(1..=3);
    assert!(refused.is_empty());
    for n in 1..=3 {
        assert_eq!(core(&packs, n), expected_core(n));
        assert_eq!(packs.core_size(&identity(n)), expected_core(n).len() as u64);
        let extended = packs.fragment(&identity(n), FragmentKind::Extended).unwrap().unwrap();
        assert!(text(&extended).starts_with("&lt;ExtendedProperties"));
        let framed = extended.framed().unwrap();
        assert_eq!(framed.len() as u64, extended.framed_len());
        assert_eq!(xpress::decompress(&framed, 1 << 20).unwrap(), text(&extended).into_bytes());
        for size in [1, 7, 1 << 20] {
            let glued: Vec<u8> =
                extended.chunks(size).flat_map(|piece| piece.unwrap().to_vec()).collect();
            assert_eq!(glued, framed);
        }
    }
    assert!(packs.fragment(&identity(4), FragmentKind::Core).unwrap().is_none());
}

#[test]
fn languages_are_found_in_any_case_shortened_and_with_english_at_last() {
    let bench = Bench::new([1]);
    let (packs, _) = bench.load([1]);
    let one = identity(1);
    let get = |kind| packs.fragment(&one, kind).unwrap().map(|fragment| text(&fragment));
    let german = get(FragmentKind::Localized("DE")).unwrap();
    assert!(german.contains("Aktualisierung 1 für Größeres"), "{german}");
    assert_eq!(get(FragmentKind::Localized("de-AT")), Some(german.clone()));
    let english = get(FragmentKind::Localized("en-US")).unwrap();
    assert!(english.contains("Update 1 &amp;amp; more"), "{english}");
    assert_eq!(get(FragmentKind::Localized("fr")), None);

    let localized = |locales: &[&str]| {
        packs.localized(&one, locales).unwrap().iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(localized(&["en-US", "en"]), std::slice::from_ref(&english));
    assert_eq!(localized(&["de-DE", "fr"]), [german.clone(), english.clone()]);
    assert_eq!(localized(&[]), [english]);
}

#[test]
fn licences_are_chosen_by_language_and_country() {
    let bench = Bench::new([1]);
    let (packs, _) = bench.load([1]);
    let eulas = |locales: &[&str], geo: Option<&str>| {
        let found = packs.eulas(&identity(1), locales, geo).unwrap();
        found
            .iter()
            .map(|f| match text(f) {
                t if t.contains("USA") => "usa",
                t if t.contains("de-CH") => "swiss",
                _ => "world",
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(eulas(&["en-US", "en"], Some("USA")), ["usa"]);
    assert_eq!(eulas(&["en"], Some("DEU")), ["world"]);
    assert_eq!(eulas(&["de-CH"], None), ["swiss", "world"]);
    assert_eq!(eulas(&["de"], None), ["world"]);
    let plain = packs.fragment(&identity(1), FragmentKind::Eula("en")).unwrap().unwrap();
    assert!(!text(&plain).contains("USA"));
}

#[test]
fn only_what_is_new_is_read_and_goes_into_a_further_pack() {
    let bench = Bench::new(1..=5);
    bench.load(1..=3);
    assert_eq!(bench.read(), 3);
    let first = bench.files();
    bench.load(1..=3);
    assert_eq!((bench.read(), bench.files()), (0, first.clone()));
    let (packs, _) = bench.load(1..=5);
    assert_eq!((bench.read(), bench.files().len()), (2, 2));
    assert_eq!(core(&packs, 1), expected_core(1));
    assert_eq!(core(&packs, 5), expected_core(5));
    // What left the catalogue is not there any more; a pack without anything else goes.
    let (packs, _) = bench.load(4..=5);
    assert!(!packs.contains(&identity(1)));
    assert_eq!((bench.read(), bench.files().len()), (0, 1));
}

#[test]
fn many_packs_become_one_while_old_views_read_on() {
    let bench = Bench::new(1..=20);
    let mut old = Vec::new();
    for n in 1..=17 {
        old.push(bench.load(1..=n).0);
    }
    assert_eq!(bench.read(), 17);
    assert_eq!(bench.files().len(), 1);
    let (packs, _) = bench.load(2..=17);
    assert_eq!(bench.read(), 0);
    for n in 2..=17 {
        assert_eq!(core(&packs, n), expected_core(n));
        assert_eq!(packs.localized(&identity(n), &["de"]).unwrap().len(), 2);
    }
    for (packs, n) in old.iter().zip(1..) {
        assert_eq!(core(packs, n), expected_core(n));
    }
}

#[test]
fn what_cannot_be_packed_is_named_and_the_rest_is_in() {
    let mut bench = Bench::new(1..=3);
    bench.documents.insert(2, b"<upd:Update".to_vec());
    let (packs, refused) = bench.load(1..=4);
    let mut names: Vec<_> =
        refused.iter().map(|r| (r.identity, r.reason.as_ref().map(ToString::to_string))).collect();
    names.sort();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0].0, identity(2));
    assert!(names[0].1.as_ref().unwrap().starts_with("line 1, column"), "{names:?}");
    assert_eq!(names[1], (identity(4), None));
    assert!(packs.contains(&identity(1)) && !packs.contains(&identity(2)));
    assert_eq!(core(&packs, 3), expected_core(3));
}

#[test]
fn a_pack_cut_short_or_of_another_version_is_made_again() {
    let bench = Bench::new([1]);
    bench.load([1]);
    let path = bench.files().remove(0);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        bench.read();
        let (packs, _) = bench.load([1]);
        assert_eq!(core(&packs, 1), expected_core(1), "cut at {length}");
        assert_eq!(bench.read(), 1);
        for other in bench.files() {
            fs::remove_file(other).unwrap();
        }
    }
    let mut other = whole.clone();
    other[14] ^= 1;
    fs::write(&path, other).unwrap();
    fs::write(bench.folder.path().join(".unfinished-x"), "left by a killed run").unwrap();
    bench.load([1]);
    assert_eq!(bench.read(), 1);
    assert_eq!(bench.files().len(), 1);
}

#[test]
fn a_flipped_byte_is_never_served() {
    let bench = Bench::new([1]);
    bench.load([1]);
    let path = bench.files().remove(0);
    let whole = fs::read(&path).unwrap();
    let (mut remade, mut failed) = (0, 0);
    for at in 0..whole.len() {
        for other in bench.files() {
            fs::remove_file(other).unwrap();
        }
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, damaged).unwrap();
        bench.read();
        let (packs, _) = bench.load([1]);
        if bench.read() == 1 {
            remade += 1;
        }
        let kinds = [FragmentKind::Core, FragmentKind::Extended, FragmentKind::Localized("de")];
        let good = |kind| {
            let fragment = packs.fragment(&identity(1), kind)?.unwrap();
            let whole = fragment.escaped();
            let pieces: Result<Vec<_>, _> = fragment.chunks(16).collect();
            assert_eq!(whole.is_ok(), pieces.is_ok());
            whole.map(|bytes| bytes.to_vec()).doing("read", &path).map_err(PackError::from)
        };
        for kind in kinds {
            match good(kind) {
                Err(_) => failed += 1,
                Ok(bytes) => {
                    let text = String::from_utf8(bytes).unwrap();
                    match kind {
                        FragmentKind::Core => assert_eq!(text, expected_core(1)),
                        FragmentKind::Extended => assert!(text.starts_with("&lt;Ext")),
                        _ => assert!(text.contains("Aktualisierung 1 für Größeres")),
                    }
                }
            }
        }
    }
    // Magic, index and trailer are found at the start, fragments when they are read.
    assert!(remade >= 16 + 48, "{remade}");
    assert!(failed > 100, "{failed}");
}

#[test]
fn a_large_document_passes_between_small_ones() {
    let mut bench = Bench::new(1..=40);
    let mut large =
        document(7).replace("Update 7", &"long & wide ".replace('&', "&amp;").repeat(800_000));
    large.push('\n');
    bench.documents.insert(7, large.into_bytes());
    let (packs, refused) = bench.load(1..=40);
    assert!(refused.is_empty());
    let english = packs.fragment(&identity(7), FragmentKind::Localized("en")).unwrap().unwrap();
    assert!(english.escaped_len() > 12_000_000 && english.framed_len() < 2_000_000);
    assert_eq!(text(&english).matches("long &amp;amp; wide ").count(), 800_000);
    assert_eq!(core(&packs, 40), expected_core(40));
}

proptest! {
    #[test]
    fn escaping_in_pieces_is_escaping_at_once(
        parts in proptest::collection::vec(("[a-z<>&\r\"'ü€𝄞]{0,40}", 1usize..4000), 0..12),
    ) {
        let text: String = parts.iter().map(|(part, times)| part.repeat(*times)).collect();
        let expected = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('\r', "&#xD;");
        let piece = piece(text);
        prop_assert_eq!(piece.escaped, expected.len() as u64);
        let unpacked = xpress::decompress(&piece.framed, expected.len()).unwrap();
        prop_assert!(unpacked == expected.into_bytes());
    }
}
