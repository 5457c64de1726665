//! `tidegate status`

use jiff::Timestamp;
use serde_json::json;
use tidegate::{
    catalog::{RevisionSummary, SnapshotRow},
    data_dir::Side,
    fleet::{Dropped, MissingGroup, TurnedAway},
    ops::age::SnapshotAge,
    ops::status::{self, GonePayloads, SiteDelivery, StatusOutcome},
};

use super::{
    Context, Outcome, hierarchy,
    output::{count, human_bytes, printable},
    waiting,
};

/// Clients turned away that are shown one by one; the rest are in the JSON form.
const TURNED_AWAY_SHOWN: usize = 20;

/// Groups that do not exist that are shown one by one.
const GROUPS_SHOWN: usize = 10;
/// Revisions left out of snapshots that are shown one by one; the rest are in the JSON form.
const LEFT_OUT_SHOWN: usize = 10;

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
            let sites = match status.sites.as_slice() {
                [] => "no sites yet".to_owned(),
                sites => format!("sites: {}", sites.join(", ")),
            };
            format!("Connected side, mirror {mirror_id}, {sites}\n")
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
    text.push_str(&lost(&status.lost));
    text.push_str(&left_out(&status.left_out));
    let is_unfinished = |row: &SnapshotRow| status.unfinished_import == Some(row.number);
    text.extend(status.snapshots.iter().map(|row| snapshot(row, is_unfinished(row))));
    text.extend(status.age.iter().map(age));
    text.extend(status.deliveries.iter().map(delivery));
    text.extend(status.problems.iter().map(|problem| format!("Problem: {problem}\n")));
    if let Some(snapshot) = status.unfinished_import {
        text.push_str(&unfinished(snapshot));
    }
    text.push_str(&fleet(status));
    text
}

/// Payloads that are gone, and how they come again.
fn lost(lost: &GonePayloads) -> String {
    if lost.payloads == 0 {
        return String::new();
    }
    let names: Vec<String> =
        lost.examples.iter().map(|file| printable(&file.to_string())).collect();
    let more = lost.payloads.saturating_sub(names.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "Lost: {} ({}) gone from the disk, so that their updates are not offered: {}{more}. Run `tidegate check --put-aside`; then `tidegate download` \
         (connected side), or `tidegate export --full` there and `tidegate import` here (isolated side), brings them again\n",
        count(lost.payloads, "payload"),
        human_bytes(lost.bytes),
        names.join(", ")
    )
}

/// What snapshots do not get, and what ends that.
fn left_out(revisions: &[RevisionSummary]) -> String {
    if revisions.is_empty() {
        return String::new();
    }
    let number = count(revisions.len() as u64, "revision");
    let (shown, rest) = revisions.split_at(revisions.len().min(LEFT_OUT_SHOWN));
    let mut text = format!(
        "Left out of snapshots: {number}, until a corrected revision comes or `tidegate withdraw UPDATE` takes it out\n"
    );
    text.extend(shown.iter().map(waiting::left_out));
    if !rest.is_empty() {
        text.push_str(&format!("    and {} more; `--json` lists all\n", rest.len()));
    }
    text
}

fn unfinished(snapshot: u64) -> String {
    format!(
        "Not finished: the approvals and declines of snapshot {snapshot} have not taken effect yet, and it is not served \
         before they have. Run `tidegate import` with the same bundle again, or start `tidegate serve` again\n"
    )
}

/// What is to be said of the age of the newest snapshot.
pub(super) fn age(age: &SnapshotAge) -> String {
    let mut text = String::new();
    if let Some(expires) = age.expires.filter(|_| age.expired) {
        text.push_str(&format!(
            "Expired: the signatures of snapshot {} expired {expires:.0}. Bring a newer bundle; on the connected side, `tidegate seal` signs anew\n",
            age.snapshot
        ));
    }
    if let Some(expected) = age.next_expected.filter(|_| age.overdue) {
        text.push_str(&format!(
            "Overdue: after the intervals until now, the snapshot behind {} was to be expected {expected:.0}\n",
            age.snapshot
        ));
    }
    text
}

