//! `tidegate import --watch`

use std::{path::PathBuf, sync::mpsc, thread, time::Duration};

use tidegate::ops::{
    OpsError,
    import::ImportRequest,
    watch::{self, Watch, WatchEvent},
};

use super::{Context, Outcome, import_text::outcome_text, serve::asked_to_stop};

/// Of the command line.
#[derive(Debug, clap::Args)]
pub(super) struct WatchArgs {
    /// Take in each volume that appears in this folder, until it is ended (Ctrl-C, SIGTERM). Files that are
    /// still being copied are waited for; nothing is moved or removed
    #[arg(long, value_name = "DIR", conflicts_with_all = ["bundles", "dry_run", "replaced_keys"])]
    pub(super) watch: Option<PathBuf>,
    /// With --watch: look so often. A file counts as copied when two looks find it alike
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "watch",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) every: u64,
}

/// Watches until it is asked to stop; an import that is running is brought to its end first.
pub(super) fn run(
    context: &Context,
    folder: PathBuf,
    every: u64,
    request: ImportRequest,
) -> anyhow::Result<Outcome> {
    let stop = stop_signal()?;
    context.out.note(&format!("Watching {}.", folder.display()));
    let mut failed = None;
    let mut each = |event: WatchEvent| {
        context.out.data(&event, || text(&event)).map_err(|error| {
            failed = Some(error);
            OpsError::Unfit { what: "nobody reads the output".to_owned() }
        })
    };
    let every = Duration::from_secs(every);
    let watched =
        watch::watch(&context.ops(), Watch::new(folder, request), every, &stop, &mut each);
    match failed {
        Some(error) => Err(error),
        None => Ok(watched.map(|()| Outcome::Done)?),
    }
}

/// Hears when this program is asked to end.
fn stop_signal() -> anyhow::Result<mpsc::Receiver<()>> {
    let (stop, stopped) = mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(asked_to_stop());
        // Whoever watched may have ended before.
        let _ = stop.send(());
    });
    Ok(stopped)
}

fn text(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Imported { path, outcome } => {
            format!("{}:\n{}", path.display(), outcome_text(outcome))
        }
        WatchEvent::Refused { path, why } => {
            format!("{}: not taken in, and not tried again: {why}\n", path.display())
        }
        WatchEvent::Failed { path, why } => {
            format!("{}: not taken in yet, and tried again: {why}\n", path.display())
        }
        WatchEvent::NotWhole { path } => format!(
            "{}: not whole, and it does not grow any more: it is taken in when it is whole\n",
            path.display()
        ),
    }
}
