//! Looking what keeps approved updates from being offered. The one place that says so; the server goes by
//! the same rule ([`scope::obstacle`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bundle_format::digest::Sha1;

use super::{
    reasons::{NAMED, NamedUpdate, ReasonDetails, WaitingReason, WaitingUpdate},
    rings::rings,
};
use crate::{
    catalog::{Catalog, FileRow, GraphNode, PayloadState},
    data_dir::Side,
    fleet::{ApprovalAction, Fleet},
    ops::{Result, context::Context},
    scope::{self, Decision, FileState, Graph, Obstacle},
    server::{
        pack::packed_in,
        view::{ExistingPayloads, decision, decisions, scope_revision},
    },
    update::{DocumentLimits, UpdateId, UpdateIdentity, fragments},
};

/// Prerequisites of prerequisites are followed so far up; real ones have four levels.
const LEVELS: u32 = 32;

/// The updates that are approved to be installed or removed and that nobody is offered, sorted.
///
/// # Errors
/// When a store fails.
pub(in crate::ops) fn waiting(
    context: &Context<'_>,
    catalog: &Catalog,
    fleet: &Fleet,
) -> Result<Vec<WaitingUpdate>> {
    waiting_without(context, catalog, fleet, &BTreeSet::new())
}

/// As [`waiting`], as it would be if the catalogue did not have the revisions in `without`.
///
/// # Errors
/// When a store fails.
pub(super) fn waiting_without(
    context: &Context<'_>,
    catalog: &Catalog,
    fleet: &Fleet,
    without: &BTreeSet<UpdateIdentity>,
) -> Result<Vec<WaitingUpdate>> {
    let mut approved: BTreeMap<UpdateId, BTreeSet<Decision>> = BTreeMap::new();
    for approval in fleet.approvals()? {
        if !matches!(approval.action, ApprovalAction::Detect | ApprovalAction::Block) {
            approved.entry(approval.update).or_default().insert(decision(approval.action));
        }
    }
    if approved.is_empty() {
        return Ok(Vec::new());
    }
    let view = Approved::load(context, catalog, without)?;
    let superseded = approved.keys().map(|update| (*update, view.superseded(*update))).collect();
    let rings = rings(&superseded);
    let decisions = decisions(fleet)?;
    let mut found = Vec::new();
    for (update, wanted) in &approved {
        let mut reasons = BTreeSet::new();
        for decision in wanted {
            if let Some(obstacle) = scope::obstacle(&view.graph, &decisions, *update, *decision) {
                reasons.extend(view.explain(*update, obstacle)?);
            }
        }
        reasons.extend(view.never_applicable(*update)?);
        if let Some(ring) = rings.get(update) {
            let ring = view.named(ring.iter().copied())?;
            reasons.extend(ReasonDetails::of_updates(WaitingReason::SupersededRing, ring));
        }
        if reasons.is_empty() {
            reasons.extend(view.unreadable(*update)?);
        }
        if !reasons.is_empty() {
            let title = view.title(*update)?;
            let reasons = reasons.into_iter().map(|reason| view.advised(reason)).collect();
            found.push(WaitingUpdate { update: *update, title, reasons });
        }
    }
    Ok(found)
}

/// What brings files that were removed from a site by choice.
const REMOVED_HERE: &str = "they were removed here: `tidegate export --full` on the connected side brings those that it has";

/// The catalogue around what is approved.
struct Approved<'a> {
    catalog: &'a Catalog,
    limits: DocumentLimits,
    is_isolated: bool,
    nodes: HashMap<UpdateIdentity, GraphNode>,
    graph: Graph,
    /// The languages that are carried; `None`: all.
    languages: Option<HashSet<String>>,
    /// Payloads that were removed here by choice.
    left_out: HashSet<Sha1>,
    /// Revisions whose fragments the server has; none where it never ran.
    packed: HashSet<UpdateIdentity>,
}

impl<'a> Approved<'a> {
    fn load(
        context: &Context<'_>,
        catalog: &'a Catalog,
        without: &BTreeSet<UpdateIdentity>,
    ) -> Result<Self> {
        let data = context.data_dir()?;
        let existing = ExistingPayloads::list(&data.content(), catalog.counts()?.present);
        let mut nodes = HashMap::new();
        catalog.nodes(&mut |mut node| {
            existing.note_missing(&mut node);
            if !without.contains(&node.identity) {
                nodes.insert(node.identity, node);
            }
        })?;
        let is_isolated = matches!(data.side(), Side::Isolated { .. });
        let languages = match catalog.carried_languages()? {
            Some(names) => Some(names.into_iter().collect()),
            None if is_isolated => languages_here(&nodes),
            None => None,
        };
        let left_out = catalog.left_out()?.into_iter().map(|(_, sha1)| sha1).collect();
        Ok(Self {
            catalog,
            limits: context.limits(),
            is_isolated,
            graph: Graph::new(nodes.values().map(scope_revision).collect()),
            nodes,
            languages,
            left_out,
            packed: packed_in(&data.packs()),
        })
    }

