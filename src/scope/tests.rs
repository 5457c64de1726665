//! Graphs made by hand, one rule each; then random ones against a plain reading of the rules.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::update::{Clause, RevisionId, UpdateId, UpdateIdentity, UpdateType};

const ALL: Uuid = Uuid::from_u128(0xA);
const SITE: Uuid = Uuid::from_u128(0xB);
const LAB: Uuid = Uuid::from_u128(0xC);
const OTHER: Uuid = Uuid::from_u128(0xD);

fn update(n: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(u128::from(n)))
}

/// Update `n`, revision 1, with the revision ID `n`.
fn software(n: i32) -> Revision {
    Revision {
        id: RevisionId(n),
        identity: UpdateIdentity { id: update(n.unsigned_abs()), revision: 1 },
        update_type: UpdateType::Software,
        expired: false,
        eula_id: None,
        files: FileState::Complete,
        prerequisites: Vec::new(),
        bundled: Vec::new(),
    }
}

impl Revision {
    fn of(mut self, n: u32, revision: u32) -> Self {
        self.identity = UpdateIdentity { id: update(n), revision };
        self
    }

    fn kind(mut self, update_type: UpdateType) -> Self {
        self.update_type = update_type;
        self
    }

    fn category(self) -> Self {
        self.kind(UpdateType::Category)
    }

    fn detectoid(self) -> Self {
        self.kind(UpdateType::Detectoid)
    }

    fn needs(mut self, any_of: &[u32]) -> Self {
        let any_of = any_of.iter().map(|n| update(*n)).collect();
        self.prerequisites.push(Clause { is_category: false, any_of });
        self
    }

    fn belongs_to(mut self, any_of: &[u32]) -> Self {
        let any_of = any_of.iter().map(|n| update(*n)).collect();
        self.prerequisites.push(Clause { is_category: true, any_of });
        self
    }

    fn bundles(mut self, any_of: &[(u32, u32)]) -> Self {
        let any_of = any_of
            .iter()
            .map(|(n, revision)| UpdateIdentity { id: update(*n), revision: *revision });
        self.bundled.push(Clause { is_category: false, any_of: any_of.collect() });
        self
    }

    fn files(mut self, files: FileState) -> Self {
        self.files = files;
        self
    }
}

fn approval(n: u32, group: Uuid, decision: Decision) -> Approval {
    Approval { update: update(n), group, decision, deadline: None }
}

fn due(n: u32, group: Uuid, decision: Decision, seconds: i64) -> Approval {
    let deadline = Some(Timestamp::from_second(seconds).unwrap());
    Approval { deadline, ..approval(n, group, decision) }
}

/// All Computers around Site around Lab; Other beside Site.
fn groups() -> Groups {
    Groups::new([(SITE, ALL), (LAB, SITE), (OTHER, ALL)])
}

fn decisions(approvals: impl IntoIterator<Item = Approval>) -> Decisions {
    Decisions::new(groups(), approvals, [], [])
}

fn install(n: u32) -> Decisions {
    decisions([approval(n, ALL, Decision::Install)])
}

/// Revision ID and action of all that is deployed to All Computers.
fn actions(graph: &Graph, decisions: &Decisions) -> Vec<(i32, Action)> {
    deploy(graph, decisions, &[ALL]).iter().map(|d| (d.id.0, d.action)).collect()
}

fn ids(list: &[RevisionId]) -> Vec<i32> {
    list.iter().map(|id| id.0).collect()
}

const LIMITS: PageLimits = PageLimits { revisions: 200, bytes: 1 << 20 };

fn scope(graph: &Graph, decisions: &Decisions) -> Scope {
    Scope::new(graph, &deploy(graph, decisions, &[ALL]), Marks::default())
}

fn ask(scope: &Scope, graph: &Graph, installed: &[i32], cached: &[i32]) -> Answer {
    let query = Query { installed, cached, ..Query::default() };
    scope.sync(graph, &query, &LIMITS, &|_| 1, &Marks::default())
}

mod leaves {
    use super::*;

