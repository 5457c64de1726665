//! A small upstream server: what it holds, and the forms in which it can give it.

use tidegate::{
    catalog::Catalog,
    update::{UpdateId, UpdateIdentity},
};
use uuid::Uuid;

use super::{
    cabinets::{blob, mszip, utf16},
    upstream_fake::{Uss, plain},
};

/// The number of its product.
pub(crate) const PRODUCT: u128 = 1;
/// The number of its classification.
pub(crate) const CLASSIFICATION: u128 = 2;

/// Revision 100 of the update of this number.
pub(crate) fn identity(n: u128) -> UpdateIdentity {
    UpdateIdentity { id: UpdateId(Uuid::from_u128(n)), revision: 100 }
}

/// Its document; `more` follows the titles.
pub(crate) fn document(n: u128, update_type: &str, title: &str, more: &str) -> String {
    let id = identity(n).id;
    format!(
        "<upd:Update xmlns:upd=\"http://schemas.microsoft.com/msus/2002/12/Update\">\
         <upd:UpdateIdentity UpdateID=\"{id}\" RevisionNumber=\"100\"/>\
         <upd:Properties UpdateType=\"{update_type}\" DefaultPropertiesLanguage=\"en\"/>\
         <upd:LocalizedPropertiesCollection><upd:LocalizedProperties>\
         <upd:Language>en</upd:Language><upd:Title>{title}</upd:Title>\
         </upd:LocalizedProperties></upd:LocalizedPropertiesCollection>{more}</upd:Update>"
    )
}

/// The document of a category.
pub(crate) fn category(n: u128, kind: &str, title: &str) -> String {
    let more = format!(
        "<upd:HandlerSpecificData xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:cat=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category\" xsi:type=\"cat:Category\"><cat:CategoryInformation CategoryType=\"{kind}\"/></upd:HandlerSpecificData>"
    );
    document(n, "Category", title, &more)
}

/// `XmlUpdateBlobCompressed` with MSZIP.
pub(crate) fn compressed(document: &str) -> String {
    blob(&mszip(&["blob"], &utf16(document)))
}

/// A product, a classification, and updates 10 to 29 in batches of four; every other compressed.
pub(crate) fn server() -> Uss {
    let mut uss = Uss {
        categories: vec![identity(PRODUCT), identity(CLASSIFICATION)],
        updates: (10..30).map(identity).collect(),
        anchor: "1,2026-10-04 12:00:00.000".to_owned(),
        limit: 4,
        ..Uss::default()
    };
    uss.documents.insert(identity(PRODUCT), plain(&category(PRODUCT, "Product", "Tide 11")));
    let updates = category(CLASSIFICATION, "UpdateClassification", "Security Updates");
    uss.documents.insert(identity(CLASSIFICATION), plain(&updates));
    for n in 10..30 {
        let document = document(n, "Software", &format!("Update {n} é漢"), "");
        let blob = if n % 2 == 0 { plain(&document) } else { compressed(&document) };
        uss.documents.insert(identity(n), blob);
    }
    uss
}

/// How many revisions a catalogue has.
pub(crate) fn revisions(catalog: &Catalog) -> u64 {
    catalog.counts().unwrap().revisions
}
