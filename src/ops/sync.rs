//! Synchronize from a source, with everything that follows.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Result,
    context::Context,
    download,
    error::OpsError,
    progress::{Observer, Unit},
    replica, rollup, rules,
    seal::warn_of_left_out,
    wording::{count, listed},
};
use crate::{
    approval::rules::RuleChanges,
    catalog::{Catalog, Numbering},
    content::ContentStore,
    data_dir::DataDir,
    fleet::{Fleet, ReplicaReport},
    journal::EntryKind,
    upstream::{
        self, DownloadOptions, DownloadReport, RollupReport, Source, SyncProgress, SyncReport,
        SyncSelection, UpstreamOptions,
    },
};

pub use super::replica::Role;

/// What an isolated side does instead.
pub(super) const NO_SOURCES: &str = "it takes in bundles (`tidegate import`), not sources";

/// More notes than these are counted, but not told.
const NOTES_TOLD: usize = 20;

/// The languages that updates are for, as a WSUS lists them.
const LANGUAGES: [&str; 38] = [
    "ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "he", "hi", "hr", "hu", "it",
    "ja", "ja-nec", "ko", "lt", "lv", "nl", "no", "pl", "pt", "pt-br", "ro", "ru", "sk", "sl",
    "sr", "sv", "th", "tr", "uk", "zh-cn", "zh-hk", "zh-tw",
];

/// What to synchronize, and what to do afterwards.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// `microsoft-update`, the address of a WSUS, a package of `wsusutil export`, or a folder.
    pub from: String,
    /// What to ask a server for, and how to reach it.
    pub upstream: UpstreamOptions,
    /// How this mirror stands to the server.
    pub role: Role,
    /// Whether to run the approval rules afterwards.
    pub rules: RunRules,
    /// Download the files that approved updates need afterwards, so.
    pub download: Option<DownloadOptions>,
    /// Report to the server afterwards how this one and its computers stand.
    pub report: bool,
}

impl SyncOptions {
    /// Only synchronize, and report.
    pub fn new(from: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            upstream: UpstreamOptions::default(),
            role: Role::Unchanged,
            rules: RunRules::Never,
            download: None,
            report: true,
        }
    }
}

/// Whether approval rules are run after a synchronization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunRules {
    /// No.
    Never,
    /// If this mirror decides for itself: on a replica only the upstream does.
    UnlessReplica,
    /// Yes.
    Always,
}

/// What a synchronization and what follows did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SyncOutcome {
    /// What the source brought.
    #[serde(flatten)]
    pub synced: SyncReport,
    /// Decisions of the upstream, on a replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<ReplicaReport>,
    /// What the rules approved, if they were run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<RuleChanges>,
    /// What was downloaded, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<DownloadReport>,
    /// What was reported to the upstream, if there was anything to report.
    #[serde(rename = "report", skip_serializing_if = "Option::is_none")]
    pub reported: Option<RollupReport>,
}

impl SyncOutcome {
    /// Whether all that was to be done is done.
    pub fn is_complete(&self) -> bool {
        self.synced.problems.is_empty()
            && self.synced.left_out.is_empty()
            && self.rules.as_ref().is_none_or(RuleChanges::is_complete)
            && self.download.as_ref().is_none_or(DownloadReport::is_complete)
    }
}

/// Brings what the source has into the stores; then, as asked for: decisions of the upstream, rules,
/// files, the report to the upstream.
///
/// # Errors
/// When this is an isolated side, the source cannot be used, the role contradicts the source, another
/// synchronization is running, or a step fails; the steps before it are done then.
pub fn sync(context: &Context<'_>, options: SyncOptions) -> Result<SyncOutcome> {
    let (data, mirror_id) = context.connected_side(NO_SOURCES)?;
    let source = Source::detect(&options.from)?;
    let has_server = source.server(&options.upstream.connection).is_some();
    if !has_server {
        refuse_choices(&options.upstream.selection)?;
        refuse_strange_languages(&options.upstream.selection)?;
    }
    let _one_at_a_time = data.begin_sync()?;
    let mut fleet = Fleet::open(&data.fleet())?;
    let is_replica = replica::adopt_role(options.role, &source, &mut fleet)?;
    let mut catalog = Catalog::open(&data.catalog())?;
    if catalog.mirror_id()?.is_none() {
        let mut writer = catalog.write()?;
        writer.set_mirror_id(mirror_id)?;
        writer.commit()?;
    }
    let upstream_options = upstream::SyncOptions {
        limits: context.limits(),
        numbering: Numbering::Assign,
        upstream: options.upstream,
        ..upstream::SyncOptions::new(context.now())
    };
    let synced = fetch(context, &data, &source, &mut catalog, &upstream_options, has_server)?;
    let synced = context.journaled(EntryKind::Sync, "sync", Ok(synced), |synced| {
        let new = count(synced.new_revisions, "new revision");
        Some((format!("synchronized from {}: {new}", options.from), entry(synced)))
    })?;
    let replica = if is_replica && !upstream_options.upstream.selection.categories_only {
        replica::replicate(context, &source, &catalog, &mut fleet, &upstream_options)?
    } else {
        None
    };
    let run_rules = match options.rules {
        RunRules::Never => false,
        // Whichever source was synchronized.
        RunRules::UnlessReplica => fleet.replica_of()?.is_none(),
        RunRules::Always => true,
    };
    let rules = if run_rules {
        Some(rules::run_in(context, &catalog, &mut fleet, rules::RunOptions::default())?)
    } else {
        None
    };
    let download = match &options.download {
        Some(how) => Some(download::download_into(context, &data, &mut catalog, how)?),
        None => None,
    };
    let reported = if options.report {
        rollup::report(context, &source, &catalog, &mut fleet, &upstream_options)?
    } else {
        None
    };
    Ok(SyncOutcome { synced, replica, rules, download, reported })
}

