//! A category that can be chosen: a product or a classification, and what holds products.

use crate::update::UpdateId;

/// A category that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Category {
    /// Its update.
    pub id: UpdateId,
    /// What people call it.
    pub title: String,
    /// What it is.
    pub level: CategoryLevel,
    /// What it belongs to: a company or a product family. Not known for all.
    pub within: Option<UpdateId>,
    /// How many are above it in this list.
    pub depth: usize,
    /// The last synchronization asked for it, by itself or with everything.
    pub chosen: bool,
}

/// What a category is; `CategoryType` of its document. [MS-WUSSS] 3.1.1.1
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CategoryLevel {
    /// Whose products these are.
    Company,
    /// Products that belong together: choosing it chooses them.
    ProductFamily,
    /// A product.
    Product,
    /// A classification.
    Classification,
}

impl CategoryLevel {
    /// `CategoryType` as documents write it.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "Company" => Self::Company,
            "ProductFamily" => Self::ProductFamily,
            "Product" => Self::Product,
            "UpdateClassification" => Self::Classification,
            _ => return None,
        })
    }
}

/// Which categories are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CategoryKind {
    /// `Product`.
    Product,
    /// `UpdateClassification`.
    Classification,
}
