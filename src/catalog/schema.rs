//! Numbered migrations; a newer schema is refused.

use crate::sqlite::Store;

/// What `catalog.sqlite` is.
pub(super) const STORE: Store = Store {
    application_id: 0x5447_4361, // "TGCa"
    migrations: &[
        include_str!("migrations/0001-catalogue.sql"),
        include_str!("migrations/0002-file-url.sql"),
        include_str!("migrations/0003-keys-and-driver-sets.sql"),
        include_str!("migrations/0004-empty-clauses.sql"),
        include_str!("migrations/0005-express-languages-left-out.sql"),
        include_str!("migrations/0006-withdrawn-by-a-person.sql"),
        include_str!("migrations/0007-left-out-revisions.sql"),
    ],
};
