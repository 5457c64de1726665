//! `tidegate updates`

use clap::ValueEnum;
use tidegate::{
    catalog::RevisionSummary,
    ops::updates::{self, UpdatesQuery},
    update::{UpdateId, UpdateType},
};

use super::{
    Context, Outcome,
    output::{printable, titled},
    waiting,
};

/// List updates (those that can be approved, if nothing else is said), or show one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show this update with all its revisions
    #[arg(value_name = "UPDATE", conflicts_with_all = ["kb", "title", "kind", "all"])]
    update: Option<UpdateId>,
    /// Those of a KB article
    #[arg(long, value_name = "N")]
    kb: Option<String>,
    /// Those whose title holds this text
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Those of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// All revisions, withdrawn ones, members, categories and detectoids too
    #[arg(long)]
    all: bool,
    /// With UPDATE: print the original document of its newest revision
    #[arg(long, requires = "update")]
    document: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Software,
    Driver,
    Category,
    Detectoid,
}

impl From<Kind> for UpdateType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Software => Self::Software,
            Kind::Driver => Self::Driver,
            Kind::Category => Self::Category,
            Kind::Detectoid => Self::Detectoid,
        }
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let ops = context.ops();
        if let Some(id) = self.update {
            if self.document {
                let found = updates::document(&ops, id)?;
                context.out.data(&found, || found.document.clone())?;
            } else {
                let found = updates::show(&ops, id)?;
                context.out.data(&found, || {
                    let mut text = line(&found.revision);
                    if !found.left_out_revisions.is_empty() {
                        text.push_str("    left out of snapshots:\n");
                    }
                    text.extend(found.left_out_revisions.iter().map(waiting::left_out));
                    text + &waiting::reasons(&found.waiting)
                })?;
            }
            return Ok(Outcome::Done);
        }
        let kind = self.kind.map(UpdateType::from);
        let query = UpdatesQuery { kb: self.kb, title: self.title, kind, all: self.all };
        let found = updates::list(&ops, query)?;
        if found.is_empty() && !context.out.is_json() {
            context.out.note("Nothing found.");
        }
        context.out.data(&found, || found.iter().map(line).collect())?;
        Ok(Outcome::Done)
    }
}

fn line(revision: &RevisionSummary) -> String {
    let mut notes = Vec::new();
    if let Some(severity) = &revision.severity {
        notes.push(printable(severity));
    }
    notes.extend(revision.kb.iter().map(|kb| format!("KB{}", printable(kb))));
    if revision.expired {
        notes.push("expired".into());
    }
    if revision.left_out.is_some() {
        notes.push("left out of snapshots".into());
    }
    if revision.withdrawn {
        notes.push("withdrawn".into());
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    let title = titled(&revision.title);
    format!("{}  r{}  {title}{notes}\n", revision.identity.id, revision.identity.revision)
}
