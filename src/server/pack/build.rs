//! Making fragments out of documents: one thread reads, several derive and compress, one writes.

use std::{
    num::NonZero,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use super::{
    error::PackError,
    packed::{CompressedFragment, Packed, PackedText},
    writer::PackWriter,
};
use crate::{
    catalog::CatalogError,
    protocol::xpress::{self, BLOCK_SIZE},
    update::{DocumentError, DocumentLimits, Fragments, RevisionId, UpdateIdentity, fragments},
    xml::text_reference,
};

/// Bytes of documents that are in work at one time; a larger one is in work alone.
const IN_WORK: usize = 8 << 20;

/// Gives the original document of a revision.
pub(super) type Documents<'a> = dyn FnMut(RevisionId) -> Result<Option<Vec<u8>>, CatalogError> + 'a;

/// A revision that cannot be offered.
#[derive(Debug, Clone)]
pub struct UnpackableRevision {
    /// Which.
    pub identity: UpdateIdentity,
    /// What is wrong with its document; `None` if the catalogue has none.
    pub reason: Option<DocumentError>,
}

struct PackJob {
    identity: UpdateIdentity,
    xml: Vec<u8>,
    permit: Permit,
}

struct PackResult {
    identity: UpdateIdentity,
    packed: Result<Packed, DocumentError>,
    /// Given back when the result is written.
    _permit: Permit,
}

/// Packs the fragments of all these revisions.
pub(super) fn build(
    wanted: &[(RevisionId, UpdateIdentity)],
    limits: &DocumentLimits,
    documents: &mut Documents<'_>,
    writer: &mut PackWriter,
) -> Result<Vec<UnpackableRevision>, PackError> {
    let budget = Arc::new(Budget::default());
    let (jobs, job_queue) = sync_channel::<PackJob>(64);
    let (results, result_queue) = sync_channel::<PackResult>(64);
    let job_queue = Arc::new(Mutex::new(job_queue));
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(8);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (queue, results) = (Arc::clone(&job_queue), results.clone());
            scope.spawn(move || work(&queue, &results, limits));
        }
        // Only the workers hold these now: when they end, both sides see it.
        drop((job_queue, results));
        let writing = scope.spawn(move || write(&result_queue, writer));
        let read = read(wanted, documents, &budget, &jobs);
        drop(jobs);
        let mut refused = match writing.join() {
            Ok(written) => written?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        refused.extend(read?);
        Ok(refused)
    })
}

/// Sends the documents to the workers; stops when nobody takes them any more.
fn read(
    wanted: &[(RevisionId, UpdateIdentity)],
    documents: &mut Documents<'_>,
    budget: &Arc<Budget>,
    jobs: &SyncSender<PackJob>,
) -> Result<Vec<UnpackableRevision>, PackError> {
    let mut refused = Vec::new();
    for (id, identity) in wanted {
        let Some(xml) = documents(*id).map_err(PackError::Catalog)? else {
            refused.push(UnpackableRevision { identity: *identity, reason: None });
            continue;
        };
        let permit = Budget::wait_for(budget, xml.len());
        if jobs.send(PackJob { identity: *identity, xml, permit }).is_err() {
            break;
        }
    }
    Ok(refused)
}

fn work(
    queue: &Mutex<Receiver<PackJob>>,
    results: &SyncSender<PackResult>,
    limits: &DocumentLimits,
) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(PackJob { identity, xml, permit }) = job else { return };
        let packed = fragments(&xml, limits);
        drop(xml);
        let done = PackResult { identity, packed: packed.map(pack), _permit: permit };
        if results.send(done).is_err() {
            return;
        }
    }
}

fn write(
    queue: &Receiver<PackResult>,
    writer: &mut PackWriter,
) -> Result<Vec<UnpackableRevision>, PackError> {
    let mut refused = Vec::new();
    for done in queue {
        match done.packed {
            Ok(packed) => writer.add(done.identity, &packed)?,
            Err(error) => {
                refused.push(UnpackableRevision { identity: done.identity, reason: Some(error) });
            }
        }
    }
    Ok(refused)
}

fn pack(fragments: Fragments) -> Packed {
    let Fragments { core, extended, localized, eulas } = fragments;
    let core = piece(core);
    let extended = piece(extended);
    let text = |eula| {
        move |text: crate::update::LocalizedFragment| PackedText {
            eula,
            language: text.language,
            geo_id: text.geo_id,
            piece: piece(text.xml),
        }
    };
    let texts = localized.into_iter().map(text(false)).chain(eulas.into_iter().map(text(true)));
    Packed { core, extended, texts: texts.collect() }
}

/// Escapes a fragment for SOAP and compresses it, a little at a time: the escaped text of a large one
/// is never in memory as a whole.
pub(super) fn piece(text: String) -> CompressedFragment {
    const BATCH: usize = 16 * BLOCK_SIZE;
    let mut piece = CompressedFragment { framed: Vec::with_capacity(text.len() / 4), escaped: 0 };
    let mut pending: Vec<u8> = Vec::with_capacity(2 * BATCH);
    let mut rest = text.as_bytes();
    while let Some((at, reference)) =
        rest.iter().enumerate().find_map(|(at, byte)| Some((at, text_reference(*byte)?)))
    {
        let (plain, from) = rest.split_at(at);
        pending.extend_from_slice(plain);
        pending.extend_from_slice(reference.as_bytes());
        rest = from.get(1..).unwrap_or_default();
        if pending.len() >= BATCH {
            let whole = pending.len() / BLOCK_SIZE * BLOCK_SIZE;
            piece.append(pending.drain(..whole).as_slice());
        }
    }
    pending.extend_from_slice(rest);
    piece.append(&pending);
    piece.framed.shrink_to_fit();
    piece
}

impl CompressedFragment {
    fn append(&mut self, escaped: &[u8]) {
        self.framed.extend_from_slice(&xpress::compress(escaped));
        self.escaped += escaped.len() as u64;
    }
}

/// Bounds what is in memory.
#[derive(Default)]
struct Budget {
    used: Mutex<usize>,
    freed: Condvar,
}

impl Budget {
    /// Waits until there is room, or until nothing else is in work.
    fn wait_for(budget: &Arc<Self>, bytes: usize) -> Permit {
        let mut used = budget.used.lock().unwrap_or_else(PoisonError::into_inner);
        while *used > 0 && used.saturating_add(bytes) > IN_WORK {
            used = budget.freed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        *used = used.saturating_add(bytes);
        Permit { budget: Arc::clone(budget), bytes }
    }
}

/// Room taken; given back when dropped.
struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut used = self.budget.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(self.bytes);
        self.budget.freed.notify_all();
    }
}
