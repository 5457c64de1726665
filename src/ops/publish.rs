//! Make an update of an installer.

use serde::Serialize;
use serde_json::json;

use super::{Result, context::Context, progress::Unit};
pub use crate::publish::{PublishRequest, Published};
use crate::{
    catalog::{Catalog, Numbering},
    content::ContentStore,
    data_dir::Side,
    journal::EntryKind,
    publish,
    update::UpdateId,
};

/// The update that stands for an installer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishOutcome {
    /// The update.
    pub update: UpdateId,
    /// Its revision.
    pub revision: u32,
    /// More about it.
    pub published: Published,
}

/// Takes the installer into the content and its document into the catalogue. The same request twice
/// changes nothing.
///
/// # Errors
/// When the request cannot become a valid update, the installer cannot be read, or a store fails.
pub fn publish(context: &Context<'_>, request: &PublishRequest) -> Result<PublishOutcome> {
    let data = context.data_dir()?;
    let mut catalog = Catalog::open(&data.catalog())?;
    let numbering = match *data.side() {
        Side::Connected { mirror_id } => {
            let mut writer = catalog.write()?;
            writer.set_mirror_id(mirror_id)?;
            writer.commit()?;
            Numbering::Assign
        }
        Side::Isolated { .. } => Numbering::Local,
    };
    let content = ContentStore::open(&data.content())?;
    content.sweep()?;
    let observer = context.observer();
    let size = std::fs::metadata(&request.file).map(|file| file.len()).ok();
    observer.phase("reading", Unit::Bytes, size);
    let mut read = 0;
    let now = context.now();
    let published =
        publish::publish(request, &mut catalog, &content, numbering, now, &mut |bytes| {
            read += bytes;
            observer.position(read, None);
        })?;
    observer.end();
    for warning in &published.warnings {
        observer.warn(warning);
    }
    let update = published.identity.id;
    let revision = published.identity.revision;
    let outcome = PublishOutcome { update, revision, published };
    context.journaled(EntryKind::Publish, "publish", Ok(outcome), |done| {
        let what = format!("{} was published as {update}", request.file.display());
        Some((what, json!(done)))
    })
}
