//! Noting which computers were here.
//!
//! What a computer says for the first time is written at once. What has not changed, and when it was here,
//! is written a moment later, many together: a scan waits for no writer. What cannot be written (a full
//! disk) is kept in memory, within bounds, and written when that is possible again.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    stores::Stores,
    waiting_notes::{WaitingNote, WaitingNotes},
};
use crate::{
    error_chain::chain,
    fleet::{Contact, Fleet, FleetError, Introduction, bounded_details},
};

/// A computer that keeps calling is noted about this often.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Computers that are remembered as noted; of more, each scan is noted.
const NOTED: usize = 10_000;
/// A note that cannot be written for a reason of its own is tried so often.
const TRIES: u32 = 3;

/// Which computers were noted lately, and what is not written yet.
#[derive(Default)]
pub(crate) struct ContactNotes {
    noted: Mutex<NotedScans>,
    waiting: Mutex<WaitingNotes>,
    /// Whether the log says already that notes cannot be written.
    failing: AtomicBool,
}

/// Computers whose scans were noted since then.
#[derive(Default)]
struct NotedScans {
    since: Timestamp,
    computers: HashSet<String>,
}

impl ContactNotes {
    /// A computer says who it is. Gives the groups that it asks for and that do not exist, when it asks for
    /// them the first time. Blocking.
    pub(crate) fn introduce(
        &self,
        stores: &Stores,
        introduction: Introduction,
        now: Timestamp,
    ) -> Result<Vec<String>, FleetError> {
        let introduction = introduction.bounded()?;
        let (id, address) = (introduction.id.clone(), introduction.address.clone());
        let note = WaitingNote { address, seen: Some(now), ..WaitingNote::default() };
        if stores.read(|fleet| fleet.is_introduced(&introduction))? {
            self.note(&id, note);
            return Ok(Vec::new());
        }
        let groups = introduction.requested_group.clone().unwrap_or_default();
        if stores.try_write(|fleet| fleet.introduce_as(&introduction, now))?.is_none() {
            self.note(&id, WaitingNote { introduction: Some(introduction), ..note });
        }
        stores.read(|fleet| fleet.missing_groups_of(&groups))
    }

    /// A computer says what it is. Blocking.
    pub(crate) fn register(
        &self,
        stores: &Stores,
        client: &str,
        address: Option<String>,
        details: &Value,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let details = bounded_details(details);
        let from = address.clone();
        let note = WaitingNote { address, seen: Some(now), ..WaitingNote::default() };
        if stores.read(|fleet| fleet.has_details(client, &details))? {
            self.note(client, note);
            return Ok(());
        }
        let from = from.as_deref();
        let written = stores.try_write(|fleet| fleet.register_from(client, &details, from, now))?;
        if written.is_none() {
            self.note(client, WaitingNote { details: Some(details), ..note });
        }
        Ok(())
    }

    /// Whether a computer has said what it is. Blocking.
    pub(crate) fn is_registered(&self, stores: &Stores, client: &str) -> Result<bool, FleetError> {
        let is_waiting = |note: &WaitingNote| note.details.is_some();
        Ok(stores.read(|fleet| fleet.is_registered(client))?
            || lock(&self.waiting).get(client).is_some_and(is_waiting))
    }

    /// A computer scans: noted about once a minute.
    pub(crate) fn note_scan(&self, client: &str, address: Option<String>, now: Timestamp) {
        let mut noted = lock(&self.noted);
        if now.duration_since(noted.since).abs() >= NOTE_EVERY {
            *noted = NotedScans { since: now, computers: HashSet::new() };
        }
        if noted.computers.contains(client) {
            return;
        }
        if noted.computers.len() < NOTED {
            noted.computers.insert(client.to_owned());
        }
        drop(noted);
        let (seen, synced) = (Some(now), Some(now));
        self.note(client, WaitingNote { address, seen, synced, ..WaitingNote::default() });
    }

    fn note(&self, client: &str, note: WaitingNote) {
        lock(&self.waiting).add(client, note);
    }

    /// Writes what waits, if it can be written; what cannot waits on. Blocking.
    pub(crate) fn flush(&self, stores: &Stores) {
        let (mut notes, left_out) = {
            let mut waiting = lock(&self.waiting);
            (waiting.take(), waiting.take_left_out())
        };
        if left_out > 0 {
            tracing::warn!(left_out, "too many computers wait to be noted: some are left out");
        }
        let has_failed = stores.has_failed();
        if notes.is_empty() && !has_failed {
            return;
        }
        let written = stores.try_write(|fleet| {
            if has_failed {
                // Something is written, that it shows.
                fleet.try_writing(Timestamp::now())?;
            }
            let mut failed = Vec::new();
            fleet.at_once(|fleet| {
                for (id, note) in &notes {
                    match write(fleet, id, note) {
                        // One bad note does not keep the others from being written.
                        Err(error) if !error.is_unwritable() => failed.push((id.clone(), error)),
                        done => done?,
                    }
                }
                Ok::<_, FleetError>(())
            })?;
            Ok(failed)
        });
        let (left, failure) = match written {
            Ok(Some(failed)) => {
                let (left, given_up) = again(&mut notes, failed);
                (left, given_up.map(|error| (error, "some are left out")))
            }
            Ok(None) => (notes.into_iter().collect(), None),
            Err(error) => (notes.into_iter().collect(), Some((error, "it is tried again"))),
        };
        // Once while it lasts: anybody can cause it.
        let was_failing = self.failing.swap(failure.is_some(), Ordering::Relaxed);
        if let Some((error, next)) = failure.filter(|_| !was_failing) {
            let error = chain(&error);
            tracing::error!(error, "computers that were here cannot be noted; {next}");
        }
        let mut waiting = lock(&self.waiting);
        for (id, note) in left {
            waiting.put_back(&id, note);
        }
    }

