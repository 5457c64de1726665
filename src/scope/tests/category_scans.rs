//! Scans for some categories.

use super::*;

/// Company 1, families 2 and 3, products 4 (of 2) and 5 (of 3); update 6 of product 4 bundling
/// 8 that needs detectoid 9; update 7 of product 5.
fn graph() -> Graph {
    Graph::new(vec![
        software(1).category(),
        software(2).category().belongs_to(&[1]),
        software(3).category().belongs_to(&[1]),
        software(4).category().belongs_to(&[2]),
        software(5).category().belongs_to(&[3]),
        software(6).belongs_to(&[4]).bundles(&[(8, 1)]),
        software(7).belongs_to(&[5]),
        software(8).needs(&[9]),
        software(9).detectoid(),
    ])
}

fn scan(scope: &Scope, graph: &Graph, query: AgentQuery<'_>) -> Answer {
    scope.sync(graph, &query, &LIMITS, &|_| 1, &ChangeMarks::default())
}

#[test]
fn with_nothing_approved_the_chain_of_categories_is_walked() {
    let graph = graph();
    let scope = Scope::new(&graph, &[], ChangeMarks::default());
    let filter = [update(4)];
    let round = |installed: &[i32]| {
        let query =
            AgentQuery { installed, filter: &filter, two_groups: true, ..AgentQuery::default() };
        let answer = scan(&scope, &graph, query);
        assert!(!answer.truncated && answer.driver_sync_not_needed);
        assert!(answer.knows_all_changes);
        ids(&answer.new)
    };
    assert_eq!(round(&[]), [1]);
    assert_eq!(round(&[1]), [2]);
    assert_eq!(round(&[1, 2]), [4]);
    assert_eq!(round(&[1, 2, 4]), [0; 0]);
}

#[test]
fn only_what_is_related_and_what_it_needs_comes() {
    let graph = graph();
    let both = decisions([6, 7].map(|n| approval(n, ALL, Decision::Install)));
    let scope = scope(&graph, &both);
    let filter = [update(4)];
    let query =
        AgentQuery { installed: &[1, 2, 3, 4, 5, 9], filter: &filter, ..AgentQuery::default() };
    assert_eq!(ids(&scan(&scope, &graph, query).new), [6, 8]);
    // A family is about itself: its products are related, but nobody approved them.
    let family = [update(2)];
    let query_family = AgentQuery { installed: &[1, 2], filter: &family, ..AgentQuery::default() };
    assert_eq!(ids(&scan(&scope, &graph, query_family).new), [0; 0]);
    // Unknown categories, and what is no category, ask for nothing rather than everything.
    let filter = [update(6), update(99)];
    let query = AgentQuery { filter: &filter, ..query };
    assert_eq!(ids(&scan(&scope, &graph, query).new), [0; 0]);
}

#[test]
fn deployed_ones_outside_the_scan_are_told_apart_if_asked() {
    let graph = graph();
    let both = decisions([6, 7].map(|n| approval(n, ALL, Decision::Install)));
    let scope = scope(&graph, &both);
    let filter = [update(4)];
    let query = AgentQuery {
        installed: &[1, 2, 3, 4, 5],
        cached: &[6, 7, 77],
        filter: &filter,
        two_groups: true,
        ..AgentQuery::default()
    };
    let answer = scan(&scope, &graph, query);
    assert_eq!(answer.out_of_scope, [77]);
    assert_eq!(answer.deployed_out_of_scope, [3, 5, 7]);
    let one = scan(&scope, &graph, AgentQuery { two_groups: false, ..query });
    assert_eq!(one.out_of_scope, [3, 5, 7, 77]);
    assert_eq!(one.deployed_out_of_scope, [0; 0]);
    // Without a filter there is one group, asked or not.
    let plain = scan(&scope, &graph, AgentQuery { filter: &[], ..query });
    assert_eq!(plain.out_of_scope, [77]);
    assert_eq!(plain.deployed_out_of_scope, [0; 0]);
}

#[test]
fn changes_outside_the_scan_wait_for_an_ordinary_one() {
    let graph = graph();
    let both = decisions([6, 7].map(|n| approval(n, ALL, Decision::Install)));
    let deployed = deploy(&graph, &both, &[ALL]);
    let marks = ChangeMarks::new([(RevisionId(6), 5), (RevisionId(7), 6), (RevisionId(4), 7)]);
    let scope = Scope::new(&graph, &deployed, marks);
    let filter = [update(4)];
    let ask = |cached: &[i32], anchor, filter: &[UpdateId]| {
        let installed = &[1, 2, 3, 4, 5];
        let query = AgentQuery { installed, cached, anchor, filter, two_groups: true };
        let answer = scan(&scope, &graph, query);
        (ids(&answer.changed), answer.knows_all_changes)
    };
    assert_eq!(ask(&[6, 7], 4, &filter), (vec![4, 6], false));
    assert_eq!(ask(&[6, 7], 4, &[]), (vec![4, 6, 7], true));
    assert_eq!(ask(&[6, 7], 6, &filter), (vec![4], true));
    assert_eq!(ask(&[6], 4, &filter), (vec![4, 6], true));
}

#[test]
fn changes_of_categories_that_nothing_approved_needs_are_told_too() {
    let graph = graph();
    let scope = Scope::new(&graph, &[], ChangeMarks::default());
    let marks = ChangeMarks::new([(RevisionId(1), 3), (RevisionId(2), 1), (RevisionId(3), 3)]);
    let filter = [update(4)];
    let query =
        AgentQuery { installed: &[1, 2, 3], anchor: 2, filter: &filter, ..AgentQuery::default() };
    let answer = scope.sync(&graph, &query, &LIMITS, &|_| 1, &marks);
    assert_eq!(ids(&answer.changed), [1]);
    assert_eq!(answer.out_of_scope, [3]);
}

#[test]
fn the_deployed_revision_stands_for_its_update() {
    // 6 bundles the first revision of 10 and requires 10: the bundled one is deployed.
    let graph = Graph::new(vec![
        software(1).category(),
        software(6).belongs_to(&[1]).needs(&[10]).bundles(&[(10, 1)]),
        software(10),
        software(11).of(10, 2),
    ]);
    let scope = scope(&graph, &install(6));
    let filter = [update(1)];
    let query = AgentQuery { filter: &filter, ..AgentQuery::default() };
    assert_eq!(ids(&scan(&scope, &graph, query).new), [1, 10]);
}
