//! A mirror as a replica of the server that it synchronizes from.

use super::{Result, context::Context, error::OpsError};
use crate::{
    catalog::Catalog,
    fleet::{Fleet, ReplicaReport},
    upstream::{self, Source, SyncOptions},
};

/// How a mirror stands to the server that it synchronizes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As the last time.
    Unchanged,
    /// A replica: groups, approvals, declines and accepted licences are those of the server.
    Replica,
    /// No replica any more: what was taken over stays, as decided here.
    Autonomous,
}

/// Checks, before anything is fetched, whether this may be a replica of the source. Returns whether
/// it is one then.
pub(super) fn adopt_role(role: Role, source: &Source, fleet: &mut Fleet) -> Result<bool> {
    if role == Role::Autonomous {
        fleet.leave_replica()?;
        return Ok(false);
    }
    let asked = role == Role::Replica;
    let Source::Server(url) = source else {
        if asked {
            return Err(OpsError::usage("--replica needs the address of a WSUS or a Tidegate"));
        }
        return Ok(false);
    };
    match fleet.replica_of()? {
        _ if asked => Ok(true),
        None => Ok(false),
        Some(upstream) if upstream == url.as_str() => Ok(true),
        Some(upstream) => Err(OpsError::usage(format!(
            "this is a replica of {upstream}: give --replica to be one of {url} from now on, or --autonomous to decide here, with what was taken over so far"
        ))),
    }
}

/// Takes over what the upstream decided.
pub(super) fn replicate(
    context: &Context<'_>,
    source: &Source,
    catalog: &Catalog,
    fleet: &mut Fleet,
    options: &SyncOptions,
) -> Result<Option<ReplicaReport>> {
    let Source::Server(url) = source else { return Ok(None) };
    let done = upstream::replicate(url, catalog, fleet, options).map_err(OpsError::Replica)?;
    for note in &done.notes {
        context.observer().warn(note);
    }
    Ok(Some(done))
}
