//! `tidegate updates`

use clap::ValueEnum;
use serde_json::json;
use tidegate::{
    catalog::{Catalog, RevisionFilter, RevisionSummary},
    update::{UpdateId, UpdateType, kb_number},
};

use super::{Context, Outcome};

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

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let data = context.data_dir()?;
        let catalog = Catalog::open(&data.catalog())?;
        if let Some(id) = self.update {
            let newest = catalog.newest(id)?;
            let Some(newest) = newest else { anyhow::bail!("there is no update {id} here") };
            if self.document {
                let document = catalog.document(newest.revision_id)?.unwrap_or_default();
                let text = String::from_utf8_lossy(&document).into_owned();
                context.out.data(&json!({ "document": text }), || text.clone())?;
            } else {
                context.out.data(&newest, || line(&newest))?;
            }
            return Ok(Outcome::Done);
        }
        let filter = RevisionFilter {
            kb: self.kb.map(|kb| kb_number(&kb).to_owned()),
            title: self.title,
            update_type: self.kind.map(|kind| match kind {
                Kind::Software => UpdateType::Software,
                Kind::Driver => UpdateType::Driver,
                Kind::Category => UpdateType::Category,
                Kind::Detectoid => UpdateType::Detectoid,
            }),
            deployable: !self.all && self.kind.is_none(),
            newest: !self.all,
        };
        let mut found = Vec::new();
        catalog.find(&filter, &mut |revision| found.push(revision))?;
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
        notes.push(severity.clone());
    }
    notes.extend(revision.kb.iter().map(|kb| format!("KB{kb}")));
    if revision.expired {
        notes.push("expired".into());
    }
    if revision.withdrawn {
        notes.push("withdrawn".into());
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    let title = revision.title.replace(['\r', '\n'], " ");
    format!("{}  r{}  {title}{notes}\n", revision.identity.id, revision.identity.revision)
}
