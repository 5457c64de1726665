//! Revision IDs: who gives them, and which are free.

use super::{error::CatalogError, writer::CatalogWriter};
use crate::update::{RevisionId, UpdateIdentity};

/// Revisions published on the isolated side are numbered from here, clear of the mirror's numbers.
pub const FIRST_LOCAL_REVISION_ID: i32 = 0x4000_0000;

/// Who gives a new revision its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// This store is the mirror: the next free number.
    Assign,
    /// The mirror has given it; it travelled in a segment.
    Given(RevisionId),
    /// Published on the isolated side: the next free number of the reserved range.
    Local,
}

/// The numbers that a kind of numbering may give: from `first`, before `end`.
struct Range {
    /// Where `meta` keeps the next free one.
    key: &'static str,
    first: u64,
    end: u64,
}

const MIRROR: Range =
    Range { key: "next-revision-id", first: 1, end: FIRST_LOCAL_REVISION_ID.unsigned_abs() as u64 };
const LOCAL: Range = Range {
    key: "next-local-revision-id",
    first: MIRROR.end,
    end: i32::MAX.unsigned_abs() as u64 + 1,
};

impl Range {
    fn id(&self, number: u64) -> Result<RevisionId, &'static str> {
        let id = i32::try_from(number).map_err(|_| "it is too large")?;
        if !(self.first..self.end).contains(&number) {
            return Err("it is outside of the range of its numbering");
        }
        Ok(RevisionId(id))
    }
}

impl CatalogWriter<'_> {
    /// The number of a new revision. A mirror that was seeded from a bundle goes on after the
    /// highest number given.
    pub(super) fn number(
        &self,
        identity: &UpdateIdentity,
        numbering: Numbering,
    ) -> Result<RevisionId, CatalogError> {
        let range = match numbering {
            Numbering::Assign | Numbering::Given(_) => MIRROR,
            Numbering::Local => LOCAL,
        };
        let next = self.counter(range.key, range.first)?;
        let (number, id) = match numbering {
            Numbering::Given(given) => {
                self.check_given_number(identity, given)?;
                (u64::try_from(given.0).unwrap_or_default(), given)
            }
            Numbering::Assign | Numbering::Local => {
                let id = range.id(next).map_err(|why| {
                    self.damaged(format!("{identity} cannot have revision id {next}: {why}"))
                })?;
                (next, id)
            }
        };
        if number >= next {
            self.set_meta(range.key, &(number + 1).to_string())?;
        }
        Ok(id)
    }

    /// Whether a number that the mirror has given is free.
    pub(super) fn check_given_number(
        &self,
        identity: &UpdateIdentity,
        given: RevisionId,
    ) -> Result<(), CatalogError> {
        let number = u64::try_from(given.0).unwrap_or_default();
        let unfit = |why: &str| CatalogError::UnfitDocument {
            what: format!("{identity} cannot have revision id {number}: {why}"),
        };
        MIRROR.id(number).map_err(unfit)?;
        let other = self.row(
            "look up a revision id",
            "SELECT lower(hex(update_id)) || ' revision ' || revision_number FROM revision
             WHERE revision_id = ?1",
            [given.0],
            |row| row.get::<_, String>(0),
        )?;
        match other {
            Some(other) => Err(unfit(&format!(
                "{other} has it; this catalogue was not numbered by that mirror, use another data folder"
            ))),
            None => Ok(()),
        }
    }
}
