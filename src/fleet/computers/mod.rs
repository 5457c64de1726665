//! Computers: who they are, what they report, and the state of each update that follows from it.
//!
//! All of it are claims of the computers. This folder knows the target groups, and nothing of servers
//! below or above.
//!
//! | file | what it owns |
//! |---|---|
//! | `registration` | a computer introduces itself, registers, is removed |
//! | `contacts` | when it was here, and from where |
//! | `placement` | which groups it is in |
//! | `missing_groups` | groups that computers ask for and that do not exist |
//! | `limits` | bounds on both |
//! | `reports` | events, and the state of each update on each computer |
//! | `outcomes` | pure: which state follows from which events |
//! | `counts` | how many computers need something, failed, are up to date |
//! | `compliance` | the words for both: an event, a state |

pub(super) mod compliance;
pub(super) mod contacts;
pub(super) mod counts;
mod limits;
pub(super) mod missing_groups;
pub(super) mod outcomes;
pub(super) mod placement;
pub(super) mod registration;
pub(super) mod reports;
