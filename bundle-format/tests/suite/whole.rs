//! Whole volumes: what one byte, one cut or one edit anywhere does to the whole check.

use std::{io::Cursor, sync::OnceLock};

use bundle_format::{
    container::{CountersignError, VolumeReader, countersign_volume},
    digest::Sha256,
    limits::BundleLimits,
    trust::{Expectation, Freshness, check_head, inspect_for_signing},
};
use proptest::prelude::*;

use crate::support::{Mirror, key, time, whole_check};

fn expect() -> Expectation<'static> {
    Expectation { site: Some("plant-7"), now: time("2026-02-01T00:00:00Z"), refuse_expired: false }
}

fn volume() -> &'static (Mirror, Vec<u8>) {
    static VOLUME: OnceLock<(Mirror, Vec<u8>)> = OnceLock::new();
    VOLUME.get_or_init(|| {
        let mirror = Mirror::new();
        let volume = mirror.full(3);
        (mirror, volume)
    })
}

#[test]
fn a_whole_volume_is_accepted() {
    let (mirror, volume) = volume();
    let verified = whole_check(volume, &mirror.pin(), &expect()).unwrap();
    assert_eq!(verified.freshness, Freshness::Newer);
    assert_eq!(verified.index.segments.len(), 2);
    assert_eq!(volume, &Mirror::new().full(3), "the same input gives the same bytes");
}

#[test]
fn countersigned_in_place() {
    let mut mirror = Mirror::new();
    mirror.timestamp = vec![3, 13];
    mirror.roots.clear();
    mirror.add_root(2);
    let (index, _) = mirror.snapshot(3);
    let before = mirror.volume(&mirror.seal(&index, 3, 1), 3);
    let refused = whole_check(&before, &mirror.pin(), &expect()).unwrap_err();
    assert!(refused.what.contains("countersignature is missing"), "{refused:?}");

    let shown = inspect_for_signing(&mirror.seal(&index, 3, 1), &BundleLimits::default()).unwrap();
    let shown = &shown.timestamp_digest;
    let mut file = Cursor::new(before.clone());
    for stranger in [key(3), key(4)] {
        let error =
            countersign_volume(&mut file, &stranger, shown, &BundleLimits::default()).unwrap_err();
        assert!(matches!(error, CountersignError::Trust(_)), "{error:?}");
        assert_eq!(file.get_ref(), &before, "a refusal changes nothing");
    }
    let other = &Sha256::hash(b"another snapshot");
    assert!(
        countersign_volume(&mut file, &key(13), other, &BundleLimits::default()).is_err(),
        "it is not what was shown"
    );
    assert_eq!(file.get_ref(), &before, "a refusal changes nothing");
    let head = countersign_volume(&mut file, &key(13), shown, &BundleLimits::default()).unwrap();
    assert_eq!(inspect_for_signing(&head, &BundleLimits::default()).unwrap().signatures, (2, 2));
    let after = file.into_inner();
    whole_check(&after, &mirror.pin(), &expect()).unwrap();
    assert_eq!(after, mirror.volume(&mirror.seal(&index, 3, 2), 3), "as if signed at once");
    let cut = &after[..after.len() - 4000];
    assert!(
        countersign_volume(Cursor::new(cut.to_vec()), &key(13), shown, &BundleLimits::default())
            .is_err()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn one_flipped_bit_anywhere_is_refused(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let (mirror, volume) = volume();
        let mut altered = volume.clone();
        altered[at.index(volume.len())] ^= 1 << bit;
        prop_assert!(whole_check(&altered, &mirror.pin(), &expect()).is_err());
    }

    #[test]
    fn one_cut_anywhere_is_refused(end in any::<prop::sample::Index>()) {
        let (mirror, volume) = volume();
        let refusal = whole_check(&volume[..end.index(volume.len())], &mirror.pin(), &expect());
        prop_assert!(refusal.unwrap_err().what.contains("cut off"));
    }

    #[test]
    fn spans_taken_out_put_in_or_written_over_are_refused(
        from in any::<prop::sample::Index>(),
        length in 1..3000usize,
        put in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let (mirror, volume) = volume();
        let from = from.index(volume.len());
        let to = (from + length).min(volume.len());
        let altered = [&volume[..from], &put, &volume[to..]].concat();
        let result = whole_check(&altered, &mirror.pin(), &expect());
        prop_assert_eq!(result.is_ok(), &altered == volume);
    }

    #[test]
    fn hostile_heads_do_not_panic(
        at in any::<prop::sample::Index>(),
        json in "[ -~]{0,300}",
    ) {
        let (mirror, volume) = volume();
        let (_, _, mut head) = VolumeReader::open(&volume[..], &BundleLimits::default()).unwrap();
        let name = head.files.keys().nth(at.index(head.files.len())).unwrap().clone();
        head.files.insert(name, json.into_bytes().into());
        let expect = expect();
        prop_assert!(
            check_head(&mirror.pin(), &head, &expect, &BundleLimits::default()).is_err()
        );
        prop_assert!(inspect_for_signing(&head, &BundleLimits::default()).is_err());
    }
}
