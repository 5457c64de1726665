//! `Deployment`, which every update needs: without it agents abort.

use jiff::{Timestamp, tz::Offset};

use super::action::Action;
use crate::{
    protocol::{time::DateTime, version::ProtocolVersion},
    soap::Writer,
};

/// A deployment as agents get it. [MS-WUSP] 2.2.2.2.4
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// Its number, of another space than revisions.
    pub id: i32,
    /// What to do.
    pub action: Action,
    /// By when.
    pub deadline: Option<Timestamp>,
    /// Only its date goes on the wire.
    pub changed: Timestamp,
}

impl Deployment {
    /// Writes the element for a client of this version.
    pub(super) fn write<F>(&self, version: ProtocolVersion, w: &mut Writer<F>) {
        w.element("Deployment", |w| {
            w.value("ID", self.id);
            w.value("Action", self.action);
            w.optional("Deadline", self.deadline.map(DateTime));
            w.value("IsAssigned", true);
            w.value("LastChangeTime", Offset::UTC.to_datetime(self.changed).date());
            if version >= ProtocolVersion::AUTO_SELECT {
                for name in ["AutoSelect", "AutoDownload", "SupersedenceBehavior"] {
                    w.value(name, 0);
                }
            }
        });
    }
}
