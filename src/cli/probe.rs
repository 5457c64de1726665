//! `tidegate probe`

use std::path::PathBuf;

use tidegate::{
    agent::Severity,
    ops::probe::{self, ProbeOptions, ProbeReport},
};
use uuid::Uuid;

use super::{
    Context, Outcome,
    output::{count, human_bytes, titled},
};

/// Ask a WSUS (ours or another) as a Windows 11 agent would, and judge every answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address of the server, as in the policy WUServer: http://host:8530
    url: String,
    /// Download what is offered and check size, SHA-1 and SHA-256
    #[arg(long)]
    download: bool,
    /// Download, pretend to install, and report that
    #[arg(long)]
    install: bool,
    /// Report nothing to the server
    #[arg(long)]
    silent: bool,
    /// Remember cookie, cache and installations here, and go on from them
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Keep downloaded files in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Name of the computer
    #[arg(long, value_name = "NAME", default_value = "tidegate-probe")]
    computer: String,
    /// Target group to ask for (client-side targeting)
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Scan only for updates of this category; can be repeated
    #[arg(long, value_name = "UUID")]
    category: Vec<Uuid>,
    /// Trust only the roots in this PEM file, instead of those of the system
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// Evaluate no rules: everything counts as applicable
    #[arg(long)]
    assume_all: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let options = ProbeOptions {
            computer_name: self.computer,
            target_group: self.group,
            state_file: self.state,
            download: self.download || self.install || self.keep.is_some(),
            keep: self.keep,
            install: self.install,
            report: !self.silent,
            categories: self.category,
            assume_all: self.assume_all,
            roots: self.roots,
            ..ProbeOptions::default()
        };
        let outcome = probe::probe(&self.url, options, &context.display)?;
        context.out.data(&outcome, || text(&outcome.report, outcome.failure.is_none()))?;
        if let Some(failure) = outcome.failure {
            return Err(failure.into());
        }
        anyhow::ensure!(outcome.report.is_clean(), "a real agent would stumble: see the findings");
        Ok(Outcome::Done)
    }
}

/// What was found; `whole`: the scan came to its end, so that there is a verdict.
fn text(report: &ProbeReport, whole: bool) -> String {
    let mut text = format!(
        "{}: {} in {}, {} seen.\n",
        report.server,
        count(report.calls, "call"),
        count(u64::from(report.rounds), "round"),
        count(report.updates_seen as u64, "revision"),
    );
    for offered in &report.offered {
        text.push_str(&format!(
            "{}: {} ({}, {})",
            offered.action,
            titled(&offered.title),
            count(offered.files as u64, "file"),
            human_bytes(offered.bytes)
        ));
        if let Some(failure) = &offered.failure {
            text.push_str(&format!(": FAILED: {failure}"));
        }
        text.push('\n');
    }
    if report.downloaded_files > 0 {
        text.push_str(&format!(
            "Downloaded {} ({}), {}.\n",
            count(report.downloaded_files as u64, "file"),
            human_bytes(report.downloaded_bytes),
            if report.digests_ok { "all digests right" } else { "NOT all digests right" }
        ));
    }
    for finding in &report.findings {
        text.push_str(&format!("{finding}\n"));
    }
    let errors = report.with_severity(Severity::Error).count() as u64;
    text.push_str(&match errors {
        0 if !whole => "There is no verdict: the scan did not come to its end.\n".to_owned(),
        0 => "A real agent would find nothing to stumble over.\n".to_owned(),
        n => format!("A real agent would stumble over {}.\n", count(n, "finding")),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_that_broke_off_gives_no_verdict() {
        let report = ProbeReport::default();
        assert!(text(&report, true).contains("nothing to stumble over"));
        let broken = text(&report, false);
        assert!(!broken.contains("stumble") && broken.contains("no verdict"), "{broken}");
    }
}
