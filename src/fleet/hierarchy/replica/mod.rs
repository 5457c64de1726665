//! A replica: groups, approvals, declines and accepted licences are those of its upstream server,
//! taken over as a whole or not at all. [MS-WUSSS] 3.2.4.3
//!
//! Which computer is in which group stays local. Triggers of the database keep everybody else from
//! deciding, whichever way it is tried.

mod approvals;
pub(crate) mod decisions;
mod groups;

use jiff::Timestamp;

use decisions::{ChangeMark, ReplicaReport, UpstreamDecisions};

use crate::fleet::{
    database::Fleet,
    error::FleetError,
    meta::{remove, set_value, text},
};

impl Fleet {
    /// The address of the upstream server that decides here; `None` if decisions are local.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn replica_of(&self) -> Result<Option<String>, FleetError> {
        self.read("read whose replica it is", |db| Ok(text(db, "replica-of")?))
    }

    /// The anchor of the last answer of this upstream; `None` asks for everything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn replica_anchor(&self, upstream: &str) -> Result<Option<String>, FleetError> {
        self.read("read the anchor of the replica", |db| {
            let same = text(db, "replica-of")?.is_some_and(|address| address == upstream);
            Ok(if same { text(db, "replica-anchor")? } else { None })
        })
    }

    /// Takes over the decisions of the upstream, in one transaction with its anchor. From the first
    /// time on this is a replica. Local computers of groups that are gone become unassigned; when the
    /// answer is whole, they follow a group of the same name.
    ///
    /// # Errors
    /// When the answer makes no sense or is too large: then nothing has changed.
    pub fn take_over(
        &mut self,
        decisions: &UpstreamDecisions,
        now: Timestamp,
    ) -> Result<ReplicaReport, FleetError> {
        self.write("take over what the upstream server decided", |db| {
            let groups = groups::arrange(&decisions.groups)?;
            let mut done = ReplicaReport { notes: groups.notes, ..ReplicaReport::default() };
            let mut mark = ChangeMark { db, mark: None };
            set_value(db, "replicating", b"1")?;
            groups::apply(db, &groups.groups, decisions.whole, &mut mark, &mut done)?;
            approvals::store_deployments(db, decisions, &mut done)?;
            approvals::apply(db, decisions, now, &mut mark, &mut done)?;
            set_value(db, "replica-of", decisions.upstream.as_bytes())?;
            set_value(db, "replica-anchor", decisions.anchor.as_bytes())?;
            remove(db, "replicating")?;
            done.changed = mark.mark.is_some();
            Ok(done)
        })
    }

    /// Decides by itself again: what was taken over stays, as local decisions. Returns whose
    /// replica it was.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn leave_replica(&mut self) -> Result<Option<String>, FleetError> {
        self.write("end being a replica", |db| {
            let was = text(db, "replica-of")?;
            db.execute("DELETE FROM replica_deployment", [])?;
            remove(db, "replica-of")?;
            remove(db, "replica-anchor")?;
            Ok(was)
        })
    }
}
