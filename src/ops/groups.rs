//! Target groups.

use serde::Serialize;
use serde_json::json;

use super::{Result, context::Context};
use crate::{fleet::Group, journal::EntryKind};

/// A group that was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupRemoved {
    /// As it was.
    pub removed: Group,
}

/// All groups.
///
/// # Errors
/// When there is no data folder, or the fleet cannot be read.
pub fn list(context: &Context<'_>) -> Result<Vec<Group>> {
    Ok(context.fleet()?.groups()?)
}

/// Makes a group, inside `parent` (name or id) or directly below All Computers.
///
/// # Errors
/// When the name is taken or not usable, there is no such parent, or as [`list`].
pub fn add(context: &Context<'_>, name: &str, parent: Option<&str>) -> Result<Group> {
    let mut fleet = context.fleet_to_change()?;
    let parent = parent.map(|parent| fleet.group(parent)).transpose()?;
    let group = fleet.create_group(name, parent.map(|parent| parent.id))?;
    context.journaled(EntryKind::Groups, "groups add", Ok(group), |group| {
        Some((format!("the group {} was made", group.name), json!(group)))
    })
}

/// Removes a group; its computers become unassigned, its approvals go.
///
/// # Errors
/// When there is no such group, it may not be removed, or as [`list`].
pub fn remove(context: &Context<'_>, name_or_id: &str) -> Result<GroupRemoved> {
    let mut fleet = context.fleet_to_change()?;
    let group = fleet.group(name_or_id)?;
    fleet.remove_group(group.id)?;
    context.journaled(
        EntryKind::Groups,
        "groups remove",
        Ok(GroupRemoved { removed: group }),
        |done| Some((format!("the group {} was removed", done.removed.name), json!(done.removed))),
    )
}
