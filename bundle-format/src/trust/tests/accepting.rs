//! What is accepted, in which order, and whose signatures count.

use super::*;

#[test]
fn sealed_and_accepted_step_by_step() {
    let mirror = Mirror::new(1, 1);
    let first = check(&mirror.pin(), &mirror.seal(3)).unwrap();
    assert_eq!(first.freshness, Freshness::Newer);
    assert_eq!(first.index, mirror.index(3));
    assert_eq!(first.policy, Policy::default());
    assert_eq!(first.warnings, Vec::<String>::new());
    assert_eq!(first.signers[0], ("root".to_owned(), vec![mirror.root.key_id()]));
    assert_eq!(first.signers[1].1, [mirror.timestamp[0].key_id()]);
    assert_eq!(first.signers[3].1, [mirror.content.key_id()]);
    assert_eq!(first.signers[4], ("policy".to_owned(), vec![mirror.policy.key_id()]));

    let state = TrustState::from_bytes(&first.next_state.to_bytes()).unwrap();
    assert_eq!(state, first.next_state);
    assert_eq!((state.snapshot(), state.mirror()), (Some(3), Some(mirror.id)));

    let again = check(&state, &mirror.seal(3)).unwrap();
    assert_eq!((again.freshness, &again.next_state), (Freshness::Same, &state));
    let newer = check(&state, &mirror.seal(4)).unwrap();
    assert_eq!((newer.freshness, newer.next_state.snapshot()), (Freshness::Newer, Some(4)));
    let older = check(&state, &mirror.seal(2)).unwrap();
    assert_eq!((older.freshness, &older.next_state), (Freshness::Older, &state));
    assert_eq!(older.index, mirror.index(2));
}

#[test]
fn unknown_and_revoked_signers_are_refused() {
    let (ours, mut theirs) = (Mirror::new(1, 1), Mirror::new(1, 1));
    refused(check(&ours.pin(), &theirs.seal(1)), "unknown signer");

    // Their content under our root: the root passes, the signatures do not.
    let mut forged = theirs.seal(1);
    forged.files.insert("metadata/1.root.json".to_owned(), ours.roots[0].clone().into());
    refused(check(&ours.pin(), &forged), "unknown here or was revoked");

    // All keys but the root's replaced: what the old ones signed is refused, with the new root in
    // the bundle and, once that is known, without it.
    let state = theirs.pin();
    let old = theirs.seal(5);
    theirs.content = key();
    theirs.timestamp = vec![key()];
    theirs.add_root(1, &[]);
    let mut with_new_root = old.clone();
    with_new_root.files.insert("metadata/2.root.json".to_owned(), theirs.roots[1].clone().into());
    refused(check(&state, &with_new_root), "revoked");
    let state = check(&state, &theirs.seal(6)).unwrap().next_state;
    assert_eq!(state.root_version(), 2);
    refused(check(&state, &old), "revoked");
    check(&state, &theirs.seal(7)).unwrap();
}

#[test]
fn a_root_that_the_one_before_did_not_sign_is_refused() {
    let (mirror, mut thief) = (Mirror::new(1, 1), Mirror::new(1, 1));
    thief.roots = mirror.roots.clone();
    thief.add_root(1, &[]);
    let timestamp: Vec<&SigningKey> = thief.timestamp.iter().collect();
    assert_eq!(timestamp.len(), 1);
    let mut head = mirror.seal(1);
    head.files.insert("metadata/2.root.json".to_owned(), thief.roots[1].clone().into());
    refused(check(&mirror.pin(), &head), "not signed by the keys of the root before");
}

#[test]
fn after_a_count_far_ahead_new_keys_start_anew() {
    let mut mirror = Mirror::new(2, 1);
    let state = check(&mirror.pin(), &mirror.seal(1_000_000)).unwrap().next_state;
    assert_eq!(check(&state, &mirror.seal(4)).unwrap().freshness, Freshness::Older);

    // One countersigner leaves: the counters hold, and an old bundle does not come back with the
    // new root.
    mirror.timestamp.truncate(1);
    mirror.add_root(1, &[]);
    assert_eq!(check(&state, &mirror.seal(4)).unwrap().freshness, Freshness::Older);

    // All timestamp keys replaced: the signed way out.
    mirror.timestamp = vec![key()];
    mirror.add_root(1, &[]);
    let out = check(&state, &mirror.seal(5)).unwrap();
    assert_eq!((out.freshness, out.next_state.snapshot()), (Freshness::Newer, Some(5)));
}

