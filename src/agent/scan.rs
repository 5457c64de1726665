//! The scan: rounds of the software pass, then the driver pass ([MS-WUSP] 3.1.5.7).

use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use super::{action::Action, operation::Operation};
use super::{
    answers::{
        self,
        sync::{SyncInfo, UpdateInfo},
    },
    error::ProbeError,
    fragments::UpdateType,
    report::{ProbeEvent, ProbeProgress},
    requests, rulebook as rules,
    session::{Session, SessionEnd},
    state::CachedRevision,
};

/// A WSUS refuses more InstalledNonLeafUpdateIDs than this.
const WSUS_MAX_INSTALLED: usize = 400;

/// The revisions that the agent has, as a request names them.
#[derive(Debug, Default)]
struct HeldRevisions {
    installed: Vec<i32>,
    others: Vec<i32>,
    drivers: Vec<i32>,
}

/// What a round brought.
struct Round {
    new: usize,
    non_leaf: bool,
    truncated: bool,
}

impl Session {
    /// Makes the passes that the options ask for.
    pub(crate) async fn scan(&mut self, progress: ProbeProgress<'_>) -> Result<(), SessionEnd> {
        let filter = self.category_filter(progress).await?;
        self.report.rounds = 0;
        loop {
            let Some(round) = self.round(false, &filter, progress).await? else { break };
            if round.new == 0 || (!round.truncated && !round.non_leaf) {
                break;
            }
        }
        if self.options.drivers {
            while let Some(round) = self.round(true, &filter, progress).await?
                && round.truncated
                && round.new > 0
            {}
        }
        self.judge_graph();
        self.emit_findings(progress);
        Ok(())
    }

    /// Categories to filter by: what StartCategoryScan prefers, if this is such a scan.
    async fn category_filter(
        &mut self,
        progress: ProbeProgress<'_>,
    ) -> Result<Vec<Uuid>, SessionEnd> {
        let wanted = self.options.categories.clone();
        let able = self.state.config.as_ref().is_some_and(|config| config.protocol >= (3, 2));
        if wanted.is_empty() || !able {
            return Ok(Vec::new());
        }
        let operation = Operation::StartCategoryScan;
        let response =
            self.call(operation, progress, |_| requests::start_category_scan(&wanted)).await?;
        Ok(answers::preferred_categories(&response, &wanted, &mut self.judge(operation)))
    }

    /// One call of SyncUpdates. `None` when an agent would not call again.
    async fn round(
        &mut self,
        driver_pass: bool,
        filter: &[Uuid],
        progress: ProbeProgress<'_>,
    ) -> Result<Option<Round>, SessionEnd> {
        let operation = Operation::SyncUpdates;
        if self.report.rounds >= self.options.limits.trips {
            let what = format!("more than {} calls", self.options.limits.trips);
            self.judge(operation).broken(&rules::TOO_MANY_TRIPS, what);
            return Ok(None);
        }
        let held = self.held_revisions();
        if held.installed.len() > WSUS_MAX_INSTALLED {
            let what = format!("{} installed non-leaf revisions", held.installed.len());
            self.judge(operation).broken(&rules::TOO_MANY_INSTALLED, what);
        }
        let response = self
            .call(operation, progress, |session| {
                let sync = requests::Sync {
                    installed: held.installed.clone(),
                    others: if driver_pass { Vec::new() } else { held.others.clone() },
                    drivers: if driver_pass { held.drivers.clone() } else { Vec::new() },
                    driver_pass,
                    filter,
                    server: session.wire.server(),
                };
                let profile = &session.machine.profile;
                requests::sync_updates(session.state.cookie.as_ref(), &sync, profile)
            })
            .await?;
        self.report.rounds += 1;
        let info = answers::sync_info(&response, driver_pass, &mut self.judge(operation));
        drop(response);
        let round = self.apply_answer(info, &held, driver_pass)?;
        progress(ProbeEvent::Round {
            number: self.report.rounds,
            new: round.new,
            truncated: round.truncated,
        });
        self.emit_findings(progress);
        Ok(Some(round))
    }

    /// The id lists of the next request, ascending as agents have them.
    fn held_revisions(&self) -> HeldRevisions {
        let applicability = self.applicability();
        let mut held = HeldRevisions::default();
        for (&id, cached) in &self.state.cache {
            if cached.driver {
                held.drivers.push(id);
            } else if !cached.leaf && applicability.installed(id) {
                held.installed.push(id);
            } else {
                held.others.push(id);
            }
        }
        held
    }

