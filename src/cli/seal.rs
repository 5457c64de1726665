//! `tidegate seal`

use jiff::Timestamp;
use tidegate::ops::{
    keys,
    seal::{self, SealOptions, SealOutcome},
};

use super::{Context, Outcome, output::count, passphrase::Passphrase, waiting};

/// Make and sign a snapshot of the mirror, if it has changed since the last one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: Sealing,
    /// When it shall say to be sealed; the same mirror and time give the same bytes
    #[arg(long, value_name = "TIME")]
    created: Option<Timestamp>,
    /// Let this site import it
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
}

/// What `seal` and `export` have in common.
#[derive(Debug, clap::Args)]
pub(super) struct Sealing {
    #[command(flatten)]
    passphrase: Passphrase,
    /// Signatures are good for so many days
    #[arg(long, value_name = "DAYS", default_value_t = 730, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    days: i64,
    /// Go on if the last snapshot or the keys are dated later than this one: their date is wrong
    #[arg(long)]
    clock_is_right: bool,
    /// Go on if fleet.sqlite came from a backup: what was decided since the last snapshot is taken back
    #[arg(long)]
    older_fleet: bool,
}

impl Sealing {
    pub(super) fn options(
        &self,
        context: &Context,
        add_site: Option<String>,
    ) -> anyhow::Result<SealOptions> {
        let files = || keys::secret_files(&context.ops());
        Ok(SealOptions {
            passphrase: self.passphrase.open(context, files)?,
            add_site,
            days: self.days,
            clock_is_right: self.clock_is_right,
            older_fleet: self.older_fleet,
            ..SealOptions::default()
        })
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let options = self.options.options(context, self.site)?;
        let sealed = seal::seal(&context.ops(), self.created, &options)?;
        context.out.data(&sealed, || text(&sealed.done) + &waiting::count_line(&sealed.waiting))?;
        Ok(Outcome::complete(sealed.done.is_complete()))
    }
}

pub(super) fn text(sealed: &SealOutcome) -> String {
    let mut text = if sealed.new {
        format!(
            "Sealed snapshot {}: {}, {}, {} new or changed.\n",
            sealed.snapshot,
            count(sealed.revisions, "revision"),
            count(sealed.withdrawals, "withdrawal"),
            count(sealed.payloads, "payload")
        )
    } else {
        format!("Nothing has changed since snapshot {}.\n", sealed.snapshot)
    };
    if !sealed.left_out.is_empty() {
        let left_out = count(sealed.left_out.len() as u64, "revision");
        text.push_str(&format!("{left_out} left out of snapshots; see above.\n"));
    }
    let (there, needed) = sealed.signatures;
    if there < needed {
        text.push_str(&format!(
            "It has {there} of {needed} signatures: `tidegate sign --key FILE` adds one.\n"
        ));
    }
    text
}