    #[test]
    fn a_target_of_any_prerequisite_is_no_leaf_and_a_bundled_one_is() {
        let graph = Graph::new(vec![
            software(1).category(),
            software(2).detectoid(),
            software(3),
            software(4).needs(&[2, 99]).belongs_to(&[1]).bundles(&[(3, 1)]),
            // A second revision of the detectoid: what is required is the update.
            software(5).of(2, 2).detectoid(),
        ]);
        let leaves: Vec<bool> = (1..=5).map(|n| graph.is_leaf(RevisionId(n))).collect();
        assert_eq!(leaves, [false, false, true, true, false]);
    }

    #[test]
    fn the_newest_revision_is_the_greatest_number_not_the_greatest_id() {
        let graph = Graph::new(vec![software(7).of(1, 200), software(9).of(1, 100)]);
        assert_eq!(graph.newest(update(1)), Some(RevisionId(7)));
        let identity = UpdateIdentity { id: update(1), revision: 100 };
        assert_eq!(graph.lookup(&identity), Some(RevisionId(9)));
        assert_eq!(graph.identity(RevisionId(9)), Some(identity));
        assert_eq!(graph.newest(update(2)), None);
    }
}

mod resolving {
    use super::*;

    fn resolve(approvals: &[Approval], set: &[Uuid]) -> Option<(Decision, Option<i64>)> {
        let (decision, deadline) = decisions(approvals.iter().copied()).resolve(update(1), set)?;
        Some((decision, deadline.map(Timestamp::as_second)))
    }

    #[test]
    fn an_inner_group_overrides_the_groups_around_it() {
        let approvals = [
            approval(1, ALL, Decision::Uninstall),
            approval(1, SITE, Decision::Install),
            approval(1, LAB, Decision::Detect),
        ];
        assert_eq!(resolve(&approvals, &[ALL]), Some((Decision::Uninstall, None)));
        assert_eq!(resolve(&approvals, &[ALL, SITE]), Some((Decision::Install, None)));
        assert_eq!(resolve(&approvals, &[ALL, SITE, LAB]), Some((Decision::Detect, None)));
        assert_eq!(resolve(&approvals, &[ALL, OTHER]), Some((Decision::Uninstall, None)));
        assert_eq!(resolve(&approvals, &[OTHER]), None);
    }

    #[test]
    fn side_by_side_the_stronger_counts_and_block_suppresses() {
        let of =
            |a, b| resolve(&[approval(1, SITE, a), approval(1, OTHER, b)], &[ALL, SITE, OTHER]);
        use Decision::*;
        for (weaker, stronger) in
            [(Detect, OptionalInstall), (OptionalInstall, Install), (Install, Uninstall)]
        {
            assert_eq!(of(weaker, stronger), Some((stronger, None)));
            assert_eq!(of(stronger, weaker), Some((stronger, None)));
        }
        assert_eq!(of(Uninstall, Block), Some((Block, None)));
        // A wider block does not hold against an inner group.
        let inner = [approval(1, ALL, Block), approval(1, SITE, Install)];
        assert_eq!(resolve(&inner, &[ALL, SITE]), Some((Install, None)));
    }

    #[test]
    fn the_deadline_is_the_earliest_of_what_counts() {
        let approvals = [
            due(1, SITE, Decision::Install, 300),
            due(1, OTHER, Decision::Install, 200),
            due(1, ALL, Decision::Install, 100),
        ];
        let set = [ALL, SITE, OTHER];
        assert_eq!(resolve(&approvals, &set), Some((Decision::Install, Some(200))));
        let mixed = [due(1, SITE, Decision::Detect, 1), approval(1, OTHER, Decision::Install)];
        assert_eq!(resolve(&mixed, &set), Some((Decision::Install, None)));
    }

    #[test]
    fn groups_in_a_circle_do_not_loop() {
        let groups = Groups::new([(SITE, LAB), (LAB, SITE)]);
        assert!(groups.is_around(SITE, LAB));
        assert!(!groups.is_around(ALL, LAB));
        assert!(!groups.is_around(SITE, SITE));
    }
}

mod deploying {
    use super::*;
    use Action::*;

