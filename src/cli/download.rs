//! `tidegate download`

use std::{path::PathBuf, time::Duration};

use tidegate::{
    ops::download,
    update::UpdateId,
    upstream::{
        ConnectionOptions, ContentBase, DownloadForecast, DownloadOptions, DownloadReport,
        FileSelection, StopReason, Window,
    },
};

use super::{
    Context, Outcome,
    connection::Connection,
    exit,
    output::{count, human_bytes},
    size,
};

/// Download the files that approved updates need: from where the upstream servers say, and from the
/// servers themselves. Interrupted anywhere, the next run goes on.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Selection,
    /// Only tell what would be downloaded, and whether it fits
    #[arg(long)]
    plan: bool,
    /// Try this place first: a folder as WsusContent, or an address with the same layout
    /// (https://host/Content/); may be repeated
    #[arg(long, value_name = "PLACE")]
    location: Vec<String>,
    /// Leave files whose documents name no SHA-256, only a SHA-1
    #[arg(long)]
    require_sha256: bool,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    connection: Connection,
}

/// Which files; without one of these, those of approved updates.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Selection {
    /// Files of all updates that are not declined
    #[arg(long)]
    all: bool,
    /// Files of this update; may be repeated
    #[arg(long, value_name = "ID")]
    update: Vec<UpdateId>,
    /// Files of all updates of a KB article
    #[arg(long, value_name = "N")]
    kb: Option<String>,
    /// Files in a list: each line begins with a SHA-256 or SHA-1 in hexadecimal
    #[arg(long, value_name = "FILE")]
    needs: Option<PathBuf>,
}

/// How fast, when, how much.
#[derive(Debug, clap::Args)]
struct Pace {
    /// Files at a time [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: Option<u16>,
    /// Bytes per second over all connections, as 10MiB
    #[arg(long, value_name = "SIZE", value_parser = size::binary)]
    rate: Option<u64>,
    /// Only at this time of day, as 22:00-06:00; outside it, wait
    #[arg(long, value_name = "FROM-TO")]
    window: Option<Window>,
    /// Outside the window, end (exit code 4) instead of waiting
    #[arg(long)]
    once: bool,
    /// Leave so much free on the file system of the content [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = size::binary)]
    reserve: Option<u64>,
    /// Give a connection up on which nothing comes for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    idle: u64,
    /// Try each place so often without getting on
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let plan = self.plan;
        let options = self.options(context)?;
        if plan {
            let plan = download::plan(&context.ops(), &options)?;
            context.out.data(&plan, || forecast(&plan.forecast, options.rate))?;
            return Ok(Outcome::complete(plan.is_complete()));
        }
        let report = download::download(&context.ops(), &options)?;
        context.out.data(&report, || text(&report))?;
        Ok(Outcome::complete(report.is_complete()))
    }

    fn options(self, context: &Context) -> anyhow::Result<DownloadOptions> {
        let Selection { all, update, kb, needs } = self.which;
        let which = match (all, kb, needs) {
            (true, ..) => FileSelection::All,
            (_, Some(kb), _) => FileSelection::Kb(kb),
            (_, _, Some(list)) => FileSelection::Needs(list),
            _ if !update.is_empty() => FileSelection::Updates(update),
            _ => FileSelection::Approved,
        };
        let mut options = configured(context, which, self.connection.options(context)?)?;
        for place in self.location.iter().rev() {
            options.locations.insert(0, ContentBase::detect(place).map_err(exit::usage)?);
        }
        let pace = self.pace;
        Ok(DownloadOptions {
            parallel: pace.parallel.map_or(options.parallel, Into::into),
            rate: pace.rate.or(options.rate),
            window: pace.window.or(options.window),
            once: pace.once,
            require_sha256: self.require_sha256,
            reserve: pace.reserve.unwrap_or(options.reserve),
            idle_limit: Duration::from_secs(pace.idle),
            attempts: pace.attempts,
            ..options
        })
    }
}

