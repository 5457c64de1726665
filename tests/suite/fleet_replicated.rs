//! What replicas are told: ids that stand, tombstones that are bounded.

use jiff::Timestamp;
use rusqlite::Connection;
use tidegate::{
    fleet::{
        ALL_COMPUTERS, ApprovalAction, Fleet, ReplicaChanges, ReplicatedApproval, TOMBSTONES_KEPT,
    },
    update::{UpdateId, UpdateIdentity},
};
use uuid::Uuid;

fn approval(n: u128, revision: u32) -> ReplicatedApproval {
    ReplicatedApproval {
        identity: UpdateIdentity { id: UpdateId(Uuid::from_u128(n)), revision },
        revision_change: u64::from(revision),
        group: ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        go_live: "2026-11-20T12:00:00Z".parse::<Timestamp>().unwrap(),
    }
}

/// Ids of living and dead deployments after a mark.
fn since(fleet: &Fleet, mark: u64) -> Option<(Vec<Uuid>, Vec<Uuid>)> {
    match fleet.replicated_since(mark).unwrap() {
        ReplicaChanges::Changes { deployments, dead, .. } => {
            Some((deployments.into_iter().map(|d| d.id).collect(), dead))
        }
        ReplicaChanges::Forgotten => None,
    }
}

#[test]
fn only_what_differs_gets_a_new_mark() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = Fleet::open(&folder.path().join("fleet.sqlite")).unwrap();
    assert_eq!(since(&fleet, 0), Some((vec![], vec![])));
    assert_eq!(since(&fleet, 1), None, "of a database that was further");
    let first = fleet.replicate(&[approval(1, 1), approval(2, 1)]).unwrap();
    assert_eq!(fleet.replicate(&[approval(2, 1), approval(1, 1)]).unwrap(), first, "the same");
    let (all, _) = since(&fleet, 0).unwrap();
    let second = fleet.replicate(&[approval(1, 1), approval(2, 2)]).unwrap();
    assert_eq!(second, first + 1);
    assert_eq!(since(&fleet, first), Some((vec![all[1]], vec![])), "another revision, the same id");
    fleet.replicate(&[approval(1, 1)]).unwrap();
    assert_eq!(since(&fleet, second), Some((vec![], vec![all[1]])));
    assert_eq!(since(&fleet, 0), Some((vec![all[0]], vec![all[1]])));
}

#[test]
fn who_comes_from_before_the_oldest_tombstone_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.sqlite");
    let mut fleet = Fleet::open(&path).unwrap();
    let first = fleet.replicate(&[approval(1, 1), approval(2, 1)]).unwrap();
    fleet.replicate(&[approval(1, 1)]).unwrap();
    // As many deaths as are kept, written as the fleet writes them.
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {TOMBSTONES_KEPT})
         INSERT INTO replicated (deployment_guid, update_id, group_id, revision_number,
            revision_change, action, go_live, dead, change)
         SELECT randomblob(16), randomblob(16), randomblob(16), 1, 1, 'install', '', 1, 10 + i FROM n;
         UPDATE meta SET value = CAST('{}' AS BLOB) WHERE key = 'replicated'",
        TOMBSTONES_KEPT + 10
    );
    Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    assert!(since(&fleet, first).is_some());
    // The next death drops the two oldest tombstones, of marks 3 and 11.
    fleet.replicate(&[]).unwrap();
    for forgotten in [first, 3, 10] {
        assert_eq!(since(&fleet, forgotten), None, "{forgotten}");
    }
    let kept = usize::try_from(TOMBSTONES_KEPT).unwrap();
    assert_eq!(since(&fleet, 11).unwrap().1.len(), kept);
    assert_eq!(since(&fleet, 0).unwrap().1.len(), kept, "who asks for everything is served");
}
