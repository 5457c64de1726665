//! Approval rules, stored in order. Their criteria are JSON of the layer above, which is not read here.

use rusqlite::{Connection, params};
use serde::Serialize;

use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
    },
    sqlite::int,
};

/// A rule as the fleet keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredRule {
    /// Its name; unique in any letter case.
    pub name: String,
    /// Whether it is run.
    pub enabled: bool,
    /// What it asks for.
    pub body: String,
    /// The same for people.
    pub text: String,
}

impl Fleet {
    /// All rules, in the order in which they decide.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn rules(&self) -> Result<Vec<StoredRule>, FleetError> {
        self.read("list the rules", |db| Ok(all(db)?))
    }

    /// Adds a rule behind the others, or replaces one in its place.
    ///
    /// # Errors
    /// When the name is taken (and `replace` is not said) or not usable.
    pub fn store_rule(&mut self, rule: &StoredRule, replace: bool) -> Result<(), FleetError> {
        self.write("keep a rule", |db| {
            check_name(&rule.name)?;
            let rules = all(db)?;
            let name = rule.name.to_lowercase();
            let old = rules.iter().find(|old| old.name.to_lowercase() == name);
            if let (Some(old), false) = (old, replace) {
                return Err(WriteError::Invalid(format!(
                    "there is a rule {:?} already: choose another name, or say --replace",
                    old.name
                )));
            }
            if let Some(old) = old {
                db.execute(
                    "UPDATE rule SET name = ?1, enabled = ?2, body = ?3, text = ?4 WHERE name = ?5",
                    params![rule.name, rule.enabled, rule.body, rule.text, old.name],
                )?;
                return Ok(());
            }
            db.execute(
                "INSERT INTO rule (name, position, enabled, body, text)
                 VALUES (?1, (SELECT coalesce(max(position), 0) + 1 FROM rule), ?2, ?3, ?4)",
                params![rule.name, rule.enabled, rule.body, rule.text],
            )?;
            Ok(())
        })
    }

    /// Removes a rule. The approvals that it made stay.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn remove_rule(&mut self, name: &str) -> Result<StoredRule, FleetError> {
        self.write("remove a rule", |db| {
            let rule = find(&all(db)?, name)?;
            db.execute("DELETE FROM rule WHERE name = ?1", [&rule.name])?;
            Ok(rule)
        })
    }

    /// Switches a rule on or off.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn enable_rule(&mut self, name: &str, enabled: bool) -> Result<StoredRule, FleetError> {
        self.write("switch a rule", |db| {
            let rule = find(&all(db)?, name)?;
            db.execute(
                "UPDATE rule SET enabled = ?2 WHERE name = ?1",
                params![rule.name, enabled],
            )?;
            Ok(StoredRule { enabled, ..rule })
        })
    }

    /// Puts rules in a new order: those that are named first, then the others as they were.
    ///
    /// # Errors
    /// When there is none of such a name, or one is named twice.
    pub fn order_rules(&mut self, names: &[String]) -> Result<Vec<StoredRule>, FleetError> {
        self.write("put the rules in order", |db| {
            let mut rest = all(db)?;
            let mut ordered: Vec<StoredRule> = Vec::with_capacity(rest.len());
            for name in names {
                let rule = find(&rest, name)?;
                rest.retain(|other| other.name != rule.name);
                ordered.push(rule);
            }
            ordered.append(&mut rest);
            for (position, rule) in (1_u64..).zip(&ordered) {
                db.execute(
                    "UPDATE rule SET position = ?2 WHERE name = ?1",
                    params![rule.name, int(position)],
                )?;
            }
            Ok(ordered)
        })
    }
}

fn all(db: &Connection) -> rusqlite::Result<Vec<StoredRule>> {
    db.prepare_cached("SELECT name, enabled, body, text FROM rule ORDER BY position, name")?
        .query_map([], |row| {
            Ok(StoredRule {
                name: row.get(0)?,
                enabled: row.get(1)?,
                body: row.get(2)?,
                text: row.get(3)?,
            })
        })?
        .collect()
}

fn find(rules: &[StoredRule], name: &str) -> Result<StoredRule, WriteError> {
    let wanted = name.trim().to_lowercase();
    let found = rules.iter().find(|rule| rule.name.to_lowercase() == wanted);
    found.cloned().ok_or_else(|| {
        let names: Vec<_> = rules.iter().map(|rule| format!("{:?}", rule.name)).collect();
        WriteError::Invalid(match names.as_slice() {
            [] => format!("there is no rule {name:?}: `tidegate rules add` makes one"),
            names => format!("there is no rule {name:?}; there are {}", names.join(", ")),
        })
    })
}

fn check_name(name: &str) -> Result<(), WriteError> {
    let what = if name.trim().is_empty() {
        "is empty"
    } else if name.trim() != name {
        "begins or ends with a space"
    } else if name.chars().count() > 128 {
        "has more than 128 characters"
    } else if name.chars().any(char::is_control) {
        "has control characters"
    } else {
        return Ok(());
    };
    Err(WriteError::Invalid(format!("the name of a rule {what}: choose another")))
}
