//! `tidegate trust`

use std::path::PathBuf;

use clap::Subcommand;
use tidegate::ops::{
    keys::KeyRole,
    trust::{self, RootOrigin, RootRecord, RootRoles, TrustAdded, TrustOverview, TrustReplaced},
};

use super::{Context, Outcome, question::ask};

/// The root that bundles are checked against.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Trust a root from now on; shows its fingerprint to compare by voice
    Add {
        /// The root file that was carried here
        root: PathBuf,
        /// The fingerprint that the connected side told, as words or hexadecimal
        #[arg(long, value_name = "WORDS")]
        fingerprint: Option<String>,
        /// The fingerprint has been compared: do not ask
        #[arg(long, conflicts_with = "fingerprint")]
        yes: bool,
    },
    /// Show what is trusted here: the root, its keys, the newest snapshot. Or what a root file says;
    /// trusts nothing
    Show {
        /// A root file
        root: Option<PathBuf>,
    },
    /// Trust a new root in the place of one whose keys are lost. Shows first what that means
    ///
    /// Only for a lost root: replaced keys come with the bundles. Whatever the holder of the new root
    /// signs is accepted from then on. Catalogue, computers and approvals stay.
    Replace {
        /// The new root file that was carried here
        root: PathBuf,
        /// Its fingerprint, as the connected side told it, as words or hexadecimal
        #[arg(long, value_name = "WORDS")]
        fingerprint: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Show { root: Some(root) } => {
                let root = trust::inspect(&root)?;
                context.out.data(&root, || root_text(&root))?;
            }
            Command::Show { root: None } => {
                let overview = trust::show(&context.ops())?;
                context.out.data(&overview, || overview_text(&overview))?;
            }
            Command::Replace { root, fingerprint, yes } => {
                let planned = trust::preview_replace(&context.ops(), &root, &fingerprint)?;
                context.out.warn(&replace_text(&planned));
                if !yes {
                    ask(
                        context,
                        "Have the root keys been lost, and has a person of the connected side told this fingerprint?",
                        "the root is not replaced unasked: --yes does it, when the root keys are lost and a person of the connected side has told this fingerprint",
                        "nothing was replaced",
                    )?;
                }
                let replaced = trust::replace(&context.ops(), &root, &fingerprint)?;
                context.out.data(&replaced, || {
                    format!("Trusted from now on: {}", replaced.root.fingerprint)
                })?;
            }
            Command::Add { root, fingerprint, yes } => {
                let summary = trust::preview(&context.ops(), &root)?;
                if fingerprint.is_none() && !yes {
                    context.out.note(&format!(
                        "Fingerprint: {}\n             {}",
                        summary.fingerprint, summary.fingerprint_hex
                    ));
                    ask(
                        context,
                        "Does the connected side tell the same words?",
                        "compare the fingerprint with what the connected side tells, then give it with --fingerprint, or --yes",
                        "nothing was trusted",
                    )?;
                }
                let added = trust::add(&context.ops(), &root, fingerprint.as_deref())?;
                context.out.data(&added, || match added.trust {
                    TrustAdded::Added => format!("Trusted from now on: {}", summary.fingerprint),
                    TrustAdded::Already => format!("Trusted already: {}", summary.fingerprint),
                })?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// A root for people.
fn root_text(root: &RootRoles) -> String {
    format!(
        "{}\n{}\nRoot {}, until {:.0}\n{}",
        root.fingerprint,
        root.fingerprint_hex,
        root.version,
        root.expires,
        roles_text(root)
    )
}

/// Who may sign what, one line for each role.
pub(super) fn roles_text(root: &RootRoles) -> String {
    let list = |role| root.of(role).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "Root keys ({} needed): {}\nContent key: {}\n",
        root.root_threshold,
        list(KeyRole::Root),
        list(KeyRole::Content)
    );
    let others = list(KeyRole::Countersigner);
    if !others.is_empty() {
        text.push_str(&format!("Countersigner keys: {others}\n"));
    }
    text.push_str(&format!("Signatures that a snapshot needs: {}\n", root.snapshot_threshold));
    text
}

fn overview_text(overview: &TrustOverview) -> String {
    let mut text = root_text(&overview.root);
    if let Some(since) = &overview.since {
        text.push_str(&format!("Trusted since {}\n", since_text(since)));
    }
    text.push_str(&match overview.accepted {
        Some(number) => format!("Newest snapshot accepted: {number}\n"),
        None => "No snapshot of it was accepted yet.\n".to_owned(),
    });
    if overview.awaits_snapshot {
        text.push_str("No snapshot of this root has taken effect yet: it is awaited.\n");
    }
    if let Some(mirror) = overview.mirror_id {
        text.push_str(&format!("Mirror followed: {mirror}\n"));
    }
    for before in overview.before.iter().rev().take(10) {
        text.push_str(&format!(
            "Before: root {}, since {}: {}\n",
            before.version,
            since_text(before),
            before.fingerprint
        ));
    }
    text
}

fn since_text(record: &RootRecord) -> String {
    let how = match record.origin {
        RootOrigin::Added => "compared by a person",
        RootOrigin::Bundle => "came with a bundle, signed by the root before",
        RootOrigin::Replaced => "put by a person in the place of a lost root",
    };
    format!("{:.0} ({how})", record.since)
}

fn replace_text(planned: &TrustReplaced) -> String {
    let mut text = "A root takes the place of another that has not signed it. Whatever its holders sign is accepted from now on.\n".to_owned();
    match &planned.before {
        Some(before) => text.push_str(&format!(
            "Trusted until now: root {}, {}\n",
            before.version, before.fingerprint
        )),
        None => {
            text.push_str("What was trusted until now cannot be read: its record is damaged.\n")
        }
    }
    text.push_str(&format!(
        "Instead: root {}, {}\n{}",
        planned.root.version,
        planned.root.fingerprint,
        roles_text(&planned.root)
    ));
    if let Some(number) = planned.accepted {
        text.push_str(&format!(
            "Snapshot {number} stays in force until a bundle of the new root is imported; its snapshots may count anew.\n"
        ));
    }
    text.push_str("Catalogue, computers and approvals stay.");
    text
}
