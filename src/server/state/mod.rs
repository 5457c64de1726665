//! What all requests share.
//!
//! | file | what it owns |
//! |---|---|
//! | `server_state` | the stores, what is served, and the watcher that swaps it |
//! | `newer_protocols` | what updates ask of a downstream's protocol, as far as it was read |

pub(super) mod newer_protocols;
pub(super) mod server_state;