    #[test]
    fn members_are_bundle_and_prerequisites_evaluate_at_any_depth() {
        let graph = Graph::new(vec![
            software(1).category(),
            software(2).category().belongs_to(&[1]),
            software(3).detectoid().needs(&[8]),
            software(4).detectoid(),
            software(5).bundles(&[(6, 1)]).belongs_to(&[2]),
            software(6).bundles(&[(7, 1)]),
            software(7).needs(&[3, 4]),
            software(8).detectoid(),
            software(9).needs(&[2]),
        ]);
        assert_eq!(
            actions(&graph, &install(5)),
            [
                (1, Evaluate),
                (2, Evaluate),
                (3, Evaluate),
                (4, Evaluate),
                (5, Install),
                (6, Bundle),
                (7, Bundle),
                (8, Evaluate)
            ]
        );
        assert_eq!(actions(&graph, &decisions([])), []);
    }

    #[test]
    fn software_that_is_required_is_never_installed_and_its_members_come_too() {
        let graph =
            Graph::new(vec![software(1).bundles(&[(2, 1)]), software(2), software(3).needs(&[1])]);
        assert_eq!(actions(&graph, &install(3)), [(1, Evaluate), (2, Bundle), (3, Install)]);
    }

    #[test]
    fn member_and_prerequisite_in_one_is_bundle() {
        let graph =
            Graph::new(vec![software(1), software(2).needs(&[1]).bundles(&[(1, 1)]), software(3)]);
        assert_eq!(actions(&graph, &install(2)), [(1, Bundle), (2, Install)]);
        // Also if it is approved for detection; approved for installation it is installed.
        let detect =
            decisions([approval(2, ALL, Decision::Install), approval(1, ALL, Decision::Detect)]);
        assert_eq!(actions(&graph, &detect), [(1, Bundle), (2, Install)]);
        let both = decisions([1, 2].map(|n| approval(n, ALL, Decision::Install)));
        assert_eq!(actions(&graph, &both), [(1, Install), (2, Install)]);
    }

    #[test]
    fn actions_are_those_of_the_approvals() {
        let graph =
            Graph::new(vec![software(1), software(2), software(3), software(4), software(5)]);
        let all = decisions([
            approval(1, ALL, Decision::Install),
            approval(2, ALL, Decision::OptionalInstall),
            approval(3, ALL, Decision::Uninstall),
            approval(4, ALL, Decision::Detect),
            approval(5, ALL, Decision::Block),
        ]);
        assert_eq!(
            actions(&graph, &all),
            [(1, Install), (2, OptionalInstall), (3, Uninstall), (4, PreDeploymentCheck)]
        );
    }

    #[test]
    fn the_newest_revision_is_offered_and_an_approval_of_a_category_offers_nothing() {
        let graph =
            Graph::new(vec![software(1).of(1, 1), software(2).of(1, 2), software(3).category()]);
        assert_eq!(actions(&graph, &install(1)), [(2, Install)]);
        assert_eq!(actions(&graph, &install(3)), []);
        assert_eq!(actions(&graph, &install(77)), []);
    }

    #[test]
    fn the_bundled_revision_stands_against_a_newer_one_that_is_only_required() {
        let graph = Graph::new(vec![
            software(1).of(1, 1),
            software(2).of(1, 2),
            software(3).bundles(&[(1, 1)]).needs(&[1]),
        ]);
        assert_eq!(actions(&graph, &install(3)), [(1, Bundle), (3, Install)]);
        let both = decisions([1, 3].map(|n| approval(n, ALL, Decision::Install)));
        assert_eq!(actions(&graph, &both), [(2, Install), (3, Install)]);
    }

    #[test]
    fn of_two_bundled_revisions_the_newer_stands() {
        let graph = Graph::new(vec![
            software(1).of(1, 1),
            software(2).of(1, 2),
            software(3).bundles(&[(1, 1)]),
            software(4).bundles(&[(1, 2)]),
        ]);
        let both = decisions([3, 4].map(|n| approval(n, ALL, Decision::Install)));
        assert_eq!(actions(&graph, &both), [(2, Bundle), (3, Install), (4, Install)]);
    }

