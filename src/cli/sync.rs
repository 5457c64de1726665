//! `tidegate sync`

use jiff::Timestamp;
use tidegate::{
    catalog::{Catalog, Numbering},
    content::ContentStore,
    data_dir::Side,
    upstream::{self, Progress, Source, SyncOptions, SyncReport},
};

use super::{
    Context, Outcome,
    output::{self, count, human_bytes},
};

/// Take in updates from a source: what is here already changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A package of `wsusutil export` (.cab), or a folder of update documents and payload files
    #[arg(long, value_name = "SOURCE")]
    from: String,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let data = context.data_dir()?;
        let Side::Connected { mirror_id } = *data.side() else {
            anyhow::bail!(
                "{} is an isolated side: it takes in bundles (`tidegate import`), not sources",
                data.root().display()
            );
        };
        let source = Source::detect(&self.from)?;
        let mut catalog = Catalog::open(&data.catalog())?;
        if catalog.mirror_id()?.is_none() {
            let mut writer = catalog.write()?;
            writer.set_mirror_id(mirror_id)?;
            writer.commit()?;
        }
        let content = ContentStore::open(&data.content())?;
        content.sweep()?;
        let options = SyncOptions {
            limits: context.config.document_limits(),
            numbering: Numbering::Assign,
            ..SyncOptions::new(Timestamp::now())
        };
        let mut documents = context.out.things("documents", 0);
        let mut payloads: Option<output::Progress> = None;
        let mut read = 0;
        let report =
            upstream::sync(&source, &mut catalog, &content, &options, &mut |said| match said {
                Progress::Documents { done, total } => {
                    documents.set_total(total.unwrap_or(0));
                    documents.set(done);
                }
                Progress::Payload { .. } => {}
                Progress::Bytes(bytes) => {
                    read += bytes;
                    payloads.get_or_insert_with(|| context.out.bytes("payloads", 0)).set(read);
                }
            })?;
        documents.finish();
        if let Some(bar) = payloads {
            bar.finish();
        }
        for problem in &report.problems {
            context.out.warn(&format!("{}: {}", problem.at, problem.what));
        }
        context.out.data(&report, || text(&report))?;
        Ok(if report.problems.is_empty() { Outcome::Done } else { Outcome::Partial })
    }
}

fn text(report: &SyncReport) -> String {
    let mut text = if report.changed {
        format!(
            "Took in {} and {} ({}).\n",
            count(report.new_revisions, "revision"),
            count(report.payloads_added, "payload"),
            human_bytes(report.payload_bytes),
        )
    } else {
        "Nothing has changed.\n".to_owned()
    };
    text.push_str(&format!("{} known already", count(report.known, "revision")));
    if report.other_bytes > 0 {
        text.push_str(&format!(
            ", {} known with other bytes (the first stay)",
            count(report.other_bytes, "revision")
        ));
    }
    text.push_str(".\n");
    if !report.problems.is_empty() {
        let problems = count(report.problems.len() as u64, "thing");
        text.push_str(&format!("{problems} could not be taken in; see above.\n"));
    }
    text
}
