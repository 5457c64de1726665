//! `tidegate computers`

use clap::Subcommand;
use serde_json::json;
use tidegate::{
    catalog::Catalog,
    fleet::{Compliance, ComplianceState, Fleet},
};

use super::{Context, Outcome, output::count};

/// Computers. Without a subcommand: list them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all computers with what they reported
    List,
    /// Show one computer: state of each update, newest events
    Show {
        /// Name or id
        computer: String,
        /// How many events
        #[arg(long, default_value_t = 20)]
        events: u32,
    },
    /// Put a computer into exactly these groups; none means unassigned
    Assign {
        /// Name or id
        computer: String,
        /// Groups, by name or id
        groups: Vec<String>,
    },
    /// Forget a computer; it comes back when it calls again
    Remove {
        /// Name or id
        computer: String,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let data = context.data_dir()?;
        let mut fleet = Fleet::open(&data.fleet())?;
        match self.command.unwrap_or(Command::List) {
            Command::List => list(context, &fleet)?,
            Command::Show { computer, events } => {
                let catalog = Catalog::open(&data.catalog())?;
                show(context, &fleet, &catalog, &computer, events)?;
            }
            Command::Assign { computer, groups } => {
                let ids = groups
                    .iter()
                    .map(|g| Ok(fleet.group(g)?.id))
                    .collect::<anyhow::Result<Vec<_>>>()?;
                fleet.assign(&computer, &ids)?;
                context.out.data(&json!({ "computer": computer, "groups": groups }), || {
                    if groups.is_empty() {
                        format!("{computer} is unassigned now.")
                    } else {
                        format!("{computer} is in {} now.", groups.join(", "))
                    }
                })?;
            }
            Command::Remove { computer } => {
                fleet.remove_computer(&computer)?;
                context
                    .out
                    .data(&json!({ "removed": computer }), || format!("Forgot {computer}."))?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn in_state(states: &[Compliance], state: ComplianceState) -> u64 {
    states.iter().filter(|c| c.state == state).count() as u64
}

fn list(context: &Context, fleet: &Fleet) -> anyhow::Result<()> {
    let groups = fleet.groups()?;
    let mut rows = Vec::new();
    let mut text = String::new();
    for computer in fleet.computers()? {
        let states = fleet.compliance(Some(&computer.id))?;
        let names: Vec<_> = computer
            .groups
            .iter()
            .filter_map(|id| groups.iter().find(|g| g.id == *id).map(|g| g.name.as_str()))
            .collect();
        text.push_str(&format!(
            "{}  {}  [{}]  last seen {:.0}: {} installed, {} needed, {} failed\n",
            computer.id,
            printable(&computer.dns_name),
            names.join(", "),
            computer.last_seen,
            in_state(&states, ComplianceState::Installed),
            in_state(&states, ComplianceState::Needed),
            in_state(&states, ComplianceState::Failed),
        ));
        rows.push(json!({ "computer": computer, "group-names": names, "compliance": states }));
    }
    if rows.is_empty() && !context.out.is_json() {
        context.out.note("No computer has called yet.");
    }
    context.out.data(&rows, || text)
}

fn show(
    context: &Context,
    fleet: &Fleet,
    catalog: &Catalog,
    computer: &str,
    limit: u32,
) -> anyhow::Result<()> {
    let found = fleet
        .computers()?
        .into_iter()
        .find(|c| c.id.eq_ignore_ascii_case(computer) || c.dns_name.eq_ignore_ascii_case(computer))
        .ok_or_else(|| {
            anyhow::anyhow!("there is no computer {computer}: `tidegate computers` lists them")
        })?;
    let states = fleet.compliance(Some(&found.id))?;
    let events = fleet.events(&found.id, limit)?;
    let mut text = format!("{} ({})\n", printable(&found.dns_name), found.id);
    for state in &states {
        let title = catalog.newest(state.update)?.map(|r| r.title);
        let name = json!(state.state);
        text.push_str(&format!(
            "  {:<15} {}  {}\n",
            name.as_str().unwrap_or_default(),
            state.update,
            title.unwrap_or_default()
        ));
    }
    text.push_str(&format!("{}, newest first:\n", count(events.len() as u64, "event")));
    for event in &events {
        text.push_str(&format!(
            "  {} event {} {}\n",
            printable(&event.at_target),
            event.event_id,
            event.strings.iter().map(|s| printable(s)).collect::<Vec<_>>().join("; ")
        ));
    }
    context.out.data(&json!({ "computer": found, "compliance": states, "events": events }), || text)
}

/// Text that a computer sent, without anything that could act on a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
