//! Target groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, params, types::Type};
use serde::Serialize;
use uuid::{Uuid, uuid};

use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
        meta::touch,
    },
    sqlite::{bad_column, uuid_at},
};

/// Every computer is in it.
pub const ALL_COMPUTERS: Uuid = uuid!("a0a08746-4dbe-4a37-9adf-9e7652c0b421");
/// Computers that no administrator and no policy has put elsewhere.
pub const UNASSIGNED_COMPUTERS: Uuid = uuid!("b73ca6ed-5727-47f3-84de-015e03f6a88a");

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Group {
    /// Its id.
    pub id: Uuid,
    /// Its name; unique in any letter case.
    pub name: String,
    /// The group around it; only All Computers has none.
    pub parent: Option<Uuid>,
}

impl Fleet {
    /// All groups, parents before their children, then by name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn groups(&self) -> Result<Vec<Group>, FleetError> {
        self.read("list the groups", |db| Ok(all(db)?))
    }

    /// A group by name (any letter case) or id.
    ///
    /// # Errors
    /// [`super::FleetError::Invalid`] when there is none; the message lists those that are there.
    pub fn group(&self, name_or_id: &str) -> Result<Group, FleetError> {
        self.read("find a group", |db| find(&all(db)?, name_or_id))
    }

    /// Makes a group below `parent`, All Computers if not given.
    ///
    /// # Errors
    /// When the name is taken or not usable, or `parent` cannot have groups below it.
    pub fn create_group(&mut self, name: &str, parent: Option<Uuid>) -> Result<Group, FleetError> {
        self.write("make a group", |db| {
            let parent = parent.unwrap_or(ALL_COMPUTERS);
            require(db, parent)?;
            if parent == UNASSIGNED_COMPUTERS {
                return Err(WriteError::Invalid(
                    "Unassigned Computers cannot have groups below it".to_owned(),
                ));
            }
            GroupNames::read(db)?.make(db, name, parent)
        })
    }

    /// Makes groups below All Computers, as many as there are names: the groups that are there are read
    /// once.
    ///
    /// # Errors
    /// When a name is taken or not usable; then none is made.
    pub fn create_groups(&mut self, names: &[&str]) -> Result<(), FleetError> {
        self.write("make groups", |db| {
            let mut taken = GroupNames::read(db)?;
            for name in names {
                taken.make(db, name, ALL_COMPUTERS)?;
            }
            Ok(())
        })
    }

    /// Removes a group; its computers become unassigned, its approvals go.
    ///
    /// # Errors
    /// When it is a well-known group or has groups below it.
    pub fn remove_group(&mut self, id: Uuid) -> Result<(), FleetError> {
        self.write("remove a group", |db| {
            let groups = all(db)?;
            let group = find(&groups, &id.to_string())?;
            if [ALL_COMPUTERS, UNASSIGNED_COMPUTERS].contains(&id) {
                return Err(WriteError::Invalid(format!("{:?} cannot be removed", group.name)));
            }
            if let Some(child) = groups.iter().find(|g| g.parent == Some(id)) {
                return Err(WriteError::Invalid(format!(
                    "{:?} has the group {:?} below it: remove that first",
                    group.name, child.name
                )));
            }
            db.execute("DELETE FROM target_group WHERE group_id = ?1", [id.as_bytes()])?;
            // Nobody has chosen for a computer that is in no group any more.
            db.execute(
                "UPDATE computer SET placed = 'nobody' WHERE placed <> 'nobody'
                 AND computer_id NOT IN (SELECT computer_id FROM membership)",
                [],
            )?;
            touch(db)?;
            Ok(())
        })
    }

    /// Every different set of groups that some computer is in, ancestors included, each sorted by
    /// id, without repeats; and the set of each group as if a computer were in it alone.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn group_sets(&self) -> Result<Vec<Vec<Uuid>>, FleetError> {
        self.read("list the sets of groups", |db| {
            let parents = parents(db)?;
            let alone = parents.keys().map(|group| with_ancestors(&parents, [*group]));
            let mut sets: BTreeSet<Vec<Uuid>> = alone.collect();
            let mut statement = db.prepare_cached("SELECT group_set FROM group_set")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let names = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
                let groups = names.split(',').map(Uuid::try_parse).collect::<Result<Vec<_>, _>>();
                let groups = groups.map_err(|e| bad_column(0, Type::Text, e))?;
                sets.insert(with_ancestors(&parents, groups));
            }
            sets.remove(&Vec::new());
            Ok(sets.into_iter().collect())
        })
    }
}

/// The names that groups have, in lower case, with the spelling that each has.
struct GroupNames(HashMap<String, String>);

impl GroupNames {
    fn read(db: &Connection) -> rusqlite::Result<Self> {
        let names = db
            .prepare_cached("SELECT name FROM target_group")?
            .query_map([], |row| row.get::<_, String>(0))?
            .map(|name| name.map(|name| (name.to_lowercase(), name)))
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self(names))
    }

    fn make(&mut self, db: &Connection, name: &str, parent: Uuid) -> Result<Group, WriteError> {
        let name = name.trim();
        check_name(name)?;
        if let Some(taken) = self.0.insert(name.to_lowercase(), name.to_owned()) {
            return Err(WriteError::Invalid(format!("there is a group {taken:?} already")));
        }
        let group = Group { id: Uuid::new_v4(), name: name.to_owned(), parent: Some(parent) };
        db.prepare_cached("INSERT INTO target_group (group_id, name, parent) VALUES (?1, ?2, ?3)")?
            .execute(params![group.id.as_bytes(), group.name, parent.as_bytes()])?;
        touch(db)?;
        Ok(group)
    }
}

