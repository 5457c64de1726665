//! What can be synchronized from a server: its products and classifications.

use super::{Result, context::Context, sync::NO_SOURCES};
use crate::{
    catalog::Catalog,
    upstream::{self, Category, CategoryKind},
};

/// What there is of a kind, parents before what is below them; empty before the first
/// synchronization.
///
/// # Errors
/// When this is an isolated side, or the catalogue cannot be read.
pub fn choices(context: &Context<'_>, kind: CategoryKind) -> Result<Vec<Category>> {
    let (data, _) = context.connected_side(NO_SOURCES)?;
    let catalog = Catalog::open_to_look(&data.catalog())?;
    Ok(upstream::choices(&catalog, kind)?)
}
