//! `tidegate keys`

use clap::Subcommand;
use tidegate::ops::keys::{self, KeyRotation, KeysReport, NewKeys};

use super::{Context, Outcome, passphrase::Passphrase};

/// Signing keys of the mirror.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make keys and the first root; prints the root to carry and its fingerprint
    Init {
        #[command(flatten)]
        passphrase: Passphrase,
        /// Root keys, for as many people
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=16))]
        root_keys: u64,
        /// How many of them a new root needs
        #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=16))]
        root_threshold: u64,
        /// Keys of second persons, each of whom can countersign snapshots
        #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=15))]
        countersigners: u64,
        /// How many signatures a snapshot needs [default: 2 with countersigners, else 1]
        #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=16))]
        threshold: Option<u64>,
    },
    /// Replace keys: makes a new root, signed by the old and the new root keys, that revokes the old
    Rotate {
        #[command(flatten)]
        passphrase: Passphrase,
        /// The root keys
        #[arg(long)]
        root: bool,
        /// The content key
        #[arg(long)]
        content: bool,
        /// The policy key
        #[arg(long)]
        policy: bool,
        /// Go on although the date is before that of the newest keys
        #[arg(long)]
        clock_is_right: bool,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let ops = context.ops();
        let report = match self.command {
            Command::Init { passphrase, root_keys, root_threshold, countersigners, threshold } => {
                let passphrase = passphrase.read()?;
                if passphrase.is_none() {
                    context.out.note("The key files have no passphrase: whoever reads them can sign. See --passphrase-file.");
                }
                let new =
                    NewKeys { passphrase, root_keys, root_threshold, countersigners, threshold };
                keys::init(&ops, new)?
            }
            Command::Rotate { passphrase, root, content, policy, clock_is_right } => {
                let which = KeyRotation { root, content, policy, clock_is_right };
                keys::rotate(&ops, which, passphrase.read()?.as_deref())?
            }
        };
        context.out.data(&report, || text(&report))?;
        Ok(Outcome::Done)
    }
}

fn text(report: &KeysReport) -> String {
    let mut text = format!(
        "Root to carry:  {}\nFingerprint:    {}\n                {}\n",
        report.root.display(),
        report.fingerprint,
        report.fingerprint_hex
    );
    for (role, path) in &report.keys {
        text.push_str(&format!("Secret {role} key: {}\n", path.display()));
    }
    text.push_str(
        "Move the root keys off this machine: they are needed again only to replace keys.\n",
    );
    text
}
