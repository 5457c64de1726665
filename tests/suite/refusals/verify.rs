//! `verify` finds what `import` finds, with the root alone.

use std::fs;

use bundle_format::digest::Sha256;
use tidegate::transfer::{Blame, VerifyAgainst, VerifyOptions, verify};

use super::{
    super::support::{clock::now, sides::bytes},
    Start,
    editor::{Member, Volume},
    start, story,
};

/// `verify` finds what `import` finds, with the root alone.
#[test]
fn verify_refuses_too() {
    let Start { mirror, site, delta, .. } = start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume.tar");
    let options = VerifyOptions::new(now());
    let good = Volume::parse(delta);
    let check = |volume: &[u8]| {
        fs::write(&path, volume).unwrap();
        let paths = [path.clone()];
        let root = verify(&paths, VerifyAgainst::Root(&mirror.root), &options, &());
        let data = verify(&paths, VerifyAgainst::Data(&site.data), &options, &());
        assert_eq!(root.is_ok(), data.is_ok());
        root.map_err(|e| assert_eq!(e.blame(), Blame::Refused, "{}", story(&e))).is_ok()
    };
    assert!(check(delta));
    for at in 0..good.members.len() {
        let mut bad = good.clone();
        let middle = bad.members[at].body.len() / 2;
        bad.members[at].body[middle] ^= 1;
        assert!(!check(&bad.bytes()), "{}", good.members[at].name());
        assert!(!check(&delta[..delta.len() * (at + 1) / (good.members.len() + 2)]));
    }
    let body = bytes(99, 600);
    let mut bad = good.clone();
    let name = format!("objects/{}", Sha256::hash(&body));
    bad.members.insert(good.objects().end, Member::new(&name, b'0', &body));
    bad.sum_again();
    assert!(!check(&bad.bytes()));
}

#[test]
fn verify_knows_strangers_in_a_delta() {
    let Start { mirror, site, delta, .. } = start();
    let options = VerifyOptions::new(now());
    let bad = Volume::parse(delta).with_stranger(&bytes(99, 600));
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("v.tar");
    fs::write(&path, bad.bytes()).unwrap();
    let root =
        verify(std::slice::from_ref(&path), VerifyAgainst::Root(&mirror.root), &options, &());
    assert_eq!(root.unwrap().volumes[0].uncheckable, 1);
    let data = verify(&[path], VerifyAgainst::Data(&site.data), &options, &());
    assert!(data.is_err(), "{data:?}");
}
