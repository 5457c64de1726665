//! Do the stores of a data folder belong together? Numbers are compared, and no payload is hashed: quick
//! enough for every look at the state.

use std::collections::BTreeSet;

use bundle_format::{limits::BundleLimits, trust::inspect_for_signing};

use jiff::{SignedDuration, Timestamp};

use super::snapshots::snapshots_in_use;
use crate::{
    catalog::{Catalog, SnapshotRow},
    content::{ContentStore, REPORT_RESERVE},
    data_dir::{DataDir, Side},
    error_chain::chain,
    fleet::{Fleet, PolicyState},
    transfer::{
        connected::{
            keys::files::{IN_USE, KeyFiles, WAITING},
            sealed_policy::takes_decisions_back,
        },
        error::TransferError,
        store::{heads, trust},
    },
};

/// A clock that is further behind is wrong.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

type Result<T> = std::result::Result<T, TransferError>;

/// What in the stores contradicts what is in another, in sentences; empty when all fits. `check` and
/// `status` say the same. Without a fleet, what the other stores say.
///
/// # Errors
/// When the catalogue or the fleet cannot be read.
pub fn store_problems(
    data: &DataDir,
    catalog: &Catalog,
    fleet: Option<&Fleet>,
    now: Timestamp,
) -> Result<Vec<String>> {
    let snapshots = catalog.snapshots()?;
    let newest = snapshots.iter().map(|row| row.number).max().unwrap_or(0);
    let mut problems: Vec<String> =
        snapshots.iter().filter_map(|row| date_problem(row, now)).collect();
    for row in snapshots_in_use(catalog)? {
        problems.extend(signature_problem(data, &row));
    }
    let content = ContentStore::for_reading(&data.content());
    problems.extend(content_problem(&content, data, catalog)?);
    problems.extend(content.free_space().ok().and_then(|free| space_problem(data, free)));
    let stores = Stores { data, catalog, fleet, newest };
    match data.side() {
        Side::Connected { .. } => stores.connected_problems(&mut problems)?,
        Side::Isolated { .. } => stores.isolated_problems(&mut problems)?,
    }
    Ok(problems)
}

/// A folder of payloads without any is most likely a disk that is not mounted.
fn content_problem(
    content: &ContentStore,
    data: &DataDir,
    catalog: &Catalog,
) -> Result<Option<String>> {
    let present = catalog.counts()?.present;
    let is_gone = present > 0 && content.names()?.is_none();
    Ok(is_gone.then(|| {
        format!(
            "{} holds no payload at all, and {present} should be there: if it is on a disk of its own, mount that. Nothing of it is put aside",
            data.content().display()
        )
    }))
}

/// A disk that is nearly full keeps things back.
fn space_problem(data: &DataDir, free: u64) -> Option<String> {
    const MIB: u64 = 1024 * 1024;
    (free < REPORT_RESERVE).then(|| {
        format!(
            "the disk of {} has {} MiB free: below {} MiB what computers report is refused, and imports and downloads have no room. Free space there",
            data.root().display(),
            free / MIB,
            REPORT_RESERVE / MIB
        )
    })
}

/// A date that is to come is wrong, or the clock here is.
fn date_problem(row: &SnapshotRow, now: Timestamp) -> Option<String> {
    (row.created.duration_since(now) > AHEAD).then(|| {
        format!(
            "snapshot {} is dated {:.0}, which is to come: that date is wrong, or the clock here ({now:.0}) is behind. Set the clock",
            row.number, row.created
        )
    })
}

/// What is compared.
struct Stores<'a> {
    data: &'a DataDir,
    catalog: &'a Catalog,
    fleet: Option<&'a Fleet>,
    /// The newest snapshot of the catalogue, 0 without one.
    newest: u64,
}

/// The stored signatures of a snapshot are there, whole, and of the snapshot that the catalogue has.
fn signature_problem(data: &DataDir, row: &SnapshotRow) -> Option<String> {
    let (number, folder) = (row.number, data.snapshot(row.number));
    let signatures = format!("the signatures of snapshot {number} ({})", folder.display());
    let head = match heads::load(data, number) {
        Ok(head) => head,
        Err(e) => {
            return Some(format!(
                "{signatures} are gone or cannot be read: if an import was broken off, run it again; else bring the folder back from a backup ({})",
                chain(&e)
            ));
        }
    };
    let found = match inspect_for_signing(&head, &BundleLimits::default()) {
        Ok(found) => found.index_digest,
        Err(e) => {
            return Some(format!(
                "{signatures} are damaged: if an import was broken off, run it again; else bring the folder back from a backup ({})",
                chain(&e)
            ));
        }
    };
    (found != row.index_sha256).then(|| {
        format!(
            "{signatures} are of another snapshot {number} than the catalogue has: one of the two came from a backup. Bring both back from the same one"
        )
    })
}

