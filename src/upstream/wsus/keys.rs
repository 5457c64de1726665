//! Keys of encrypted files. [MS-WUSSS] 3.1.4.18

use std::collections::HashSet;

use bundle_format::{digest::Sha1, segment::KEY_MAX};

use super::{
    batches::{Batches, is_about_the_batch},
    engine::{LARGEST_BATCH, Result, SyncRun, note},
    error::UpstreamError,
};
use crate::{
    catalog::CatalogWriter,
    error_chain::chain,
    protocol::server_sync::{ConfigData, GetUpdateDecryptionData, UpdateKeys},
    update::UpdateIdentity,
    upstream::report::SyncReport,
};

/// What is wrong with an update of which no keys are given.
const NO_KEYS: &str = "its files are encrypted, but the server tells no keys";

/// Updates per request to a server that states no limit.
const DEFAULT_BATCH: usize = 50;

impl SyncRun<'_> {
    /// Asks for the keys of everything that is held without them. A key that the server
    /// does not give is asked for again the next time.
    pub(super) fn fetch_keys(&mut self, config: &ConfigData) -> Result<()> {
        let batch = match config.max_decryption_updates {
            0 => DEFAULT_BATCH,
            limit => limit.min(LARGEST_BATCH),
        };
        let mut batches = Batches::new(&self.state.keyless, batch);
        while let Some(batch) = batches.next() {
            let answer = self.session.ask(&|cookie| GetUpdateDecryptionData {
                cookie: Some(cookie),
                updates: batch.ids.clone(),
            });
            match answer {
                Ok(updates) => batches.ask_for_rest(self.store_keys(batch.ids, &updates)?),
                Err(e) if batch.ids.iter().any(|id| e.missing_revisions().contains(id)) => {
                    let (missing, rest): (Vec<_>, Vec<_>) =
                        batch.ids.into_iter().partition(|id| e.missing_revisions().contains(id));
                    for identity in missing {
                        self.report.problem(identity, NO_KEYS);
                    }
                    batches.ask_for_rest(rest);
                }
                Err(e) if is_about_the_batch(&e) => match batch.ids.as_slice() {
                    [identity] => {
                        let why = format!("its files are encrypted, but no key came: {e}");
                        self.report.problem(identity, why);
                    }
                    several => batches.halve(several),
                },
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

    /// Gives what of the batch is to be asked for again.
    fn store_keys(
        &mut self,
        batch: Vec<UpdateIdentity>,
        updates: &[UpdateKeys],
    ) -> Result<Vec<UpdateIdentity>> {
        let answered: HashSet<UpdateIdentity> = updates
            .iter()
            .map(|update| update.identity)
            .filter(|identity| batch.contains(identity))
            .collect();
        let mut rest: Vec<UpdateIdentity> =
            batch.into_iter().filter(|identity| !answered.contains(identity)).collect();
        if answered.is_empty() {
            for identity in rest.drain(..) {
                self.report.problem(identity, NO_KEYS);
            }
        }
        self.state.keyless.retain(|identity| !answered.contains(identity));
        let note = note(&self.state)?;
        let mut writer = self.catalog.write()?;
        for update in updates.iter().filter(|update| answered.contains(&update.identity)) {
            for file in &update.files {
                // Not every file of such an update is encrypted.
                if let Some(key) = &file.key {
                    store_key(&mut writer, self.report, &file.digest, key)?;
                }
            }
        }
        writer.set_note(&self.key, &note)?;
        writer.commit()?;
        Ok(rest)
    }
}

/// Stores a key, if a segment of a bundle may hold it; with another one no bundle could be made.
pub(super) fn store_key(
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
