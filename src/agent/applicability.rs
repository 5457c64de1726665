//! What is installed on the simulated machine, and what could be.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::{
    fragments::UpdateType,
    profile::Profile,
    rules::Verdict,
    state::{CachedRevision, Datastore},
};

/// Deepest nesting of bundles.
const MAX_DEPTH: u32 = 16;

/// Answers about the revisions in the cache of an agent.
pub(crate) struct Applicability<'a> {
    cache: &'a BTreeMap<i32, CachedRevision>,
    simulated: &'a BTreeSet<Uuid>,
    verdicts: &'a HashMap<i32, Verdict>,
    profile: &'a Profile,
    assume_all: bool,
    /// What updates that the stand-in installed supersede. Installing them would have changed the
    /// machine so that the rules of these no longer ask for them.
    replaced: HashSet<Uuid>,
    /// Revision numbers and ids of an update.
    by_update: HashMap<Uuid, BTreeMap<i32, i32>>,
}

impl<'a> Applicability<'a> {
    /// Looks at what `state` holds.
    pub(crate) fn new(
        state: &'a Datastore,
        verdicts: &'a HashMap<i32, Verdict>,
        profile: &'a Profile,
        assume_all: bool,
    ) -> Self {
        let mut by_update: HashMap<Uuid, BTreeMap<i32, i32>> = HashMap::new();
        for (&id, cached) in &state.cache {
            by_update.entry(cached.core.update_id).or_default().insert(cached.core.revision, id);
        }
        let replaced = state
            .cache
            .values()
            .filter(|cached| state.installed.contains(&cached.core.update_id))
            .flat_map(|cached| cached.core.superseded.iter().copied())
            .collect();
        Self {
            cache: &state.cache,
            simulated: &state.installed,
            verdicts,
            profile,
            assume_all,
            replaced,
            by_update,
        }
    }

    /// Id of the newest cached revision of an update.
    pub(crate) fn newest(&self, update: Uuid) -> Option<i32> {
        self.by_update.get(&update)?.last_key_value().map(|(_, &id)| id)
    }

    /// Id of a cached revision.
    pub(crate) fn revision(&self, update: Uuid, revision: i32) -> Option<i32> {
        self.by_update.get(&update)?.get(&revision).copied()
    }

    /// The revision is installed.
    pub(crate) fn installed(&self, id: i32) -> bool {
        self.installed_at(id, 0)
    }

    /// The revision is applicable and not installed.
    pub(crate) fn installable(&self, id: i32) -> bool {
        self.installable_at(id, 0)
    }

    /// Bundled revisions that an agent would install with this one, over all levels.
    pub(crate) fn members(&self, id: i32) -> Vec<i32> {
        let mut found = BTreeSet::new();
        self.collect_members(id, 0, &mut found);
        found.into_iter().collect()
    }

    fn collect_members(&self, id: i32, depth: u32, found: &mut BTreeSet<i32>) {
        if depth > MAX_DEPTH {
            return;
        }
        let Some(cached) = self.cache.get(&id) else { return };
        for &(update, revision) in cached.core.children.iter().flatten() {
            if let Some(child) = self.revision(update, revision)
                && self.installable_at(child, depth + 1)
                && found.insert(child)
            {
                self.collect_members(child, depth + 1, found);
            }
        }
    }

    fn installed_at(&self, id: i32, depth: u32) -> bool {
        let Some(cached) = self.cache.get(&id) else { return false };
        let core = &cached.core;
        if let Some(&answer) = self.profile.installed.get(&core.update_id) {
            return answer;
        }
        if self.simulated.contains(&core.update_id) {
            return true;
        }
        if self.assume_all {
            return !cached.leaf
                || matches!(core.kind, UpdateType::Category | UpdateType::Detectoid);
        }
        if cached.driver || depth > MAX_DEPTH {
            return false;
        }
        let ruled = self.verdicts.get(&id).and_then(|verdict| verdict.installed);
        if core.is_bundle() {
            let complete = core.children.iter().all(|clause| {
                clause.iter().any(|&(update, revision)| {
                    self.revision(update, revision)
                        .is_some_and(|child| self.installed_at(child, depth + 1))
                })
            });
            return complete && ruled.unwrap_or(true);
        }
        ruled.unwrap_or(false)
    }

    fn installable_at(&self, id: i32, depth: u32) -> bool {
        let Some(cached) = self.cache.get(&id) else { return false };
        let core = &cached.core;
        if matches!(core.kind, UpdateType::Category | UpdateType::Detectoid)
            || depth > MAX_DEPTH
            || self.replaced.contains(&core.update_id)
            || self.installed_at(id, depth)
            || !self.prerequisites_hold(cached)
        {
            return false;
        }
        if self.assume_all || cached.driver {
            return true;
        }
        let verdict = self.verdicts.get(&id).copied().unwrap_or_default();
        if verdict.superseded || verdict.installable == Some(false) {
            return false;
        }
        if core.is_bundle() {
            let mut missing = false;
            let every_clause = core.children.iter().all(|clause| {
                let mut fits = false;
                for &(update, revision) in clause {
                    let Some(child) = self.revision(update, revision) else { continue };
                    let installable = self.installable_at(child, depth + 1);
                    missing |= installable;
                    fits |= installable || self.installed_at(child, depth + 1);
                }
                fits
            });
            return every_clause && missing;
        }
        // Without IsInstallable, whatever is not installed can be; without any rule, nothing.
        verdict.installable.unwrap_or(verdict.installed.is_some())
    }

    fn prerequisites_hold(&self, cached: &CachedRevision) -> bool {
        cached.core.prerequisites.iter().all(|clause| {
            clause.iter().any(|&update| self.newest(update).is_some_and(|id| self.installed(id)))
        })
    }
}
