//! Rounds, pages and changes of ordinary scans.

use super::*;

/// Company 1, family 2, product 3 (a leaf but for update 5), detectoids 4 and 6, update 5 that
/// bundles 7, which needs one of the detectoids.
fn chain() -> Graph {
    Graph::new(vec![
        software(1).category(),
        software(2).category().belongs_to(&[1]),
        software(3).category().belongs_to(&[2]),
        software(4).detectoid().needs(&[2]),
        software(5).belongs_to(&[3]).bundles(&[(7, 1)]),
        software(6).detectoid(),
        software(7).needs(&[4, 6]),
    ])
}

#[test]
fn rounds_walk_the_graph_one_level_at_a_time() {
    let graph = chain();
    let scope = scope(&graph, &install(5));
    let round = |installed: &[i32], cached: &[i32]| ask(&scope, &graph, installed, cached);
    assert_eq!(ids(&round(&[], &[]).new), [1, 6]);
    assert_eq!(ids(&round(&[1], &[6]).new), [2]);
    assert_eq!(ids(&round(&[1, 2], &[6]).new), [3, 4]);
    assert_eq!(ids(&round(&[1, 2, 3, 4], &[6]).new), [5, 7]);
    let last = round(&[1, 2, 3, 4], &[5, 6, 7]);
    assert_eq!(
        last,
        Answer { knows_all_changes: true, driver_sync_not_needed: true, ..Answer::default() }
    );
}

#[test]
fn only_installed_ones_satisfy_and_one_alternative_is_enough() {
    let graph = chain();
    let scope = scope(&graph, &install(5));
    assert_eq!(ids(&ask(&scope, &graph, &[], &[1, 6]).new), [0; 0]);
    assert_eq!(ids(&ask(&scope, &graph, &[6], &[1]).new), [7]);
}

#[test]
fn installed_is_known_by_update_whatever_its_revision() {
    let graph = Graph::new(vec![
        software(1).of(1, 1).detectoid(),
        software(2).of(1, 2).detectoid(),
        software(3).needs(&[1]),
    ]);
    let scope = scope(&graph, &install(3));
    let answer = ask(&scope, &graph, &[1], &[]);
    assert_eq!(ids(&answer.new), [2, 3]);
    assert_eq!(answer.out_of_scope, [1]);
}

#[test]
fn out_of_scope_is_what_is_cached_but_not_needed_any_more_or_unknown() {
    let graph = chain();
    let scope = scope(&graph, &install(5));
    // 7 has lost its detectoid; 1000 and -5 were never ours; 5 is no longer satisfied.
    let answer = ask(&scope, &graph, &[1, 1000], &[2, 3, 5, 6, 7, -5]);
    assert_eq!(answer.out_of_scope, [3, 5, 7, 1000, -5]);
    assert_eq!(answer.deployed_out_of_scope, [0; 0]);
    let nothing = Scope::new(&graph, &[], ChangeMarks::default());
    assert_eq!(ask(&nothing, &graph, &[1], &[2]).out_of_scope, [1, 2]);
}

#[test]
fn a_clause_that_knows_no_alternative_never_holds() {
    let graph = Graph::new(vec![
        software(1).needs(&[98, 99]),
        software(2).needs(&[98, 3]),
        software(3),
        software(4).needs(&[3]).needs(&[]),
    ]);
    let both = decisions([1, 2, 4].map(|n| approval(n, ALL, Decision::Install)));
    let scope = scope(&graph, &both);
    assert_eq!(ids(&ask(&scope, &graph, &[3], &[]).new), [2]);
}

#[test]
fn drivers_are_not_delivered_but_what_they_need_is() {
    let graph = Graph::new(vec![
        software(1).category(),
        software(2).kind(UpdateType::Driver).belongs_to(&[1]),
    ]);
    let scope = scope(&graph, &install(2));
    let answer = ask(&scope, &graph, &[], &[]);
    assert_eq!(ids(&answer.new), [1]);
    assert!(!answer.driver_sync_not_needed);
    assert_eq!(ids(&ask(&scope, &graph, &[1], &[]).new), [0; 0]);
    assert!(scope.contains(RevisionId(2)));
}

