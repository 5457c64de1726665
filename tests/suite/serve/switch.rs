//! A running server hears of changes by itself, and drops no request over it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use bundle_format::digest::{Sha1, Sha256};
use jiff::Timestamp;
use tidegate::fleet::{ALL_COMPUTERS, ApprovalAction, Origin};

use super::{
    Running,
    documents::{
        self, CHILD, CLASSIFICATION, COMPANY, DETECTOID, PARENT, PAYLOAD, PRODUCT, update,
    },
    session::{Session, ids},
};
use crate::support::http::get;

/// Everything that the detectoids and categories of this catalogue unlock, round by round.
pub(super) fn scan(session: &mut Session) -> Vec<(i32, String)> {
    let (mut installed, mut cached, mut found) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let result = session.sync(&installed, &cached);
        let new = ids(&result, "NewUpdates");
        if new.is_empty() {
            found.sort();
            return found;
        }
        for info in result.items("NewUpdates", "UpdateInfo") {
            let id = info.value("ID").unwrap().parse().unwrap();
            let action = info.child("Deployment").unwrap().value("Action").unwrap();
            found.push((id, action.to_owned()));
            let list =
                if info.value("IsLeaf") == Some("false") { &mut installed } else { &mut cached };
            list.push(id);
        }
    }
}

/// Asks until the answer is as it shall be; a change that never comes hangs no test for ever.
pub(super) fn until<T: PartialEq + std::fmt::Debug>(expected: &T, mut ask: impl FnMut() -> T) {
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let found = ask();
        if found == *expected {
            return;
        }
        assert!(std::time::Instant::now() < give_up, "still {found:?}");
        thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn all_approved() -> Vec<(i32, String)> {
    [
        (COMPANY, "Evaluate"),
        (PRODUCT, "Evaluate"),
        (CLASSIFICATION, "Evaluate"),
        (DETECTOID, "Evaluate"),
        (CHILD, "Bundle"),
        (PARENT, "Install"),
    ]
    .map(|(id, action)| (id, action.to_owned()))
    .into()
}

#[test]
fn approvals_and_imports_take_effect_by_themselves() {
    let site = documents::site();
    let server = Running::new(&site);
    let mut session = Session::new(server.address, "pc-1", "2.90");
    assert_eq!(scan(&mut session), []);
    site.approve(update(PARENT));
    until(&all_approved(), || scan(&mut session));

    // What an import brings, for one who knows all the rest.
    let payload = b"payload of the newcomer";
    site.add(CHILD + 100, documents::child(CHILD + 100, payload, "new.cab", "").as_bytes());
    site.add(PARENT + 100, documents::parent(PARENT + 100, CHILD + 100).as_bytes());
    site.add_payload(payload);
    site.approve(update(PARENT + 100));
    let known = [COMPANY, PRODUCT, CLASSIFICATION, DETECTOID];
    until(&vec![CHILD + 100, PARENT + 100], || {
        ids(&session.sync(&known, &[CHILD, PARENT]), "NewUpdates")
    });

    // Taken back: the update and its part go, and what nothing else needs.
    site.fleet().unapprove(update(PARENT), ALL_COMPUTERS).unwrap();
    until(&vec![CHILD, PARENT], || {
        let result = session.sync(&known, &[CHILD, PARENT, CHILD + 100, PARENT + 100]);
        result.items("OutOfScopeRevisionIDs", "int").map(|id| id.text.parse().unwrap()).collect()
    });
}

/// A changed approval is told once, to those who have the update already.
#[test]
fn changes_are_told_once() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::new(&site);
    let mut session = Session::new(server.address, "pc-1", "2.90");
    let known = [COMPANY, PRODUCT, CLASSIFICATION, DETECTOID];
    let changed = |session: &mut Session| {
        let result = session.sync(&known, &[CHILD, PARENT]);
        assert!(ids(&result, "NewUpdates").is_empty());
        result
            .items("ChangedUpdates", "UpdateInfo")
            .map(|info| {
                let deployment = info.child("Deployment").unwrap();
                assert!(info.child("Xml").is_none());
                let text = |name| deployment.value(name).unwrap_or_default().to_owned();
                (info.value("ID").unwrap().to_owned(), text("Action"), text("Deadline"))
            })
            .collect::<Vec<_>>()
    };
    // A cookie without a past: everything is news, once.
    assert_eq!(changed(&mut session).len(), 6);
    assert_eq!(changed(&mut session), []);
    let deadline: Timestamp = "2026-12-24T18:00:00Z".parse().unwrap();
    site.fleet()
        .approve(
            update(PARENT),
            ALL_COMPUTERS,
            ApprovalAction::Install,
            Some(deadline),
            Origin::Local,
            Timestamp::now(),
        )
        .unwrap();
    let news = (PARENT.to_string(), "Install".to_owned(), "2026-12-24T18:00:00Z".to_owned());
    until(&vec![news], || changed(&mut session));
    assert_eq!(changed(&mut session), []);
}

#[test]
fn no_request_is_dropped_while_views_are_swapped() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::new(&site);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|n| {
                let (done, address) = (&done, server.address);
                scope.spawn(move || {
                    let mut session = Session::new(address, &format!("pc-{n}"), "2.90");
                    let known = [COMPANY, PRODUCT, CLASSIFICATION, DETECTOID];
                    let (mut with, mut without) = (0, 0);
                    while !done.load(Ordering::Relaxed) {
                        // One state or the other, never half of one.
                        match ids(&session.sync(&known, &[]), "NewUpdates").as_slice() {
                            [CHILD, PARENT] => with += 1,
                            [] => without += 1,
                            other => panic!("{other:?}"),
                        }
                    }
                    (with, without)
                })
            })
            .collect();
        let mut watcher = Session::new(server.address, "watcher", "2.90");
        let known = [COMPANY, PRODUCT, CLASSIFICATION, DETECTOID];
        for _ in 0..10 {
            site.fleet().unapprove(update(PARENT), ALL_COMPUTERS).unwrap();
            until(&Vec::<i32>::new(), || ids(&watcher.sync(&known, &[]), "NewUpdates"));
            site.approve(update(PARENT));
            until(&vec![CHILD, PARENT], || ids(&watcher.sync(&known, &[]), "NewUpdates"));
        }
        done.store(true, Ordering::Relaxed);
        for client in clients {
            let (with, without) = client.join().unwrap();
            assert!(with > 0 && without > 0, "{with} with, {without} without");
        }
    });
}

/// Who is asked for a payload that is gone no longer offers what needs it.
#[test]
fn what_turns_out_to_be_gone_is_no_longer_offered() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::new(&site);
    let mut session = Session::new(server.address, "pc-1", "2.90");
    assert_eq!(scan(&mut session), all_approved());
    let name = Sha256::hash(PAYLOAD).to_string();
    let file = site.data.content().join(&name[..2]).join(&name);
    std::fs::remove_file(file).unwrap();
    let sha1 = Sha1::hash(PAYLOAD).to_string().to_uppercase();
    let path = format!("/Content/{}/{sha1}.exe", &sha1[38..]);
    assert_eq!(get(server.address, "GET", &path, &[]).status, 404);
    let evaluated = Some("PreDeploymentCheck".to_owned());
    until(&evaluated, || {
        let mut session = Session::new(server.address, "pc-2", "2.90");
        let parent = scan(&mut session).into_iter().find(|(id, _)| *id == PARENT);
        parent.map(|(_, action)| action)
    });
}