/// What the journal says of a synchronization.
fn entry(synced: &SyncReport) -> Value {
    json!({
        "changed": synced.changed,
        "documents": synced.documents,
        "new-revisions": synced.new_revisions,
        "payloads-added": synced.payloads_added,
        "payload-bytes": synced.payload_bytes,
        "left-out": synced.left_out.len(),
        "problems": listed(&synced.problems),
    })
}

/// A folder or a package gives all that it holds: a choice that is not kept must not be taken in silence.
fn refuse_choices(selection: &SyncSelection) -> Result<()> {
    let given = [
        (selection.products.is_some(), "--products"),
        (selection.classifications.is_some(), "--classifications"),
        (selection.hardware.is_some(), "--driver-ids"),
        (selection.categories_only, "--categories-only"),
    ];
    match given.into_iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, option)) => Err(OpsError::usage(format!(
            "{option} is for servers: of a folder or a package all that it holds is taken in; leave the option out"
        ))),
    }
}

/// A server says itself which languages it has; of a folder or a package one that no update has would leave
/// out every file that is for a language.
fn refuse_strange_languages(selection: &SyncSelection) -> Result<()> {
    let names = upstream::carried_languages(selection).flatten().unwrap_or_default();
    let strange = names.iter().find(|name| !LANGUAGES.contains(&name.as_str()));
    let Some(strange) = strange else { return Ok(()) };
    let near = LANGUAGES.iter().find(|known| strange.starts_with(**known));
    let near = near.map(|known| format!(" Do you mean {known}?")).unwrap_or_default();
    Err(OpsError::usage(format!(
        "updates have no language {strange:?}.{near} There are: all, {}",
        LANGUAGES.join(", ")
    )))
}

/// Tells what is good to know: the first few, the rest is in the report.
fn tell_notes(observer: &dyn Observer, notes: &[String]) {
    for note in notes.iter().take(NOTES_TOLD) {
        observer.note(note);
    }
    if notes.len() > NOTES_TOLD {
        observer.note(&format!("and {} more notes; --json lists all", notes.len() - NOTES_TOLD));
    }
}

/// Notes which languages the mirror carries from now on, if the run says so.
fn carry_languages(catalog: &mut Catalog, options: &upstream::SyncOptions) -> Result<()> {
    let Some(names) = upstream::carried_languages(&options.upstream.selection) else {
        return Ok(());
    };
    let mut writer = catalog.write()?;
    writer.set_carried_languages(names.as_deref())?;
    writer.commit()?;
    Ok(())
}

/// Takes in what the source has, and tells what could not be taken in.
fn fetch(
    context: &Context<'_>,
    data: &DataDir,
    source: &Source,
    catalog: &mut Catalog,
    options: &upstream::SyncOptions,
    has_server: bool,
) -> Result<SyncReport> {
    if !has_server {
        carry_languages(catalog, options)?;
    }
    let content = ContentStore::open(&data.content())?;
    content.sweep()?;
    let observer = context.observer();
    let mut read: Option<u64> = None;
    observer.phase("documents", Unit::Items, None);
    let report =
        upstream::sync(source, catalog, &content, options, &mut |progress| match progress {
            SyncProgress::Documents { done, total } => observer.position(done, total),
            SyncProgress::Payload { .. } => {}
            SyncProgress::Bytes(bytes) => {
                if read.is_none() {
                    observer.phase("payloads", Unit::Bytes, None);
                }
                let done = read.unwrap_or(0).saturating_add(bytes);
                read = Some(done);
                observer.position(done, None);
            }
        })?;
    observer.end();
    if has_server {
        // A server may not have one of them, and then nothing is chosen.
        carry_languages(catalog, options)?;
    }
    tell_notes(observer, &report.notes);
    for problem in &report.problems {
        observer.warn(&format!("{}: {}", problem.at, problem.what));
    }
    warn_of_left_out(context, &report.left_out);
    Ok(report)
}