#[test]
fn pages_are_cut_by_number_and_bytes_and_never_empty() {
    // 1 to 9, of which 8 and 9 are required.
    let mut revisions: Vec<_> = (1..=9).map(software).collect();
    revisions.push(software(10).needs(&[8]).needs(&[9]));
    let graph = Graph::new(revisions);
    let all = decisions((1..=10).map(|n| approval(n, ALL, Decision::Install)));
    let scope = scope(&graph, &all);
    let page = |revisions, bytes, size: u64, cached: &[i32]| {
        let query = AgentQuery { cached, ..AgentQuery::default() };
        let limits = PageLimits { revisions, bytes };
        let answer = scope.sync(&graph, &query, &limits, &|_| size, &ChangeMarks::default());
        (ids(&answer.new), answer.truncated)
    };
    assert_eq!(page(4, 1000, 1, &[]), (vec![8, 9, 1, 2], true));
    assert_eq!(page(4, 1000, 1, &[8, 9, 1, 2]), (vec![3, 4, 5, 6], true));
    assert_eq!(page(4, 1000, 1, &[8, 9, 1, 2, 3]), (vec![4, 5, 6, 7], false));
    assert_eq!(page(100, 1000, 300, &[]), (vec![8, 9, 1], true));
    assert_eq!(page(100, 1000, 5000, &[]), (vec![8], true));
    assert_eq!(page(100, 900, 100, &[]), (vec![8, 9, 1, 2, 3, 4, 5, 6, 7], false));
    let full: Vec<i32> = (1..=9).collect();
    assert_eq!(page(0, 0, 5000, &full), (vec![], false));
}

#[test]
fn a_scan_of_any_size_ends_within_two_hundred_calls() {
    let calls = |count: i32, size: u64| {
        let graph = Graph::new((1..=count).map(software).collect());
        let everything: Vec<DeployedRevision> = (1..=count)
            .map(|n| DeployedRevision {
                id: RevisionId(n),
                action: Action::Install,
                deadline: None,
                approved: true,
            })
            .collect();
        let scope = Scope::new(&graph, &everything, ChangeMarks::default());
        let mut cached = Vec::new();
        for call in 1.. {
            let query = AgentQuery { cached: &cached, ..AgentQuery::default() };
            let answer = scope.sync(&graph, &query, &LIMITS, &|_| size, &ChangeMarks::default());
            cached.extend(ids(&answer.new));
            if !answer.truncated {
                assert_eq!(cached.len(), usize::try_from(count).unwrap());
                return call;
            }
        }
        unreachable!()
    };
    assert_eq!(calls(1000, 100), 5);
    assert!(calls(5_252, 228_000) < 150);
    assert!(calls(137_000, 10) < 190);
}

#[test]
fn changes_after_the_anchor_are_told_of_what_is_cached_and_needed() {
    let graph = chain();
    let deployed = deploy(&graph, &install(5), &[ALL]);
    let marks =
        ChangeMarks::new(deployed.iter().map(|d| (d.id, 10 + u64::from(d.id.0.unsigned_abs()))));
    let scope = Scope::new(&graph, &deployed, marks);
    let changed = |installed: &[i32], cached: &[i32], anchor| {
        let query = AgentQuery { installed, cached, anchor, ..AgentQuery::default() };
        let answer = scope.sync(&graph, &query, &LIMITS, &|_| 1, &ChangeMarks::default());
        assert!(answer.knows_all_changes);
        ids(&answer.changed)
    };
    assert_eq!(changed(&[1, 2, 3, 4], &[5, 6, 7], 0), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(changed(&[1, 2, 3, 4], &[5, 6, 7], 15), [6, 7]);
    assert_eq!(changed(&[1, 2, 3, 4], &[5, 6, 7], 17), [0; 0]);
    // Not cached, or out of scope: nothing to tell.
    assert_eq!(changed(&[1, 2], &[6, 7], 14), [6]);
}
