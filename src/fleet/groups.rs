//! Target groups.

use serde::Serialize;
use uuid::{Uuid, uuid};

use super::{Fleet, Result};

/// Every computer is in it.
pub const ALL_COMPUTERS: Uuid = uuid!("a0a08746-4dbe-4a37-9adf-9e7652c0b421");
/// Computers that no administrator and no policy has put elsewhere.
pub const UNASSIGNED_COMPUTERS: Uuid = uuid!("b73ca6ed-5727-47f3-84de-015e03f6a88a");

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub fn groups(&self) -> Result<Vec<Group>> {
        unimplemented!()
    }

    /// A group by name (any letter case) or id.
    ///
    /// # Errors
    /// [`super::FleetError::Invalid`] when there is none; the message lists those that are there.
    pub fn group(&self, name_or_id: &str) -> Result<Group> {
        let _ = name_or_id;
        unimplemented!()
    }

    /// Makes a group below `parent`, All Computers if not given.
    ///
    /// # Errors
    /// When the name is taken, empty or too long.
    pub fn create_group(&mut self, name: &str, parent: Option<Uuid>) -> Result<Group> {
        let _ = (name, parent);
        unimplemented!()
    }

    /// Removes a group; its computers become unassigned, its approvals go.
    ///
    /// # Errors
    /// When it is a well-known group or has groups below it.
    pub fn remove_group(&mut self, id: Uuid) -> Result<()> {
        let _ = id;
        unimplemented!()
    }

    /// Every different set of groups that some computer is in, ancestors included, each sorted by
    /// id, without repeats; and the set of each group as if a computer were in it alone.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn group_sets(&self) -> Result<Vec<Vec<Uuid>>> {
        unimplemented!()
    }
}
