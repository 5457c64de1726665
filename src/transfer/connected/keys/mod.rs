//! The keys of the connected side.
//!
//! | file | what it owns | writes |
//! |---|---|---|
//! | `files` | key files, and which of them plays which role | `keys/` |
//! | `first` | the first keys and root | `keys/` |
//! | `rotation` | a new root with other keys | `keys/` |
//! | `next_root` | a root that waits for signatures, until it is in use | `keys/` |
//! | `list` | which keys there are, and where | nothing |
//! | `elsewhere` | keys and signatures on any machine, without a data folder | the files named |

pub(in crate::transfer) mod elsewhere;
pub(in crate::transfer) mod files;
pub(in crate::transfer) mod first;
pub(in crate::transfer) mod list;
pub(in crate::transfer) mod next_root;
pub(in crate::transfer) mod rotation;
