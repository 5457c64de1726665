//! Intake: what arrives is hashed while it is copied to `incoming/`, and moves to its place only
//! when the whole bundle has proved to be in order.
//!
//! | file | what it owns |
//! |---|---|
//! | `space` | proving that there is room before the first object is read |
//! | `sink` | what is kept of a volume while it is read |
//! | `stage` | what was read, until it moves to its place |
//! | `parts` | payloads that come in parts, on several volumes |
//! | `placement` | moving finished files to their places |

mod parts;
mod placement;
pub(super) mod sink;
pub(super) mod space;
pub(super) mod stage;
