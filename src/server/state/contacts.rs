//! Noting which computers were here.
//!
//! What a computer says for the first time is written at once. What has not changed, and when it was here,
//! is written a moment later, many together: a scan waits for no writer. What cannot be written (a full
//! disk) is kept in memory, within bounds, and written when that is possible again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::stores::Stores;
use crate::{
    error_chain::chain,
    fleet::{Contact, Fleet, FleetError, Introduction},
};

/// A computer that keeps calling is noted this often.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// With more computers than this in memory, those that were noted long ago are forgotten.
const MANY: usize = 10_000;
/// Computers whose names or registrations wait to be written.
const NEW_WAITING: usize = 1000;

/// What of a computer is not written yet.
#[derive(Debug, Default)]
struct WaitingNote {
    introduction: Option<Introduction>,
    details: Option<(Value, Option<String>)>,
    /// When it was here last, and when it scanned last.
    seen: Option<Timestamp>,
    synced: Option<Timestamp>,
}

impl WaitingNote {
    /// Adds what came before it.
    fn after(self, earlier: Self) -> Self {
        Self {
            introduction: self.introduction.or(earlier.introduction),
            details: self.details.or(earlier.details),
            seen: self.seen.or(earlier.seen),
            synced: self.synced.or(earlier.synced),
        }
    }
}

/// When each computer was noted last, and what is not written yet.
#[derive(Default)]
pub(crate) struct ContactNotes {
    noted: Mutex<HashMap<String, Timestamp>>,
    waiting: Mutex<HashMap<String, WaitingNote>>,
}

impl ContactNotes {
    /// A computer says who it is. Blocking.
    pub(crate) fn introduce(
        &self,
        stores: &Stores,
        introduction: Introduction,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let id = introduction.id.clone();
        if stores.read(|fleet| fleet.is_introduced(&introduction))? {
            self.note(&id, now, |note| note.seen = Some(now));
        } else if stores.try_write(|fleet| fleet.introduce_as(&introduction, now))?.is_none() {
            self.note(&id, now, |note| note.introduction = Some(introduction));
        }
        Ok(())
    }

    /// A computer says what it is. Blocking.
    pub(crate) fn register(
        &self,
        stores: &Stores,
        client: &str,
        address: Option<String>,
        details: Value,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        if stores.read(|fleet| fleet.has_details(client, &details))? {
            self.note(client, now, |note| note.seen = Some(now));
            return Ok(());
        }
        let from = address.as_deref();
        let written = stores.try_write(|fleet| fleet.register_from(client, &details, from, now))?;
        if written.is_none() {
            self.note(client, now, |note| note.details = Some((details, address)));
        }
        Ok(())
    }

    /// Whether a computer has said what it is. Blocking.
    pub(crate) fn is_registered(&self, stores: &Stores, client: &str) -> Result<bool, FleetError> {
        let is_waiting = |note: &WaitingNote| note.details.is_some();
        Ok(stores.read(|fleet| fleet.is_registered(client))?
            || lock(&self.waiting).get(client).is_some_and(is_waiting))
    }

    /// A computer scans: noted at most once a minute.
    pub(crate) fn note_scan(&self, client: &str, now: Timestamp) {
        let mut noted = lock(&self.noted);
        let is_recent = |then: &Timestamp| now.duration_since(*then).abs() < NOTE_EVERY;
        if noted.get(client).is_some_and(is_recent) {
            return;
        }
        if noted.len() > MANY {
            noted.retain(|_, then| is_recent(then));
        }
        noted.insert(client.to_owned(), now);
        drop(noted);
        self.note(client, now, |note| note.synced = Some(now));
    }

    fn note(&self, client: &str, now: Timestamp, add: impl FnOnce(&mut WaitingNote)) {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= MANY && !waiting.contains_key(client) {
            return;
        }
        let mut new = WaitingNote { seen: Some(now), ..WaitingNote::default() };
        add(&mut new);
        let is_large = |note: &WaitingNote| note.introduction.is_some() || note.details.is_some();
        if is_large(&new) && waiting.values().filter(|note| is_large(note)).count() >= NEW_WAITING {
            return;
        }
        let earlier = waiting.remove(client).unwrap_or_default();
        waiting.insert(client.to_owned(), new.after(earlier));
    }

    /// Writes what waits, if it can be written. Blocking.
    pub(crate) fn flush(&self, stores: &Stores) {
        let notes = std::mem::take(&mut *lock(&self.waiting));
        if notes.is_empty() && !stores.has_failed() {
            return;
        }
        let has_failed = stores.has_failed();
        let written = stores.try_write(|fleet| {
            if has_failed {
                // Something is written, that it shows.
                fleet.try_writing(Timestamp::now())?;
            }
            fleet.at_once(|fleet| notes.iter().try_for_each(|(id, note)| write(fleet, id, note)))
        });
        match written {
            Ok(Some(())) => {}
            Ok(None) => {
                let mut waiting = lock(&self.waiting);
                for (id, earlier) in notes {
                    let later = waiting.remove(&id).unwrap_or_default();
                    waiting.insert(id, later.after(earlier));
                }
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "computers that were here cannot be noted");
            }
        }
    }
}

fn write(fleet: &mut Fleet, id: &str, note: &WaitingNote) -> Result<(), FleetError> {
    let at = note.seen.unwrap_or_default();
    let steps = [
        note.introduction.as_ref().map(|introduction| fleet.introduce_as(introduction, at)),
        note.details
            .as_ref()
            .map(|(details, from)| fleet.register_from(id, details, from.as_deref(), at)),
    ];
    for step in steps.into_iter().flatten() {
        match step {
            // One bad note does not keep the others from being written.
            Err(FleetError::Invalid { what }) => tracing::warn!(what, "a computer is not noted"),
            step => step?,
        }
    }
    // One that was removed meanwhile has to introduce itself again.
    if fleet.is_registered(id)? {
        note.seen.map(|at| fleet.contact(id, Contact::Seen, at)).transpose()?;
        note.synced.map(|at| fleet.contact(id, Contact::Synced, at)).transpose()?;
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::{DataDir, Side};

    #[test]
    fn a_busy_computer_is_noted_once_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Isolated { site: "plant-7".to_owned() };
        let stores = Stores::open(DataDir::init(folder.path(), side).unwrap()).unwrap();
        let contacts = ContactNotes::default();
        let now = Timestamp::now();
        let note = |second| {
            contacts.note_scan("pc-1", now + SignedDuration::from_secs(second));
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
}