    #[test]
    fn declined_expired_and_unlicensed_updates_are_not_offered() {
        let mut licensed = software(3);
        licensed.eula_id = Some("licence".into());
        let mut expired = software(2);
        expired.expired = true;
        let graph = Graph::new(vec![software(1), expired, licensed, software(4).needs(&[1, 2])]);
        let approvals = |decision| (1..=4).map(move |n| approval(n, ALL, decision));
        let of = |decision, accepted: &[&str]| {
            let accepted = accepted.iter().map(|s| (*s).to_owned());
            let decisions = Decisions::new(groups(), approvals(decision), [update(1)], accepted);
            actions(&graph, &decisions)
        };
        // 1 and 2 come along because 4 waits for them, but nobody is offered them.
        assert_eq!(of(Decision::Install, &[]), [(1, Evaluate), (2, Evaluate), (4, Install)]);
        assert_eq!(
            of(Decision::Install, &["licence"]),
            [(1, Evaluate), (2, Evaluate), (3, Install), (4, Install)]
        );
        assert_eq!(
            of(Decision::Detect, &[]),
            [(1, Evaluate), (2, Evaluate), (3, PreDeploymentCheck), (4, PreDeploymentCheck)]
        );
        // What its publisher withdrew may be removed.
        assert_eq!(
            of(Decision::Uninstall, &[]),
            [(1, Evaluate), (2, Uninstall), (3, Uninstall), (4, Uninstall)]
        );
    }

    #[test]
    fn an_update_whose_files_are_not_here_is_only_evaluated_and_reported() {
        use FileState::*;
        let action = |own, clauses: &[&[FileState]]| {
            let mut revisions = Vec::new();
            let mut parent = software(1000).files(own);
            for (c, clause) in clauses.iter().enumerate() {
                let mut any_of = Vec::new();
                for (a, state) in clause.iter().enumerate() {
                    let n = u32::try_from(1 + c * 10 + a).unwrap();
                    revisions.push(software(n.cast_signed()).files(*state));
                    any_of.push((n, 1));
                }
                any_of.push((999, 1));
                parent = parent.bundles(&any_of);
            }
            revisions.push(parent);
            // One level more: what holds for members holds for members of members.
            revisions.push(software(1001).bundles(&[(1000, 1)]));
            let graph = Graph::new(revisions);
            let deadline = decisions([due(1001, ALL, Decision::Install, 5)]);
            let deployed = deploy(&graph, &deadline, &[ALL]);
            let parent = deployed.iter().find(|d| d.id.0 == 1001).unwrap();
            assert_eq!(parent.action == Install, parent.deadline.is_some());
            parent.action
        };
        assert_eq!(action(Complete, &[]), Install);
        assert_eq!(action(Missing, &[]), PreDeploymentCheck);
        assert_eq!(action(NotCarried, &[]), PreDeploymentCheck);
        assert_eq!(action(Complete, &[&[Complete, NotCarried]]), Install);
        assert_eq!(action(Complete, &[&[NotCarried, NotCarried]]), PreDeploymentCheck);
        assert_eq!(action(Complete, &[&[Complete, Missing]]), PreDeploymentCheck);
        assert_eq!(action(Complete, &[&[Complete], &[NotCarried]]), PreDeploymentCheck);
        // Members that the catalogue does not know have no files that could be missing.
        assert_eq!(action(Complete, &[&[]]), Install);
        let graph = Graph::new(vec![software(1).files(Missing)]);
        let remove = decisions([approval(1, ALL, Decision::Uninstall)]);
        assert_eq!(actions(&graph, &remove), [(1, Uninstall)]);
    }

    #[test]
    fn circles_do_not_loop() {
        let graph = Graph::new(vec![
            software(1).needs(&[2]).bundles(&[(3, 1)]),
            software(2).needs(&[1]),
            software(3).bundles(&[(1, 1), (3, 1)]),
        ]);
        assert_eq!(actions(&graph, &install(1)), [(1, Install), (2, Evaluate), (3, Bundle)]);
        assert_eq!(graph.files(RevisionId(3)), Some(FileState::Complete));
    }

    #[test]
    fn categories_come_with_what_they_require() {
        let graph = Graph::new(vec![
            software(1).category(),
            software(2).category().belongs_to(&[1]).needs(&[3]),
            software(3).detectoid(),
            software(4).belongs_to(&[2]),
        ]);
        assert_eq!(ids(&category_closure(&graph)), [1, 2, 3]);
    }
}