/// The defaults, and what the configuration says.
pub(super) fn configured(
    context: &Context,
    which: FileSelection,
    connection: ConnectionOptions,
) -> anyhow::Result<DownloadOptions> {
    let config = &context.config.download;
    let default = DownloadOptions::new(which);
    let wrong = |key: &str, why: String| exit::usage(format!("[download] {key}: {why}"));
    let bytes = |key, text: &Option<String>| {
        text.as_deref().map(size::binary).transpose().map_err(|why| wrong(key, why))
    };
    let window = config.window.as_deref().map(str::parse::<Window>).transpose();
    let locations = config.locations.iter().map(|place| ContentBase::detect(place));
    Ok(DownloadOptions {
        rate: bytes("rate", &config.rate)?,
        window: window.map_err(|e| wrong("window", e.to_string()))?,
        parallel: config.parallel.map_or(default.parallel, |n| n.clamp(1, 64).into()),
        reserve: bytes("reserve", &config.reserve)?.unwrap_or(default.reserve),
        locations: locations.collect::<Result<_, _>>().map_err(exit::usage)?,
        connection,
        ..default
    })
}

/// What is to be done.
pub(super) fn forecast(plan: &DownloadForecast, rate: Option<u64>) -> String {
    let files = |n, bytes| format!("{} ({})", count(n, "file"), human_bytes(bytes));
    let mut text = format!(
        "Needed: {}, of which {} here.\n",
        files(plan.files, plan.bytes),
        if plan.here == 1 { "1 is".to_owned() } else { format!("{} are", plan.here) },
    );
    if plan.fetch > 0 {
        text.push_str(&format!("To be downloaded: {}", files(plan.fetch, plan.fetch_bytes)));
        if plan.resumed_bytes > 0 {
            let resumed = human_bytes(plan.resumed_bytes);
            text.push_str(&format!("; {resumed} of them are here from an earlier run"));
        }
        text.push_str(".\n");
        let room = if plan.fits { "it fits" } else { "it DOES NOT FIT" };
        text.push_str(&format!(
            "Free: {}, of which {} have to stay free: {room}.\n",
            human_bytes(plan.free),
            human_bytes(plan.reserve),
        ));
    }
    if let Some(seconds) = rate.and_then(|rate| plan.fetch_bytes.checked_div(rate)) {
        let minutes = count(seconds.div_ceil(60), "minute");
        text.push_str(&format!("At the given rate it takes {minutes} at least.\n"));
    }
    for (n, what) in [
        (plan.not_carried, "not carried by choice of the mirror"),
        (plan.express, "express files that no server here keeps; agents can do without them"),
        (plan.sha1_only, "known by SHA-1 only: their documents name no SHA-256"),
        (plan.nowhere, "of no known place: name one with --location"),
    ] {
        if n > 0 {
            text.push_str(&format!("{}: {what}.\n", count(n, "file")));
        }
    }
    if plan.absent_revisions > 0 {
        let revisions = count(plan.absent_revisions, "bundled revision");
        text.push_str(&format!("{revisions} not in the catalogue: synchronize first.\n"));
    }
    text
}

/// What was done.
pub(super) fn text(report: &DownloadReport) -> String {
    let mut text = if report.fetched == 0 && report.missing == 0 {
        "Nothing was to be downloaded.\n".to_owned()
    } else {
        format!(
            "Downloaded {} ({}).\n",
            count(report.fetched, "file"),
            human_bytes(report.fetched_bytes),
        )
    };
    if report.sha1_only > 0 {
        let files = count(report.sha1_only, "file");
        text.push_str(&format!("{files} compared by size and SHA-1 only.\n"));
    }
    if report.missing > 0 {
        text.push_str(&format!("{} still missing.\n", count(report.missing, "file")));
    }
    if report.asked_upstream > 0 {
        let files = count(report.asked_upstream, "file");
        text.push_str(&format!(
            "Told the upstream server that it does not have {files}; it fetches them now: run `tidegate download` again later.\n"
        ));
    }
    match report.stopped {
        Some(StopReason::Interrupted) => text.push_str("Interrupted; run it again to go on.\n"),
        Some(StopReason::WindowClosed) => {
            text.push_str("The time window is closed; run it again within it to go on.\n");
        }
        None => {}
    }
    text
}
