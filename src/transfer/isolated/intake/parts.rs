//! Payloads that come in parts, on several volumes. Parts are kept from one import to the next, so
//! that volumes can be taken in one at a time and in any order.
//!
//! `parts/<sha256>.<offset>` holds bytes of a payload from that offset on. They were compared with
//! the signed chunk digests when they came, and are never changed. When nothing of a payload is
//! missing any more, its parts are joined and the whole is hashed; a part that was damaged meanwhile is
//! found then, and asked for again.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::ObjectEntry,
    digest::{CHUNK_SIZE, PayloadDigests, Sha256},
    segment::PayloadRecord,
};

use crate::{
    content::hash_file,
    file_error::{Doing as _, FileError},
    transfer::{error::TransferError, kill, volume::payload_table::digests_match},
};

type Result<T> = std::result::Result<T, TransferError>;

/// The parts that are kept, and those that this import brings.
pub(super) struct Parts {
    folder: PathBuf,
    kept: BTreeMap<Sha256, Vec<Part>>,
    arrived: BTreeMap<Sha256, ArrivedParts>,
    /// Kept ones that turned out to be damaged.
    damaged: Vec<PathBuf>,
}

/// The parts of one payload in `incoming/`. Nothing is written in a dry run.
struct ArrivedParts {
    record: PayloadRecord,
    parts: Vec<Part>,
}

/// Bytes `from` to `to` of a payload.
#[derive(Debug, Clone)]
struct Part {
    path: PathBuf,
    from: u64,
    to: u64,
}

/// What became of joining.
#[derive(Default)]
pub(super) struct JoinOutcome {
    /// Payloads that are whole now, under their names in `incoming/`.
    pub(super) whole: Vec<PayloadRecord>,
    /// Payloads of which something is still missing.
    pub(super) partial: u64,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

impl Parts {
    /// Looks at what is kept.
    pub(super) fn open(folder: PathBuf) -> Result<Self> {
        let kept = list_parts(&folder)?;
        Ok(Self { folder, kept, arrived: BTreeMap::new(), damaged: Vec::new() })
    }

    /// Whether this import brings no part.
    pub(super) fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    /// Whether the bytes of a part are here already.
    pub(super) fn has_part(&self, entry: &ObjectEntry) -> bool {
        let Some(from) = entry.offset else { return false };
        self.parts_of(&entry.sha256)
            .any(|p| p.from <= from && p.to >= from.saturating_add(entry.size))
    }

    /// How many bytes of a payload are here.
    pub(super) fn bytes_of(&self, payload: &Sha256) -> u64 {
        let mut parts: Vec<&Part> = self.parts_of(payload).collect();
        parts.sort_by_key(|part| part.from);
        let (mut end, mut sum) = (0, 0);
        for part in parts {
            sum += part.to.saturating_sub(part.from.max(end));
            end = end.max(part.to);
        }
        sum
    }

    /// Bytes of a payload's kept parts: joining copies them.
    pub(super) fn kept_bytes(&self, payload: &Sha256) -> u64 {
        self.kept.get(payload).into_iter().flatten().map(|part| part.to - part.from).sum()
    }

    /// Opens the file for a part: the end of the part before it, if that has just come.
    pub(super) fn open_writer(
        &self,
        staging: &Path,
        entry: &ObjectEntry,
    ) -> Result<Box<dyn Write + Send>> {
        let from = entry.offset.unwrap_or(0);
        let before = self.arrived.get(&entry.sha256).and_then(|arrived| arrived.before(from));
        let file = match before {
            Some(part) => File::options().append(true).open(&part.path).doing("write", &part.path),
            None => {
                let path = staging.join(part_name(&entry.sha256, from));
                File::create(&path).doing("write", &path)
            }
        }?;
        Ok(Box::new(file))
    }

