//! StartCategoryScan.

use super::NAMESPACE;
use crate::{
    protocol::{fault::ProtocolFault, fields::Fields},
    soap::{Element, Writer},
    update::UpdateId,
};

/// As many categories or more in one request are refused. [MS-WUSP] 3.1.5.6, note 52
pub const MAX_REQUESTED_CATEGORIES: usize = 200;

/// A client will scan for some categories only. It carries no cookie. [MS-WUSP] 2.2.2.2.8
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartCategoryScan {
    /// What it asks for.
    pub requested: Vec<CategoryRelationship>,
}

/// A category in disjunctive normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CategoryRelationship {
    /// Equal numbers belong together (and); different ones are alternatives (or).
    pub and_group: i32,
    /// The category.
    pub category: UpdateId,
}

impl StartCategoryScan {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters`, also when nothing or too much is asked for.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        const LIST: &str = "requestedCategories";
        let fields = Fields::new(operation);
        let requested = fields
            .each_within(LIST, "CategoryRelationship", MAX_REQUESTED_CATEGORIES - 1)?
            .iter()
            .map(|fields| {
                Ok(CategoryRelationship {
                    and_group: fields.get("IndexOfAndGroup")?,
                    category: fields.update_id("CategoryId")?,
                })
            })
            .collect::<Result<Vec<_>, ProtocolFault>>()?;
        if requested.is_empty() {
            return Err(ProtocolFault::invalid(LIST));
        }
        Ok(Self { requested })
    }
}

/// The answer to StartCategoryScan; its children have no `Result` around them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartedCategoryScan {
    /// What the client shall send as `FilterCategoryIds`.
    pub preferred: Vec<UpdateId>,
    /// What is no category here.
    pub in_error: Vec<UpdateId>,
}

impl StartedCategoryScan {
    /// Writes the answer.
    pub fn write<F>(&self, w: &mut Writer<F>) {
        w.element_in(NAMESPACE, "StartCategoryScanResponse", |w| {
            let lists = [
                ("preferredCategoryIds", &self.preferred),
                ("requestedCategoryIdsInError", &self.in_error),
            ];
            for (name, ids) in lists.into_iter().filter(|(_, ids)| !ids.is_empty()) {
                w.element(name, |w| ids.iter().for_each(|id| w.value("guid", id)));
            }
        });
    }
}