    /// Writes what waits, at the end of the server, and says what is lost. Blocking.
    pub(crate) fn finish(&self, stores: &Stores) {
        self.flush(stores);
        let lost = lock(&self.waiting).take().len();
        if lost > 0 {
            tracing::error!(
                lost,
                "what these computers said last is lost, because the fleet database cannot be written. They say it again"
            );
        }
    }
}

/// Of the notes that could not be written, those that are tried again, and the first error of one that is
/// not.
fn again(
    notes: &mut HashMap<String, WaitingNote>,
    failed: Vec<(String, FleetError)>,
) -> (Vec<(String, WaitingNote)>, Option<FleetError>) {
    let (mut left, mut given_up) = (Vec::new(), None);
    for (id, error) in failed {
        let Some(mut note) = notes.remove(&id) else { continue };
        note.tries += 1;
        let is_final = matches!(error, FleetError::Invalid { .. } | FleetError::NoRoom);
        if is_final || note.tries >= TRIES {
            tracing::debug!(computer = id, error = chain(&error), "a computer is not noted");
            given_up.get_or_insert(error);
        } else {
            left.push((id, note));
        }
    }
    (left, given_up)
}

fn write(fleet: &mut Fleet, id: &str, note: &WaitingNote) -> Result<(), FleetError> {
    let at = note.seen.unwrap_or_default();
    let address = note.address.as_deref();
    if let Some(introduction) = &note.introduction {
        fleet.introduce_as(introduction, at)?;
    }
    if let Some(details) = &note.details {
        fleet.register_from(id, details, address, at)?;
    }
    // One that was removed meanwhile has to introduce itself again.
    if fleet.is_registered(id)? {
        note.seen.map(|at| fleet.contact_from(id, Contact::Seen, address, at)).transpose()?;
        note.synced.map(|at| fleet.contact_from(id, Contact::Synced, address, at)).transpose()?;
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data_dir::{DataDir, Side},
        fleet::FleetBounds,
    };

    #[test]
    fn a_busy_computer_is_noted_once_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Isolated { site: "plant-7".to_owned() };
        let data = DataDir::init(folder.path(), side).unwrap();
        let stores = Stores::open(data, FleetBounds::default()).unwrap();
        let contacts = ContactNotes::default();
        let now = Timestamp::now();
        let note = |second| {
            contacts.note_scan("pc-1", None, now + SignedDuration::from_secs(second));
            contacts.flush(&stores);
        };
        let last_sync = || stores.read(Fleet::computers).unwrap()[0].last_sync.unwrap();
        let register = |fleet: &mut Fleet| fleet.register("pc-1", &Value::from("10.0"), now);
        stores.write(register).unwrap();
        for second in [1, 2, 59] {
            note(second);
        }
        let first = last_sync();
        assert!(first < now + SignedDuration::from_secs(2));
        note(62);
        assert!(last_sync() > first);
    }

    #[test]
    fn a_bad_note_loses_no_other_and_what_fails_waits_on() {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Isolated { site: "plant-7".to_owned() };
        let data = DataDir::init(folder.path(), side).unwrap();
        let stores = Stores::open(data, FleetBounds::default()).unwrap();
        let contacts = ContactNotes::default();
        let now = Timestamp::now();
        for id in ["a", "bad", "c"] {
            let note = WaitingNote {
                details: Some(Value::from("10.0")),
                seen: Some(now),
                ..WaitingNote::default()
            };
            contacts.note(id, note);
        }
        let names = || {
            let computers = stores.read(Fleet::computers).unwrap();
            computers.into_iter().map(|computer| computer.id).collect::<Vec<_>>()
        };
        let tamper = |sql| stores.write(|fleet| fleet.tamper(sql)).unwrap();
        tamper(
            "CREATE TRIGGER test BEFORE INSERT ON computer WHEN NEW.computer_id = 'bad'
             BEGIN SELECT RAISE(ABORT, 'test'); END",
        );
        contacts.flush(&stores);
        assert_eq!(names(), ["a", "c"]);
        tamper("DROP TRIGGER test");
        contacts.flush(&stores);
        assert_eq!(names(), ["a", "bad", "c"], "it was tried again");
    }
}
