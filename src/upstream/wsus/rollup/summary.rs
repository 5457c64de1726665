//! The numbers that a downstream reports of itself, counted from catalogue and fleet.
//! [MS-WUSSS] 3.1.4.14.3, 3.2.4.5

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use uuid::{Uuid, uuid};

use super::report::RollupError;
use crate::{
    catalog::{Catalog, PayloadState},
    fleet::{ApprovalAction, Computer, Fleet, Installations},
    protocol::rollup::{ClientActivity, ClientSummary, ComputerDetails, ServerSummary},
    update::{UpdateId, UpdateIdentity, UpdateType},
};

const CRITICAL_UPDATES: Uuid = uuid!("e6cf1350-c01b-414d-a61f-263d14d133b4");
const SECURITY_UPDATES: Uuid = uuid!("0fa1201d-4330-4fa8-8ae9-b877473b6441");

/// An update that can be approved, by its newest revision.
struct NewestRevision {
    identity: UpdateIdentity,
    expired: bool,
    critical: bool,
    /// Itself and what it bundles.
    parts: Vec<UpdateIdentity>,
}

/// Counts what is here, without servers below. An update is approved if some group is to install
/// it. Approvals here are for updates, not for revisions: none is stale. Whether an update belongs
/// to WSUS itself is not kept in the catalogue: these are not counted.
pub(super) fn server_summary(
    catalog: &Catalog,
    fleet: &Fleet,
) -> Result<ServerSummary, RollupError> {
    let (updates, lacking) = updates(catalog)?;
    let declined: HashSet<UpdateId> = fleet.declined()?.into_iter().collect();
    let approved: HashSet<UpdateId> = fleet
        .approvals()?
        .into_iter()
        .filter(|a| matches!(a.action, ApprovalAction::Install | ApprovalAction::OptionalInstall))
        .map(|approval| approval.update)
        .collect();
    let (mut needed, mut failed) = (HashSet::new(), HashSet::new());
    let computers = fleet.count_states(&mut |update, needs, fails| {
        if updates.contains_key(&update) && !declined.contains(&update) {
            if needs {
                needed.insert(update);
            }
            if fails {
                failed.insert(update);
            }
        }
    })?;
    let count = |keep: &dyn Fn(&UpdateId, &NewestRevision) -> bool| {
        number(updates.iter().filter(|(id, update)| keep(id, update)).count())
    };
    let open = |id: &UpdateId| !declined.contains(id) && !approved.contains(id);
    let lacks = |update: &NewestRevision| update.parts.iter().any(|part| lacking.contains(part));
    Ok(ServerSummary {
        updates: number(updates.len()),
        declined: count(&|id, _| declined.contains(id)),
        approved: count(&|id, _| !declined.contains(id) && approved.contains(id)),
        not_approved: count(&|id, _| open(id)),
        expired: count(&|_, update| update.expired),
        critical_or_security_not_approved: count(&|id, update| open(id) && update.critical),
        needing_files: count(&|id, update| {
            !declined.contains(id) && approved.contains(id) && lacks(update)
        }),
        with_client_errors: number(failed.len()),
        needed: number(needed.len()),
        up_to_date: count(&|id, _| {
            !declined.contains(id) && !needed.contains(id) && !failed.contains(id)
        }),
        // Without All Computers and Unassigned Computers.
        groups: number(fleet.groups()?.len().saturating_sub(2)),
        computers: number(fleet.computers()?.len()),
        computers_needing_updates: number(computers.needing),
        computers_with_errors: number(computers.failing),
        computers_up_to_date: number(computers.up_to_date),
        ..ServerSummary::default()
    })
}

fn number(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

type Updates = HashMap<UpdateId, NewestRevision>;

/// The newest revisions that can be approved, and all revisions of which files are not here.
fn updates(catalog: &Catalog) -> Result<(Updates, HashSet<UpdateIdentity>), RollupError> {
    let (mut newest, mut lacking) = (Updates::new(), HashSet::new());
    catalog.nodes(&mut |node| {
        if node.files.iter().any(|file| !file.express && file.state == PayloadState::Missing) {
            lacking.insert(node.identity);
        }
        let kind = matches!(node.update_type, UpdateType::Software | UpdateType::Driver);
        let id = node.identity.id;
        let older = newest.get(&id).is_none_or(|n| n.identity.revision < node.identity.revision);
        if !kind || !node.explicitly_deployable || !older {
            return;
        }
        let mut names = node.prerequisites.iter().flat_map(|clause| &clause.any_of);
        let bundled = node.bundled.iter().flat_map(|clause| clause.any_of.iter().copied());
        let update = NewestRevision {
            identity: node.identity,
            expired: node.expired,
            critical: names.any(|id| [CRITICAL_UPDATES, SECURITY_UPDATES].contains(&id.0)),
            parts: std::iter::once(node.identity).chain(bundled).collect(),
        };
        newest.insert(id, update);
    })?;
    Ok((newest, lacking))
}

/// What a computer said when it registered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RegistrationDetails {
    os_major_version: Option<i32>,
    os_minor_version: Option<i32>,
    os_build_number: Option<i32>,
    os_service_pack_major: Option<i32>,
    os_service_pack_minor: Option<i32>,
    os_locale: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    bios_version: Option<String>,
    bios_name: Option<String>,
    bios_release_date: Option<String>,
    processor_architecture: Option<String>,
    suite_mask: Option<i32>,
    old_product_type: Option<i32>,
    new_product_type: Option<i32>,
    system_metrics: Option<i32>,
    client_version_major: Option<i32>,
    client_version_minor: Option<i32>,
    client_version_build: Option<i32>,
    client_version_qfe: Option<i32>,
    os_description: Option<String>,
}

