//! Groups that computers ask for by client-side targeting and that do not exist: a mistyped name, as a rule.

use std::collections::{BTreeMap, HashSet};

use rusqlite::Connection;
use serde::Serialize;

use crate::fleet::{
    database::Fleet,
    decisions::groups::by_name,
    error::FleetError,
    limits::{NAME, clip},
};

/// Names that are listed: anybody on the network may ask for any.
pub const MISSING_GROUPS_LISTED: usize = 100;
/// Names that are looked at.
const NAMES: usize = 10_000;

/// A group that computers ask for and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MissingGroup {
    /// The name as the first of them has it.
    pub name: String,
    /// How many computers ask for it.
    pub computers: u64,
}

impl Fleet {
    /// The groups that computers ask for and that do not exist, most wanted first, at most
    /// [`MISSING_GROUPS_LISTED`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn missing_groups(&self) -> Result<Vec<MissingGroup>, FleetError> {
        self.read("list the groups that computers ask for", |db| {
            let here = names_here(db)?;
            let mut found: BTreeMap<String, MissingGroup> = BTreeMap::new();
            let mut statement = db.prepare_cached(
                "SELECT requested_group, count(*) FROM computer WHERE requested_group <> ''
                 GROUP BY requested_group",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let computers: u32 = row.get(1)?;
                let asked = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
                for name in names(asked) {
                    let key = name.to_lowercase();
                    let is_new = !found.contains_key(&key);
                    if here.contains(&key) || is_new && found.len() >= NAMES {
                        continue;
                    }
                    let group = found.entry(key).or_insert_with(|| MissingGroup {
                        name: clip(name, NAME).to_owned(),
                        computers: 0,
                    });
                    group.computers += u64::from(computers);
                }
            }
            let mut found: Vec<MissingGroup> = found.into_values().collect();
            found.sort_by_key(|group| std::cmp::Reverse(group.computers));
            found.truncate(MISSING_GROUPS_LISTED);
            Ok(found)
        })
    }

    /// Those of the groups that a computer asks for, divided by `;`, that do not exist, the first
    /// [`MISSING_GROUPS_LISTED`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn missing_groups_of(&self, asked: &str) -> Result<Vec<String>, FleetError> {
        self.read("look for the groups that a computer asks for", |db| {
            let mut missing = Vec::new();
            for name in names(asked).take(MISSING_GROUPS_LISTED) {
                if by_name(db, name)?.is_none() {
                    missing.push(clip(name, NAME).to_owned());
                }
            }
            Ok(missing)
        })
    }
}

/// The names in what a computer asks for, each once.
fn names(asked: &str) -> impl Iterator<Item = &str> {
    let mut seen = HashSet::new();
    let all = asked.split(';').map(str::trim).filter(|name| !name.is_empty());
    all.filter(move |name| seen.insert(name.to_lowercase()))
}

fn names_here(db: &Connection) -> rusqlite::Result<HashSet<String>> {
    db.prepare_cached("SELECT name FROM target_group")?
        .query_map([], |row| row.get::<_, String>(0))?
        .map(|name| name.map(|name| name.to_lowercase()))
        .collect()
}
