//! Keys: the secret part, which signs, and the public part, which may be shown to anybody.
//!
//! | file | what it owns |
//! |---|---|
//! | `secret.rs` | secret key files |
//! | `error.rs` | what can go wrong with a key file |
//! | `public.rs` | public key files: role, name, key id and fingerprint |

mod error;
mod public;
mod secret;

pub use error::KeyError;
pub use public::{KeyName, KeyRole, PublicKey};
pub use secret::{SigningKey, is_encrypted};
