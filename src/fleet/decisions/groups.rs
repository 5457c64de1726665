//! Target groups.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use serde::Serialize;
use uuid::{Uuid, uuid};

use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
        meta::touch,
    },
    sqlite::uuid_at,
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
            let name = name.trim();
            check_name(name)?;
            let parent = parent.unwrap_or(ALL_COMPUTERS);
            let groups = all(db)?;
            if let Some(taken) = groups.iter().find(|g| same(&g.name, name)) {
                return Err(WriteError::Invalid(format!(
                    "there is a group {:?} already",
                    taken.name
                )));
            }
            find(&groups, &parent.to_string())?;
            if parent == UNASSIGNED_COMPUTERS {
                return Err(WriteError::Invalid(
                    "Unassigned Computers cannot have groups below it".to_owned(),
                ));
            }
            let group = Group { id: Uuid::new_v4(), name: name.to_owned(), parent: Some(parent) };
            db.execute(
                "INSERT INTO target_group (group_id, name, parent) VALUES (?1, ?2, ?3)",
                params![group.id.as_bytes(), group.name, parent.as_bytes()],
            )?;
            touch(db)?;
            Ok(group)
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
            let mut statement = db.prepare_cached(
                "SELECT computer_id, group_id FROM membership ORDER BY computer_id, group_id",
            )?;
            let mut rows = statement.query([])?;
            let (mut computer, mut groups) = (String::new(), Vec::new());
            while let Some(row) = rows.next()? {
                let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
                if id != computer {
                    sets.insert(with_ancestors(&parents, groups.drain(..)));
                    id.clone_into(&mut computer);
                }
                groups.push(uuid_at(row, 1)?);
            }
            sets.insert(with_ancestors(&parents, groups));
            sets.remove(&Vec::new());
            Ok(sets.into_iter().collect())
        })
    }
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

/// Each group's parent.
pub(crate) fn parents(db: &Connection) -> rusqlite::Result<BTreeMap<Uuid, Option<Uuid>>> {
    Ok(all(db)?.into_iter().map(|group| (group.id, group.parent)).collect())
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
