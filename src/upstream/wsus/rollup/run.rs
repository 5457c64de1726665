//! A report under way.

use std::{collections::HashSet, time::Duration};

use uuid::Uuid;

use super::report::RollupReport;
use crate::{
    fleet::Fleet, protocol::rollup::RollupConfiguration, upstream::wsus::session::Session,
};

/// A report under way.
pub(super) struct RollupRun<'a> {
    pub(super) session: Session,
    pub(super) fleet: &'a mut Fleet,
    /// Who we are to the upstream.
    pub(super) account: Uuid,
    /// Servers that the upstream knows now.
    pub(super) reported_servers: HashSet<Uuid>,
    pub(super) config: RollupConfiguration,
    /// How long a busy upstream is left alone.
    pub(super) busy: Duration,
    pub(super) done: RollupReport,
}