    fn newest(&self, update: UpdateId) -> Option<&GraphNode> {
        self.nodes.get(&self.graph.identity(self.graph.newest(update)?)?)
    }

    fn superseded(&self, update: UpdateId) -> Vec<UpdateId> {
        self.newest(update).map(|node| node.superseded.clone()).unwrap_or_default()
    }

    /// The title of any revision of an update, or its id.
    fn title(&self, update: UpdateId) -> Result<String> {
        let newest = self.catalog.revisions_of(update)?.pop();
        Ok(newest.map_or_else(|| update.to_string(), |revision| revision.title))
    }

    fn named(&self, updates: impl Iterator<Item = UpdateId>) -> Result<Vec<NamedUpdate>> {
        let named = |update| Ok(NamedUpdate { update, title: self.title(update)? });
        updates.take(NAMED).map(named).collect()
    }

    fn explain(&self, update: UpdateId, obstacle: Obstacle) -> Result<Vec<ReasonDetails>> {
        Ok(match obstacle {
            Obstacle::NotInCatalogue => {
                let files = self.catalog.contradicting_files(update)?;
                let reason = ReasonDetails::of_files(WaitingReason::ContradictingDigest, files);
                vec![reason.unwrap_or_else(|| WaitingReason::NotInCatalogue.into())]
            }
            Obstacle::Declined => vec![WaitingReason::Declined.into()],
            Obstacle::NotInstallable => vec![WaitingReason::NotInstallable.into()],
            Obstacle::Expired => vec![WaitingReason::Expired.into()],
            Obstacle::LicenceNotAccepted => {
                let licence = self.newest(update).and_then(|node| node.eula_id.clone());
                vec![ReasonDetails { licence, ..WaitingReason::LicenceNotAccepted.into() }]
            }
            Obstacle::Files(_) => self.files(update)?,
        })
    }

    /// Which files of an update and its members are not here, sorted by why.
    fn files(&self, update: UpdateId) -> Result<Vec<ReasonDetails>> {
        let mut by_reason: BTreeMap<WaitingReason, BTreeSet<String>> = BTreeMap::new();
        let (mut languages, mut left_out) = (BTreeSet::new(), false);
        for node in self.with_members(update) {
            let needed = node.files.iter().filter(|file| !file.express);
            for file in needed.filter(|file| file.state != PayloadState::Present) {
                let reason = self.why_missing(node, file)?;
                if reason == WaitingReason::Language {
                    languages.extend(node.languages.iter().cloned());
                }
                left_out |= self.left_out.contains(&file.sha1);
                by_reason.entry(reason).or_default().insert(file.name.clone());
            }
        }
        by_reason.remove(&WaitingReason::Language);
        let mut reasons: Vec<ReasonDetails> = by_reason
            .into_iter()
            .filter_map(|(reason, files)| ReasonDetails::of_files(reason, files))
            .collect();
        if self.is_isolated && left_out {
            for reason in
                reasons.iter_mut().filter(|one| one.reason != WaitingReason::ContradictingDigest)
            {
                reason.advice = Some(REMOVED_HERE.to_owned());
            }
        }
        reasons.extend(self.members_not_here(update, false)?);
        if reasons.is_empty() {
            let languages = languages.into_iter().collect();
            reasons.push(ReasonDetails { languages, ..WaitingReason::Language.into() });
        }
        Ok(reasons)
    }

    /// Why a file is not here. One that was here once is not missing for its language.
    fn why_missing(&self, node: &GraphNode, file: &FileRow) -> Result<WaitingReason> {
        let known = self.catalog.payload_by_sha1(&file.sha1)?;
        let is_same = |sha256| file.sha256.is_none_or(|named| named == sha256);
        let carried = |language: &String| {
            self.languages.as_ref().is_none_or(|carried| carried.contains(language))
        };
        Ok(match known {
            _ if file.state == PayloadState::NotCarried => WaitingReason::NotCarried,
            Some(known) if known.present && !is_same(known.sha256) => {
                WaitingReason::ContradictingDigest
            }
            None if !node.languages.is_empty() && !node.languages.iter().any(carried) => {
                WaitingReason::Language
            }
            _ => WaitingReason::MissingFile,
        })
    }

    /// A reason with what to do about it.
    fn advised(&self, details: ReasonDetails) -> ReasonDetails {
        let general = || details.reason.advice(self.is_isolated).to_owned();
        ReasonDetails { advice: Some(details.advice.clone().unwrap_or_else(general)), ..details }
    }

