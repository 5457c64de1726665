//! Approvals. An approval is for an update: its newest revision is what is offered.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    declines::declined_by,
    groups::require,
    origin::{Origin, origin_at, origin_name},
    overrides,
};
use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
        meta::touch,
    },
    sqlite::{bad_column, int, moment, moment_at, optional_moment_at, u64_at, update_at, uuid_at},
    update::UpdateId,
};

/// What an approval asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalAction {
    /// Offer and install.
    Install,
    /// Offer, never by itself.
    OptionalInstall,
    /// Remove.
    Uninstall,
    /// Do not offer; report whether it is needed (`PreDeploymentCheck`).
    Detect,
    /// Do not deploy, whatever a wider group says.
    Block,
}

impl ApprovalAction {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Install, Self::OptionalInstall, Self::Uninstall, Self::Detect, Self::Block];

    /// Its name in policies and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::OptionalInstall => "optional-install",
            Self::Uninstall => "uninstall",
            Self::Detect => "detect",
            Self::Block => "block",
        }
    }

    /// The action of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// An approval of an update for a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Approval {
    /// The update.
    pub update: UpdateId,
    /// The group.
    pub group: Uuid,
    /// What to do.
    pub action: ApprovalAction,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// Who decided.
    pub origin: Origin,
    /// The rule that made it, if none of the people did.
    pub rule: Option<ApprovingRule>,
    /// When.
    pub changed: Timestamp,
    /// The change counter then.
    pub change: u64,
}

/// The rule that made an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApprovingRule {
    /// Its name; the rule itself may be gone.
    pub name: String,
    /// When a rule first approved it: deadlines count from then.
    pub since: Timestamp,
}

/// An approval to be made.
#[derive(Debug, Clone)]
pub struct NewApproval {
    /// The update.
    pub update: UpdateId,
    /// The group.
    pub group: Uuid,
    /// What to do.
    pub action: ApprovalAction,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// Who decides.
    pub origin: Origin,
    /// The rule by which.
    pub rule: Option<ApprovingRule>,
}

impl Fleet {
    /// Approves an update for a group, or changes the approval; true if that changed anything.
    ///
    /// An administrator's approval removes every decline. One by policy removes a decline by
    /// policy only, and is dropped where an administrator has declined the update or decided
    /// otherwise for the group.
    ///
    /// # Errors
    /// When there is no such group.
    pub fn approve(
        &mut self,
        update: UpdateId,
        group: Uuid,
        action: ApprovalAction,
        deadline: Option<Timestamp>,
        origin: Origin,
        now: Timestamp,
    ) -> Result<bool, FleetError> {
        self.store_approval(
            &NewApproval { update, group, action, deadline, origin, rule: None },
            now,
        )
    }

    /// As [`Fleet::approve`], also for approvals by rules. One by a rule of this store is dropped
    /// where a policy, or anybody but a rule, has decided.
    ///
    /// # Errors
    /// When there is no such group.
    pub fn store_approval(
        &mut self,
        new: &NewApproval,
        now: Timestamp,
    ) -> Result<bool, FleetError> {
        self.write("approve an update", |db| {
            require(db, new.group)?;
            approve(db, new, now)
        })
    }

    /// All approvals, by update, then group.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn approvals(&self) -> Result<Vec<Approval>, FleetError> {
        self.read("list the approvals", |db| {
            Ok(db
                .prepare_cached(&format!("{APPROVAL} ORDER BY a.update_id, a.group_id"))?
                .query_map([], approval_row)?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn approve(db: &Connection, new: &NewApproval, now: Timestamp) -> Result<bool, WriteError> {
    let NewApproval { update, group, action, deadline, origin, ref rule } = *new;
    let old = approval(db, update, group)?;
    let decline = declined_by(db, update)?;
    let by_a_person = origin == Origin::Local && rule.is_none();
    if !by_a_person {
        let yields = match (&old, origin) {
            (Some(old), Origin::Policy) => old.origin == Origin::Local,
            (Some(old), Origin::Local) => old.origin == Origin::Policy || old.rule.is_none(),
            (None, _) => false,
        };
        let declined = match origin {
            Origin::Policy => decline == Some(Origin::Local),
            Origin::Local => decline.is_some(),
        };
        if yields || declined || overrides::is_refused(db, update, group)? {
            return Ok(false);
        }
    }
    // Whose rule it was on the connected side tells people something, and changes nothing.
    let same = old.is_some_and(|old| {
        (old.action, old.deadline, old.origin) == (action, deadline, origin)
            && (origin == Origin::Policy || old.rule == *rule)
    });
    if same && decline.is_none() {
        store_rule_credit(db, update, group, rule.as_ref())?;
        return Ok(false);
    }
    let change = touch(db)?;
    db.prepare_cached("DELETE FROM declined WHERE update_id = ?1")?
        .execute([update.0.as_bytes()])?;
    db.prepare_cached(
        "INSERT INTO approval (update_id, group_id, action, deadline, origin, changed, change)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (update_id, group_id) DO UPDATE SET
            action = ?3, deadline = ?4, origin = ?5, changed = ?6, change = ?7",
    )?
    .execute(params![
        update.0.as_bytes(),
        group.as_bytes(),
        action.name(),
        deadline.map(moment),
        origin_name(origin),
        moment(now),
        int(change)
    ])?;
    overrides::unmark_withdrawn(db, update, group)?;
    store_rule_credit(db, update, group, rule.as_ref())?;
    Ok(true)
}

/// Writes down which rule an approval comes from.
fn store_rule_credit(
    db: &Connection,
    update: UpdateId,
    group: Uuid,
    rule: Option<&ApprovingRule>,
) -> rusqlite::Result<()> {
    let (update, group) = (update.0.as_bytes(), group.as_bytes());
    match rule {
        Some(ApprovingRule { name, since }) => db
            .prepare_cached(
                "INSERT INTO rule_approval (update_id, group_id, rule, since)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (update_id, group_id) DO UPDATE SET rule = ?3, since = ?4",
            )?
            .execute(params![update, group, name, moment(*since)])?,
        None => db
            .prepare_cached("DELETE FROM rule_approval WHERE update_id = ?1 AND group_id = ?2")?
            .execute(params![update, group])?,
    };
    Ok(())
}

const APPROVAL: &str = "
    SELECT a.update_id, a.group_id, a.action, a.deadline, a.origin, a.changed, a.change, r.rule,
           r.since
    FROM approval a LEFT JOIN rule_approval r USING (update_id, group_id)";

fn approval(db: &Connection, update: UpdateId, group: Uuid) -> rusqlite::Result<Option<Approval>> {
    db.prepare_cached(&format!("{APPROVAL} WHERE a.update_id = ?1 AND a.group_id = ?2"))?
        .query_row(params![update.0.as_bytes(), group.as_bytes()], approval_row)
        .optional()
}

fn approval_row(row: &Row<'_>) -> rusqlite::Result<Approval> {
    let name = row.get_ref(2)?.as_str()?;
    let action = ApprovalAction::parse(name)
        .ok_or_else(|| bad_column(2, Type::Text, format!("{name:?} is no action")))?;
    let rule: Option<String> = row.get(7)?;
    let since = optional_moment_at(row, 8)?;
    Ok(Approval {
        update: update_at(row, 0)?,
        group: uuid_at(row, 1)?,
        action,
        deadline: optional_moment_at(row, 3)?,
        origin: origin_at(row, 4)?,
        rule: rule.zip(since).map(|(name, since)| ApprovingRule { name, since }),
        changed: moment_at(row, 5)?,
        change: u64_at(row, 6)?,
    })
}
