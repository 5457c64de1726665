//! What an agent would act on: applicable and approved updates, with titles and files.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;
use uuid::Uuid;

use super::{action::Action, operation::Operation};
use super::{
    answers::{self, extended::ExtendedInfo},
    applicability::Applicability,
    fragments::{File, UpdateType},
    report::{OfferedUpdate, ProbeEvent, ProbeProgress},
    requests, rulebook as rules,
    session::{Session, SessionEnd},
};

/// Digests in one GetFileLocations.
const LOCATIONS_BATCH: usize = 50;

/// Updates to act on, and where their files are.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    pub(crate) list: Vec<Offer>,
    pub(crate) locations: BTreeMap<[u8; 20], Url>,
    /// Applicable, not installed.
    pub(crate) needed: Vec<Uuid>,
    /// Installed.
    pub(crate) installed: Vec<Uuid>,
}

/// An update to act on.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) update: OfferedUpdate,
    pub(crate) action: Action,
    pub(crate) bundle: bool,
    pub(crate) files: Vec<File>,
    /// Bundled updates that are installed with it.
    pub(crate) members: Vec<Uuid>,
}

impl Session {
    /// Finds what is offered, and fetches the extended metadata for it.
    pub(crate) async fn find_offers(
        &mut self,
        progress: ProbeProgress<'_>,
    ) -> Result<Offers, SessionEnd> {
        let mut offers = Offers::default();
        let mut chosen = Vec::new();
        let mut to_describe = BTreeSet::new();
        {
            let applicability = self.applicability();
            for (&id, cached) in &self.state.cache {
                let described = self.state.described.contains(&id);
                let installed = applicability.installed(id);
                if cached.core.kind == UpdateType::Category && installed && !described {
                    to_describe.insert(id);
                }
                let is_reported = matches!(
                    cached.action,
                    Action::Install
                        | Action::OptionalInstall
                        | Action::Uninstall
                        | Action::PreDeploymentCheck
                );
                let current = applicability.newest(cached.core.update_id) == Some(id);
                if !is_reported || !current {
                    continue;
                }
                if applicability.installable(id) {
                    offers.needed.push(cached.core.update_id);
                    to_describe.insert(id);
                    to_describe.extend(applicability.members(id));
                    if matches!(cached.action, Action::Install | Action::OptionalInstall) {
                        chosen.push(id);
                    }
                } else if installed {
                    offers.installed.push(cached.core.update_id);
                    if cached.action == Action::Uninstall {
                        to_describe.insert(id);
                        chosen.push(id);
                    }
                }
            }
            self.without_superseded(&applicability, &mut chosen);
        }
        let info = self.describe(&to_describe.into_iter().collect::<Vec<_>>(), progress).await?;
        offers.locations = info.locations.iter().cloned().collect();
        offers.list = chosen.into_iter().filter_map(|id| self.offer(id, &info)).collect();
        self.locate(&mut offers, progress).await?;
        self.report.needed = offers.needed.clone();
        self.report.offered = offers.list.iter().map(|offer| offer.update.clone()).collect();
        for offer in &offers.list {
            let OfferedUpdate { title, bytes, .. } = &offer.update;
            progress(ProbeEvent::Offered { title: title.clone(), bytes: *bytes });
        }
        Ok(offers)
    }

    /// Drops what another offered or installed update supersedes.
    fn without_superseded(&self, applicability: &Applicability<'_>, chosen: &mut Vec<i32>) {
        let superseded: BTreeSet<Uuid> = self
            .state
            .cache
            .iter()
            .filter(|(id, cached)| {
                !cached.core.superseded.is_empty()
                    && (chosen.contains(id) && cached.action != Action::Uninstall
                        || applicability.installed(**id))
            })
            .flat_map(|(_, cached)| cached.core.superseded.iter().copied())
            .collect();
        chosen.retain(|id| {
            self.state.cache.get(id).is_some_and(|cached| {
                cached.action == Action::Uninstall || !superseded.contains(&cached.core.update_id)
            })
        });
    }