    /// The newest revision of an update and all that it bundles.
    fn with_members(&self, update: UpdateId) -> Vec<&GraphNode> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<&GraphNode> = self.newest(update).into_iter().collect();
        while let Some(node) = open.pop() {
            if seen.insert(node.identity) {
                found.push(node);
                let members = node.bundled.iter().flat_map(|clause| &clause.any_of);
                open.extend(members.filter_map(|member| self.nodes.get(member)));
            }
        }
        found
    }

    /// Members that are not in the catalogue, of clauses of which no alternative has its files here; with
    /// `all`, only where the catalogue has no alternative either.
    fn members_not_here(&self, update: UpdateId, all: bool) -> Result<Option<ReasonDetails>> {
        let is_complete = |member: &UpdateIdentity| {
            let id = self.graph.lookup(member);
            id.and_then(|id| self.graph.files(id)) == Some(FileState::Complete)
        };
        let mut gone = BTreeSet::new();
        for clause in self.with_members(update).into_iter().flat_map(|node| &node.bundled) {
            let is_here = |member: &&UpdateIdentity| self.nodes.contains_key(member);
            let is_whole = match all {
                true => clause.any_of.iter().any(|member| is_here(&member)),
                false => clause.any_of.iter().any(is_complete),
            };
            if !is_whole {
                let missing = clause.any_of.iter().filter(|member| !is_here(member));
                gone.extend(missing.map(|member| member.id));
            }
        }
        let gone = self.named(gone.into_iter())?;
        Ok(ReasonDetails::of_updates(WaitingReason::MemberNotHere, gone))
    }

    /// Why agents never find an update applicable, whatever computer they are on.
    fn never_applicable(&self, update: UpdateId) -> Result<Vec<ReasonDetails>> {
        let Some(node) = self.newest(update) else { return Ok(Vec::new()) };
        let mut reasons = Vec::new();
        for clause in &node.prerequisites {
            if clause.any_of.is_empty() {
                reasons.push(WaitingReason::UnfitClause.into());
                continue;
            }
            let mut seen = HashMap::new();
            let absent = self.absent_of(&clause.any_of, &mut seen, LEVELS);
            if let Some(absent) = absent {
                let updates = self.named(absent.into_iter())?;
                let reason = match updates.is_empty() {
                    true => Some(WaitingReason::UnfitClause.into()),
                    false => ReasonDetails::of_updates(WaitingReason::PrerequisiteNotHere, updates),
                };
                reasons.extend(reason);
            }
        }
        reasons.extend(self.members_not_here(update, true)?);
        Ok(reasons)
    }

    /// What keeps every alternative of a clause from ever being installed, on whatever level: updates that
    /// are not here (none of them, where a clause further up is empty). `None` if one can be.
    fn absent_of(
        &self,
        alternatives: &[UpdateId],
        seen: &mut HashMap<UpdateId, Option<BTreeSet<UpdateId>>>,
        levels: u32,
    ) -> Option<BTreeSet<UpdateId>> {
        let mut absent = BTreeSet::new();
        for update in alternatives {
            absent.extend(self.absent_for(*update, seen, levels)?);
        }
        Some(absent)
    }

    fn absent_for(
        &self,
        update: UpdateId,
        seen: &mut HashMap<UpdateId, Option<BTreeSet<UpdateId>>>,
        levels: u32,
    ) -> Option<BTreeSet<UpdateId>> {
        let Some(node) = self.newest(update) else { return Some(BTreeSet::from([update])) };
        if let Some(known) = seen.get(&update) {
            return known.clone();
        }
        // What is being looked at, or is too far up, counts as one that can be installed.
        seen.insert(update, None);
        let levels = levels.checked_sub(1)?;
        let found = node.prerequisites.iter().find_map(|clause| match clause.any_of.as_slice() {
            [] => Some(BTreeSet::new()),
            any_of => self.absent_of(any_of, seen, levels),
        });
        seen.insert(update, found.clone());
        found
    }

    /// Whether an agent can be given the documents of an update and its members. What the server has
    /// packed is not looked at again.
    fn unreadable(&self, update: UpdateId) -> Result<Option<ReasonDetails>> {
        if self.packed.is_empty() {
            return Ok(None);
        }
        for node in self.with_members(update) {
            if self.packed.contains(&node.identity) {
                continue;
            }
            let what = match self.catalog.document(node.revision_id)? {
                None => "the catalogue has lost it: run `tidegate check`".to_owned(),
                Some(xml) => match fragments(&xml, &self.limits) {
                    Ok(_) => continue,
                    Err(error) => error.to_string(),
                },
            };
            let reason = ReasonDetails::from(WaitingReason::UnreadableDocument);
            return Ok(Some(ReasonDetails { what: Some(what), ..reason }));
        }
        Ok(None)
    }
}

/// A site is not told which languages its mirror carries: it has files for them. `None` where no file here
/// is for some languages only.
fn languages_here(nodes: &HashMap<UpdateIdentity, GraphNode>) -> Option<HashSet<String>> {
    let here = nodes
        .values()
        .filter(|node| node.files.iter().any(|file| file.state == PayloadState::Present))
        .flat_map(|node| node.languages.iter().cloned());
    let here: HashSet<String> = here.collect();
    (!here.is_empty()).then_some(here)
}
