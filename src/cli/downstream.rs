//! `tidegate sync` as a downstream server: what is taken over from the upstream beside updates.

use tidegate::{fleet::ReplicaReport, upstream::RollupReport};

use super::output::count;

/// How this mirror stands to the server that it synchronizes from. It stays as it was the last
/// time if nothing is said.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "As a downstream server")]
pub(super) struct Downstream {
    /// Be a replica: groups, approvals, declines and accepted licences are those of the server, and
    /// what was decided here goes
    #[arg(long, conflicts_with_all = ["autonomous", "categories_only"])]
    pub(super) replica: bool,
    /// Be a replica no longer: what was taken over stays, as decided here
    #[arg(long)]
    pub(super) autonomous: bool,
    /// Do not report to the server how this one and its computers stand
    #[arg(long)]
    pub(super) no_report: bool,
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