mod syncing {
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
        let nothing = Scope::new(&graph, &[], Marks::default());
        assert_eq!(ask(&nothing, &graph, &[1], &[2]).out_of_scope, [1, 2]);
    }

    #[test]
    fn a_clause_that_knows_no_alternative_never_holds() {
        let graph = Graph::new(vec![
            software(1).needs(&[98, 99]),
            software(2).needs(&[98, 3]),
            software(3),
        ]);
        let both = decisions([1, 2].map(|n| approval(n, ALL, Decision::Install)));
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
            let query = Query { cached, ..Query::default() };
            let limits = PageLimits { revisions, bytes };
            let answer = scope.sync(&graph, &query, &limits, &|_| size, &Marks::default());
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
            let everything: Vec<Deployed> = (1..=count)
                .map(|n| Deployed {
                    id: RevisionId(n),
                    action: Action::Install,
                    deadline: None,
                    approved: true,
                })
                .collect();
            let scope = Scope::new(&graph, &everything, Marks::default());
            let mut cached = Vec::new();
            for call in 1.. {
                let query = Query { cached: &cached, ..Query::default() };
                let answer = scope.sync(&graph, &query, &LIMITS, &|_| size, &Marks::default());
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
            Marks::new(deployed.iter().map(|d| (d.id, 10 + u64::from(d.id.0.unsigned_abs()))));
        let scope = Scope::new(&graph, &deployed, marks);
        let changed = |installed: &[i32], cached: &[i32], anchor| {
            let query = Query { installed, cached, anchor, ..Query::default() };
            let answer = scope.sync(&graph, &query, &LIMITS, &|_| 1, &Marks::default());
            assert!(answer.knows_all_changes);
            ids(&answer.changed)
        };
        assert_eq!(changed(&[1, 2, 3, 4], &[5, 6, 7], 0), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(changed(&[1, 2, 3, 4], &[5, 6, 7], 15), [6, 7]);
        assert_eq!(changed(&[1, 2, 3, 4], &[5, 6, 7], 17), [0; 0]);
        // Not cached, or out of scope: nothing to tell.
        assert_eq!(changed(&[1, 2], &[6, 7], 14), [6]);
    }
}

mod category_scans {
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

    fn scan(scope: &Scope, graph: &Graph, query: Query<'_>) -> Answer {
        scope.sync(graph, &query, &LIMITS, &|_| 1, &Marks::default())
    }

    #[test]
    fn with_nothing_approved_the_chain_of_categories_is_walked() {
        let graph = graph();
        let scope = Scope::new(&graph, &[], Marks::default());
        let filter = [update(4)];
        let round = |installed: &[i32]| {
            let query = Query { installed, filter: &filter, two_groups: true, ..Query::default() };
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
        let query = Query { installed: &[1, 2, 3, 4, 5, 9], filter: &filter, ..Query::default() };
        assert_eq!(ids(&scan(&scope, &graph, query).new), [6, 8]);
        // Unknown categories, and what is no category, ask for nothing rather than everything.
        let filter = [update(6), update(99)];
        let query = Query { filter: &filter, ..query };
        assert_eq!(ids(&scan(&scope, &graph, query).new), [0; 0]);
    }

    #[test]
    fn deployed_ones_outside_the_scan_are_told_apart_if_asked() {
        let graph = graph();
        let both = decisions([6, 7].map(|n| approval(n, ALL, Decision::Install)));
        let scope = scope(&graph, &both);
        let filter = [update(4)];
        let query = Query {
            installed: &[1, 2, 3, 4, 5],
            cached: &[6, 7, 77],
            filter: &filter,
            two_groups: true,
            ..Query::default()
        };
        let answer = scan(&scope, &graph, query);
        assert_eq!(answer.out_of_scope, [77]);
        assert_eq!(answer.deployed_out_of_scope, [3, 5, 7]);
        let one = scan(&scope, &graph, Query { two_groups: false, ..query });
        assert_eq!(one.out_of_scope, [3, 5, 7, 77]);
        assert_eq!(one.deployed_out_of_scope, [0; 0]);
        // Without a filter there is one group, asked or not.
        let plain = scan(&scope, &graph, Query { filter: &[], ..query });
        assert_eq!(plain.out_of_scope, [77]);
        assert_eq!(plain.deployed_out_of_scope, [0; 0]);
    }

    #[test]
    fn changes_outside_the_scan_wait_for_an_ordinary_one() {
        let graph = graph();
        let both = decisions([6, 7].map(|n| approval(n, ALL, Decision::Install)));
        let deployed = deploy(&graph, &both, &[ALL]);
        let marks = Marks::new([(RevisionId(6), 5), (RevisionId(7), 6), (RevisionId(4), 7)]);
        let scope = Scope::new(&graph, &deployed, marks);
        let filter = [update(4)];
        let ask = |cached: &[i32], anchor, filter: &[UpdateId]| {
            let installed = &[1, 2, 3, 4, 5];
            let query = Query { installed, cached, anchor, filter, two_groups: true };
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
        let scope = Scope::new(&graph, &[], Marks::default());
        let marks = Marks::new([(RevisionId(1), 3), (RevisionId(2), 1), (RevisionId(3), 3)]);
        let filter = [update(4)];
        let query = Query { installed: &[1, 2, 3], anchor: 2, filter: &filter, ..Query::default() };
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
        let query = Query { filter: &filter, ..Query::default() };
        assert_eq!(ids(&scan(&scope, &graph, query).new), [1, 10]);
    }
}

/// The rules once more, read plainly: sets of names and fixpoints, no integers, no bitmaps.
mod reference {
    use super::*;

    pub(super) struct Plain<'a> {
        pub(super) revisions: &'a [Revision],
        pub(super) approvals: &'a [Approval],
        pub(super) declined: &'a [UpdateId],
    }

    impl<'a> Plain<'a> {
        fn newest(&self, id: UpdateId) -> Option<&'a Revision> {
            let same = self.revisions.iter().filter(|r| r.identity.id == id);
            same.max_by_key(|r| r.identity.revision)
        }

        fn exact(&self, identity: UpdateIdentity) -> Option<&'a Revision> {
            self.revisions.iter().find(|r| r.identity == identity)
        }

        fn is_group_around(outer: Uuid, inner: Uuid) -> bool {
            let around: &[(Uuid, &[Uuid])] =
                &[(SITE, &[ALL]), (OTHER, &[ALL]), (LAB, &[SITE, ALL])];
            around.iter().any(|(g, list)| *g == inner && list.contains(&outer))
        }

        fn decision(&self, id: UpdateId, set: &[Uuid]) -> Option<Decision> {
            let mine: Vec<&Approval> = self
                .approvals
                .iter()
                .filter(|a| a.update == id && set.contains(&a.group))
                .collect();
            let standing: BTreeSet<Decision> = mine
                .iter()
                .filter(|a| !mine.iter().any(|b| Self::is_group_around(a.group, b.group)))
                .map(|a| a.decision)
                .collect();
            [
                Decision::Block,
                Decision::Uninstall,
                Decision::Install,
                Decision::OptionalInstall,
                Decision::Detect,
            ]
            .into_iter()
            .find(|d| standing.contains(d))
        }

        fn files(&self, revision: &Revision, path: &mut Vec<RevisionId>) -> FileState {
            path.push(revision.id);
            let mut worst = revision.files;
            for clause in &revision.bundled {
                let states: Vec<FileState> = clause
                    .any_of
                    .iter()
                    .filter_map(|i| self.exact(*i))
                    .map(|r| self.files(r, path))
                    .collect();
                if states.contains(&FileState::Missing) {
                    worst = worst.max(FileState::Missing);
                } else if !states.is_empty() && !states.contains(&FileState::Complete) {
                    worst = FileState::NotCarried;
                }
            }
            path.pop();
            worst
        }

        /// Strength of a role: the higher stands.
        fn strength(action: Action) -> u32 {
            match action {
                Action::Evaluate => 0,
                Action::PreDeploymentCheck => 1,
                Action::Bundle => 2,
                Action::OptionalInstall => 3,
                Action::Install => 4,
                Action::Uninstall => 5,
            }
        }

        pub(super) fn deployed(&self, set: &[Uuid]) -> BTreeMap<i32, Action> {
            let rule = |r: &Revision| {
                matches!(r.update_type, UpdateType::Category | UpdateType::Detectoid)
            };
            let mut roles: BTreeSet<(i32, u32)> = BTreeSet::new();
            for a in self.approvals {
                let Some(r) = self.newest(a.update) else { continue };
                if rule(r) || self.declined.contains(&a.update) {
                    continue;
                }
                let here = self.files(r, &mut Vec::new()) == FileState::Complete;
                let action = match self.decision(a.update, set) {
                    Some(Decision::Uninstall) => Action::Uninstall,
                    None | Some(Decision::Block) => continue,
                    _ if r.expired => continue,
                    Some(Decision::Install) if here => Action::Install,
                    Some(Decision::OptionalInstall) if here => Action::OptionalInstall,
                    _ => Action::PreDeploymentCheck,
                };
                roles.insert((r.id.0, Self::strength(action)));
            }
            loop {
                let before = roles.len();
                for r in self.revisions {
                    if !roles.iter().any(|(id, _)| *id == r.id.0) {
                        continue;
                    }
                    for id in r.prerequisites.iter().flat_map(|c| &c.any_of) {
                        roles.extend(self.newest(*id).map(|r| (r.id.0, 0)));
                    }
                    for identity in r.bundled.iter().flat_map(|c| &c.any_of) {
                        roles.extend(
                            self.exact(*identity).map(|r| (r.id.0, if rule(r) { 0 } else { 2 })),
                        );
                    }
                }
                if roles.len() == before {
                    break;
                }
            }
            let mut best: BTreeMap<UpdateId, (u32, u32, i32)> = BTreeMap::new();
            for (id, strength) in roles {
                let r = self.revisions.iter().find(|r| r.id.0 == id).unwrap();
                let mine = (strength, r.identity.revision, id);
                let entry = best.entry(r.identity.id).or_insert(mine);
                *entry = mine.max(*entry);
            }
            const ACTIONS: [Action; 6] = [
                Action::Evaluate,
                Action::PreDeploymentCheck,
                Action::Bundle,
                Action::OptionalInstall,
                Action::Install,
                Action::Uninstall,
            ];
            best.into_values().map(|(s, _, id)| (id, ACTIONS[s as usize])).collect()
        }

        pub(super) fn needed(
            &self,
            deployed: &BTreeMap<i32, Action>,
            installed: &[i32],
        ) -> BTreeSet<i32> {
            let have: BTreeSet<UpdateId> = self
                .revisions
                .iter()
                .filter(|r| installed.contains(&r.id.0))
                .map(|r| r.identity.id)
                .collect();
            self.revisions
                .iter()
                .filter(|r| deployed.contains_key(&r.id.0) && r.update_type != UpdateType::Driver)
                .filter(|r| {
                    r.prerequisites.iter().all(|c| c.any_of.iter().any(|id| have.contains(id)))
                })
                .map(|r| r.id.0)
                .collect()
        }
    }
}

