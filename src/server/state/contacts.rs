//! Noting which computers were here.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::stores::Stores;
use crate::fleet::{Contact, FleetError};

/// A computer that keeps calling is noted this often.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// With more computers than this in memory, those that were noted long ago are forgotten.
const MANY: usize = 10_000;

/// When each computer was noted last.
#[derive(Default)]
pub(crate) struct ContactNotes {
    noted: Mutex<HashMap<String, Timestamp>>,
}

impl ContactNotes {
    /// Notes in the fleet that a computer was here, but at most once a minute. Blocking.
    pub(crate) fn note(
        &self,
        stores: &Stores,
        client: &str,
        contact: Contact,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |then: &Timestamp| now.duration_since(*then).abs() < NOTE_EVERY;
        if noted.get(client).is_some_and(is_recent) {
            return Ok(());
        }
        if noted.len() > MANY {
            noted.retain(|_, then| is_recent(then));
        }
        noted.insert(client.to_owned(), now);
        drop(noted);
        stores.fleet().contact(client, contact, now)
    }
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
            let at = now + SignedDuration::from_secs(second);
            contacts.note(&stores, "pc-1", Contact::Synced, at).unwrap();
        };
        let last_sync = || stores.fleet().computers().unwrap()[0].last_sync.unwrap();
        stores.fleet().introduce("pc-1", "pc-1", None, now).unwrap();
        for second in [1, 2, 59] {
            note(second);
        }
        let first = last_sync();
        assert!(first < now + SignedDuration::from_secs(2));
        note(62);
        assert!(last_sync() > first);
    }
}
