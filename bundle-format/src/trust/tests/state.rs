//! The trust state and fingerprints.

use super::*;

#[test]
fn a_damaged_state_is_refused_and_never_empty() {
    let mirror = Mirror::new(1, 1);
    let pinned = mirror.pin();
    assert_eq!(TrustState::from_bytes(&pinned.to_bytes()).unwrap(), pinned);
    let record = check(&pinned, &mirror.seal(3)).unwrap().next_state.to_bytes();
    for at in (0..record.len()).step_by(7) {
        let mut altered = record.clone();
        altered[at] ^= 1;
        assert!(matches!(TrustState::from_bytes(&altered), Err(TrustError::State { .. })));
        assert!(matches!(TrustState::from_bytes(&record[..at]), Err(TrustError::State { .. })));
    }
    let (three, four) = (mirror.seal(3), mirror.seal(4));
    let file = |head: &Head, name: &str| head.files[name].clone();
    let (timestamp, snapshot) = ("metadata/timestamp.json", "metadata/3.snapshot.json");
    let accepted = |head| Accepted::new(mirror.id, file(head, timestamp), file(&three, snapshot));
    assert_eq!(accepted(&three).unwrap().number, 3);
    assert!(accepted(&four).unwrap_err().contains("do not belong together"));
    let longer = [record.as_slice(), b"\n"].concat();
    assert!(matches!(TrustState::from_bytes(&longer), Err(TrustError::State { .. })));
}

#[test]
fn fingerprints_are_compared_by_voice() {
    let mirror = Mirror::new(1, 1);
    let fingerprint = Fingerprint::from_root(&mirror.roots[0]).unwrap();
    let words = fingerprint.words();
    assert_eq!(words.split(' ').count(), 16);
    assert!(fingerprint.matches(&words));
    assert!(fingerprint.matches(&format!("  {}\n", words.to_uppercase().replace(' ', " - "))));
    assert!(fingerprint.matches(&fingerprint.0.to_string().to_uppercase()));
    assert!(!fingerprint.matches(""));
    assert!(!fingerprint.matches(words.rsplit_once(' ').unwrap().0), "part of it is not enough");
    assert!(!fingerprint.matches(&fingerprint.0.to_string()[..32]));
    assert!(!Fingerprint::from_root(&Mirror::new(1, 1).roots[0]).unwrap().matches(&words));

    // A further signature changes the file, not the fingerprint.
    let mut root: Signed<schema::Root> = document::parse(&mirror.roots[0]).unwrap();
    document::sign(&mut root, &key()).unwrap();
    let signed = document::to_bytes(&root).unwrap();
    assert_ne!(signed, mirror.roots[0]);
    assert_eq!(Fingerprint::from_root(&signed).unwrap(), fingerprint);
    assert!(Fingerprint::from_root(b"{}").is_err());
}
