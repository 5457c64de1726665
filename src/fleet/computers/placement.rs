//! Which groups a computer is in: by its administrator, or because it asks for them.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use crate::{
    fleet::{
        database::Fleet,
        decisions::groups::{
            ALL_COMPUTERS, UNASSIGNED_COMPUTERS, by_name, parents_around, require, with_ancestors,
        },
        error::{FleetError, WriteError},
        meta::touch,
    },
    sqlite::{u64_at, uuid_at},
};

/// Groups that a computer is put into by asking for them.
pub const GROUPS_ASKED_FOR: usize = 16;
/// Different sets of several groups that computers are put into by asking for them.
pub const SETS_ASKED_FOR: usize = 200;

impl Fleet {
    /// The groups of a computer with all ancestors, sorted by id; those of an unassigned computer
    /// if it is not known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn groups_of(&self, id: &str) -> Result<Vec<Uuid>, FleetError> {
        self.read("read the groups of a computer", |db| {
            let mut groups = memberships(db, id)?;
            if groups.is_empty() {
                groups.push(UNASSIGNED_COMPUTERS);
            }
            Ok(with_ancestors(&parents_around(db, &groups)?, groups))
        })
    }

    /// Puts a computer (by id or DNS name) into exactly these groups. It stays there whatever it
    /// asks for; only with none it is unassigned until it asks for a group by itself.
    ///
    /// # Errors
    /// When there is no such computer or group, several computers have the name, or the groups
    /// exclude each other.
    pub fn assign(&mut self, id_or_name: &str, groups: &[Uuid]) -> Result<(), FleetError> {
        self.write("assign a computer", |db| {
            let id = resolve(db, id_or_name)?;
            for group in groups {
                require(db, *group)?;
            }
            if groups.contains(&ALL_COMPUTERS) {
                return Err(WriteError::Invalid(
                    "every computer is in All Computers: name the other groups only".to_owned(),
                ));
            }
            let unassigned = groups.contains(&UNASSIGNED_COMPUTERS);
            if unassigned && groups.iter().any(|group| *group != UNASSIGNED_COMPUTERS) {
                return Err(WriteError::Invalid(
                    "a computer is in Unassigned Computers or in other groups, not in both"
                        .to_owned(),
                ));
            }
            let placed = if groups.is_empty() { "nobody" } else { "administrator" };
            db.prepare_cached("UPDATE computer SET placed = ?2 WHERE computer_id = ?1")?
                .execute([id.as_str(), placed])?;
            let groups = if unassigned { &[] } else { groups };
            set_memberships(db, &id, groups)
        })
    }
}

/// Removes a computer, with what it reported.
pub(super) fn forget(db: &Connection, id: &str) -> Result<(), WriteError> {
    set_memberships(db, id, &[])?;
    db.prepare_cached("DELETE FROM computer WHERE computer_id = ?1")?.execute([id])?;
    Ok(())
}

/// Client-side targeting. What an administrator chose stands.
pub(super) fn place_as_requested(
    db: &Connection,
    id: &str,
    requested: Option<&str>,
) -> Result<(), WriteError> {
    let placed: String = db
        .prepare_cached("SELECT placed FROM computer WHERE computer_id = ?1")?
        .query_row([id], |row| row.get(0))?;
    if placed == "administrator" || (placed == "nobody" && requested.is_none()) {
        return Ok(());
    }
    let groups = requested.map_or(Ok(Vec::new()), |names| requested_groups(db, id, names))?;
    let now_placed = if groups.is_empty() { "nobody" } else { "client" };
    if now_placed != placed {
        db.prepare_cached("UPDATE computer SET placed = ?2 WHERE computer_id = ?1")?
            .execute([id, now_placed])?;
    }
    set_memberships(db, id, &groups)
}