    /// Adds a part that has come and is what the signed chunk digests say.
    pub(super) fn add(&mut self, staging: &Path, entry: &ObjectEntry, record: &PayloadRecord) {
        let from = entry.offset.unwrap_or(0);
        let to = from.saturating_add(entry.size);
        let arrived = self
            .arrived
            .entry(entry.sha256)
            .or_insert_with(|| ArrivedParts { record: record.clone(), parts: Vec::new() });
        match arrived.parts.iter_mut().find(|part| part.to == from) {
            Some(part) => part.to = to,
            None => {
                let path = staging.join(part_name(&entry.sha256, from));
                arrived.parts.push(Part { path, from, to });
            }
        }
    }

    /// Joins the payloads of which nothing is missing any more.
    pub(super) fn join(&mut self, staging: &Path, dry_run: bool) -> Result<JoinOutcome> {
        let mut joined = JoinOutcome::default();
        for (sha256, arrived) in std::mem::take(&mut self.arrived) {
            let size = arrived.record.size;
            let kept = self.kept.get(&sha256).map(Vec::as_slice).unwrap_or_default();
            let mut parts: Vec<&Part> = arrived.parts.iter().chain(kept).collect();
            // Of parts that begin at the same place the longest comes first, and a new one before a
            // kept one.
            parts.sort_by_key(|part| (part.from, Reverse(part.to)));
            let whole = contiguous_end(&parts) >= size;
            if whole && dry_run {
                joined.whole.push(arrived.record);
                continue;
            }
            let damaged = if whole { assemble(staging, &arrived, &parts, kept)? } else { None };
            match damaged {
                None if whole => {
                    joined.whole.push(arrived.record);
                    continue;
                }
                None => {}
                Some(damaged) => {
                    joined.warnings.push(format!(
                        "parts of the payload {sha256} that were kept in {} have been damaged since: they are asked for again",
                        self.folder.display()
                    ));
                    if let Some(kept) = self.kept.get_mut(&sha256) {
                        kept.retain(|part| !damaged.contains(&part.path));
                    }
                    self.damaged.extend(damaged);
                }
            }
            joined.partial += 1;
            self.arrived.insert(sha256, arrived);
        }
        Ok(joined)
    }

    /// From where to where the new parts move when the import counts.
    pub(super) fn moves(&self) -> Vec<(PathBuf, PathBuf)> {
        let mut moves = Vec::new();
        for (sha256, arrived) in &self.arrived {
            let kept = self.kept.get(sha256).map(Vec::as_slice).unwrap_or_default();
            for part in &arrived.parts {
                if !kept.iter().any(|kept| kept.from <= part.from && kept.to >= part.to) {
                    let to = self.folder.join(part_name(sha256, part.from));
                    moves.push((part.path.clone(), to));
                }
            }
        }
        moves
    }

