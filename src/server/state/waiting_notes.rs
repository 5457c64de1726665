//! What was said by computers and is not written yet: in memory, within bounds.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use crate::fleet::Introduction;

/// Computers of which something waits to be written.
const WAITING: usize = 10_000;
/// Of those, computers whose names or registrations wait, which take more room, and which anybody on the
/// network may invent.
const NEW_WAITING: usize = 1000;

/// What of a computer is not written yet.
#[derive(Debug, Default)]
pub(super) struct WaitingNote {
    pub(super) introduction: Option<Introduction>,
    pub(super) details: Option<Value>,
    /// Where it was last.
    pub(super) address: Option<String>,
    /// When it was here last, and when it scanned last.
    pub(super) seen: Option<Timestamp>,
    pub(super) synced: Option<Timestamp>,
    /// How often it could not be written for a reason of its own.
    pub(super) tries: u32,
}

impl WaitingNote {
    /// Adds what came before it.
    fn after(self, earlier: Self) -> Self {
        Self {
            introduction: self.introduction.or(earlier.introduction),
            details: self.details.or(earlier.details),
            address: self.address.or(earlier.address),
            seen: self.seen.or(earlier.seen),
            synced: self.synced.or(earlier.synced),
            tries: self.tries.max(earlier.tries),
        }
    }

    fn is_new(&self) -> bool {
        self.introduction.is_some() || self.details.is_some()
    }
}

/// What waits to be written, by computer.
#[derive(Default)]
pub(super) struct WaitingNotes {
    notes: HashMap<String, WaitingNote>,
    /// The computers whose names or registrations wait, by address; none of them is empty.
    new: HashMap<Option<String>, BTreeSet<String>>,
    /// How many these are.
    new_count: usize,
    left_out: u64,
}

impl WaitingNotes {
    /// Adds what came after all that waits of a computer.
    pub(super) fn add(&mut self, computer: &str, note: WaitingNote) {
        let earlier = self.remove(computer).unwrap_or_default();
        self.insert(computer, note.after(earlier));
    }

    /// Adds again what could not be written: what came meanwhile is newer.
    pub(super) fn put_back(&mut self, computer: &str, note: WaitingNote) {
        let later = self.remove(computer).unwrap_or_default();
        self.insert(computer, later.after(note));
    }

    /// What waits of a computer.
    pub(super) fn get(&self, computer: &str) -> Option<&WaitingNote> {
        self.notes.get(computer)
    }

    /// Takes away what waits.
    pub(super) fn take(&mut self) -> HashMap<String, WaitingNote> {
        self.new.clear();
        self.new_count = 0;
        std::mem::take(&mut self.notes)
    }

    /// How many notes were left out since this was asked last, because too many wait.
    pub(super) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    fn insert(&mut self, computer: &str, note: WaitingNote) {
        let is_full = self.notes.len() >= WAITING;
        if is_full || note.is_new() && !self.make_room(note.address.as_ref()) {
            self.left_out += 1;
            return;
        }
        if note.is_new() {
            self.new.entry(note.address.clone()).or_default().insert(computer.to_owned());
            self.new_count += 1;
        }
        self.notes.insert(computer.to_owned(), note);
    }

    /// Makes room for one more new computer of an address: of the address that has most, one goes. False if
    /// that is the same address.
    fn make_room(&mut self, address: Option<&String>) -> bool {
        if self.new_count < NEW_WAITING {
            return true;
        }
        let largest = self.new.iter().max_by_key(|(_, computers)| computers.len());
        let Some((from, computers)) = largest else { return false };
        let Some(gone) = computers.first().cloned() else { return false };
        if from.as_ref() == address {
            return false;
        }
        self.remove(&gone);
        self.left_out += 1;
        true
    }

    fn remove(&mut self, computer: &str) -> Option<WaitingNote> {
        let note = self.notes.remove(computer)?;
        if note.is_new()
            && let Some(computers) = self.new.get_mut(&note.address)
        {
            self.new_count -= usize::from(computers.remove(computer));
            if computers.is_empty() {
                self.new.remove(&note.address);
            }
        }
        Some(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(address: &str) -> WaitingNote {
        WaitingNote {
            details: Some(Value::Null),
            address: Some(address.to_owned()),
            ..WaitingNote::default()
        }
    }

    #[test]
    fn strangers_of_one_address_take_no_room_from_others() {
        let mut waiting = WaitingNotes::default();
        for n in 0..5000 {
            waiting.add(&format!("x{n}"), new("192.0.2.66"));
        }
        assert_eq!(waiting.notes.len(), NEW_WAITING);
        for n in 0..100 {
            waiting.add(&format!("honest{n}"), new("192.0.2.1"));
            waiting.add(&format!("honest{n}"), new("192.0.2.1"));
        }
        assert_eq!(waiting.notes.len(), NEW_WAITING);
        assert!((0..100).all(|n| waiting.get(&format!("honest{n}")).is_some()));
        assert_eq!(waiting.take_left_out(), 4000 + 100);
        assert_eq!(waiting.take().len(), NEW_WAITING);
        waiting.add("again", new("192.0.2.66"));
        assert_eq!((waiting.new_count, waiting.notes.len()), (1, 1));
    }

    #[test]
    fn what_came_later_counts() {
        let note = |second| WaitingNote {
            seen: Some(Timestamp::from_second(second).unwrap()),
            ..WaitingNote::default()
        };
        let seen = |waiting: &WaitingNotes| waiting.get("pc").unwrap().seen.unwrap().as_second();
        let mut waiting = WaitingNotes::default();
        waiting.add("pc", note(2));
        waiting.put_back("pc", note(1));
        assert_eq!(seen(&waiting), 2);
        waiting.add("pc", note(3));
        assert_eq!(seen(&waiting), 3);
    }

    #[test]
    fn no_more_waits_than_fits() {
        let mut waiting = WaitingNotes::default();
        for n in 0..WAITING + 5 {
            waiting.add(&format!("x{n}"), WaitingNote::default());
        }
        waiting.add("x1", WaitingNote::default());
        assert_eq!(waiting.take_left_out(), 5);
        assert_eq!(waiting.notes.len(), WAITING);
    }
}