/// The groups that exist among the names, divided by `;`, that a computer asks for.
///
/// Each set of groups that computers are in is worked out and kept by the server. So that a stranger
/// cannot make sets without end, a computer that asks for more than [`GROUPS_ASKED_FOR`] gets the
/// first of them, and one that asks for a new set beyond [`SETS_ASKED_FOR`] gets its first group.
pub(super) fn requested_groups(
    db: &Connection,
    id: &str,
    names: &str,
) -> Result<Vec<Uuid>, WriteError> {
    let mut groups: Vec<Uuid> = Vec::new();
    for name in names.split(';') {
        let group =
            by_name(db, name)?.filter(|id| *id != ALL_COMPUTERS && *id != UNASSIGNED_COMPUTERS);
        if let Some(group) = group.filter(|group| !groups.contains(group)) {
            groups.push(group);
        }
        if groups.len() == GROUPS_ASKED_FOR {
            break;
        }
    }
    if groups.len() > 1 && !has_room_for_set(db, id, &groups)? {
        tracing::warn!(
            computer = id,
            "computers ask for very many combinations of groups: this one is put into the first group that it asks for"
        );
        groups.truncate(1);
    }
    Ok(groups)
}

/// Whether other computers, or few, are in several groups as these.
fn has_room_for_set(db: &Connection, id: &str, groups: &[Uuid]) -> rusqlite::Result<bool> {
    let set = set_name(groups);
    let is_there =
        db.prepare_cached("SELECT 1 FROM group_set WHERE group_set = ?1")?.exists([&set])?;
    if is_there {
        return Ok(true);
    }
    // Without the set that only this computer is in: it leaves that.
    let others = db
        .prepare_cached(
            "SELECT count(*) FROM group_set WHERE instr(group_set, ',') > 0 AND NOT (computers = 1
                AND group_set IS (SELECT group_set FROM computer WHERE computer_id = ?1))",
        )?
        .query_row([id], |row| u64_at(row, 0))?;
    Ok(others < SETS_ASKED_FOR as u64)
}

/// A set of groups as the table of sets has it.
fn set_name(groups: &[Uuid]) -> String {
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    let names: Vec<String> = groups.iter().map(|id| format!("{:X}", id.simple())).collect();
    names.join(",")
}

/// Makes the memberships of a computer exactly these.
fn set_memberships(db: &Connection, id: &str, groups: &[Uuid]) -> Result<(), WriteError> {
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    groups.dedup();
    if memberships(db, id)? == groups {
        return Ok(());
    }
    db.prepare_cached("DELETE FROM membership WHERE computer_id = ?1")?.execute([id])?;
    for group in &groups {
        db.prepare_cached("INSERT INTO membership (computer_id, group_id) VALUES (?1, ?2)")?
            .execute(params![id, group.as_bytes()])?;
    }
    touch(db)?;
    Ok(())
}

/// The groups that a computer was put into, sorted.
pub(super) fn memberships(db: &Connection, id: &str) -> rusqlite::Result<Vec<Uuid>> {
    db.prepare_cached("SELECT group_id FROM membership WHERE computer_id = ?1 ORDER BY group_id")?
        .query_map([id], |row| uuid_at(row, 0))?
        .collect()
}

/// The id of a computer by id, else by DNS name.
pub(super) fn resolve(db: &Connection, id_or_name: &str) -> Result<String, WriteError> {
    let by_id: Option<String> = db
        .prepare_cached("SELECT computer_id FROM computer WHERE computer_id = ?1")?
        .query_row([id_or_name], |row| row.get(0))
        .optional()?;
    if let Some(id) = by_id {
        return Ok(id);
    }
    let by_name = db
        .prepare_cached("SELECT computer_id FROM computer WHERE dns_name = ?1 COLLATE NOCASE")?
        .query_map([id_or_name], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    match by_name.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(WriteError::Invalid(format!(
            "there is no computer {id_or_name:?}: see `tidegate computers`"
        ))),
        ids => Err(WriteError::Invalid(format!(
            "{} computers are called {id_or_name:?}: use one of the ids {}",
            ids.len(),
            ids.join(", ")
        ))),
    }
}
