//! Take in volumes as they appear in a folder, for as long as wanted.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::{
    Result,
    context::Context,
    error::{Concern, OpsError},
    import::{ImportOutcome, ImportRequest, import},
};
use crate::{error_chain::chain, transfer};

/// What became of a volume. Each is told once, until the file is another one.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum WatchEvent {
    /// It was taken in.
    Imported {
        /// The file.
        path: PathBuf,
        /// What it brought.
        outcome: Box<ImportOutcome>,
    },
    /// It is refused, and stays where it is.
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It could not be taken in, and is tried again.
    Failed {
        /// The file, or the folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It does not grow, and is not whole: its copying may have stopped.
    NotWhole {
        /// The file.
        path: PathBuf,
    },
}

/// The files of a folder, as they were at the last look.
#[derive(Debug)]
pub struct Watch {
    folder: PathBuf,
    /// How to import; its bundles do not count.
    request: ImportRequest,
    known: HashMap<Identity, Known>,
    /// Why the folder could not be looked into, if that was told.
    unreadable: Option<String>,
}

/// What a file is known by: renaming does not change it, writing does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identity {
    file: FileId,
    size: u64,
    modified: Option<SystemTime>,
}

#[cfg(unix)]
type FileId = (u64, u64);
#[cfg(not(unix))]
type FileId = PathBuf;

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// It was there at one look.
    Seen,
    /// It was told why it has to wait.
    Waits(String),
    /// It was imported or refused.
    Settled,
}

impl Watch {
    /// Of a folder; nothing is looked at yet.
    pub fn new(folder: PathBuf, request: ImportRequest) -> Self {
        Self { folder, request, known: HashMap::new(), unreadable: None }
    }

    /// Looks once, and takes in what is there as it was at the look before: nobody writes it any more. Ends
    /// early when `stop` says so.
    ///
    /// # Errors
    /// When there is no data folder that could take something in.
    pub fn look(
        &mut self,
        context: &Context<'_>,
        stop: &mut dyn FnMut() -> bool,
        each: &mut dyn FnMut(WatchEvent) -> Result<()>,
    ) -> Result<()> {
        let files = match volumes_in(&self.folder) {
            Ok(files) => files,
            Err(error) => {
                let why = format!("cannot look into the folder: {error}");
                if self.unreadable.replace(why.clone()) != Some(why.clone()) {
                    each(WatchEvent::Failed { path: self.folder.clone(), why })?;
                }
                return Ok(());
            }
        };
        self.unreadable = None;
        let before = std::mem::take(&mut self.known);
        for (path, identity) in files {
            let known = match before.get(&identity) {
                None => Known::Seen,
                Some(Known::Settled) => Known::Settled,
                Some(known) if stop() => known.clone(),
                Some(known) => self.take(context, &path, known, each)?,
            };
            self.known.insert(identity, known);
        }
        Ok(())
    }

    /// Tries a file that is at rest.
    fn take(
        &self,
        context: &Context<'_>,
        path: &Path,
        known: &Known,
        each: &mut dyn FnMut(WatchEvent) -> Result<()>,
    ) -> Result<Known> {
        let path = path.to_owned();
        let told = |why: &String| matches!(known, Known::Waits(told) if told == why);
        if transfer::is_cut_off(&path) {
            let why = String::new();
            if !told(&why) {
                each(WatchEvent::NotWhole { path })?;
            }
            return Ok(Known::Waits(why));
        }
        let request = ImportRequest { bundles: vec![path.clone()], ..self.request.clone() };
        let error = match import(context, &request) {
            Ok(outcome) => {
                each(WatchEvent::Imported { path, outcome: Box::new(outcome) })?;
                return Ok(Known::Settled);
            }
            Err(error @ OpsError::DataDir(_)) => return Err(error),
            Err(error) => error,
        };
        let (why, is_refused) = (chain(&error), error.concern() == Concern::Bundle);
        if is_refused {
            each(WatchEvent::Refused { path, why })?;
            return Ok(Known::Settled);
        }
        // Whoever copied it has taken it away again.
        if path.exists() && !told(&why) {
            each(WatchEvent::Failed { path, why: why.clone() })?;
        }
        Ok(Known::Waits(why))
    }
}

/// Looks into a folder every so often until `stop` hears something, or nobody could tell it any more.
///
/// # Errors
/// When there is no data folder that could take something in, or what `each` fails with.
pub fn watch(
    context: &Context<'_>,
    mut watch: Watch,
    every: Duration,
    stop: &Receiver<()>,
    each: &mut dyn FnMut(WatchEvent) -> Result<()>,
) -> Result<()> {
    transfer::ready_to_import(&context.data_dir()?)?;
    let mut stopped = false;
    loop {
        watch.look(
            context,
            &mut || {
                stopped |= stop.try_recv().is_ok();
                stopped
            },
            each,
        )?;
        if stopped || stop.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
            return Ok(());
        }
    }
}

/// The volumes of a folder by name, and what each is known by. Files that are still being copied under
/// another name are none.
fn volumes_in(folder: &Path) -> std::io::Result<Vec<(PathBuf, Identity)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !transfer::is_volume_name(&path) {
            continue;
        }
        // It may be gone by now.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_file() {
            let identity = Identity {
                file: file_id(&path, &metadata),
                size: metadata.len(),
                modified: metadata.modified().ok(),
            };
            found.push((path, identity));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

#[cfg(unix)]
fn file_id(_path: &Path, metadata: &fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn file_id(path: &Path, _metadata: &fs::Metadata) -> FileId {
    path.to_owned()
}
