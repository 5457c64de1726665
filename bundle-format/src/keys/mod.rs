//! Keys: the secret part, which signs, and the public part, which may be shown to anybody.
//!
//! | file | what it owns |
//! |---|---|
//! | `secret.rs` | secret key files |
//! | `public.rs` | public key files: role, name, key id and fingerprint |

mod public;
mod secret;

pub use public::{KeyName, KeyRole, PublicKey};
pub use secret::{KeyError, SigningKey, is_encrypted};
