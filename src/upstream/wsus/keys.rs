//! Keys of encrypted files. [MS-WUSSS] 3.1.4.18

use std::collections::{HashSet, VecDeque};

use bundle_format::{digest::Sha1, segment::KEY_MAX};

use super::{
    engine::{LARGEST_BATCH, Result, SyncRun, note},
    error::{UpstreamError, chain},
    fetch::is_about_the_batch,
};
use crate::{
    catalog::CatalogWriter,
    protocol::server_sync::{ConfigData, GetUpdateDecryptionData, UpdateKeys},
    update::UpdateIdentity,
    upstream::report::SyncReport,
};

/// Updates per request to a server that states no limit.
const DEFAULT_BATCH: usize = 50;

impl SyncRun<'_> {
    /// Asks for the keys of everything that is held without them. What the server does not tell is
    /// asked again the next time.
    pub(super) fn keys(&mut self, config: &ConfigData) -> Result<()> {
        let batch = match config.max_decryption_updates {
            0 => DEFAULT_BATCH,
            limit => limit.min(LARGEST_BATCH),
        };
        let keyless = self.state.keyless.clone();
        let mut queue: VecDeque<&[UpdateIdentity]> = keyless.chunks(batch).collect();
        while let Some(batch) = queue.pop_front() {
            let answer = self.session.ask(&|cookie| GetUpdateDecryptionData {
                cookie: Some(cookie),
                updates: batch.to_vec(),
            });
            match answer {
                Ok(updates) => self.keep_keys(batch, &updates)?,
                Err(e) if is_about_the_batch(&e) && batch.len() > 1 => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    queue.push_front(second);
                    queue.push_front(first);
                }
                Err(e) if is_about_the_batch(&e) => {
                    for identity in batch {
                        let why = format!("its files are encrypted, but no key came: {e}");
                        self.report.problem(identity, why);
                    }
                }
                // A server that does not know the operation yet. [MS-WUSSS] 1.7
                Err(e @ UpstreamError::Fault { .. }) => {
                    let (left, e) = (self.state.keyless.len(), chain(&e));
                    let why = format!("{left} updates have encrypted files without keys: {e}");
                    self.report.problem("keys", why);
                    return Ok(());
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn keep_keys(&mut self, batch: &[UpdateIdentity], updates: &[UpdateKeys]) -> Result<()> {
        let told: HashSet<UpdateIdentity> = updates
            .iter()
            .map(|update| update.identity)
            .filter(|identity| batch.contains(identity))
            .collect();
        for identity in batch.iter().filter(|identity| !told.contains(identity)) {
            self.report.problem(identity, "its files are encrypted, but the server tells no keys");
        }
        self.state.keyless.retain(|identity| !told.contains(identity));
        let note = note(&self.state)?;
        let mut writer = self.catalog.write()?;
        for update in updates.iter().filter(|update| told.contains(&update.identity)) {
            for file in &update.files {
                // Not every file of such an update is encrypted.
                if let Some(key) = &file.key {
                    put(&mut writer, self.report, &file.digest, key)?;
                }
            }
        }
        writer.set_note(&self.key, &note)?;
        writer.commit()?;
        Ok(())
    }
}

/// Keeps a key, unless it is none: with one that no segment may hold, no bundle could be made.
pub(super) fn put(
    writer: &mut CatalogWriter<'_>,
    report: &mut SyncReport,
    file: &Sha1,
    key: &[u8],
) -> Result<()> {
    if (1..=KEY_MAX).contains(&key.len()) {
        report.keys += u64::from(writer.store_key(file, key)?);
    } else {
        report.problem(file, format!("its key has {} bytes, and is not kept", key.len()));
    }
    Ok(())
}