/// A computer that comes here, as it is reported to the upstream.
pub(super) fn computer_details(computer: &Computer) -> ComputerDetails {
    let registration: RegistrationDetails = computer
        .details
        .clone()
        .and_then(|details| serde_json::from_value(details).ok())
        .unwrap_or_default();
    let version = [
        registration.client_version_major,
        registration.client_version_minor,
        registration.client_version_build,
        registration.client_version_qfe,
    ];
    let version = version.map(|part| part.unwrap_or(0).to_string()).join(".");
    let most = |text: Option<String>, most| text.map(|text| text.chars().take(most).collect());
    // A date on the wire; what computers write in other ways is left out.
    let release = registration
        .bios_release_date
        .filter(|date| date.parse::<crate::protocol::DateTime>().is_ok());
    ComputerDetails {
        ip_address: None,
        name: Some(computer.dns_name.clone()),
        os_version: [
            registration.os_major_version,
            registration.os_minor_version,
            registration.os_build_number,
            registration.os_service_pack_major,
            registration.os_service_pack_minor,
        ]
        .map(Option::unwrap_or_default),
        os_locale: registration.os_locale,
        os_family: None,
        os_description: most(registration.os_description, 256),
        make: most(registration.manufacturer, 64),
        model: most(registration.model, 64),
        bios_version: most(registration.bios_version, 64),
        bios_name: most(registration.bios_name, 64),
        bios_release: release,
        architecture: most(registration.processor_architecture, 50),
        suite_mask: registration
            .suite_mask
            .and_then(|mask| mask.try_into().ok())
            .unwrap_or_default(),
        old_product_type: registration
            .old_product_type
            .and_then(|t| t.try_into().ok())
            .unwrap_or_default(),
        new_product_type: registration.new_product_type.unwrap_or_default(),
        system_metrics: registration.system_metrics.unwrap_or_default(),
        client_version: most(Some(version), 20),
        groups: computer.groups.clone(),
        requested_groups: requested_groups(computer),
    }
}

/// The groups that a computer asks for. No server takes more than 256, and a claim of one computer must not
/// stop the report on all.
fn requested_groups(computer: &Computer) -> Vec<String> {
    let names = computer.requested_group.iter().flat_map(|names| names.split(';'));
    names
        .map(|name| name.trim().chars().take(256).collect::<String>())
        .filter(|name| !name.is_empty())
        .take(256)
        .collect()
}

/// Installations of each revision: that succeeded, that failed.
type Sums = BTreeMap<UpdateIdentity, (u32, u32)>;

/// The computers here by system, with their installations since the last report.
pub(super) fn client_summaries(
    computers: &[Computer],
    installations: &[Installations],
) -> Vec<ClientSummary> {
    let mut systems: BTreeMap<String, (ClientSummary, Sums)> = BTreeMap::new();
    let mut done: HashMap<&str, Vec<&Installations>> = HashMap::new();
    for installation in installations {
        done.entry(&installation.by).or_default().push(installation);
    }
    for computer in computers {
        let details = computer_details(computer);
        let system = ClientSummary {
            os_version: details.os_version,
            os_locale: details.os_locale.unwrap_or_default(),
            suite_mask: details.suite_mask,
            old_product_type: details.old_product_type,
            new_product_type: details.new_product_type,
            system_metrics: details.system_metrics,
            architecture: details.architecture.unwrap_or_default(),
            count: 0,
            activity: Vec::new(),
        };
        let key = format!("{system:?}");
        let (summary, activity) = systems.entry(key).or_insert_with(|| (system, Sums::new()));
        summary.count = summary.count.saturating_add(1);
        for installation in done.get(computer.id.as_str()).into_iter().flatten() {
            let sum = activity.entry(installation.identity).or_default();
            sum.0 = sum.0.saturating_add(installation.succeeded);
            sum.1 = sum.1.saturating_add(installation.failed);
        }
    }
    systems
        .into_values()
        .map(|(summary, activity)| {
            let activity = activity
                .into_iter()
                .map(|(identity, (succeeded, failed))| self::activity(identity, succeeded, failed));
            ClientSummary { activity: activity.collect(), ..summary }
        })
        .collect()
}

/// Installations of a revision.
pub(super) fn activity(identity: UpdateIdentity, succeeded: u32, failed: u32) -> ClientActivity {
    ClientActivity { identity, succeeded: number(succeeded), failed: number(failed) }
}
