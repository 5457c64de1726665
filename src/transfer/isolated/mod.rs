//! The isolated side: what a bundle brings is taken in, and takes effect. Knows nothing of the
//! connected side.
//!
//! | file | what it owns | writes |
//! |---|---|---|
//! | `import/` | one import from the first byte to the last | through the others |
//! | `intake/` | objects, hashed while they are copied | `incoming/`, then `segments/`, `content/`, `parts/` |
//! | `needs` | what is missing, for the connected side | nothing |
//! | `receipt` | what is served, signed for the connected side | `keys/site.pem` |
//! | `switch` | a complete snapshot becomes the one that is served | the catalogue |

pub(super) mod import;
pub(super) mod intake;
pub(super) mod needs;
pub(super) mod receipt;
pub(super) mod switch;
