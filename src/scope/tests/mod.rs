//! Graphs made by hand, one rule each; then random ones against a plain reading of the rules ([`plain`]).

mod category_scans;
mod deploying;
mod plain;
mod syncing;

use jiff::Timestamp;
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
        languages: Vec::new(),
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
    Scope::new(graph, &deploy(graph, decisions, &[ALL]), ChangeMarks::default())
}

fn ask(scope: &Scope, graph: &Graph, installed: &[i32], cached: &[i32]) -> Answer {
    let query = AgentQuery { installed, cached, ..AgentQuery::default() };
    scope.sync(graph, &query, &LIMITS, &|_| 1, &ChangeMarks::default())
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
