use proptest::prelude::*;

use super::*;

/// The DIRECT2 payload of the only block, whether or not it would have been stored.
fn block_of(payload_hex: &str, original_size: usize) -> Vec<u8> {
    let payload = hex::decode(payload_hex.replace(' ', "")).unwrap();
    let mut framed = u32::try_from(original_size).unwrap().to_le_bytes().to_vec();
    framed.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    framed.extend(payload);
    framed
}

fn vectors() -> Vec<(Vec<u8>, &'static str)> {
    let repeated = |text: &str, times| text.repeat(times).into_bytes();
    vec![
        (repeated("A", 1), "ffffff7f 41"),
        ((b'a'..=b'z').collect(), "3f000000 6162636465666768696a6b6c6d6e6f707172737475767778797a"),
        (repeated("ABCABCDEF", 1), "ffffff11 414243 1000 444546"),
        (repeated("abc", 100), "ffffff1f 616263 1700 0f ff 2601"),
        (repeated("A", 25), "ffffff7f 41 0700 0e"),
        (repeated("A", 26), "ffffff7f 41 0700 0f 00"),
        (repeated("A", 280), "ffffff7f 41 0700 0f fe"),
        (repeated("A", 281), "ffffff7f 41 0700 0f ff 1501"),
        (
            [repeated("A", 12), repeated("B", 12), repeated("C", 12)].concat(),
            "ffffff57 41 0700 11 42 0700 43 0700 01",
        ),
        (
            (0x40..0x60).collect(),
            "00000000 404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f ffffffff",
        ),
    ]
}

#[test]
fn vectors_unpack() {
    for (text, payload) in vectors() {
        let framed = block_of(payload, text.len());
        if payload.replace(' ', "").len() / 2 == text.len() {
            continue;
        }
        assert_eq!(decompress(&framed, 1 << 20).unwrap(), text, "{payload}");
    }
}

#[test]
fn vectors_pack() {
    for (text, payload) in vectors() {
        let stored = block_of(&hex::encode(&text), text.len());
        let packed = block_of(payload, text.len());
        let expected = if packed.len() < stored.len() { packed } else { stored };
        assert_eq!(compress(&text), expected, "{payload}");
    }
}

#[test]
fn nothing_is_no_block() {
    assert_eq!(compress(b""), b"");
    assert_eq!(decompress(b"", 0).unwrap(), b"");
}

#[test]
fn bodies_are_joined_end_to_end() {
    let first = "<UpdateInfo><ID>1</ID>".repeat(2000);
    let joined = [compress(first.as_bytes()), compress(b"x"), compress(b"tail tail tail")].concat();
    assert_eq!(decompress(&joined, 1 << 20).unwrap(), format!("{first}xtail tail tail").as_bytes());
    let sizes: Vec<usize> = blocks(&joined).map(|block| block.unwrap().original_size()).collect();
    assert_eq!(sizes, [BLOCK_SIZE, BLOCK_SIZE, 44_000 - 2 * BLOCK_SIZE, 1, 14]);
}

#[test]
fn text_shrinks() {
    let text = "<b.RegDword Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"Software\\Example\" Data=\"1\" />";
    let text: String = (0..2000).map(|n| format!("{text}{n}")).collect();
    assert!(compress(text.as_bytes()).len() * 5 < text.len());
}

#[test]
fn what_is_not_allowed_is_refused() {
    let damaged = Err(XpressError::Damaged);
    // Offset before the block, even when an earlier block is there.
    assert_eq!(decompress(&block_of("ffffff7f 41 1700", 8), 99), damaged);
    let second = [block_of("41424344", 4), block_of("ffffff7f 41 0f00", 9)].concat();
    assert_eq!(decompress(&second, 99), damaged);
    // More than stated, less than stated, no end mark, a word below 22.
    assert_eq!(decompress(&block_of("ffffff7f 41 0700 0e", 24), 99), damaged);
    assert_eq!(decompress(&block_of("ffffff7f 41 0700 0e", 26), 99), damaged);
    assert_eq!(decompress(&block_of("ffffff7f", 3), 99), damaged);
    assert_eq!(decompress(&block_of("ffffff7f 41 0700 0f ff 1500", 25), 99), damaged);
    assert_eq!(decompress(&block_of("ffffff7f 41 0700", 25), 99), damaged);
    // Sizes.
    assert_eq!(decompress(&[0; 8], 99), Err(XpressError::BadSizes));
    assert_eq!(decompress(&[0, 0, 1, 0, 1, 0, 0, 0, 9], 99), Err(XpressError::BadSizes));
    assert_eq!(decompress(&[1, 0, 0, 0, 0, 0, 0, 0], 99), Err(XpressError::BadSizes));
    assert_eq!(decompress(&[1, 0, 0, 0, 1, 0, 0], 99), Err(XpressError::Truncated));
    assert_eq!(decompress(&[2, 0, 0, 0, 2, 0, 0, 0, 9], 99), Err(XpressError::Truncated));
    assert_eq!(decompress(&compress(&[7; 100]), 99), Err(XpressError::TooLarge { limit: 99 }));
}

proptest! {
    #[test]
    fn pieces_may_be_cut_anywhere(
        text in "(ab|c|<x />){0,9000}",
        cuts in proptest::collection::vec(1_usize..3000, 1..20),
    ) {
        let framed = compress(text.as_bytes());
        let (mut rest, mut out, mut unpacker) = (&framed[..], Vec::new(), Unpacker::default());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            unpacker.push(piece, &mut out).unwrap();
            rest = tail;
        }
        unpacker.finish().unwrap();
        prop_assert_eq!(out, text.as_bytes());
    }

    #[test]
    fn what_was_packed_unpacks(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert_eq!(decompress(&compress(&bytes), 2000).unwrap(), bytes);
    }

    /// Few letters and long runs: every kind of match, over several blocks.
    #[test]
    fn repeating_text_unpacks(runs in proptest::collection::vec((0_u8..4, 1_usize..700), 0..120)) {
        let bytes: Vec<u8> =
            runs.iter().flat_map(|(letter, times)| std::iter::repeat_n(b'a' + letter, *times)).collect();
        prop_assert_eq!(decompress(&compress(&bytes), 1 << 20).unwrap(), bytes);
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decompress(&bytes, 1 << 20);
    }

    /// A plausible header before garbage reaches the block decoder.
    #[test]
    fn garbage_in_a_block_never_panics(
        original in 1_u32..70_000,
        payload in proptest::collection::vec(any::<u8>(), 1..200),
    ) {
        let mut framed = original.to_le_bytes().to_vec();
        framed.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        framed.extend(payload);
        if let Ok(out) = decompress(&framed, 1 << 20) {
            prop_assert_eq!(out.len(), usize::try_from(original).unwrap());
        }
    }
}
