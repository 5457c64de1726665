//! `tidegate groups`

use clap::Subcommand;
use serde_json::json;
use tidegate::fleet::Fleet;

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
        let data = context.data_dir()?;
        let mut fleet = Fleet::open(&data.fleet())?;
        match self.command.unwrap_or(Command::List) {
            Command::List => {
                let groups = fleet.groups()?;
                let name = |id| groups.iter().find(|g| Some(g.id) == id).map(|g| g.name.as_str());
                context.out.data(&groups, || {
                    groups
                        .iter()
                        .map(|g| match name(g.parent) {
                            Some(parent) => format!("{}  {} (in {parent})\n", g.id, g.name),
                            None => format!("{}  {}\n", g.id, g.name),
                        })
                        .collect()
                })?;
            }
            Command::Add { name, parent } => {
                let parent = parent.map(|p| fleet.group(&p)).transpose()?.map(|g| g.id);
                let group = fleet.create_group(&name, parent)?;
                context
                    .out
                    .data(&group, || format!("Made the group {} ({}).", group.name, group.id))?;
            }
            Command::Remove { group } => {
                let group = fleet.group(&group)?;
                fleet.remove_group(group.id)?;
                context.out.data(&json!({ "removed": group }), || {
                    format!("Removed the group {}.", group.name)
                })?;
            }
        }
        Ok(Outcome::Done)
    }
}
