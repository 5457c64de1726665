#![no_main]

use std::sync::OnceLock;

use bundle_format::{
    container::VolumeReader,
    limits::BundleLimits,
    trust::{Expectation, Head, TrustState, check_head, inspect_for_signing},
};
use libfuzzer_sys::fuzz_target;

fn good() -> &'static Head {
    static GOOD: OnceLock<Head> = OnceLock::new();
    GOOD.get_or_init(|| {
        let packed = include_bytes!("../../tests/vectors/good.tar.zst");
        let volume = zstd::decode_all(&packed[..]).unwrap();
        VolumeReader::open(&volume[..], &BundleLimits::default()).unwrap().2
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((which, bytes)) = data.split_first() else { return };
    let mut head = good().clone();
    let name = head.files.keys().nth(usize::from(*which) % head.files.len()).unwrap().clone();
    head.files.insert(name.clone(), bytes.to_vec().into());
    let state = TrustState::pin(include_bytes!("../../tests/vectors/root.json")).unwrap();
    let now = "2026-02-01T00:00:00Z".parse().unwrap();
    let expect = Expectation { site: Some("plant-7"), now, refuse_expired: false };
    let accepted = check_head(&state, &head, &expect, &BundleLimits::default());
    // A signature of a key that counts for nothing may be added to these two; nothing else.
    let may_differ = name.ends_with(".root.json") || name.ends_with("/timestamp.json");
    assert!(accepted.is_ok() || &head != good());
    assert!(accepted.is_err() || &head == good() || may_differ);
    let _ = inspect_for_signing(&head, &BundleLimits::default());
});
