//! Roots made of public parts, signed one by one, and what they say to people.

use super::*;

fn named(key: &SigningKey, role: KeyRole, name: &str) -> PublicKey {
    key.public_part(role, Some(name.parse().unwrap())).unwrap()
}

/// A root that needs two of three root keys.
fn two_of_three(keys: &[SigningKey; 3], mirror: &Mirror) -> RootSpec {
    RootSpec {
        root: keys.iter().map(|key| public(key, KeyRole::Root)).collect(),
        root_threshold: 2,
        ..mirror.spec(1)
    }
}

#[test]
fn signatures_are_gathered_from_copies_and_only_those_count_that_hold() {
    let (mirror, keys) = (Mirror::new(1, 1), [key(), key(), key()]);
    let before = mirror.roots[0].as_slice();
    let second = NonZeroU64::new(2).unwrap();
    let root = make_root(&two_of_three(&keys, &mirror), second, &[]).unwrap();
    let gather = |copies: &[Vec<u8>]| gather_signatures(&root, copies, Some(before)).unwrap();
    assert_eq!(gather(&[]).1, RootSignatures { own: (0, 2), before: Some((0, 1)) });

    let anna = sign_root(&root, &keys[0]).unwrap();
    let ben = sign_root(&root, &keys[1]).unwrap();
    let stranger = sign_root(&root, &key()).unwrap();
    assert!(sign_root(&anna, &keys[0]).is_err(), "nobody signs twice");
    let (_, signatures) = gather(&[anna.clone(), stranger.clone(), anna.clone()]);
    assert_eq!(signatures, RootSignatures { own: (1, 2), before: Some((0, 1)) });
    assert!(!signatures.is_enough());
    let (_, signatures) = gather(&[anna.clone(), ben.clone()]);
    assert!(!signatures.is_enough(), "the root before has not signed: {signatures}");

    let old = sign_root(&root, &mirror.root).unwrap();
    let (whole, signatures) = gather(&[ben, stranger, old, anna]);
    assert!(signatures.is_enough());
    let chain = [mirror.roots[0].clone(), whole];
    root::check_chain(chain.iter().map(Vec::as_slice)).unwrap();

    let other = make_root(&two_of_three(&keys, &mirror), NonZeroU64::MIN, &[]).unwrap();
    let error = gather_signatures(&root, &[other], Some(before)).unwrap_err();
    assert!(error.to_string().contains("another root"), "{error}");
}

#[test]
fn a_root_says_who_holds_which_role_and_the_next_one_what_changed() {
    let (root, content, anna, policy) = (key(), key(), key(), key());
    let signers = [&content, &anna];
    let spec = RootSpec {
        root: vec![named(&root, KeyRole::Root, "Safe, room 12")],
        root_threshold: 1,
        content: public(&content, KeyRole::Content),
        timestamp: vec![
            public(signers[0], KeyRole::Content),
            named(signers[1], KeyRole::Countersigner, "Anna, 2nd floor"),
        ],
        timestamp_threshold: 2,
        policy: Some(named(&policy, KeyRole::Policy, "Decisions")),
        expires: now(),
    };
    let first = make_root(&spec, NonZeroU64::MIN, &[&root]).unwrap();
    TrustState::pin(&first).unwrap();
    let roles = RootRoles::from_root(&first).unwrap();
    let one = |role| roles.of(role).map(ToString::to_string).collect::<Vec<_>>().join("|");
    assert_eq!(one(KeyRole::Root), format!("{} (Safe, room 12)", &root.key_id()[..8]));
    assert_eq!(one(KeyRole::Content), content.key_id()[..8]);
    assert_eq!(one(KeyRole::Countersigner), format!("{} (Anna, 2nd floor)", &anna.key_id()[..8]));
    assert_eq!((roles.root_threshold, roles.snapshot_threshold), (1, 2));

    // The next one is made of the public parts in this one.
    let mut next = RootSpec::from_root(&first).unwrap();
    let replaced = key();
    next.content = public(&replaced, KeyRole::Content);
    next.timestamp[0] = next.content.clone();
    next.timestamp_threshold = 1;
    let second = make_root(&next, NonZeroU64::new(2).unwrap(), &[&root]).unwrap();
    root::check_chain([first.as_slice(), &second].into_iter()).unwrap();
    let newer = RootRoles::from_root(&second).unwrap();
    assert_eq!(
        roles.changes(&newer),
        [
            format!(
                "the content key {} is replaced by {}",
                &content.key_id()[..8],
                &replaced.key_id()[..8]
            ),
            "a snapshot needs 1 signature, before 2".to_owned(),
        ]
    );
    assert!(roles.changes(&roles).is_empty());
    assert!(newer.of(KeyRole::Countersigner).all(|anna| anna.name.is_some()), "names stay");
}