    /// Remembers what an answer brought, and judges it by what the request said.
    fn apply_answer(
        &mut self,
        info: SyncInfo,
        held: &HeldRevisions,
        driver_pass: bool,
    ) -> Result<Round, SessionEnd> {
        self.store_cookie(&info);
        let satisfied: HashSet<Uuid> = held
            .installed
            .iter()
            .filter_map(|id| self.state.cache.get(id).map(|cached| cached.core.update_id))
            .collect();
        self.remove_withdrawn(&info);
        for change in info.changed {
            if let Some(cached) = self.state.cache.get_mut(&change.id) {
                cached.leaf = change.leaf;
                cached.action = change.action.unwrap_or(cached.action);
            }
        }
        let mut round = Round { new: 0, non_leaf: false, truncated: info.truncated };
        for update in info.new {
            round.non_leaf |= !update.leaf;
            if self.store_update(update, &satisfied, driver_pass) {
                round.new += 1;
            }
        }
        self.report.updates_received += round.new;
        let limit = self.options.limits.revisions;
        if self.state.cache.len() > limit {
            return Err(SessionEnd::Failed(ProbeError::Unusable {
                operation: Operation::SyncUpdates.name(),
                reason: format!("more than {limit} revisions"),
            }));
        }
        Ok(round)
    }

    fn store_cookie(&mut self, info: &SyncInfo) {
        let Some(cookie) = &info.cookie else { return };
        if let Some(held) = &self.state.cookie
            && held.expiration != cookie.expiration
        {
            let what = format!("from {} to {}", held.expiration, cookie.expiration);
            self.judge(Operation::SyncUpdates).broken(&rules::EXPIRATION_CHANGED, what);
        }
        self.state.cookie = Some(cookie.clone());
    }

    fn remove_withdrawn(&mut self, info: &SyncInfo) {
        for id in &info.out_of_scope {
            if self.state.cache.remove(id).is_some() {
                self.verdicts.remove(id);
                self.state.described.remove(id);
                self.report.withdrawn += 1;
            } else {
                let what = format!("revision {id}");
                self.judge(Operation::SyncUpdates).broken(&rules::OUT_OF_SCOPE_UNKNOWN, what);
            }
        }
    }

    /// Remembers a new revision. False when the agent had it already or cannot use it.
    fn store_update(
        &mut self,
        update: UpdateInfo,
        satisfied: &HashSet<Uuid>,
        driver_pass: bool,
    ) -> bool {
        let Some(mut core) = update.core else { return false };
        let id = update.id;
        let assume_all = self.options.assume_all;
        let held = self.state.cache.get(&id).map(|held| (held.core.update_id, held.core.revision));
        let mut judge = self.judge(Operation::SyncUpdates);
        if let Some(held) = held {
            if held == (core.update_id, core.revision) {
                judge.broken(&rules::SENT_AGAIN, format!("revision {id}"));
                return false;
            }
            let what = format!("revision {id} was {} and is {}", held.0, core.update_id);
            judge.broken(&rules::ID_REUSED, what);
        }
        for clause in &core.prerequisites {
            if !clause.iter().any(|update| satisfied.contains(update)) {
                let what = format!("revision {id}, update {}", core.update_id);
                judge.broken(&rules::PREREQUISITE_OPEN, what);
                break;
            }
        }
        if assume_all {
            core.rules = None;
        }
        let action = update.action.unwrap_or(Action::Evaluate);
        let driver = driver_pass || core.kind == UpdateType::Driver;
        let cached = CachedRevision { core, leaf: update.leaf, action, driver };
        self.state.cache.insert(id, cached);
        self.evaluate(id);
        true
    }

    /// Judges what shows only when the scan is complete.
    fn judge_graph(&mut self) {
        let applicability = self.applicability();
        let mut broken = Vec::new();
        let mut required = BTreeSet::new();
        for (id, cached) in &self.state.cache {
            for &update in cached.core.prerequisites.iter().flatten() {
                let newest = applicability.newest(update);
                if required.insert(update)
                    && let Some(prerequisite) = newest
                    && self.state.cache.get(&prerequisite).is_some_and(|held| held.leaf)
                {
                    let what = format!(
                        "revision {prerequisite}, update {update}: IsLeaf, but {id} requires it"
                    );
                    broken.push((&rules::LEAF_IS_PREREQUISITE, what));
                }
            }
        }
        let mut bundled = BTreeSet::new();
        for cached in self.state.cache.values() {
            for &(update, revision) in cached.core.children.iter().flatten() {
                let Some(id) = applicability.revision(update, revision) else { continue };
                let Some(child) = self.state.cache.get(&id) else { continue };
                if !bundled.insert(id) {
                    continue;
                }
                let what = format!("revision {id}, update {update}");
                if !child.leaf && !required.contains(&update) {
                    broken.push((&rules::BUNDLED_NOT_LEAF, what.clone()));
                }
                if child.action != Action::Bundle {
                    let what = format!("{what}: {}", child.action);
                    broken.push((&rules::ACTION_NOT_BUNDLE, what));
                }
            }
        }
        let mut standing: BTreeSet<Uuid> = BTreeSet::new();
        for (id, cached) in &self.state.cache {
            if !bundled.contains(id) && !standing.insert(cached.core.update_id) {
                let what = format!("update {}, again as revision {id}", cached.core.update_id);
                broken.push((&rules::TWO_REVISIONS, what));
            }
        }
        let mut judge = self.judge(Operation::SyncUpdates);
        broken.into_iter().for_each(|(rule, what)| judge.broken(rule, what));
    }
}
