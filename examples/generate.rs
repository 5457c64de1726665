//! Writes a catalogue of generated update documents, for trying Tidegate at size.
//!
//! ```text
//! cargo run --release --example generate -- --profile windows-11 --out /tmp/catalogue
//! tidegate sync --from /tmp/catalogue
//! ```

use std::{error::Error, path::PathBuf, time::Instant};

use clap::{Parser, ValueEnum};
use std::io::Write as _;

#[allow(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "test support, shared with the test suite, which uses other parts of it"
)]
#[path = "../tests/generator/mod.rs"]
mod generator;

use generator::{Plan, Profile, documents::usual_count, output};

/// Writes a catalogue of generated update documents.
#[derive(Debug, Parser)]
struct Arguments {
    /// What the catalogue imitates.
    #[arg(long, value_enum, default_value = "general")]
    profile: ProfileName,
    /// Another seed gives another catalogue of the same shape.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many revisions [default: 20000 general, 5252 windows-11].
    #[arg(long)]
    count: Option<usize>,
    /// How many of the updates with files get files that can be made, small ones.
    #[arg(long, default_value_t = 0)]
    payloads: usize,
    /// A folder of documents and payloads.
    #[arg(long, required_unless_present = "package")]
    out: Option<PathBuf>,
    /// A package, as `wsusutil export` makes them; the payloads go to --out.
    #[arg(long)]
    package: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProfileName {
    General,
    #[value(name = "windows-11")]
    Windows11,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let profile = match arguments.profile {
        ProfileName::General => Profile::General,
        ProfileName::Windows11 => Profile::Windows11,
    };
    let count = arguments.count.unwrap_or(usual_count(profile));
    let plan = Plan::new(profile, arguments.seed, count, arguments.payloads);
    let started = Instant::now();
    let bytes = match (&arguments.package, &arguments.out) {
        (Some(package), out) => {
            let bytes = output::package(&plan, package)?;
            if let Some(out) = out {
                output::payloads(&plan, &out.join("files"))?;
            }
            bytes
        }
        (None, Some(out)) => output::folder(&plan, out)?,
        (None, None) => 0,
    };
    writeln!(
        std::io::stdout(),
        "{count} revisions, {bytes} bytes of documents, in {:.1} s",
        started.elapsed().as_secs_f64()
    )?;
    Ok(())
}