    /// Removes what is damaged, and the parts of payloads that nothing asks for any more: they are
    /// whole, or no snapshot names them.
    pub(super) fn sweep(&self, wanted: &mut dyn FnMut(&Sha256) -> Result<bool>) -> Result<()> {
        for path in &self.damaged {
            remove_file(path)?;
        }
        for (sha256, parts) in list_parts(&self.folder)? {
            if wanted(&sha256)? {
                continue;
            }
            for part in parts {
                remove_file(&part.path)?;
                kill::step("part removed");
            }
        }
        // Only when it is empty.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }

    fn parts_of(&self, payload: &Sha256) -> impl Iterator<Item = &Part> {
        let arrived = self.arrived.get(payload).into_iter().flat_map(|arrived| &arrived.parts);
        self.kept.get(payload).into_iter().flatten().chain(arrived)
    }
}

impl ArrivedParts {
    fn before(&self, from: u64) -> Option<&Part> {
        self.parts.iter().find(|part| part.to == from)
    }
}

/// What fails when parts cannot be joined.
const JOIN: &str = "join the parts of a payload in";

/// Makes one file of all parts under the payload's name in `incoming/`. When kept parts turn out to
/// be damaged, gives these, and leaves the new ones as they were.
fn assemble(
    staging: &Path,
    arrived: &ArrivedParts,
    parts: &[&Part],
    kept: &[Part],
) -> Result<Option<Vec<PathBuf>>> {
    let record = &arrived.record;
    let path = staging.join(record.sha256.to_string());
    let first = arrived.parts.iter().find(|part| part.from == 0);
    // The new part with the beginning of the payload is not copied: the others are added to it.
    let target = first.map_or(&path, |part| &part.path);
    let begun = first.map_or(0, |part| part.to);
    let mut file = File::options().create(true).append(true).open(target).doing(JOIN, target)?;
    let mut at = begun;
    while at < record.size {
        let next = parts.iter().filter(|p| p.from <= at && p.to > at).max_by_key(|part| part.to);
        let Some(part) = next else { break };
        let mut source = File::open(&part.path).doing("open the part", &part.path)?;
        source
            .seek(SeekFrom::Start(at - part.from))
            .and_then(|_| io::copy(&mut source.take(part.to - at), &mut file))
            .doing(JOIN, target)?;
        at = part.to;
        kill::step("part joined");
    }
    drop(file);
    let found = hash_file(target, &mut |_| {})?;
    if digests_match(&found, record) {
        fs::rename(target, &path).doing(JOIN, target)?;
        return Ok(None);
    }
    let damaged: Vec<PathBuf> = kept
        .iter()
        .filter(|part| is_damaged(part, &found, record))
        .map(|p| p.path.clone())
        .collect();
    if damaged.is_empty() {
        return Err(TransferError::refused(format!(
            "the parts of the payload {} (chunks of {CHUNK_SIZE} bytes) do not make the whole that the signed snapshot names",
            record.sha256
        )));
    }
    match first {
        Some(_) => File::options()
            .write(true)
            .open(target)
            .and_then(|file| file.set_len(begun))
            .doing(JOIN, target)?,
        None => remove_file(target)?,
    }
    Ok(Some(damaged))
}

/// Whether a chunk that a part touches is another than the signed one.
fn is_damaged(part: &Part, found: &PayloadDigests, record: &PayloadRecord) -> bool {
    (0..).zip(&record.chunks).any(|(number, chunk)| {
        let from = number * CHUNK_SIZE;
        let touched = part.from < from.saturating_add(CHUNK_SIZE) && part.to > from;
        let found = usize::try_from(number).ok().and_then(|number| found.chunks.get(number));
        touched && found != Some(chunk)
    })
}

/// Where the first gap is, in parts that are sorted by where they begin.
fn contiguous_end(parts: &[&Part]) -> u64 {
    let mut end = 0;
    for part in parts {
        if part.from > end {
            break;
        }
        end = end.max(part.to);
    }
    end
}

fn part_name(payload: &Sha256, from: u64) -> String {
    format!("{payload}.{from}")
}

/// The parts in a folder; none if it is not there.
fn list_parts(folder: &Path) -> Result<BTreeMap<Sha256, Vec<Part>>> {
    let mut found: BTreeMap<Sha256, Vec<Part>> = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(e) => Err(e).doing("list", folder)?,
    };
    for entry in entries {
        let path = entry.doing("list", folder)?.path();
        let parsed = path.file_name().and_then(|name| name.to_str()).and_then(|text| {
            let (payload, from) = text.split_once('.')?;
            let (payload, from) = (payload.parse().ok()?, from.parse().ok()?);
            (part_name(&payload, from) == text).then_some((payload, from))
        });
        let Some((payload, from)) = parsed else { continue };
        let length = fs::metadata(&path).doing("look at", &path)?.len();
        let to = from.checked_add(length).unwrap_or(from);
        found.entry(payload).or_default().push(Part { path, from, to });
    }
    Ok(found)
}

fn remove_file(path: &Path) -> std::result::Result<(), FileError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).doing("remove", path),
        _ => Ok(()),
    }
}
