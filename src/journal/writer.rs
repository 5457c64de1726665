//! Appending to a journal: write, sync, and only then it counts.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Journal,
    chain::Chain,
    entry::{EntryKind, JournalEntry, JournalHead, NewEntry, Verdict, shortened},
    error::JournalError,
    folder,
    machine::Machine,
};
use crate::{durable, file_error::Doing as _};

type Result<T> = std::result::Result<T, JournalError>;

/// A file that has so many bytes gets no further entry; the next one begins another file.
pub(super) const FULL: u64 = 4 * 1024 * 1024;
/// How long another run may be at work on an entry.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

impl Journal {
    /// Appends an entry; when this returns, it is on the disk. What a crash has cut off before is
    /// repaired first, and an entry says so.
    ///
    /// # Errors
    /// When another run holds the journal for too long, the entries before cannot be read, or the disk
    /// fails; what was begun is taken back or repaired by the next run.
    pub fn append(&self, new: NewEntry, now: Timestamp) -> Result<JournalEntry> {
        if !self.folder.exists() {
            make_private_folder(&self.folder).doing("make", &self.folder)?;
        }
        let _lock = lock(&self.folder)?;
        let mut tail = Tail::read(&self.folder)?;
        if let Some(cut_off) = tail.repair()? {
            tail.push(cut_off, now)?;
        }
        tail.push(new, now)
    }
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    folder.parent().map_or(Ok(()), durable::sync_folder)
}

fn private_file() -> OpenOptions {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// One at a time appends: whoever waits, waits for one entry.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = private_file().open(&path).doing("lock", &path)?;
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(e)) => Err(e).doing("lock", &path)?,
            Err(fs::TryLockError::WouldBlock) if begin.elapsed() > PATIENCE => {
                return Err(JournalError::Busy { path, seconds: PATIENCE.as_secs() });
            }
            Err(fs::TryLockError::WouldBlock) => thread::sleep(PAUSE),
        }
    }
}

/// The end of a journal, where the next entry goes.
struct Tail {
    folder: PathBuf,
    /// The number of the last file.
    file: u64,
    /// Bytes of its whole lines.
    size: u64,
    /// What stands behind them.
    cut_off: Vec<u8>,
    last: JournalHead,
}

impl Tail {
    fn read(folder: &Path) -> Result<Self> {
        let numbers = folder::numbers(folder)?;
        let file = numbers.last().copied().unwrap_or(1);
        let mut tail = Self {
            folder: folder.to_owned(),
            file,
            size: 0,
            cut_off: Vec::new(),
            last: JournalHead::START,
        };
        // The last file may have no whole line yet: then the one before it has the last entry.
        for number in numbers.into_iter().rev() {
            let path = folder::file_of(folder, number);
            let bytes = fs::read(&path).doing("read the journal", &path)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let (lines, cut_off) = bytes.split_at(whole);
            if number == file {
                tail.size = lines.len() as u64;
                tail.cut_off = cut_off.to_vec();
            }
            if !lines.is_empty() {
                tail.last = last_of(&path, lines)?;
                break;
            }
        }
        Ok(tail)
    }

    fn path(&self) -> PathBuf {
        folder::file_of(&self.folder, self.file)
    }

    /// Makes the last line whole, or removes what is left of it; gives the entry that says so.
    fn repair(&mut self) -> Result<Option<NewEntry>> {
        if self.cut_off.is_empty() {
            return Ok(None);
        }
        let path = self.path();
        let cut_off = std::mem::take(&mut self.cut_off);
        let file = private_file().open(&path).doing("repair the journal", &path)?;
        file.set_len(self.size).doing("repair the journal", &path)?;
        let mut line = cut_off.clone();
        line.push(b'\n');
        let mut chain = Chain { last: Some(self.last) };
        let is_whole = chain.follow(&line).is_ok();
        if is_whole {
            self.write(&line)?;
        } else {
            file.sync_all().doing("repair the journal", &path)?;
        }
        let what = if is_whole {
            "the end of the last line was missing, as after a crash, and was added"
        } else {
            "the last line was cut off, as by a crash, and was removed"
        };
        let details = json!({
            "bytes": cut_off.len(),
            "sha256": Sha256::hash(&cut_off),
            "entry-kept": is_whole,
        });
        Ok(Some(NewEntry {
            kind: EntryKind::Journal,
            verdict: Verdict::Done,
            what: what.to_owned(),
            why: None,
            details,
        }))
    }

    fn push(&mut self, new: NewEntry, now: Timestamp) -> Result<JournalEntry> {
        let Machine { user, sudo_user, host } = Machine::here();
        let entry = JournalEntry {
            number: self.last.number.saturating_add(1),
            time: now,
            before: self.last.sha256,
            user,
            sudo_user,
            host,
            kind: new.kind.name().to_owned(),
            what: shortened(new.what),
            verdict: new.verdict,
            why: new.why.map(shortened),
            details: new.details,
        };
        if self.size >= FULL {
            (self.file, self.size) = (self.file.saturating_add(1), 0);
        }
        self.write(&entry.to_line())?;
        Ok(entry)
    }

    fn write(&mut self, line: &[u8]) -> Result<()> {
        let path = self.path();
        let is_new = self.size == 0;
        let mut file = private_file().open(&path).doing("write to the journal", &path)?;
        let written = io::Seek::seek(&mut file, io::SeekFrom::Start(self.size))
            .and_then(|_| file.write_all(line))
            .and_then(|()| file.sync_all());
        if written.is_err() {
            // A beginning of a line is repaired by the next run, too.
            let _ = file.set_len(self.size);
        }
        written.doing("write to the journal", &path)?;
        if is_new {
            durable::sync_folder(&self.folder).doing("sync", &self.folder)?;
        }
        self.size = self.size.saturating_add(line.len() as u64);
        let number = self.last.number.saturating_add(1);
        self.last = JournalHead { number, sha256: Sha256::hash(line) };
        Ok(())
    }
}

/// The last of these lines. One that is no entry any more is counted, and shows when the chain is
/// checked; what comes behind it goes on.
fn last_of(path: &Path, lines: &[u8]) -> Result<JournalHead> {
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    let mut newest = lines.rsplit(|byte| *byte == b'\n').peekable();
    let mut last = newest.peek().copied().unwrap_or_default().to_vec();
    last.push(b'\n');
    let sha256 = Sha256::hash(&last);
    let number = (0..).zip(newest).find_map(|(behind, line)| {
        let number = serde_json::from_slice::<Value>(line).ok()?.get("number")?.as_u64()?;
        number.checked_add(behind)
    });
    match number {
        Some(number) => Ok(JournalHead { number, sha256 }),
        None => Err(JournalError::Broken {
            path: path.to_owned(),
            line: 1,
            what: "no entry in it can be read".to_owned(),
        }),
    }
}
