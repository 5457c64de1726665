//! The cabinets that we write are read by strict readers too: no Deflate block of theirs has a single
//! code for distances, which those of cabextract, and of Windows' own kin, refuse.

use std::{fs, process::Command};

use tidegate::protocol::server_sync::Blob;

use crate::support::{deflate::distance_codes, real_data::real_data};

/// For each block of each cabinet: how many codes for distances it defines.
fn distance_codes_of(cabinet: &[u8]) -> Vec<usize> {
    let word = |at: usize| usize::from(u16::from_le_bytes([cabinet[at], cabinet[at + 1]]));
    let long = |at: usize| u32::from_le_bytes(cabinet[at..at + 4].try_into().unwrap());
    let (mut at, blocks) = (long(36) as usize, word(40));
    let mut found = Vec::new();
    for _ in 0..blocks {
        let packed = word(at + 4);
        let block = &cabinet[at + 8..at + 8 + packed];
        assert_eq!(&block[..2], b"CK");
        found.extend(distance_codes(&block[2..]));
        at += 8 + packed;
    }
    found
}

fn cabinet_of(document: &str) -> Option<Vec<u8>> {
    match Blob::new(document.to_owned()).unwrap() {
        Blob::Plain(_) => None,
        Blob::Compressed(cabinet) => Some(cabinet),
    }
}

/// A document whose last block, of few different bytes, repeats one thing once: a careless encoder
/// gives such a block a single code for distances.
fn repeats_once(bytes: usize) -> String {
    let sequence = without_repetition(bytes);
    let units = sequence.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let end: Vec<u16> = units.collect();
    let mut units = vec![u16::from(b'x'); 16 * 1024];
    units.extend(&end);
    units.extend(&end[..5]);
    String::from_utf16(&units).unwrap()
}

/// A sequence of so many different bytes in which no three come twice.
fn without_repetition(bytes: usize) -> Vec<u8> {
    let mut sequence = vec![0x50_u8; 3];
    let mut seen = std::collections::BTreeSet::from([[0x50_u8; 3]]);
    'grow: loop {
        let end = [sequence[sequence.len() - 2], sequence[sequence.len() - 1]];
        for next in (0..u8::try_from(bytes).unwrap()).rev() {
            let byte = 0x50 + next;
            if seen.insert([end[0], end[1], byte]) {
                sequence.push(byte);
                continue 'grow;
            }
        }
        return sequence;
    }
}

#[test]
fn no_block_has_a_single_distance_code() {
    let mut blocks = 0;
    for bytes in 4..12 {
        let text = repeats_once(bytes);
        let cabinet = cabinet_of(&text).unwrap();
        let codes = distance_codes_of(&cabinet);
        assert!(codes.iter().all(|codes| *codes != 1), "{bytes}: {codes:?}");
        blocks += codes.len();
        let back = Blob::Compressed(cabinet).into_document(1 << 20).unwrap();
        assert_eq!(back, text);
    }
    assert!(blocks > 0, "blocks with codes of their own were looked at");
}

/// `TIDEGATE_CABINETS=FOLDER` keeps the cabinets, for other people's programs to read.
#[test]
fn no_document_of_a_real_package_makes_such_a_block() {
    let Some(folder) = real_data() else { return };
    let package = folder.join("data/wsusutil-export/WSUS-2024-06-19.cab");
    let keep = std::env::var_os("TIDEGATE_CABINETS").map(std::path::PathBuf::from);
    let text = crate::update_packages::metadata(&package);
    let (mut cabinets, mut blocks, mut refused) = (0, 0, Vec::new());
    for (key, document) in crate::update_packages::records(&text) {
        let Some(cabinet) = cabinet_of(document) else { continue };
        let codes = distance_codes_of(&cabinet);
        cabinets += 1;
        blocks += codes.len();
        if codes.contains(&1) {
            refused.push(key.clone());
        }
        if let Some(keep) = &keep {
            fs::write(keep.join(key.replace(',', "-") + ".cab"), &cabinet).unwrap();
        }
    }
    println!("{cabinets} cabinets, {blocks} blocks with codes of their own");
    assert!(refused.is_empty(), "{} of {cabinets}: {refused:?}", refused.len());
}

/// Where libarchive is installed; `.ci/run` asks cabextract besides.
#[test]
fn bsdtar_reads_our_cabinets() {
    let folder = tempfile::tempdir().unwrap();
    let text = repeats_once(6);
    let path = folder.path().join("a.cab");
    fs::write(&path, cabinet_of(&text).unwrap()).unwrap();
    let Ok(output) = Command::new("bsdtar").arg("-xOf").arg(&path).output() else {
        eprintln!("SKIPPED: bsdtar is not here");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(output.stdout == bytes);
}
