//! Computers, their groups and what they reported.

use std::collections::HashMap;

use serde::Serialize;
use uuid::Uuid;

use super::{
    Result,
    context::Context,
    error::OpsError,
    removal::{RemovalFilter, RemovalOutcome, RemovedEntry},
};
use crate::{
    fleet::{Compliance, Computer, Event},
    update::UpdateId,
};

/// A computer with what it reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComputerEntry {
    /// The computer.
    pub computer: Computer,
    /// Names of its groups.
    pub group_names: Vec<String>,
    /// The state of each update that it reported.
    pub compliance: Vec<Compliance>,
}

/// One computer with what it reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComputerDetails {
    /// The computer.
    pub computer: Computer,
    /// The state of each update that it reported.
    pub compliance: Vec<Compliance>,
    /// Its newest events, the newest first.
    pub events: Vec<Event>,
    /// Titles of the updates, as far as they are in the catalogue.
    #[serde(skip)]
    pub titles: HashMap<UpdateId, String>,
}

/// The groups that a computer is in from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComputerAssigned {
    /// As named in the request.
    pub computer: String,
    /// As named in the request.
    pub groups: Vec<String>,
}

/// A computer that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComputerRemoved {
    /// As named in the request.
    pub removed: String,
}

/// All computers.
///
/// # Errors
/// When there is no data folder, or the fleet cannot be read.
pub fn list(context: &Context<'_>) -> Result<Vec<ComputerEntry>> {
    let fleet = context.fleet()?;
    let groups: HashMap<Uuid, String> =
        fleet.groups()?.into_iter().map(|group| (group.id, group.name)).collect();
    let mut entries = Vec::new();
    for computer in fleet.computers()? {
        let compliance = fleet.compliance(Some(&computer.id))?;
        let group_names = computer.groups.iter().filter_map(|id| groups.get(id)).cloned().collect();
        entries.push(ComputerEntry { computer, group_names, compliance });
    }
    Ok(entries)
}

/// One computer, by name or id, with so many events.
///
/// # Errors
/// When there is none, or a store fails.
pub fn show(context: &Context<'_>, name_or_id: &str, events: u32) -> Result<ComputerDetails> {
    let (catalog, fleet) = context.catalog_and_fleet()?;
    let names = |computer: &Computer| {
        computer.id.eq_ignore_ascii_case(name_or_id)
            || computer.dns_name.eq_ignore_ascii_case(name_or_id)
    };
    let Some(computer) = fleet.computers()?.into_iter().find(names) else {
        return Err(OpsError::unfit(format!(
            "there is no computer {name_or_id}: `tidegate computers` lists them"
        )));
    };
    let compliance = fleet.compliance(Some(&computer.id))?;
    let events = fleet.events(&computer.id, events)?;
    let mut titles = HashMap::new();
    for state in &compliance {
        if let Some(revision) = catalog.newest(state.update)? {
            titles.insert(state.update, revision.title);
        }
    }
    Ok(ComputerDetails { computer, compliance, events, titles })
}

/// Puts a computer into exactly these groups; none means unassigned. All by name or id.
///
/// # Errors
/// When there is no such computer or group, or as [`list`].
pub fn assign(
    context: &Context<'_>,
    computer: &str,
    groups: Vec<String>,
) -> Result<ComputerAssigned> {
    let mut fleet = context.fleet_to_change()?;
    let ids = groups.iter().map(|group| Ok(fleet.group(group)?.id)).collect::<Result<Vec<_>>>()?;
    fleet.assign(computer, &ids)?;
    Ok(ComputerAssigned { computer: computer.to_owned(), groups })
}

/// Forgets a computer; it is back when it calls again.
///
/// # Errors
/// When there is none, or as [`list`].
pub fn remove(context: &Context<'_>, name_or_id: &str) -> Result<ComputerRemoved> {
    context.fleet_to_change()?.remove_computer(name_or_id)?;
    Ok(ComputerRemoved { removed: name_or_id.to_owned() })
}

/// Forgets all computers that fit; without `really`, only says which.
///
/// # Errors
/// As [`list`].
pub fn remove_all(
    context: &Context<'_>,
    filter: &RemovalFilter,
    really: bool,
) -> Result<RemovalOutcome> {
    let now = context.now();
    let mut fleet = context.fleet_to_change()?;
    // What fits is asked again with each run: one that has reported meanwhile stays.
    let removed = fleet.at_once(|fleet| {
        let mut computers = fleet.computers()?;
        computers.retain(|one| filter.fits(one.last_seen, one.last_report, now));
        if really {
            for computer in &computers {
                fleet.remove_computer(&computer.id)?;
            }
        }
        Ok::<_, OpsError>(computers)
    })?;
    let removed = removed.into_iter().map(|computer| RemovedEntry {
        id: computer.id,
        name: computer.dns_name,
        last_seen: computer.last_seen,
        last_report: computer.last_report,
    });
    Ok(RemovalOutcome { done: really, removed: removed.collect() })
}
