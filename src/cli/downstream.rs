//! `tidegate sync` as a downstream server: what is taken over from the upstream beside updates.

use anyhow::Context as _;
use tidegate::{
    catalog::Catalog,
    fleet::{Fleet, ReplicaReport},
    upstream::{self, RollupReport, Source, SyncOptions},
};

use super::{Context, exit, output::count};

/// How this mirror stands to the server that it synchronizes from. It stays as it was the last
/// time if nothing is said.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "As a downstream server")]
pub(super) struct Downstream {
    /// Be a replica: groups, approvals, declines and accepted licences are those of the server, and
    /// what was decided here goes
    #[arg(long, conflicts_with_all = ["autonomous", "categories_only"])]
    replica: bool,
    /// Be a replica no longer: what was taken over stays, as decided here
    #[arg(long)]
    autonomous: bool,
    /// Do not report to the server how this one and its computers stand
    #[arg(long)]
    no_report: bool,
}

impl Downstream {
    /// Checks, before anything is fetched, whether this may be a replica of the source; whether it
    /// is one then.
    pub(super) fn settle(&self, source: &Source, fleet: &mut Fleet) -> anyhow::Result<bool> {
        if self.autonomous {
            fleet.leave_replica()?;
            return Ok(false);
        }
        let Source::Server(url) = source else {
            if self.replica {
                return Err(exit::usage("--replica needs the address of a WSUS or a Tidegate"));
            }
            return Ok(false);
        };
        match fleet.replica_of()? {
            _ if self.replica => Ok(true),
            None => Ok(false),
            Some(of) if of == url.as_str() => Ok(true),
            Some(of) => Err(exit::usage(format!(
                "this is a replica of {of}: give --replica to be one of {url} from now on, or --autonomous to decide here, with what was taken over so far"
            ))),
        }
    }

    /// Tells the upstream how this server and its computers stand, if there is anything to tell.
    /// What goes wrong is a warning: the updates are here.
    pub(super) fn report(
        &self,
        context: &Context,
        source: &Source,
        catalog: &Catalog,
        fleet: &mut Fleet,
        options: &SyncOptions,
    ) -> anyhow::Result<Option<RollupReport>> {
        let Source::Server(url) = source else { return Ok(None) };
        let anything = fleet.replica_of()?.is_some()
            || !fleet.downstreams()?.is_empty()
            || !fleet.computers()?.is_empty();
        if self.no_report || !anything {
            return Ok(None);
        }
        match upstream::rollup(url, catalog, fleet, options) {
            Ok(done) => Ok(done),
            Err(error) => {
                let error = anyhow::Error::from(error);
                context.out.warn(&format!(
                    "the upstream server was not told how this one stands: {error:#}"
                ));
                Ok(None)
            }
        }
    }
}

/// Takes over what the upstream decided.
pub(super) fn replicate(
    context: &Context,
    source: &Source,
    catalog: &Catalog,
    fleet: &mut Fleet,
    options: &SyncOptions,
) -> anyhow::Result<Option<ReplicaReport>> {
    let Source::Server(url) = source else { return Ok(None) };
    let done = upstream::replicate(url, catalog, fleet, options)
        .context("the updates are here, but not what the upstream server decided")?;
    for note in &done.notes {
        context.out.warn(note);
    }
    Ok(Some(done))
}

/// What taking over did, for people.
pub(super) fn text(done: &ReplicaReport) -> String {
    if !done.changed {
        return "Groups, approvals and declines are those of the upstream server.\n".to_owned();
    }
    format!(
        "Taken over from the upstream server: {} and {} new or different, {} and {} gone, {} declined, {} no longer.\n",
        count(done.groups_changed, "group"),
        count(done.approvals_changed, "approval"),
        count(done.groups_removed, "group"),
        count(done.approvals_removed, "approval"),
        count(done.declined, "update"),
        done.no_longer_declined,
    )
}

/// What the upstream was told, for people.
pub(super) fn reported(done: &RollupReport) -> String {
    let servers = count(done.servers, "server");
    if done.detailed {
        let computers = count(done.computers, "computer");
        let statuses = count(done.statuses, "computer");
        return format!(
            "Reported {servers}, {computers} and the states of {statuses} to the upstream server.\n"
        );
    }
    format!("Reported {servers} to the upstream server, which wants to know of no computers.\n")
}
