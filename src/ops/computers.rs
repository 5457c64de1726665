//! Computers, their groups and what they reported.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    Result,
    context::Context,
    removal::{self, RemovalChoice, RemovalOutcome, RemovalTarget, RemovedEntry, find},
};
use crate::{
    fleet::{Compliance, Computer, Event, Fleet},
    journal::EntryKind,
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
    /// The groups that it asks for and that do not exist.
    #[serde(rename = "missing-groups")]
    pub missing_groups: Vec<String>,
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
    let computer = find(fleet.computers()?, name_or_id)?;
    let compliance = fleet.compliance(Some(&computer.id))?;
    let events = fleet.events(&computer.id, events)?;
    let mut titles = HashMap::new();
    for state in &compliance {
        if let Some(revision) = catalog.newest(state.update)? {
            titles.insert(state.update, revision.title);
        }
    }
    let asked = computer.requested_group.as_deref().unwrap_or_default();
    let missing_groups = fleet.missing_groups_of(asked)?;
    Ok(ComputerDetails { computer, compliance, events, missing_groups, titles })
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
    let assigned = ComputerAssigned { computer: computer.to_owned(), groups };
    context.journaled(EntryKind::Computers, "computers move", Ok(assigned), |done| {
        let groups = match done.groups.as_slice() {
            [] => "no group".to_owned(),
            groups => groups.join(", "),
        };
        Some((format!("{} was moved to {groups}", done.computer), json!(done)))
    })
}

/// Forgets a computer, or all that fit; without `really`, only says which. They are back when they call
/// again.
///
/// # Errors
/// When none, or more than one, has the name, or as [`list`].
pub fn remove(
    context: &Context<'_>,
    choice: &RemovalChoice<'_>,
    really: bool,
) -> Result<RemovalOutcome> {
    let now = context.now();
    removal::remove(context, really, |fleet| {
        let mut computers = fleet.computers()?;
        match choice {
            RemovalChoice::Named(name) => return Ok(vec![find(computers, name)?]),
            RemovalChoice::All(filter) => {
                computers.retain(|one| filter.fits(one.last_seen, one.last_report, now));
            }
        }
        Ok(computers)
    })
}

impl RemovalTarget for Computer {
    const KIND: &'static str = "computer";
    const ENTRY: EntryKind = EntryKind::Computers;

    fn id(&self) -> String {
        self.id.clone()
    }

    fn is_called(&self, name: &str) -> bool {
        self.dns_name.eq_ignore_ascii_case(name)
    }

    fn entry(&self) -> RemovedEntry {
        RemovedEntry {
            id: self.id.clone(),
            name: self.dns_name.clone(),
            last_seen: self.last_seen,
            last_report: self.last_report,
        }
    }

    fn remove(&self, fleet: &mut Fleet) -> Result<()> {
        Ok(fleet.remove_computer(&self.id)?)
    }
}
