//! Do the stores of a data folder belong together? Numbers are compared, nothing is hashed: quick enough
//! for every look at the state.

use std::fs;

use crate::{
    catalog::{Catalog, SnapshotState},
    data_dir::{DataDir, Side},
    file_error::Doing as _,
    fleet::{Fleet, PolicyState},
    transfer::{error::TransferError, store::trust},
};

type Result<T> = std::result::Result<T, TransferError>;

/// What in the stores contradicts what is in another, in sentences; empty when all fits. `check` and
/// `status` say the same.
///
/// # Errors
/// When a store cannot be read at all.
pub fn store_problems(data: &DataDir, catalog: &Catalog, fleet: &Fleet) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let newest = catalog.snapshots()?.iter().map(|row| row.number).max().unwrap_or(0);
    for row in catalog.snapshots()? {
        let is_used = row.state != SnapshotState::Past && row.number == newest;
        if is_used && !data.snapshot(row.number).exists() {
            problems.push(format!(
                "the signatures of snapshot {} are gone ({}): bring the folder back from a backup",
                row.number,
                data.snapshot(row.number).display()
            ));
        }
    }
    match data.side() {
        Side::Connected { .. } => {
            let signed = newest_signed(data)?;
            // One more is what a seal leaves that was killed before it was done; the next one replaces it.
            if signed > newest + 1 {
                problems.push(format!(
                    "{} is older than the snapshots beside it: it ends with snapshot {newest}, but snapshot {signed} has been signed. It came from an older backup: bring back the newest one; sites would refuse what is sealed from this one",
                    data.catalog().display()
                ));
            }
            if newest > 0 && !data.keys().exists() {
                problems.push(format!(
                    "the keys are gone ({}): bring them back from a backup; without them nothing can be sealed",
                    data.keys().display()
                ));
            }
        }
        Side::Isolated { .. } => isolated_problems(data, catalog, fleet, newest, &mut problems)?,
    }
    Ok(problems)
}

/// The catalogue, what is trusted and the fleet speak of the same snapshot.
fn isolated_problems(
    data: &DataDir,
    catalog: &Catalog,
    fleet: &Fleet,
    newest: u64,
    problems: &mut Vec<String>,
) -> Result<()> {
    match trust::load_state(data) {
        Ok(state) => {
            if let Some(trusted) = state.snapshot().filter(|trusted| *trusted > newest) {
                problems.push(format!(
                    "{} is older than what was trusted last: it ends with snapshot {newest}, but snapshot {trusted} was accepted. It came from an older backup: import the newest bundle again",
                    data.catalog().display()
                ));
            }
        }
        // Nothing has been taken in yet: nothing need be trusted.
        Err(TransferError::NothingTrusted) if newest == 0 => {}
        Err(e) => problems.push(e.to_string()),
    }
    let Some(in_force) = catalog.in_force()?.map(|row| row.number) else { return Ok(()) };
    if catalog.awaits_policy()?.is_some() {
        return Ok(());
    }
    let states = [PolicyState::Applied, PolicyState::Held, PolicyState::Rejected];
    for state in states {
        if fleet.policy(state)?.is_some_and(|policy| policy.snapshot >= in_force) {
            return Ok(());
        }
    }
    problems.push(format!(
        "{} has no policy of snapshot {in_force}, which is served: it came from an older backup. Bring back the newest one, or import the bundle of snapshot {in_force} into a new data folder",
        data.fleet().display()
    ));
    Ok(())
}

/// The newest snapshot that was signed here; 0 when none was. (At a site the count may have begun anew.)
fn newest_signed(data: &DataDir) -> Result<u64> {
    let folder = data.snapshots();
    if !folder.exists() {
        return Ok(0);
    }
    let mut newest = 0;
    for entry in fs::read_dir(&folder).doing("list", &folder)? {
        let name = entry.doing("list", &folder)?.file_name();
        newest = name.to_str().and_then(|name| name.parse().ok()).unwrap_or(0).max(newest);
    }
    Ok(newest)
}
