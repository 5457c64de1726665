//! `tidegate servers`

use std::collections::BTreeMap;

use clap::Subcommand;
use serde_json::Value;
use tidegate::{
    fleet::DownstreamComputer,
    ops::servers::{self, ServerDetails},
};

use super::{
    Context, Outcome, hierarchy,
    output::{count, printable},
    removal::Removal,
};

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
    /// Forget a server, with those below it and their computers, or many at once; one that calls again
    /// comes back
    Remove {
        /// Name or id
        server: Option<String>,
        #[command(flatten)]
        removal: Removal,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let (ops, out) = (context.ops(), &context.out);
        match self.command.unwrap_or(Command::List) {
            Command::List => {
                let list = servers::list(&ops)?;
                out.data(&list, || match list.servers.is_empty() {
                    true => "No server synchronizes from here.".to_owned(),
                    false => hierarchy::text(&list.servers),
                })?;
            }
            Command::Show { server } => {
                let details = servers::show(&ops, &server)?;
                out.data(&details, || text(&details))?;
            }
            Command::Remove { server, removal } => {
                removal.run(context, "server", server.as_deref(), servers::remove)?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn text(details: &ServerDetails) -> String {
    let ServerDetails { server, computers, states, activity } = details;
    let (succeeded, failed) = activity.iter().fold((0_u64, 0_u64), |(ok, bad), a| {
        (ok.saturating_add(a.succeeded), bad.saturating_add(a.failed))
    });
    let mut text = format!("{} ({})\n", printable(&server.name), server.id);
    text.push_str(&numbers(server.summary.as_ref()));
    text.push_str(&format!(
        "Installations: {succeeded} succeeded, {failed} failed, of {}\n",
        count(activity.len() as u64, "revision")
    ));
    text.push_str(&format!("{}\n", count(computers.len() as u64, "computer")));
    for computer in computers {
        text.push_str(&line(computer, states.get(&computer.id)));
    }
    text
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
    format!("  {}: synchronized {last_sync}, {states}\n", printable(name))
}