prop_compose! {
    /// Up to 24 updates in up to 40 revisions. Prerequisites may go anywhere, also in circles and
    /// out of the catalogue; bundled ones go to greater numbers only, so that file states are the
    /// same whatever the order.
    fn catalogues()(
        parts in proptest::collection::vec(
            (
                0u32..24,
                0u8..10,
                proptest::collection::vec((any::<bool>(), proptest::collection::vec(0u32..26, 1..4)), 0..3),
                proptest::collection::vec(proptest::collection::vec(1u32..20, 1..3), 0..2),
                0u8..12,
                any::<bool>(),
            ),
            1..40,
        ),
    ) -> Vec<Revision> {
        let names: Vec<UpdateIdentity> = parts
            .iter()
            .zip(1u32..)
            .map(|((n, ..), revision)| UpdateIdentity { id: update(*n), revision })
            .collect();
        parts.iter().zip(&names).zip(1i32..).map(|(((_, kind, prerequisites, bundled, files, _), identity), id)| {
            let at = id.unsigned_abs();
            Revision {
                id: RevisionId(id * 3),
                identity: *identity,
                update_type: match kind {
                    0 | 1 => UpdateType::Category,
                    2 | 3 => UpdateType::Detectoid,
                    4 => UpdateType::Driver,
                    _ => UpdateType::Software,
                },
                expired: *files == 11,
                eula_id: None,
                files: match files { 0 => FileState::Missing, 1 => FileState::NotCarried, _ => FileState::Complete },
                prerequisites: prerequisites.iter().map(|(is_category, any_of)| Clause {
                    is_category: *is_category,
                    any_of: any_of.iter().map(|n| update(*n)).collect(),
                }).collect(),
                bundled: bundled.iter().map(|any_of| Clause {
                    is_category: false,
                    any_of: any_of.iter().map(|step| {
                        names.get((at + step) as usize).copied()
                            .unwrap_or(UpdateIdentity { id: update(99), revision: 1 })
                    }).collect(),
                }).collect(),
            }
        }).collect()
    }
}