#[test]
fn a_raised_threshold_does_not_bring_old_bundles_back() {
    let mut mirror = Mirror::new(2, 1);
    let old = mirror.seal(4);
    let state = check(&mirror.pin(), &mirror.seal_with(&mirror.index(9), 9, 1)).unwrap().next_state;
    mirror.add_root(2, &[]);
    let mut with_root = old;
    with_root.files.insert("metadata/2.root.json".to_owned(), mirror.roots[1].clone().into());
    assert_eq!(check(&state, &with_root).unwrap().freshness, Freshness::Older);
}

#[test]
fn another_site_or_mirror_is_refused_even_to_fill_gaps() {
    let mut mirror = Mirror::new(1, 1);
    let state = check(&mirror.pin(), &mirror.seal(3)).unwrap().next_state;
    refused(check_at(&state, &mirror.seal(4), "plant-9", now()), "this is \"plant-9\"");
    refused(check_at(&state, &mirror.seal(2), "plant-9", now()), "this is \"plant-9\"");
    mirror.id = Uuid::from_u128(2);
    refused(check(&state, &mirror.seal(4)), "follows one mirror");
    refused(check(&state, &mirror.seal(2)), "follows one mirror");
    let anyone = Expectation { site: None, now: now(), refuse_expired: false };
    let head =
        check_head(&mirror.pin(), &mirror.seal(4), &anyone, &BundleLimits::default()).unwrap();
    assert_eq!(head.index.sites, ["plant-7", "plant-8"]);
}

#[test]
fn a_policy_never_goes_back() {
    let mirror = Mirror::new(1, 1);
    let state = check(&mirror.pin(), &mirror.seal_with(&mirror.index(3), 7, 1)).unwrap().next_state;
    refused(check(&state, &mirror.seal_with(&mirror.index(4), 6, 1)), "policy");
    check(&state, &mirror.seal_with(&mirror.index(4), 7, 1)).unwrap();
    assert_eq!(
        check(&state, &mirror.seal_with(&mirror.index(2), 6, 1)).unwrap().freshness,
        Freshness::Older
    );
}

/// The TUF client forgets its counters when any key has changed; ours stay.
#[test]
fn a_policy_never_goes_back_with_a_new_root_either() {
    let mut mirror = Mirror::new(2, 1);
    let state = check(&mirror.pin(), &mirror.seal_with(&mirror.index(3), 7, 1)).unwrap().next_state;
    mirror.timestamp.truncate(1);
    mirror.add_root(1, &[]);
    refused(check(&state, &mirror.seal_with(&mirror.index(4), 6, 1)), "takes the policy back");
    check(&state, &mirror.seal_with(&mirror.index(4), 7, 1)).unwrap();
}

#[test]
fn one_number_stands_for_one_snapshot() {
    let mirror = Mirror::new(1, 1);
    let state = check(&mirror.pin(), &mirror.seal(3)).unwrap().next_state;
    let other = Index { created: time("2026-01-21T00:00:00Z"), ..mirror.index(3) };
    refused(check(&state, &mirror.seal_with(&other, 3, 1)), "the same number 3");
}

#[test]
fn expiry_warns_or_refuses() {
    let mirror = Mirror::new(1, 1);
    let (state, head) = (mirror.pin(), mirror.seal(3));
    let late = time("2027-01-01T00:00:01Z");
    let warned = check_at(&state, &head, "plant-7", late).unwrap().warnings;
    assert_eq!(warned.len(), 4, "{warned:?}");
    assert!(warned[0].contains("timestamp metadata expired on 2027-01-01T00:00:00Z"));
    let strict = Expectation { site: Some("plant-7"), now: late, refuse_expired: true };
    refused(check_head(&state, &head, &strict, &BundleLimits::default()), "refuses expired");
    let early = check_at(&state, &head, "plant-7", time("2025-01-01T00:00:00Z")).unwrap();
    assert!(early.warnings[0].contains("clocks"), "{:?}", early.warnings);
    // A clock that was once far ahead locks nothing.
    let state = check_at(&state, &head, "plant-7", time("2090-01-01T00:00:00Z")).unwrap();
    check(&state.next_state, &mirror.seal(4)).unwrap();
}

#[test]
fn works_on_a_thread_that_drives_a_runtime() {
    let mirror = Mirror::new(1, 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { check(&mirror.pin(), &mirror.seal(1)).unwrap() });
}
