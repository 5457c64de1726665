//! `tidegate computers`

use clap::Subcommand;
use serde_json::json;
use tidegate::{
    fleet::{Compliance, ComplianceState},
    ops::computers::{self, ComputerDetails, ComputerEntry},
};

use super::{
    Context, Outcome,
    output::{count, printable, titled},
    removal::Removal,
};

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
    /// Forget a computer, or many at once; one that calls again comes back
    Remove {
        /// Name or id
        computer: Option<String>,
        #[command(flatten)]
        removal: Removal,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let (ops, out) = (context.ops(), &context.out);
        match self.command.unwrap_or(Command::List) {
            Command::List => {
                let entries = computers::list(&ops)?;
                if entries.is_empty() && !out.is_json() {
                    out.note("No computer has called yet.");
                }
                out.data(&entries, || entries.iter().map(line).collect())?;
            }
            Command::Show { computer, events } => {
                let details = computers::show(&ops, &computer, events)?;
                out.data(&details, || text(&details))?;
            }
            Command::Assign { computer, groups } => {
                let assigned = computers::assign(&ops, &computer, groups)?;
                out.data(&assigned, || match assigned.groups.is_empty() {
                    true => format!("{computer} is unassigned now."),
                    false => format!("{computer} is in {} now.", assigned.groups.join(", ")),
                })?;
            }
            Command::Remove { computer, removal } => {
                removal.run(context, "computer", computer.as_deref(), computers::remove)?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn in_state(states: &[Compliance], state: ComplianceState) -> u64 {
    states.iter().filter(|c| c.state == state).count() as u64
}

fn line(entry: &ComputerEntry) -> String {
    let ComputerEntry { computer, group_names, compliance } = entry;
    format!(
        "{}  {}  [{}]  last seen {:.0}: {} installed, {} needed, {} failed\n",
        computer.id,
        printable(&computer.dns_name),
        printable(&group_names.join(", ")),
        computer.last_seen,
        in_state(compliance, ComplianceState::Installed),
        in_state(compliance, ComplianceState::Needed),
        in_state(compliance, ComplianceState::Failed),
    )
}

fn text(details: &ComputerDetails) -> String {
    let ComputerDetails { computer, compliance, events, missing_groups, titles } = details;
    let mut text = format!("{} ({})\n", printable(&computer.dns_name), computer.id);
    if let Some(asked) = computer.requested_group.as_deref().filter(|asked| !asked.is_empty()) {
        text.push_str(&format!("  asks for {}\n", printable(asked)));
    }
    if !missing_groups.is_empty() {
        let groups = missing_groups.join("; ");
        text.push_str(&format!(
            "  not here: {}; `tidegate groups list` has the groups that there are\n",
            printable(&groups)
        ));
    }
    for state in compliance {
        let title = titles.get(&state.update).map(String::as_str);
        let name = json!(state.state);
        text.push_str(&format!(
            "  {:<15} {}  {}\n",
            name.as_str().unwrap_or_default(),
            state.update,
            title.map(titled).unwrap_or_default()
        ));
    }
    text.push_str(&format!("{}, newest first:\n", count(events.len() as u64, "event")));
    for event in events {
        text.push_str(&format!(
            "  {} event {} {}\n",
            printable(&event.at_target),
            event.event_id,
            event.strings.iter().map(|s| printable(s)).collect::<Vec<_>>().join("; ")
        ));
    }
    text
}