fn approvals() -> impl Strategy<Value = Vec<Approval>> {
    let one = (0u32..25, 0usize..4, 0usize..5).prop_map(|(n, group, decision)| {
        use Decision::*;
        let group = [ALL, SITE, LAB, OTHER][group];
        approval(n, group, [Install, OptionalInstall, Uninstall, Detect, Block][decision])
    });
    proptest::collection::vec(one, 0..12).prop_map(|list| {
        // One approval of each update for each group.
        let unique: BTreeMap<(UpdateId, Uuid), Approval> =
            list.into_iter().map(|a| ((a.update, a.group), a)).collect();
        unique.into_values().collect()
    })
}

proptest! {
    #[test]
    fn deployed_and_needed_are_as_read_plainly(
        revisions in catalogues(),
        approvals in approvals(),
        declined in proptest::collection::vec((0u32..25).prop_map(update), 0..3),
        installed in proptest::collection::vec(-2i32..130, 0..20),
        cached in proptest::collection::vec(-2i32..130, 0..20),
    ) {
        let plain = reference::Plain { revisions: &revisions, approvals: &approvals, declined: &declined };
        let graph = Graph::new(revisions.clone());
        let decisions = Decisions::new(groups(), approvals.iter().copied(), declined.iter().copied(), []);
        for set in [&[ALL][..], &[ALL, SITE], &[ALL, SITE, LAB], &[ALL, SITE, OTHER], &[]] {
            let deployed = deploy(&graph, &decisions, set);
            let expected = plain.deployed(set);
            let found: BTreeMap<i32, Action> = deployed.iter().map(|d| (d.id.0, d.action)).collect();
            prop_assert_eq!(&found, &expected);

            let scope = Scope::new(&graph, &deployed, Marks::default());
            let answer = ask(&scope, &graph, &installed, &cached);
            let needed = plain.needed(&expected, &installed);
            let have: BTreeSet<i32> = installed.iter().chain(&cached).copied().collect();
            let new: BTreeSet<i32> = needed.difference(&have).copied().collect();
            let gone: BTreeSet<i32> = have.difference(&needed).copied().collect();
            prop_assert_eq!(ids(&answer.new).into_iter().collect::<BTreeSet<_>>(), new);
            prop_assert_eq!(answer.out_of_scope.into_iter().collect::<BTreeSet<_>>(), gone);
            prop_assert!(!answer.truncated);
        }
    }

    /// Whatever an agent finds installed, its rounds come to an end, and repeating the last question
    /// brings nothing.
    #[test]
    fn rounds_end(
        revisions in catalogues(),
        approvals in approvals(),
        installs in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let graph = Graph::new(revisions);
        let decisions = Decisions::new(groups(), approvals, [], []);
        let scope = Scope::new(&graph, &deploy(&graph, &decisions, &[ALL]), Marks::default());
        let limits = PageLimits { revisions: 2, bytes: 1 << 20 };
        let (mut installed, mut cached) = (Vec::new(), Vec::new());
        for round in 0.. {
            prop_assert!(round < 100);
            let query = Query { installed: &installed, cached: &cached, ..Query::default() };
            let answer = scope.sync(&graph, &query, &limits, &|_| 1, &Marks::default());
            prop_assert!(answer.out_of_scope.is_empty());
            prop_assert!(!answer.truncated || !answer.new.is_empty());
            if answer.new.is_empty() {
                break;
            }
            for id in answer.new {
                let there = installs[usize::try_from(id.0 / 3).unwrap() % installs.len()];
                if there && !graph.is_leaf(id) { installed.push(id.0) } else { cached.push(id.0) }
            }
        }
    }
}
