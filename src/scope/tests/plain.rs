//! The rules once more, read plainly: sets of names and fixpoints, no integers, no bitmaps. Random
//! catalogues must give the same both ways.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

struct Plain<'a> {
    revisions: &'a [Revision],
    approvals: &'a [Approval],
    declined: &'a [UpdateId],
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
        let around: &[(Uuid, &[Uuid])] = &[(SITE, &[ALL]), (OTHER, &[ALL]), (LAB, &[SITE, ALL])];
        around.iter().any(|(g, list)| *g == inner && list.contains(&outer))
    }

    fn decision(&self, id: UpdateId, set: &[Uuid]) -> Option<Decision> {
        let mine: Vec<&Approval> =
            self.approvals.iter().filter(|a| a.update == id && set.contains(&a.group)).collect();
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

    fn deployed(&self, set: &[Uuid]) -> BTreeMap<i32, Action> {
        let rule =
            |r: &Revision| matches!(r.update_type, UpdateType::Category | UpdateType::Detectoid);
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

    fn needed(&self, deployed: &BTreeMap<i32, Action>, installed: &[i32]) -> BTreeSet<i32> {
        let have: BTreeSet<UpdateId> = self
            .revisions
            .iter()
            .filter(|r| installed.contains(&r.id.0))
            .map(|r| r.identity.id)
            .collect();
        self.revisions
            .iter()
            .filter(|r| deployed.contains_key(&r.id.0) && r.update_type != UpdateType::Driver)
            .filter(|r| r.prerequisites.iter().all(|c| c.any_of.iter().any(|id| have.contains(id))))
            .map(|r| r.id.0)
            .collect()
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
                languages: Vec::new(),
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
        let plain = Plain { revisions: &revisions, approvals: &approvals, declined: &declined };
        let graph = Graph::new(revisions.clone());
        let decisions = Decisions::new(groups(), approvals.iter().copied(), declined.iter().copied(), []);
        for set in [&[ALL][..], &[ALL, SITE], &[ALL, SITE, LAB], &[ALL, SITE, OTHER], &[]] {
            let deployed = deploy(&graph, &decisions, set);
            let expected = plain.deployed(set);
            let found: BTreeMap<i32, Action> = deployed.iter().map(|d| (d.id.0, d.action)).collect();
            prop_assert_eq!(&found, &expected);

            let scope = Scope::new(&graph, &deployed, ChangeMarks::default());
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
        let scope = Scope::new(&graph, &deploy(&graph, &decisions, &[ALL]), ChangeMarks::default());
        let limits = PageLimits { revisions: 2, bytes: 1 << 20 };
        let (mut installed, mut cached) = (Vec::new(), Vec::new());
        for round in 0.. {
            prop_assert!(round < 100);
            let query = AgentQuery { installed: &installed, cached: &cached, ..AgentQuery::default() };
            let answer = scope.sync(&graph, &query, &limits, &|_| 1, &ChangeMarks::default());
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
