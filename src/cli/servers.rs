//! `tidegate servers`

use std::collections::BTreeMap;

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate::{
    catalog::Catalog,
    fleet::{Downstream, DownstreamComputer, Fleet},
};
use uuid::Uuid;

use super::{Context, Outcome, hierarchy, output::count};

/// Downstream servers: WSUS servers and other mirrors that synchronize from this one. Without a
/// subcommand: list them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all servers, top first
    List,
    /// Show what a server reported: its numbers, its computers with their states
    Show {
        /// Name or id
        server: String,
    },
    /// Forget a server, with those below it and their computers; it comes back when it calls again
    Remove {
        /// Name or id
        server: String,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let data = context.data_dir()?;
        let mut fleet = Fleet::open(&data.fleet())?;
        match self.command.unwrap_or(Command::List) {
            Command::List => {
                let catalog = Catalog::open(&data.catalog())?;
                let entries = hierarchy::entries(&fleet, &catalog, Timestamp::now())?;
                context.out.data(&json!({ "servers": entries }), || match entries.is_empty() {
                    true => "No server synchronizes from here.".to_owned(),
                    false => hierarchy::text(&entries),
                })?;
            }
            Command::Show { server } => show(context, &fleet, &find(&fleet, &server)?)?,
            Command::Remove { server } => {
                let server = find(&fleet, &server)?;
                fleet.remove_downstream(server.id)?;
                let name = hierarchy::plain(&server.name);
                context.out.data(&json!({ "removed": server.id }), || format!("Forgot {name}."))?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn find(fleet: &Fleet, name_or_id: &str) -> anyhow::Result<Downstream> {
    let id = Uuid::try_parse(name_or_id).ok();
    let mut found = fleet.downstreams()?;
    found.retain(|server| Some(server.id) == id || server.name.eq_ignore_ascii_case(name_or_id));
    let ids: Vec<String> = found.iter().map(|server| server.id.to_string()).collect();
    match (found.pop(), ids.len()) {
        (Some(server), 1) => Ok(server),
        (None, _) => anyhow::bail!("there is no server {name_or_id:?}: see `tidegate servers`"),
        _ => anyhow::bail!(
            "{} servers are called {name_or_id:?}: use one of the ids {}",
            ids.len(),
            ids.join(", ")
        ),
    }
}

fn show(context: &Context, fleet: &Fleet, server: &Downstream) -> anyhow::Result<()> {
    let mut computers = fleet.downstream_computers()?;
    computers.retain(|computer| computer.server == server.id);
    let mut states: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (computer, state, updates) in fleet.downstream_states(server.id)? {
        states.entry(computer).or_default().insert(state, updates);
    }
    let activity = fleet.downstream_activity(server.id)?;
    context.out.data(
        &json!({
            "server": server,
            "computers": computers,
            "states": states,
            "activity": activity,
        }),
        || {
            let (succeeded, failed) = activity.iter().fold((0_u64, 0_u64), |(ok, bad), a| {
                (ok.saturating_add(a.succeeded), bad.saturating_add(a.failed))
            });
            let mut text = format!("{} ({})\n", hierarchy::plain(&server.name), server.id);
            text.push_str(&numbers(server.summary.as_ref()));
            text.push_str(&format!(
                "Installations: {succeeded} succeeded, {failed} failed, of {}\n",
                count(activity.len() as u64, "revision")
            ));
            text.push_str(&format!("{}\n", count(computers.len() as u64, "computer")));
            for computer in &computers {
                text.push_str(&line(computer, states.get(&computer.id)));
            }
            text
        },
    )
}

/// The numbers of a report that are not 0.
fn numbers(summary: Option<&Value>) -> String {
    let Some(Value::Object(members)) = summary else {
        return "It has not reported.\n".to_owned();
    };
    let numbers = members.iter().filter_map(|(name, value)| {
        let value = value.as_i64().filter(|value| *value != 0)?;
        Some(format!("  {}: {value}\n", name.replace('-', " ")))
    });
    format!("As it reported:\n{}", numbers.collect::<String>())
}

fn line(computer: &DownstreamComputer, states: Option<&BTreeMap<String, u64>>) -> String {
    let name = computer.details.get("name").and_then(Value::as_str).unwrap_or(&computer.id);
    let states: Vec<String> =
        states.into_iter().flatten().map(|(state, updates)| format!("{updates} {state}")).collect();
    let states = if states.is_empty() { "nothing to do".to_owned() } else { states.join(", ") };
    let last_sync = computer.last_sync.map_or("never".to_owned(), |at| format!("{at:.0}"));
    format!("  {}: synchronized {last_sync}, {states}\n", hierarchy::plain(name))
}