impl Stores<'_> {
    /// Nothing is older than what was signed last, and what signs is here.
    fn connected_problems(&self, problems: &mut Vec<String>) -> Result<()> {
        let &Self { data, catalog, fleet, newest } = self;
        let signed = heads::newest(data)?;
        // One more is what a seal leaves that was killed before it was done; the next one replaces it.
        if signed > newest + 1 {
            problems.push(format!(
            "{} is older than the snapshots beside it: it ends with snapshot {newest}, but snapshot {signed} has been signed. It came from an older backup: bring back the newest one; nothing is sealed from this one, because sites would refuse it",
            data.catalog().display()
        ));
        }
        if newest > 0 {
            problems.extend(key_problems(data));
        }
        if let Some(fleet) = fleet
            && takes_decisions_back(catalog, fleet)?
        {
            problems.push(format!(
            "{} is older than when snapshot {newest} was sealed: it came from an older backup. Bring back the newest one; the next snapshot would take back what was approved and declined since",
            data.fleet().display()
        ));
        }
        Ok(())
    }

    /// The catalogue, what is trusted and the fleet speak of the same snapshot.
    fn isolated_problems(&self, problems: &mut Vec<String>) -> Result<()> {
        let &Self { data, catalog, fleet, newest } = self;
        let in_force = catalog.in_force()?.map(|row| row.number);
        let is_finished = catalog.awaits_policy()?.is_none();
        let state = trust::load_state(data);
        if let (Ok(state), Some(in_force)) = (&state, in_force)
            && state.is_root_replaced()
        {
            problems.push(format!(
                "the root was replaced, and snapshot {in_force}, which is served, was signed under the one before: import a bundle that was exported with --full under the new root"
            ));
            return Ok(());
        }
        match state.map(|state| state.snapshot()) {
        Ok(Some(trusted)) if is_finished && trusted > newest => problems.push(format!(
            "{} is older than what was trusted last: it ends with snapshot {newest}, but snapshot {trusted} was accepted. It came from an older backup: import the newest bundle again",
            data.catalog().display()
        )),
        Ok(trusted) if is_finished && trusted < in_force => problems.push(format!(
            "{} is older than the snapshot that is served: snapshot {} is served, and {} was trusted last. It came from an older backup, or an import was killed: run the last import again",
            data.trust_state().display(),
            in_force.unwrap_or_default(),
            trusted.map_or("no snapshot".to_owned(), |trusted| format!("snapshot {trusted}"))
        )),
        Ok(_) => {}
        // Nothing has been taken in yet: nothing need be trusted.
        Err(TransferError::NothingTrusted) if newest == 0 => {}
        Err(e) => problems.push(chain(&e)),
    }
        let (Some(in_force), Some(fleet), true) = (in_force, fleet, is_finished) else {
            return Ok(());
        };
        let states = [PolicyState::Applied, PolicyState::Held, PolicyState::Rejected];
        for state in states {
            if fleet.policy(state)?.is_some_and(|policy| policy.snapshot >= in_force) {
                return Ok(());
            }
        }
        problems.push(format!(
        "{} has no policy of snapshot {in_force}, which is served: it came from an older backup. Bring back the newest one. Else the decisions of the connected side come again with its next snapshot; to have them now, import what `tidegate export --full` makes there into a new data folder",
        data.fleet().display()
    ));
        Ok(())
    }
}

/// Keys and roots that sealing needs. Root keys and those of other persons may be elsewhere.
fn key_problems(data: &DataDir) -> Vec<String> {
    let folder = data.keys();
    let gone = |what: String| {
        format!(
            "{what}: bring {} back from a backup; without it nothing can be sealed",
            folder.display()
        )
    };
    let in_use = folder.join(IN_USE);
    if !in_use.exists() {
        return match folder.join(WAITING).exists() {
            // The first root waits for signatures: nothing was sealed yet.
            true => Vec::new(),
            false => vec![gone(format!("the keys are gone ({} is missing)", in_use.display()))],
        };
    }
    let roots = KeyFiles::load(&folder).and_then(|keys| Ok((keys.roots(&folder)?, keys)));
    let keys = match roots {
        Ok((_, keys)) => keys,
        Err(e) => return vec![gone(chain(&e))],
    };
    let first = keys.timestamp.first();
    let needed: BTreeSet<&String> =
        [&keys.content, &keys.policy].into_iter().chain(first).collect();
    let lost = needed.into_iter().map(|name| folder.join(name)).filter(|path| !path.exists());
    lost.map(|path| gone(format!("the key {} is gone", path.display()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Isolated { site: "plant-7".to_owned() };
        let data = DataDir::init(&folder.path().join("data"), side).unwrap();
        assert_eq!(space_problem(&data, REPORT_RESERVE), None);
        let said = space_problem(&data, REPORT_RESERVE - 1).unwrap();
        assert!(said.contains("255 MiB free") && said.contains("256 MiB"), "{said}");
    }
}
