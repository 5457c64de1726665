//! The servers below this one: top first.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::Result;
use crate::{
    catalog::Catalog,
    fleet::{Downstream, Fleet},
};

/// Who lacks what arrived longer ago than this is late.
const LATE_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Who was away longer than this is late.
const AWAY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A server below.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DownstreamEntry {
    /// 0: it synchronizes from here; 1: from one of those, and so on.
    pub depth: usize,
    /// Whether it was given all that is in the catalogue now; null: nobody can say, because it
    /// synchronizes from another server.
    pub current: Option<bool>,
    /// Lacks for long what is here, or was away for long.
    pub late: bool,
    /// What is known of it.
    #[serde(flatten)]
    pub server: Downstream,
}

/// All servers below, each followed by those below it.
pub(super) fn entries(
    fleet: &Fleet,
    catalog: &Catalog,
    now: Timestamp,
) -> Result<Vec<DownstreamEntry>> {
    let newest = catalog.newest_change()?;
    let mut open = fleet.downstreams()?;
    let mut entries = Vec::new();
    // What is left is a circle of claims, each below the other: it is shown too.
    while !open.is_empty() {
        let listed = |id: Uuid| open.iter().any(|server| server.id == id);
        let top = open.iter().position(|server| server.parent.is_none_or(|id| !listed(id)));
        let server = open.remove(top.unwrap_or(0));
        add(server, 0, &mut open, &mut entries, newest, now);
    }
    Ok(entries)
}

fn add(
    server: Downstream,
    depth: usize,
    open: &mut Vec<Downstream>,
    entries: &mut Vec<DownstreamEntry>,
    newest: Option<(u64, Timestamp)>,
    now: Timestamp,
) {
    let (id, current) = (server.id, current(&server, newest));
    let long_ago = |at: Timestamp, time| now.duration_since(at) > time;
    let lacks = current == Some(false) && newest.is_some_and(|(_, at)| long_ago(at, LATE_AFTER));
    // Of one below another its parent tells, whether it was there or not.
    let heard = match server.parent {
        Some(_) => server.last_rollup.max(server.last_sync).unwrap_or(server.first_seen),
        None => server.last_contact,
    };
    let late = lacks || long_ago(heard, AWAY);
    entries.push(DownstreamEntry { depth, current, late, server });
    while let Some(at) = open.iter().position(|server| server.parent == Some(id)) {
        let child = open.remove(at);
        add(child, depth + 1, open, entries, newest, now);
    }
}

/// Whether a server was given everything.
fn current(server: &Downstream, newest: Option<(u64, Timestamp)>) -> Option<bool> {
    let Some((mark, arrived)) = newest else { return Some(true) };
    if server.parent.is_some() {
        // All that can be said is that it has not been at its parent since.
        return (server.last_sync < Some(arrived)).then_some(false);
    }
    let after = |given: Option<u64>| given.is_some_and(|given| given > mark);
    Some(after(server.categories) && after(server.updates))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{DownstreamDelivery, ServerReport};

    fn report(id: u128, parent: Option<u128>, last_sync: &str) -> ServerReport {
        ServerReport {
            id: Uuid::from_u128(id),
            name: format!("dss-{id}"),
            parent: parent.map(Uuid::from_u128),
            version: "10.0.26100.1".to_owned(),
            replica: parent.is_some(),
            last_sync: Some(last_sync.parse().unwrap()),
            last_rollup: None,
            summary: serde_json::Value::Null,
            clients: Vec::new(),
            activity: Vec::new(),
        }
    }

    /// Id, depth, whether it is up to date and late; with this newest change.
    fn seen(
        fleet: &Fleet,
        now: Timestamp,
        mark: u64,
        arrived: Timestamp,
    ) -> Vec<(u128, usize, Option<bool>, bool)> {
        let mut open = fleet.downstreams().unwrap();
        let mut entries = Vec::new();
        while !open.is_empty() {
            let server = open.remove(0);
            add(server, 0, &mut open, &mut entries, Some((mark, arrived)), now);
        }
        entries.into_iter().map(|e| (e.server.id.as_u128(), e.depth, e.current, e.late)).collect()
    }

    #[test]
    fn the_tree_is_shown_top_first_and_the_late_are_flagged() {
        let folder = tempfile::tempdir().unwrap();
        let mut fleet = Fleet::open(&folder.path().join("fleet.sqlite")).unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite")).unwrap();
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let hour = SignedDuration::from_hours(1);
        fleet.note_downstream(Uuid::from_u128(1), "dss-1", now).unwrap();
        let reports = [
            report(3, Some(1), "2026-11-18T00:00:00Z"),
            report(4, Some(3), "2026-11-20T00:00:00Z"),
            report(1, None, "2026-11-20T00:00:00Z"),
            report(2, None, "2026-11-20T00:00:00Z"),
        ];
        fleet.report_servers(&reports, now).unwrap();
        for given in [DownstreamDelivery::Categories(6), DownstreamDelivery::Updates(6)] {
            fleet.note_delivery(Uuid::from_u128(1), given, now).unwrap();
        }
        // The newest change is 5 and two days old: 1 was given it, 2 never.
        let arrived = now - hour * 48;
        let expected = [
            (1, 0, Some(true), false),
            (3, 1, Some(false), true),
            (4, 2, None, false),
            (2, 0, Some(false), true),
        ];
        assert_eq!(seen(&fleet, now, 5, arrived), expected);
        // A new change has just come: nobody has it, nobody is late yet.
        let expected = [
            (1, 0, Some(false), false),
            (3, 1, Some(false), false),
            (4, 2, Some(false), false),
            (2, 0, Some(false), false),
        ];
        assert_eq!(seen(&fleet, now, 6, now), expected);
        // A week later all are.
        assert!(seen(&fleet, now + hour * 24 * 8, 5, arrived).iter().all(|(.., late)| *late));

        // What a parent still tells of one that is gone does not bring it back.
        let week = now + hour * 24 * 8;
        fleet.report_servers(&reports, week).unwrap();
        let late: Vec<_> = seen(&fleet, week, 5, arrived)
            .into_iter()
            .filter(|(.., late)| *late)
            .map(|e| e.0)
            .collect();
        assert_eq!(late, [3, 4, 2], "1 has what is here, and has just been heard of");

        let entries = entries(&fleet, &catalog, now).unwrap();
        let depths: Vec<_> = entries.iter().map(|entry| entry.depth).collect();
        assert_eq!(depths, [0, 1, 2, 0]);
    }
}
