//! The command line: one file per command, each with `Args` and `run`.
//!
//! stdout is data (text, or JSON with `--json`), stderr is progress and messages.

mod approve;
mod backup;
mod bundle;
mod can_sync;
mod check;
mod computers;
#[cfg(feature = "upstream")]
mod connection;
mod decline;
#[cfg(all(feature = "probe", feature = "upstream"))]
mod demo;
#[cfg(feature = "upstream")]
mod download;
#[cfg(feature = "upstream")]
mod downstream;
mod exit;
mod export;
mod groups;
mod hierarchy;
mod import;
mod import_text;
mod init;
mod inspect;
mod journal;
mod keys;
mod needs;
mod output;
mod passphrase;
mod policy;
#[cfg(feature = "probe")]
mod probe;
mod progress;
mod prune;
mod publish;
mod question;
mod receipt;
mod removal;
mod restore;
mod rules;
mod seal;
mod serve;
mod servers;
mod sign;
mod size;
mod snapshots;
mod status;
#[cfg(feature = "upstream")]
mod sync;
mod trust;
mod updates;
mod verify;
mod volumes;
mod waiting;
mod watch;
mod withdraw;

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tidegate::ops;

use self::{
    exit::{Outcome, Usage},
    output::Output,
    progress::Display,
};
use crate::config::Config;

/// Where the data folder is if nothing else is said.
const DEFAULT_DATA: &str = "/var/lib/tidegate";

/// Offline mirror and air-gapped update appliance for Windows updates.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = exit::HELP, max_term_width = 100)]
struct Cli {
    /// Data folder [default: /var/lib/tidegate]
    #[arg(long, global = true, env = "TIDEGATE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file
    #[arg(long, global = true, env = "TIDEGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a data folder: the connected side, or with --site an isolated one
    Init(init::Args),
    /// Signing keys of the mirror
    Keys(keys::Args),
    /// Connected: take in updates from a source
    #[cfg(feature = "upstream")]
    Sync(sync::Args),
    /// Connected: download the files that updates need
    #[cfg(feature = "upstream")]
    Download(download::Args),
    /// Make an update of an installer of your own
    Publish(Box<publish::Args>),
    /// List updates, or show one
    Updates(updates::Args),
    /// Target groups
    Groups(groups::Args),
    /// Approve updates for a target group, list or take back approvals
    Approve(approve::Args),
    /// Decline updates: they are offered to nobody
    Decline(decline::Args),
    /// Connected: take updates out of the mirror, such as those published by mistake
    Withdraw(withdraw::Args),
    /// What the connected side decided, and what is decided here against it
    Policy(policy::Args),
    /// Connected: rules that approve updates by themselves
    Rules(rules::Args),
    /// Servers that synchronize from this one
    Servers(servers::Args),
    /// Computers, their groups and what they reported
    Computers(computers::Args),
    /// Connected: make and sign a snapshot of the mirror
    Seal(seal::Args),
    /// Connected: add a countersignature to a sealed snapshot or a volume
    Sign(sign::Args),
    /// Connected: pack what a site lacks into a bundle
    Export(export::Args),
    /// Divide a finished bundle into other volumes; needs no key
    Bundle(bundle::Args),
    /// Isolated: the root that bundles are checked against
    Trust(trust::Args),
    /// Check a bundle; needs only the trusted root
    Verify(verify::Args),
    /// Look at what is in a bundle; needs only the trusted root
    Inspect(inspect::Args),
    /// Isolated: check a bundle and take it in
    Import(import::Args),
    /// Isolated: what is missing here, for the connected side
    Needs(needs::Args),
    /// Isolated: say, signed, which snapshot is served here; connected: record what a site says
    Receipt(receipt::Args),
    /// Be a WSUS to Windows Update Agents
    Serve(serve::Args),
    /// Ask a WSUS as a Windows Update Agent would, and judge its answers
    #[cfg(feature = "probe")]
    Probe(probe::Args),
    /// Snapshots that were sealed or taken in here, and how two of them differ
    Snapshots(snapshots::Args),
    /// How this side stands
    Status(status::Args),
    /// Hash everything again and compare; or --can-sync: are upstream, agents and downstreams well?
    Check(check::Args),
    /// What crossed and what was decided on this side, in a record that shows when it is changed
    Journal(journal::Args),
    /// Copy the data folder, as it is at one moment, while a server runs
    Backup(backup::Args),
    /// Make a new data folder from a backup
    Restore(restore::Args),
    /// Remove what belongs to past snapshots only
    Prune(prune::Args),
    /// Show the whole way across an air gap, in temporary folders
    #[cfg(all(feature = "probe", feature = "upstream"))]
    Demo(demo::Args),
}

/// What every command may use.
struct Context {
    data: PathBuf,
    config: Config,
    out: Output,
    display: Display,
}

impl Context {
    /// What the operations need.
    fn ops(&self) -> ops::Context<'_> {
        ops::Context::new(&self.data, &self.display).with_limits(self.config.document_limits())
    }
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    // Keys, cookies and reports: what this program makes is for its owner alone.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    let out = Output::new(cli.json);
    match Config::load(cli.config.as_deref()) {
        Ok(config) => {
            let data = cli.data.or_else(|| config.data.clone());
            let data = data.unwrap_or_else(|| DEFAULT_DATA.into());
            let display = Display::new(out.clone());
            let result = run(&Context { data, config, out: out.clone(), display }, cli.command);
            exit::report(&out, result)
        }
        Err(error) => exit::report(&out, Err(anyhow::Error::new(error).context(Usage))),
    }
}

fn run(context: &Context, command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Init(args) => args.run(context),
        Command::Keys(args) => args.run(context),
        #[cfg(feature = "upstream")]
        Command::Sync(args) => args.run(context),
        #[cfg(feature = "upstream")]
        Command::Download(args) => args.run(context),
        Command::Publish(args) => args.run(context),
        Command::Updates(args) => args.run(context),
        Command::Groups(args) => args.run(context),
        Command::Approve(args) => args.run(context),
        Command::Decline(args) => args.run(context),
        Command::Withdraw(args) => args.run(context),
        Command::Policy(args) => args.run(context),
        Command::Rules(args) => args.run(context),
        Command::Servers(args) => args.run(context),
        Command::Computers(args) => args.run(context),
        Command::Seal(args) => args.run(context),
        Command::Sign(args) => args.run(context),
        Command::Export(args) => args.run(context),
        Command::Bundle(args) => args.run(context),
        Command::Trust(args) => args.run(context),
        Command::Verify(args) => args.run(context),
        Command::Inspect(args) => args.run(context),
        Command::Import(args) => args.run(context),
        Command::Needs(args) => args.run(context),
        Command::Receipt(args) => args.run(context),
        Command::Serve(args) => args.run(context),
        #[cfg(feature = "probe")]
        Command::Probe(args) => args.run(context),
        Command::Snapshots(args) => args.run(context),
        Command::Status(args) => args.run(context),
        Command::Check(args) => args.run(context),
        Command::Journal(args) => args.run(context),
        Command::Backup(args) => args.run(context),
        Command::Restore(args) => args.run(context),
        Command::Prune(args) => args.run(context),
        #[cfg(all(feature = "probe", feature = "upstream"))]
        Command::Demo(args) => args.run(context),
    }
}

/// `TIDEGATE_LOG` (as `RUST_LOG`) wins over `-v`.
fn log_to_stderr(verbose: u8) {
    let default = match verbose {
        0 => "tidegate=warn",
        1 => "tidegate=info",
        _ => "tidegate=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("TIDEGATE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Which file of the program says it is for those who look into the program.
        .with_target(verbose > 0)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
