//! Numbered migrations; a newer schema is refused.

use crate::sqlite::Store;

/// What `fleet.sqlite` is.
pub(super) const STORE: Store = Store {
    application_id: 0x5447_466c, // "TGFl"
    migrations: &[
        include_str!("migrations/0001-fleet.sql"),
        include_str!("migrations/0002-downstreams.sql"),
        include_str!("migrations/0003-replica.sql"),
        include_str!("migrations/0004-rules.sql"),
        include_str!("migrations/0005-bounds.sql"),
        include_str!("migrations/0006-turned-away.sql"),
        include_str!("migrations/0007-counters.sql"),
    ],
};
