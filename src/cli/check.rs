//! `tidegate check`

use tidegate::ops::{
    can_sync::CanSyncOptions,
    check::{self, CheckOutcome, CheckRequest},
};

use super::{
    Context, Outcome, can_sync,
    output::{count, human_bytes, printable},
    status,
};

/// Hash everything again and compare with the catalogue; or, with --can-sync, tell whether what keeps
/// this side up to date is in order.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Instead: do the upstream servers answer, do their certificates hold, do agents and downstream
    /// servers come? Fails (1) if something is in the way; what only deserves attention does not
    #[arg(long, conflicts_with = "put_aside")]
    can_sync: bool,
    /// With --can-sync: ask this server (`microsoft-update`, https://host:8531), not those that were
    /// synchronized from before
    #[cfg(feature = "upstream")]
    #[arg(long, value_name = "SERVER", requires = "can_sync")]
    from: Option<String>,
    #[cfg(feature = "upstream")]
    #[command(flatten)]
    connection: super::connection::Connection,
    /// Move damaged files away, so that they count as missing and can be brought again
    #[arg(long)]
    put_aside: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        if self.can_sync {
            let options = CanSyncOptions {
                tls_certificate: context.config.serve.tls_cert.clone(),
                #[cfg(feature = "upstream")]
                from: self.from,
                #[cfg(feature = "upstream")]
                connection: self.connection.options(context)?,
            };
            let outcome = tidegate::ops::can_sync::can_sync(&context.ops(), &options)?;
            return can_sync::print(context, &outcome);
        }
        let max_age = context.config.check.max_age.map(|age| age.0);
        let request = CheckRequest { put_aside: self.put_aside, max_age };
        let outcome = check::check(&context.ops(), request)?;
        context.out.data(&outcome, || text(&outcome))?;
        let report = &outcome.report;
        anyhow::ensure!(
            report.is_good(),
            "{} found: see above",
            count(report.problems.len() as u64, "problem")
        );
        Ok(Outcome::complete(outcome.is_complete()))
    }
}

/// What to do about files that are damaged or gone.
const DAMAGED: &str =
    "Next: `tidegate check --put-aside`, so that nobody is served what is damaged.\n";

/// What brings them again.
const PUT_ASIDE: &str = "What is damaged was moved to damaged/ and counts as missing. Next: on the connected side `tidegate sync` and \
                         `tidegate download`; for an isolated side `tidegate export --full` there, and `tidegate import` here.\n";

fn text(outcome: &CheckOutcome) -> String {
    let report = &outcome.report;
    let mut text = format!(
        "Checked {} ({}) and {}.\n",
        count(report.payloads, "payload"),
        human_bytes(report.payload_bytes),
        count(report.segments, "segment")
    );
    for problem in &report.problems {
        text.push_str(&format!("{}\n", printable(problem)));
    }
    if !report.damaged_payloads.is_empty() || !report.damaged_segments.is_empty() {
        text.push_str(if report.put_aside { PUT_ASIDE } else { DAMAGED });
    }
    if report.problems.is_empty() {
        text.push_str("All is in order.\n");
    }
    text.extend(outcome.age.iter().map(status::age));
    if let Some(age) = outcome.age.as_ref().filter(|_| outcome.too_old) {
        text.push_str(&format!(
            "Too old: snapshot {} was sealed {:.0}, {} ago; `[check] max-age` allows less. Bring a newer bundle; on the connected side, seal again\n",
            age.snapshot,
            age.created,
            count(age.days.unsigned_abs(), "day")
        ));
    }
    text
}
