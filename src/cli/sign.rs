//! `tidegate sign`

use std::path::PathBuf;

use tidegate::ops::sign::{
    self, DecisionToSign, DecisionToSignKind, ListToSign, SignOutcome, SignRequest, SnapshotToSign,
    UpdateToSign,
};

use super::{Context, Outcome, output::count, passphrase::Passphrase, question::ask};

/// So many lines of a list are shown.
const LINES: usize = 20;

/// Add a countersignature to the newest snapshot, or to finished volumes in place. Shows first what is
/// signed.
///
/// For volumes no data folder is needed: the person who signs can do it on a machine of their own, before
/// or after the volumes are carried.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Finished volumes, or folders of them [default: the newest snapshot of the data folder]
    #[arg(value_name = "VOLUME")]
    bundles: Vec<PathBuf>,
    /// Key file of the person who signs
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Only show what would be signed
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let ops = context.ops();
        let shown = sign::inspect(&ops, &SignRequest { bundles: self.bundles })?;
        let key = match self.key {
            Some(key) if !self.dry_run => key,
            _ => {
                context.out.data(&shown, || text(&shown))?;
                return Ok(Outcome::Done);
            }
        };
        context.out.note(text(&shown).trim_end());
        if !self.yes {
            ask(
                context,
                "Sign that?",
                "nothing was signed: look at what is shown, then sign it with --yes",
                "nothing was signed",
            )?;
        }
        let passphrase = self.passphrase.open(context, || Ok(vec![key.clone()]))?;
        let signed = sign::countersign(&ops, &shown, &key, passphrase.as_deref())?;
        context.out.data(&signed, || signed_text(&signed))?;
        Ok(Outcome::Done)
    }
}

fn signed_text(signed: &SignOutcome) -> String {
    let mut text = format!("It has {} of {} signatures.\n", signed.signatures, signed.needed);
    for volume in &signed.volumes {
        text.push_str(&format!("Signed: {}\n", volume.display()));
    }
    text
}

/// A snapshot for the person who is about to sign it.
fn text(shown: &SnapshotToSign) -> String {
    let mut text = format!(
        "Snapshot {} of mirror {}, sealed {:.0}, for {}.\nRoot {}: {}\nSigned by {}; it has {} of {} signatures.\n",
        shown.snapshot,
        shown.mirror_id,
        shown.created,
        match shown.sites.is_empty() {
            true => "no site yet".to_owned(),
            false => shown.sites.join(", "),
        },
        shown.root.version,
        shown.root.fingerprint,
        shown.signed_by.join(", "),
        shown.signatures,
        shown.needed,
    );
    for volume in &shown.volumes {
        text.push_str(&format!("Volume {}\n", volume.display()));
    }
    let (new, decided) = match (shown.since, shown.volumes.is_empty()) {
        (Some(before), _) => (format!("New since snapshot {before}"), "Decisions that changed"),
        (None, true) => ("In it".to_owned(), "Decisions"),
        (None, false) => ("On these volumes".to_owned(), "All decisions"),
    };
    text.push_str(&list(&new, "revision", &shown.new, update));
    text.push_str(&list("Withdrawn", "revision", &shown.withdrawn, update));
    text.push_str(&list(decided, "decision", &shown.decisions, decision));
    if shown.unread_segments > 0 {
        text.push_str(match shown.since {
            Some(_) => {
                "What the snapshot before had is not all at hand: some of that may not be new.\n"
            }
            None => "Other volumes hold more of the catalogue: give all volumes to see it.\n",
        });
    }
    text
}

fn list<T>(title: &str, what: &str, list: &ListToSign<T>, line: fn(&T) -> String) -> String {
    let mut text = match list.count {
        0 => return format!("{title}: no {what}\n"),
        number => format!("{title}: {}\n", count(number, what)),
    };
    for entry in list.first.iter().take(LINES) {
        text.push_str(&format!("  {}\n", line(entry)));
    }
    if list.count > LINES as u64 {
        text.push_str(&format!("  and {} more (--json names more)\n", list.count - LINES as u64));
    }
    text
}

fn update(update: &UpdateToSign) -> String {
    let title = update.title.clone().unwrap_or_else(|| update.update.to_string());
    format!("{title} (revision {})", update.revision)
}

fn decision(decision: &DecisionToSign) -> String {
    let kind = match decision.kind {
        DecisionToSignKind::Approved => "approved",
        DecisionToSignKind::ApprovalTakenBack => "approval taken back",
        DecisionToSignKind::Declined => "declined",
        DecisionToSignKind::DeclineTakenBack => "decline taken back",
    };
    let mut text = kind.to_owned();
    if let Some(group) = &decision.group {
        text.push_str(&format!(" for \"{group}\""));
    }
    if let Some(action) = decision.action.as_deref().filter(|action| *action != "install") {
        text.push_str(&format!(" ({action})"));
    }
    if let Some(deadline) = decision.deadline {
        text.push_str(&format!(", until {deadline:.0}"));
    }
    format!("{text}: {}", decision.title.clone().unwrap_or_else(|| decision.update.to_string()))
}
