//! Tidegate: offline mirror and air-gapped update appliance for Windows updates.
//!
//! One program, two sides. The *connected* side fills a mirror (`sync`, `publish`), states what it
//! is (`seal`) and packs what the other side lacks into a signed bundle (`export`). The *isolated*
//! side checks every byte of a bundle before anything takes effect (`import`) and is a WSUS to
//! Windows Update Agents (`serve`).
//!
//! # Layers
//!
//! A module imports only from layers below; siblings do not know each other. `tests/suite/layers/`
//! enforces this table.
//!
//! | layer | modules | what lives there | never |
//! |---|---|---|---|
//! | 6 | `main.rs`, `cli/`, `config.rs` | define flags, call one operation, print, exit code | be imported |
//! | 5 | [`ops`] | the use cases, one file each, with outcomes that serialize | print, read flags |
//! | 4 | [`upstream`] | sources (folder, wsusutil package, servers over the network), sync, download | server, transfer |
//! | 4 | [`transfer`] | seal, export, verify, intake, switch: bundle ↔ stores | HTTP, SOAP |
//! | 4 | [`server`] | the WSUS that agents see; view and pack of a generation | upstream, transfer, HTTP clients |
//! | 4 | [`agent`] | a protocol-true stand-in for a Windows Update Agent | scope, server, stores |
//! | 4 | [`publish`] | an installer becomes an update document | |
//! | 4 | [`approval`] | an administrator's decision, or a rule, becomes approvals | |
//! | 3 | [`catalog`], [`content`], [`fleet`], [`data_dir`] | the stores: SQLite and files | protocol, each other |
//! | 3 | [`journal`] | what crossed and what was decided, entry by entry in a hash chain | the stores |
//! | 3 | [`advice`] | what an administrator can do about the cause of an error | |
//! | 2 | [`scope`] | pure: what does this agent need? | I/O |
//! | 2 | [`protocol`] | messages, error codes, cookies, Xpress | I/O |
//! | 2 | `sqlite` | what the SQLite stores have in common | |
//! | 1 | [`soap`], [`update`], [`cabinet`], [`certificate`], [`connection_failure`] | envelopes and faults; update documents and fragments; strict reading of cabinets; which certificates a client trusts, why not, and how long one holds; why a server gives no answer | I/O, clock |
//! | 0 | `durable`, `encoding`, [`file_error`], [`error_chain`], `xml`, [`printable`], [`sidecar`] | how a file becomes durable; texts in UTF-8 and UTF-16; errors with a path, and with their causes; writing XML; text that is fit for a terminal; names that are passed over | anything here |
//! | 0 | `bundle-format` (crate) | container, index, segments, trust, limits | anything here |
//!
//! # Who owns which file
//!
//! All in the data folder, whose layout is [`data_dir::DataDir`]:
//!
//! | file | owner | written by |
//! |---|---|---|
//! | `tidegate.json` | [`data_dir`] | `init` |
//! | `catalog.sqlite` | [`catalog`] | sync, publish, seal, import |
//! | `content/ab/abcdef…` | [`content`] | sync, download, publish, import |
//! | `content/partial/` | [`content`] | download: beginnings of payloads, for the next run |
//! | `fleet.sqlite` | [`fleet`] | the server, approvals, groups |
//! | `segments/<sha256>` | [`transfer`] | seal, import |
//! | `snapshots/<n>/` | [`transfer`] | seal, import: the signed head of a snapshot |
//! | `trust/state` | [`transfer`] | `trust add`, import: newest root and rollback counters |
//! | `incoming/` | [`transfer`] | import: what has been read and not yet accepted; else absent |
//! | `parts/<sha256>.<offset>` | [`transfer`] | import: parts of payloads whose other parts are on other volumes |
//! | `damaged/` | [`transfer`] | check: files that are not what their name says |
//! | `keys/` | [`transfer`] | `keys init`; at a site `receipt`: the key that signs receipts |
//! | `receipts/<site>/` | [`transfer`] | `receipt add`: the key of a site, and its receipts |
//! | `journal/<n>.jsonl` | [`journal`] | every operation that changes something |
//! | `packs/` | [`server`] | the server: compressed fragments, derived, may be deleted |

pub mod advice;
#[cfg(feature = "probe")]
pub mod agent;
pub mod approval;
pub mod cabinet;
pub mod catalog;
pub mod certificate;
#[cfg(any(feature = "upstream", feature = "probe"))]
pub mod connection_failure;
pub mod content;
pub mod data_dir;
mod durable;
mod encoding;
pub mod error_chain;
pub mod file_error;
pub mod fleet;
pub mod journal;
pub mod ops;
pub mod printable;
pub mod protocol;
pub mod publish;
pub mod scope;
pub mod server;
pub mod sidecar;
pub mod soap;
mod sqlite;
pub mod transfer;
pub mod update;
#[cfg(feature = "upstream")]
pub mod upstream;
mod xml;