    /// GetExtendedUpdateInfo for `ids`, in batches of the size that the server allows.
    async fn describe(
        &mut self,
        ids: &[i32],
        progress: ProbeProgress<'_>,
    ) -> Result<ExtendedInfo, SessionEnd> {
        let operation = Operation::GetExtendedUpdateInfo;
        let mut all = ExtendedInfo::default();
        let size = self.state.config.as_ref().map_or(50, |config| config.max_extended);
        for batch in ids.chunks(size.max(1)) {
            let response = self
                .call(operation, progress, |session| {
                    requests::get_extended_update_info(
                        session.state.cookie.as_ref(),
                        batch,
                        &session.machine.profile,
                        session.wire.server(),
                    )
                })
                .await?;
            let server = self.wire.base.clone();
            let info =
                answers::extended_info(&response, batch, &server, &mut self.judge(operation));
            self.emit_findings(progress);
            self.state.described.extend(info.extended.keys());
            all.extended.extend(info.extended);
            all.titles.extend(info.titles);
            all.locations.extend(info.locations);
        }
        Ok(all)
    }

    fn offer(&self, id: i32, info: &ExtendedInfo) -> Option<Offer> {
        let cached = self.state.cache.get(&id)?;
        let applicability = self.applicability();
        let members = applicability.members(id);
        let mut files: Vec<File> = Vec::new();
        if cached.action != Action::Uninstall {
            for part in std::iter::once(&id).chain(&members) {
                let named = info.extended.get(part).map_or(&[][..], |part| &part.files);
                let self_contained = named.iter().any(|file| !file.express);
                for file in named {
                    // An agent that is given no express file takes the whole one.
                    let located = info.locations.iter().any(|(sha1, _)| *sha1 == file.sha1);
                    if file.express && self_contained && !located {
                        continue;
                    }
                    if !files.iter().any(|held| held.sha1 == file.sha1) {
                        files.push(file.clone());
                    }
                }
            }
        }
        let update = OfferedUpdate {
            id: cached.core.update_id,
            revision: cached.core.revision,
            title: self.title(info.titles.get(&id)),
            kb: info.extended.get(&id).and_then(|extended| extended.kb.clone()),
            action: cached.action.name().to_owned(),
            files: files.len(),
            bytes: files.iter().map(|file| file.size).fold(0, u64::saturating_add),
            failure: None,
        };
        let member = |id| self.state.cache.get(id).map(|cached| cached.core.update_id);
        Some(Offer {
            update,
            action: cached.action,
            bundle: cached.core.is_bundle(),
            files,
            members: members.iter().filter_map(member).collect(),
        })
    }

    /// The title in the language of the machine, else in English, else in any.
    fn title(&self, titles: Option<&Vec<(String, String)>>) -> String {
        let Some(titles) = titles else { return String::new() };
        let profile = &self.machine.profile;
        let find = |wanted: &str| {
            titles.iter().find(|(language, _)| language.eq_ignore_ascii_case(wanted))
        };
        find(&profile.locale)
            .or_else(|| find(profile.language()))
            .or_else(|| find("en"))
            .or_else(|| titles.first())
            .map(|(_, title)| title.clone())
            .unwrap_or_default()
    }

    /// Files of offered updates need a location; what came without is asked for by digest.
    async fn locate(
        &mut self,
        offers: &mut Offers,
        progress: ProbeProgress<'_>,
    ) -> Result<(), SessionEnd> {
        let mut missing = BTreeMap::new();
        for offer in &offers.list {
            for file in &offer.files {
                if !offers.locations.contains_key(&file.sha1) {
                    missing.insert(file.sha1, (offer.update.id, file.name.clone()));
                }
            }
        }
        for (update, name) in missing.values() {
            let what = format!("file {:?} of update {update}", super::judge::clip(name));
            self.judge(Operation::GetExtendedUpdateInfo).broken(&rules::LOCATION_MISSING, what);
        }
        let operation = Operation::GetFileLocations;
        let digests: Vec<String> = missing.keys().map(|sha1| STANDARD.encode(sha1)).collect();
        for batch in digests.chunks(LOCATIONS_BATCH) {
            let response = self
                .call(operation, progress, |session| {
                    requests::get_file_locations(session.state.cookie.as_ref(), batch)
                })
                .await?;
            let server = self.wire.base.clone();
            let (locations, cookie) =
                answers::file_locations(&response, &server, &mut self.judge(operation));
            self.state.cookie = cookie.or(self.state.cookie.take());
            offers.locations.extend(locations);
        }
        self.emit_findings(progress);
        Ok(())
    }
}
