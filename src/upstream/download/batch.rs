//! Payloads on their way into the stores.

use std::time::{Duration, Instant};

use bundle_format::digest::{PayloadDigests, Sha256};

use super::error::DownloadError;
use crate::{
    catalog::{Catalog, PayloadRow},
    content::{ContentStore, Partial},
};

type Result<T> = std::result::Result<T, DownloadError>;

/// Payloads are synced to the disk and noted in the catalogue in batches of so many bytes…
const BATCH_BYTES: u64 = 1 << 30;
/// …or files…
const BATCH_FILES: usize = 64;
/// …or after so long.
const BATCH_TIME: Duration = Duration::from_secs(5);

/// A payload that contradicts what the catalogue says of its bytes.
pub(super) struct PayloadContradiction {
    /// How its file is named to people.
    pub(super) at: String,
    /// In bytes.
    pub(super) size: u64,
    /// What contradicts what.
    pub(super) why: String,
}

/// Payloads that are complete but not yet durable: first their bytes, then their rows.
#[derive(Default)]
pub(super) struct Batch {
    partials: Vec<(Partial, Sha256)>,
    /// Each with the name of its file.
    rows: Vec<(String, PayloadRow)>,
    bytes: u64,
    since: Option<Instant>,
}

impl Batch {
    /// `at`: how the file is named to people.
    pub(super) fn add(&mut self, at: String, partial: Option<Partial>, digests: PayloadDigests) {
        let PayloadDigests { sha256, sha1, size, chunks } = digests;
        self.partials.extend(partial.map(|partial| (partial, sha256)));
        let row = PayloadRow { sha256, sha1, size, chunks, present: true, not_carried: None };
        self.rows.push((at, row));
        self.bytes += size;
        self.since.get_or_insert_with(Instant::now);
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_FILES || self.bytes >= BATCH_BYTES
    }

    pub(super) fn is_due(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= BATCH_TIME)
    }

    /// Makes all durable. Gives those that contradict what the catalogue says of their bytes: they
    /// are not noted, and the rest is.
    pub(super) fn store(
        &mut self,
        catalog: &mut Catalog,
        content: &ContentStore,
    ) -> Result<Vec<PayloadContradiction>> {
        let mut contradicting = Vec::new();
        if self.rows.is_empty() {
            return Ok(contradicting);
        }
        let batch = std::mem::take(self);
        content.store_partials(batch.partials)?;
        let mut writer = catalog.write()?;
        for (at, row) in batch.rows {
            match writer.store_payload(&row) {
                Ok(_) => {}
                Err(e) if e.is_about_the_document() => {
                    let why = e.to_string();
                    contradicting.push(PayloadContradiction { at, size: row.size, why });
                }
                Err(e) => return Err(e.into()),
            }
        }
        writer.commit()?;
        Ok(contradicting)
    }
}
