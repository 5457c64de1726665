//! `tidegate groups`

use clap::Subcommand;
use tidegate::ops::groups;

use super::output::printable;
use super::{Context, Outcome};

/// Target groups. Without a subcommand: list them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all groups
    List,
    /// Make a group
    Add {
        /// Its name
        name: String,
        /// The group around it [default: All Computers]
        #[arg(long, value_name = "GROUP")]
        parent: Option<String>,
    },
    /// Remove a group; its computers become unassigned, its approvals go
    Remove {
        /// Name or id
        group: String,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let (ops, out) = (context.ops(), &context.out);
        match self.command.unwrap_or(Command::List) {
            Command::List => {
                let groups = groups::list(&ops)?;
                let name = |id| groups.iter().find(|g| Some(g.id) == id).map(|g| g.name.as_str());
                out.data(&groups, || {
                    groups
                        .iter()
                        .map(|g| match name(g.parent) {
                            Some(parent) => format!(
                                "{}  {} (in {})\n",
                                g.id,
                                printable(&g.name),
                                printable(parent)
                            ),
                            None => format!("{}  {}\n", g.id, printable(&g.name)),
                        })
                        .collect()
                })?;
            }
            Command::Add { name, parent } => {
                let group = groups::add(&ops, &name, parent.as_deref())?;
                out.data(&group, || format!("Made the group {} ({}).", group.name, group.id))?;
            }
            Command::Remove { group } => {
                let outcome = groups::remove(&ops, &group)?;
                out.data(&outcome, || format!("Removed the group {}.", outcome.removed.name))?;
            }
        }
        Ok(Outcome::Done)
    }
}