/// A snapshot in one line.
pub(super) fn snapshot(snapshot: &SnapshotRow, is_unfinished: bool) -> String {
    let age = Timestamp::now().duration_since(snapshot.created).as_hours() / 24;
    let state = json!(snapshot.state);
    let state = match state.as_str().unwrap_or_default() {
        // Of its own side: the date says it.
        "sealed" => String::new(),
        _ if is_unfinished => "import not finished, ".to_owned(),
        other => format!("{other}, "),
    };
    let (number, created, age) = (snapshot.number, snapshot.created, in_words(age));
    format!("Snapshot {number}: {state}sealed {created:.0} ({age})\n")
}

/// How far a site has come.
fn delivery(delivery: &SiteDelivery) -> String {
    let exported = match delivery.exported {
        Some(number) => format!("snapshot {number} was packed for it"),
        None => "nothing was packed for it".to_owned(),
    };
    let acknowledged = match &delivery.acknowledged {
        Some(found) => {
            let age = Timestamp::now().duration_since(found.created).as_hours() / 24;
            format!("it acknowledged snapshot {} ({})", found.snapshot, in_words(age))
        }
        None => "it acknowledged none (see `tidegate receipt`)".to_owned(),
    };
    format!("Site {}: {exported}; {acknowledged}\n", delivery.site)
}

/// How long ago something was, in days.
fn in_words(days: i64) -> String {
    match days {
        0 => "today".to_owned(),
        1.. => format!("{} ago", count(days.unsigned_abs(), "day")),
        _ => {
            let days = count(days.unsigned_abs(), "day");
            format!("{days} from now: that date is wrong, or the clock here")
        }
    }
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
    text.push_str(&missing_groups(&status.missing_groups));
    text.extend(status.dropped.iter().map(dropped));
    text.push_str(&turned_away(&status.turned_away));
    text
}

/// Groups that computers ask for and that do not exist.
fn missing_groups(groups: &[MissingGroup]) -> String {
    let (shown, rest) = groups.split_at(groups.len().min(GROUPS_SHOWN));
    let mut text = String::new();
    for MissingGroup { name, computers } in shown {
        let computers = count(*computers, "computer");
        text.push_str(&format!(
            "Groups: there is no {:?}, which {computers} asked for: `tidegate groups add` makes it, or correct TargetGroup there\n",
            printable(name)
        ));
    }
    if !rest.is_empty() {
        text.push_str(&format!("Groups: {} more that do not exist; see `--json`\n", rest.len()));
    }
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

/// Clients that the server turned away, and what to do about each.
fn turned_away(clients: &[TurnedAway]) -> String {
    let (shown, rest) = clients.split_at(clients.len().min(TURNED_AWAY_SHOWN));
    let mut text: String = shown.iter().map(turned_away_line).collect();
    if !rest.is_empty() {
        let rest = count(rest.len() as u64, "client");
        text.push_str(&format!("Turned away: {rest} before these; `--json` lists all\n"));
    }
    text
}

fn turned_away_line(client: &TurnedAway) -> String {
    let TurnedAway { address, reason, times, last, .. } = client;
    let why = match reason.as_str() {
        "old-agent" => "an agent of Windows 8.1 or older, which is not served",
        "protocol-version" => {
            "a downstream server with another major version of the protocol, which is not spoken here"
        }
        "soap-version" => "a client that writes SOAP 1.2, which agents do not",
        "encoding" => {
            "a client whose requests are compressed or in a character set that is not read"
        }
        "authorization" => {
            "its authorization was refused: made by another server, or before the keys of this one changed"
        }
        "not-listed" => {
            "a downstream server that is not in `[serve] downstreams`: add its id if it may come"
        }
        "unknown-computer" => {
            "reports of a computer that has not introduced itself from there: they are refused until it has"
        }
        "no-room" => {
            "a new computer for which there is no room, because an administrator has placed all that are there: see `[bounds]`"
        }
        "connections" => {
            "it had all connections open that one address may have: see `[serve] connections-per-address`"
        }
        "tls" => {
            "no TLS connection came about: the machine may not trust the certificate of this server"
        }
        other => other,
    };
    let address = printable(address);
    format!(
        "Turned away: {address}, {} until {last:.0}: {}\n",
        count(*times, "time"),
        printable(why)
    )
}
