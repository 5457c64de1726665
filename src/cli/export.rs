//! `tidegate export`

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use tidegate::ops::{
    export::{self, ExportOptions, ExportReport, ExportRequest, ExportSelection},
    seal::{SealOptions, SealOutcome},
};

use super::{
    Context, Outcome,
    exit::usage,
    output::{count, human_bytes},
    seal::{self, Sealing},
    waiting,
};

/// Pack what a site lacks into a bundle; seals first if the mirror has changed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The isolated network that it is for
    #[arg(long, value_name = "NAME", required_unless_present = "needs")]
    site: Option<String>,
    /// Folder for the volumes; or `-`: one volume goes to the standard output, and what there is to say
    /// to the standard error
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Everything, whatever was packed for the site before
    #[arg(long)]
    full: bool,
    /// What came after this snapshot, which the site has; `acknowledged`: after the one that its newest
    /// receipt names
    #[arg(long, value_name = "SNAPSHOT", conflicts_with = "full", value_parser = parse_since)]
    since: Option<ExportSelection>,
    /// Exactly what the site lacks, as `tidegate needs` has written it there: the file, or its short
    /// code in a file (- for the standard input). Seals nothing and needs no key
    #[arg(long, value_name = "FILE", conflicts_with_all = ["full", "since"])]
    needs: Option<PathBuf>,
    /// On an isolated side: pass on the snapshot that is in force here, with its signatures, as far as
    /// it is here and if it is for the site too. Needs no key
    #[arg(long, conflicts_with = "needs")]
    relay: bool,
    /// The site is a new one, although its name is nearly that of another
    #[arg(long)]
    new_site: bool,
    /// No volume larger than this: 4.7GB, 700M, 1GiB, or a medium: cd, dvd, bd, fat32
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse)]
    volume_size: Option<u64>,
    /// Also write so many parity files: each makes good one volume that is lost or damaged
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64))]
    parity: u32,
    #[command(flatten)]
    sealing: Sealing,
    /// When a new snapshot shall say to be sealed
    #[arg(long, value_name = "TIME")]
    created: Option<Timestamp>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let asked = self.volume_size;
        let selection = self.selection()?;
        let seal = match selection {
            ExportSelection::Needs(_) | ExportSelection::Relay { .. } => SealOptions::default(),
            _ => self.sealing.options(context, None)?,
        };
        let options =
            ExportOptions { selection, volume_size: self.volume_size, parity: self.parity, seal };
        let (site, new_site, out, created) = (self.site, self.new_site, self.out, self.created);
        let request = ExportRequest { site, new_site, out, created, options };
        if request.out == Path::new("-") {
            return to_standard_output(context, &request);
        }
        let report = export::export(&context.ops(), &request)?;
        context
            .out
            .data(&report, || text(&report.done, asked) + &waiting::count_line(&report.waiting))?;
        Ok(outcome(&report.done))
    }

    fn selection(&self) -> anyhow::Result<ExportSelection> {
        Ok(match (&self.needs, &self.since) {
            (None, None) if self.relay => ExportSelection::Relay { since: None },
            (None, Some(ExportSelection::Since(since))) if self.relay => {
                ExportSelection::Relay { since: Some(*since) }
            }
            (None, Some(_)) if self.relay => {
                return Err(usage(
                    "a relay has no receipts: give --since the number of a snapshot",
                ));
            }
            (Some(path), _) => ExportSelection::Needs(export::read_needs(path)?),
            (None, Some(since)) => since.clone(),
            (None, None) if self.full => ExportSelection::Full,
            (None, None) => ExportSelection::Unpacked,
        })
    }
}

fn parse_since(text: &str) -> Result<ExportSelection, &'static str> {
    if text == "acknowledged" {
        return Ok(ExportSelection::SinceAcknowledged);
    }
    let number = text.parse().map(ExportSelection::Since);
    number.map_err(|_| "give the number of a snapshot, or `acknowledged`")
}

fn outcome(report: &ExportReport) -> Outcome {
    let sealed = report.sealed.as_ref().is_none_or(SealOutcome::is_complete);
    Outcome::complete(sealed && report.unanswered.is_empty())
}

/// Nothing but the volume goes there.
fn to_standard_output(context: &Context, request: &ExportRequest) -> anyhow::Result<Outcome> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        return Err(usage("a volume is no text: send the standard output to a program or a file"));
    }
    if context.out.is_json() || request.options.volume_size.is_some() {
        return Err(usage(
            "`--out -` writes one volume and nothing else: leave out --json and --volume-size",
        ));
    }
    let report = export::export_to_pipe(&context.ops(), request, &mut out)?;
    context.out.note(text(&report.done, None).trim_end());
    Ok(outcome(&report.done))
}

fn text(report: &ExportReport, asked: Option<u64>) -> String {
    let mut text = report.sealed.as_ref().map(seal::text).unwrap_or_default();
    text.push_str(&format!(
        "Packed snapshot {} for {}: {}, {} ({}), {} in all.\n",
        report.snapshot,
        report.site,
        count(report.segments, "segment"),
        count(report.payloads, "payload"),
        human_bytes(report.payload_bytes),
        human_bytes(report.bytes),
    ));
    if report.not_carried > 0 {
        text.push_str(&format!(
            "Not carried, because their updates are declined: {} ({}).\n",
            count(report.not_carried, "payload"),
            human_bytes(report.not_carried_bytes),
        ));
    }
    if let Some(size) = report.volume_size.filter(|_| report.limited_by_medium) {
        text.push_str(&limited(size, asked, report.volumes.len()));
    }
    for volume in report.volumes.iter().chain(&report.parity.files) {
        text.push_str(&format!("{}\n", volume.display()));
    }
    if !report.parity.files.is_empty() {
        text.push_str(&format!(
            "{} ({}): `tidegate bundle repair` restores as many lost or damaged volumes.\n",
            count(report.parity.files.len() as u64, "parity file"),
            human_bytes(report.parity.bytes)
        ));
    }
    text
}

/// That the medium decided how large a volume may be, where that made a difference.
fn limited(size: u64, asked: Option<u64>, volumes: usize) -> String {
    let takes = format!(
        "The file system of the medium (FAT) takes no file larger than {}",
        human_bytes(size)
    );
    match asked {
        Some(asked) => {
            format!("{takes}: volumes are cut there, and not at {}.\n", human_bytes(asked))
        }
        None if volumes > 1 => format!("{takes}: that is why there are {volumes} volumes.\n"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use tidegate::ops::export::LARGEST_ON_FAT;

    use super::limited;

    #[test]
    fn a_limit_of_the_medium_is_told_where_it_made_a_difference() {
        let told = |asked, volumes| limited(LARGEST_ON_FAT, asked, volumes);
        assert_eq!(told(None, 1), "");
        assert!(told(None, 2).contains("FAT") && told(None, 2).contains("there are 2 volumes"));
        assert!(told(Some(10_000_000_000), 1).contains("and not at 9.31 GiB"));
    }
}
