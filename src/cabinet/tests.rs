use std::io::Cursor;

use cab::{CabinetBuilder, CompressionType};
use proptest::prelude::*;

use super::*;

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|n| b"update documents, "[n % 18] ^ u8::from(n % 97 == 0)).collect()
}

fn build(method: CompressionType, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = CabinetBuilder::new();
    let folder = builder.add_folder(method);
    for (name, _) in files {
        folder.add_file(*name);
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    for (_, bytes) in files {
        io::Write::write_all(&mut writer.next_file().unwrap().unwrap(), bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// All members, unpacked; the error says what is wrong.
fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut cabinet = Cabinet::open(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let names: Vec<_> = cabinet.members().map(|info| info.name).collect();
    let mut all = Vec::new();
    for name in names {
        let mut out = Vec::new();
        let mut member = cabinet.member(&name).map_err(|e| e.to_string())?;
        member.read_to_end(&mut out).map_err(|e| e.to_string())?;
        all.push(out);
    }
    Ok(all)
}

#[test]
fn members_come_out_as_they_went_in() {
    let (long, short) = (text(200_000), b"short".to_vec());
    for method in [CompressionType::None, CompressionType::MsZip] {
        let bytes = build(method, &[("Long.txt", &long), ("short.txt", &short)]);
        assert_eq!(read(&bytes).unwrap(), [long.clone(), short.clone()]);
        let mut cabinet = Cabinet::open(Cursor::new(&bytes)).unwrap();
        assert!(!cabinet.carries_signature());
        assert_eq!(cabinet.members().next().unwrap().size, 200_000);
        assert!(cabinet.member("LONG.TXT").is_ok());
        let error = cabinet.member("other").err().unwrap();
        assert!(matches!(error, CabinetError::NoMember(_)));
    }
}

#[test]
fn empty_members_are_no_damage() {
    let bytes = build(CompressionType::MsZip, &[("empty", b"")]);
    assert_eq!(read(&bytes).unwrap(), [Vec::<u8>::new()]);
    let bytes = build(CompressionType::MsZip, &[("a", b"a"), ("empty", b"")]);
    assert_eq!(read(&bytes).unwrap(), [b"a".to_vec(), vec![]]);
}

#[test]
fn every_length_of_truncation_is_refused() {
    let bytes = build(CompressionType::MsZip, &[("a", &text(70_000)), ("b", b"b")]);
    for length in 0..bytes.len() {
        assert!(Cabinet::open(Cursor::new(&bytes[..length])).is_err(), "{length} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(read(&longer).unwrap_err().contains("says"));
}

#[test]
fn every_lost_byte_is_refused() {
    let bytes = build(CompressionType::MsZip, &[("a", &text(70_000)), ("b", b"b")]);
    for at in 0..bytes.len() {
        let mut less = bytes.clone();
        less.remove(at);
        assert!(read(&less).is_err(), "byte {at}");
    }
}

/// Contradicting sizes, without the checksums that would tell first.
#[test]
fn sizes_that_lie_are_refused() {
    let bytes = build(CompressionType::None, &[("a", &text(1000))]);
    let change = |at: usize, to: &[u8]| {
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to);
        read(&changed).map(|_| ()).unwrap_err()
    };
    assert!(change(0, b"MSCG").contains("does not begin"));
    assert!(change(25, &[2]).contains("its format is 2.3"));
    assert!(change(30, &[1]).contains("set"));
    assert!(change(8, &u32::MAX.to_le_bytes()).contains("cut short"));
    assert!(change(16, &u32::MAX.to_le_bytes()).contains("points to byte"));
    assert!(change(36, &[0; 4]).contains("overlap"));
    assert!(change(40, &[0; 2]).contains("of its folder, which has 0"));
    // A member that is larger than its folder, and one in another folder.
    assert!(change(44, &u32::MAX.to_le_bytes()).contains("member \"a\" ends at byte 4294967295"));
    assert!(change(52, &[7]).contains("a folder that is not there"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is changed: an error or other bytes, never a panic, never more than is declared.
    #[test]
    fn changed_bytes_do_no_harm(at in any::<prop::sample::Index>(), to in any::<u8>(), stored in any::<bool>()) {
        let method = if stored { CompressionType::None } else { CompressionType::MsZip };
        let mut bytes = build(method, &[("a", &text(5000)), ("b", b"bbb")]);
        // No checksum: the unpacker itself must cope. One folder, so the block begins here.
        let block = u32::from_le_bytes(bytes[36..40].try_into().unwrap()) as usize;
        bytes[block..block + 4].fill(0);
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(all) = read(&bytes) {
            prop_assert!(all.iter().map(Vec::len).sum::<usize>() <= 32768 * 2);
        }
    }
}
