//! The Tidegate bundle: what crosses the air gap, and why it may be trusted.
//!
//! A *snapshot* is a signed, numbered statement of what a mirror is: an ordered list of
//! content-addressed *segments*, which in turn name the *payloads*. A *bundle* is a snapshot's
//! signature plus those objects that the other side lacks, in one or more *volumes* (strict ustar
//! files). `SPEC.md` beside this crate is the normative text.
//!
//! | module | what it owns |
//! |---|---|
//! | [`digest`] | SHA-256 and SHA-1 as types; hashing a payload with its chunks in one pass |
//! | [`limits`] | every bound on input, with the attack that it stops |
//! | [`index`] | the snapshot index, the TUF target |
//! | [`segment`] | record streams: revisions, withdrawals, payload tables |
//! | [`parity`] | files that make good lost volumes and bad sectors |
//! | [`policy`] | the policy: approvals and declines that travel, under their own role |
//! | [`container`] | volumes: writing, and strict reading |
//! | [`needs`] | what a site lacks, on its way back to the connected side |
//! | [`receipt`] | what a site says that it serves, on its way back to the connected side |
//! | [`trust`] | roots, signing, the trust state, checking a volume's head |
//! | [`keys`] | key files |
//!
//! Nothing here knows a database, a server or the WSUS protocol.

pub mod container;
pub mod digest;
pub mod index;
pub mod keys;
pub mod limits;
pub mod needs;
mod packed;
pub mod parity;
pub mod policy;
pub mod receipt;
pub mod segment;
pub mod trust;
