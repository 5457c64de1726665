//! When a computer was here, and from where.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::limits::{make_room, make_room_at, trim_address};
use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
        limits::{FleetBounds, NAME},
    },
    sqlite::moment,
};

/// What a computer just did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// Anything but the following.
    Seen,
    /// SyncUpdates.
    Synced,
    /// ReportEventBatch.
    Reported,
}

impl Fleet {
    /// Whether a computer has registered, and called from this address last (a call without an address
    /// comes from within this program). Not so of one that is not known, or of which nobody knows from
    /// where it called.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn was_at(&self, id: &str, address: Option<&str>) -> Result<bool, FleetError> {
        self.read("look up a computer", |db| {
            Ok(db
                .prepare_cached(
                    "SELECT 1 FROM computer WHERE computer_id = ?1 AND details IS NOT NULL
                        AND (?2 IS NULL OR address = ?2)",
                )?
                .exists(params![id, address])?)
        })
    }

    /// Notes a contact.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contact(
        &mut self,
        id: &str,
        contact: Contact,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        self.contact_from(id, contact, None, now)
    }

    /// As [`Fleet::contact`], with the address.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contact_from(
        &mut self,
        id: &str,
        contact: Contact,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let bounds = self.bounds();
        self.write("note a contact", |db| note_contact(db, id, contact, address, &bounds, now))
    }
}

/// Notes a contact.
pub(crate) fn note_contact(
    db: &Connection,
    id: &str,
    contact: Contact,
    address: Option<&str>,
    bounds: &FleetBounds,
    now: Timestamp,
) -> Result<(), WriteError> {
    note_seen_at(db, id, address, bounds, now)?;
    let sql = match contact {
        Contact::Seen => return Ok(()),
        Contact::Synced => "UPDATE computer SET last_sync = ?2 WHERE computer_id = ?1",
        Contact::Reported => "UPDATE computer SET last_report = ?2 WHERE computer_id = ?1",
    };
    db.prepare_cached(sql)?.execute(params![id, moment(now)])?;
    Ok(())
}

/// Notes that a computer came. One that was removed meanwhile is added again. One that comes from another
/// address than before counts there from now on, unless there is no room.
pub(super) fn note_seen_at(
    db: &Connection,
    id: &str,
    address: Option<&str>,
    bounds: &FleetBounds,
    now: Timestamp,
) -> Result<(), WriteError> {
    if let Some(what) = unfit_id(id) {
        return Err(WriteError::Invalid(what));
    }
    let known: Option<(Option<String>, bool)> = db
        .prepare_cached("SELECT address, never_scanned FROM computer WHERE computer_id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((before, never_scanned)) = known else {
        if !make_room(db, address, bounds, now)? {
            return Err(WriteError::NoRoom);
        }
        db.prepare_cached(
            "INSERT INTO computer (computer_id, dns_name, first_seen, last_seen, address)
             VALUES (?1, '', ?2, ?2, ?3)",
        )?
        .execute(params![id, moment(now), address])?;
        return Ok(());
    };
    db.prepare_cached("UPDATE computer SET last_seen = ?2 WHERE computer_id = ?1")?
        .execute([id, &moment(now)])?;
    if let Some(address) = address.filter(|address| before.as_deref() != Some(address))
        && make_room_at(db, address, never_scanned, bounds, now)?
    {
        db.prepare_cached("UPDATE computer SET address = ?2 WHERE computer_id = ?1")?
            .execute([id, address])?;
        // It brings along what it has reported.
        trim_address(db, Some(address), bounds.bytes_of_address, now)?;
    }
    Ok(())
}

/// What is wrong with the id of a computer, if anything is.
pub(super) fn unfit_id(id: &str) -> Option<String> {
    (id.is_empty() || id.len() > NAME)
        .then(|| format!("a computer's id has 1 to {NAME} bytes, this one has {}", id.len()))
}
