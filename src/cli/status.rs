//! `tidegate status`

use jiff::Timestamp;
use serde_json::json;
use tidegate::{
    catalog::SnapshotRow,
    data_dir::Side,
    fleet::Dropped,
    ops::status::{self, StatusOutcome},
};

use super::{
    Context, Outcome, hierarchy,
    output::{count, human_bytes, printable},
    waiting,
};

/// How this side stands: catalogue, content, snapshots, fleet, and the servers below it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let outcome = status::status(&context.ops())?;
        context.out.data(&outcome, || text(&outcome))?;
        Ok(Outcome::Done)
    }
}

fn text(status: &StatusOutcome) -> String {
    let mut text = match &status.side {
        Side::Connected { mirror_id } => {
            format!("Connected side, mirror {mirror_id}, sites: {}\n", status.sites.join(", "))
        }
        Side::Isolated { site } => format!("Isolated side, site {site}\n"),
    };
    let counts = &status.catalogue;
    text.push_str(&format!(
        "Catalogue: {} of {}, {} withdrawn\n",
        count(counts.revisions, "revision"),
        count(counts.updates, "update"),
        counts.withdrawn
    ));
    text.push_str(&format!(
        "Content: {} here ({}), {} that documents name missing ({})\n",
        count(counts.present, "payload"),
        human_bytes(counts.present_bytes),
        count(status.missing_files, "file"),
        human_bytes(status.missing_bytes)
    ));
    text.extend(status.snapshots.iter().map(snapshot));
    if let Some(snapshot) = status.unfinished_import {
        text.push_str(&unfinished(snapshot));
    }
    text.push_str(&fleet(status));
    text
}

fn unfinished(snapshot: u64) -> String {
    format!(
        "Not finished: the approvals and declines of snapshot {snapshot} have not taken effect yet, and it is not served \
         before they have. Run `tidegate import` with the same bundle again, or start `tidegate serve` again\n"
    )
}

fn snapshot(snapshot: &SnapshotRow) -> String {
    let age = Timestamp::now().duration_since(snapshot.created).as_secs() / 86_400;
    let state = json!(snapshot.state);
    format!(
        "Snapshot {}: {}, sealed {:.0} ({} ago)\n",
        snapshot.number,
        state.as_str().unwrap_or_default(),
        snapshot.created,
        count(u64::try_from(age).unwrap_or(0), "day")
    )
}

/// Computers, decisions, servers.
fn fleet(status: &StatusOutcome) -> String {
    let mut text = format!(
        "Fleet: {}, {}\n",
        count(status.computers, "computer"),
        count(status.approvals, "approval")
    );
    text.push_str(&waiting::summary(&status.waiting));
    if let Some(upstream) = &status.replica_of {
        text.push_str(&format!("Replica of {upstream}, which decides on groups and approvals\n"));
    }
    if let Some(snapshot) = status.policy_held {
        text.push_str(&format!(
            "Policy: that of snapshot {snapshot} is held; look at it with `tidegate policy diff`\n"
        ));
    }
    text.push_str(&hierarchy::text(&status.downstreams));
    if status.computers_of_downstreams > 0 {
        let computers = count(status.computers_of_downstreams, "computer");
        text.push_str(&format!("  {computers} below downstream servers\n"));
    }
    if status.downstream_missing_files > 0 {
        let wanted = count(status.downstream_missing_files, "file");
        text.push_str(&format!("  {wanted} that downstream servers asked for missing here\n"));
    }
    text.extend(status.dropped.iter().map(dropped));
    text
}

fn dropped(dropped: &Dropped) -> String {
    let Dropped { what, times, last, address, .. } = dropped;
    let from = match address {
        Some(address) => format!("the last from {}", printable(address)),
        None => "from where is not known".to_owned(),
    };
    format!(
        "Bounds: {times} {what} were not kept, because more was claimed than is kept; {from}, {last:.0}. \
         `tidegate computers remove` and `tidegate servers remove` clean up\n"
    )
}