/// Refuses a group that is not there. Reads all groups only then, to name them.
pub(crate) fn require(db: &Connection, group: Uuid) -> Result<(), WriteError> {
    let is_there = db
        .prepare_cached("SELECT 1 FROM target_group WHERE group_id = ?1")?
        .exists([group.as_bytes()])?;
    if is_there { Ok(()) } else { find(&all(db)?, &group.to_string()).map(drop) }
}

/// All groups, parents before their children, then by name.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<Group>> {
    let mut statement = db.prepare_cached("SELECT group_id, name, parent FROM target_group")?;
    let rows = statement.query_map([], |row| {
        let parent = if row.get_ref(2)?.as_blob_or_null()?.is_some() {
            Some(uuid_at(row, 2)?)
        } else {
            None
        };
        Ok(Group { id: uuid_at(row, 0)?, name: row.get(1)?, parent })
    })?;
    let mut groups = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let parents: BTreeMap<_, _> = groups.iter().map(|g| (g.id, g.parent)).collect();
    groups.sort_by_cached_key(|group| {
        (with_ancestors(&parents, [group.id]).len(), group.name.to_lowercase(), group.id)
    });
    Ok(groups)
}

/// A group by name or id, of all there are.
pub(crate) fn find(groups: &[Group], name_or_id: &str) -> Result<Group, WriteError> {
    let id = Uuid::try_parse(name_or_id).ok();
    let found = groups.iter().find(|g| Some(g.id) == id || same(&g.name, name_or_id.trim()));
    found.cloned().ok_or_else(|| {
        let names: Vec<_> = groups.iter().map(|g| format!("{:?}", g.name)).collect();
        WriteError::Invalid(format!(
            "there is no group {name_or_id:?}; there are {}",
            names.join(", ")
        ))
    })
}

/// The group of this name in any letter case, if there is one. All groups are read only for a name that is
/// not in ASCII.
pub(crate) fn by_name(db: &Connection, name: &str) -> rusqlite::Result<Option<Uuid>> {
    let name = name.trim();
    if !name.is_ascii() {
        let mut statement = db.prepare_cached("SELECT group_id, name FROM target_group")?;
        let groups = statement.query_map([], |row| Ok((uuid_at(row, 0)?, row.get(1)?)))?;
        let groups = groups.collect::<rusqlite::Result<Vec<(Uuid, String)>>>()?;
        return Ok(groups.into_iter().find(|(_, other)| same(other, name)).map(|(id, _)| id));
    }
    db.prepare_cached("SELECT group_id FROM target_group WHERE name = ?1")?
        .query_row([name], |row| uuid_at(row, 0))
        .optional()
}

/// Each group's parent.
pub(crate) fn parents(db: &Connection) -> rusqlite::Result<BTreeMap<Uuid, Option<Uuid>>> {
    db.prepare_cached("SELECT group_id, parent FROM target_group")?
        .query_map([], |row| {
            let has_parent = row.get_ref(1)?.as_blob_or_null()?.is_some();
            Ok((uuid_at(row, 0)?, if has_parent { Some(uuid_at(row, 1)?) } else { None }))
        })?
        .collect()
}

/// The parents of these groups and of all that are around them.
pub(crate) fn parents_around(
    db: &Connection,
    groups: &[Uuid],
) -> rusqlite::Result<BTreeMap<Uuid, Option<Uuid>>> {
    let mut find = db.prepare_cached("SELECT parent FROM target_group WHERE group_id = ?1")?;
    let mut found = BTreeMap::new();
    for group in groups {
        let mut next = Some(*group);
        while let Some(id) = next
            && !found.contains_key(&id)
        {
            next = find
                .query_row([id.as_bytes()], |row| {
                    let has_parent = row.get_ref(0)?.as_blob_or_null()?.is_some();
                    if has_parent { uuid_at(row, 0).map(Some) } else { Ok(None) }
                })
                .optional()?
                .flatten();
            found.insert(id, next);
        }
    }
    Ok(found)
}

/// Groups with all that are around them, sorted by id.
pub(crate) fn with_ancestors(
    parents: &BTreeMap<Uuid, Option<Uuid>>,
    groups: impl IntoIterator<Item = Uuid>,
) -> Vec<Uuid> {
    let mut all = BTreeSet::new();
    for group in groups {
        let mut next = Some(group);
        while let Some(id) = next
            && all.insert(id)
        {
            next = parents.get(&id).copied().flatten();
        }
    }
    all.into_iter().collect()
}

/// Whether two names are one in any letter case.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// What is wrong with a name for a group, if anything is.
pub fn unfit_group_name(name: &str) -> Option<String> {
    match check_name(name.trim()) {
        Err(WriteError::Invalid(what)) => Some(what),
        _ => None,
    }
}

fn check_name(name: &str) -> Result<(), WriteError> {
    let what = if name.is_empty() {
        "is empty"
    } else if name.chars().count() > 128 {
        "has more than 128 characters"
    } else if name.chars().any(char::is_control) {
        "has control characters"
    } else if name.contains(';') {
        "has a ';', which divides names where computers name their group"
    } else if Uuid::try_parse(name).is_ok() {
        "looks like the id of a group"
    } else {
        return Ok(());
    };
    Err(WriteError::Invalid(format!("the name of a group {what}: choose another")))
}
