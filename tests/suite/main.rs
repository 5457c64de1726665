//! One integration binary: linking is what costs.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that runs into one of these fails, as it should; helpers are tests too"
)]
// What only tests of the connected side or of the probe use.
#![cfg_attr(not(all(feature = "probe", feature = "upstream")), allow(dead_code, unused_imports))]

#[cfg(feature = "probe")]
mod agent_flow;
#[cfg(feature = "probe")]
mod agent_judge;
#[cfg(feature = "probe")]
mod agent_replay;
#[cfg(all(feature = "probe", feature = "upstream"))]
mod agent_server;
mod backup;
#[cfg(feature = "upstream")]
mod cabinet;
#[cfg(all(feature = "probe", feature = "upstream"))]
mod can_sync;
mod catalog;
#[cfg(all(feature = "probe", feature = "upstream"))]
mod chain;
#[cfg(feature = "upstream")]
mod channel;
#[cfg(feature = "upstream")]
mod channel_proxies;
#[cfg(all(feature = "probe", feature = "upstream"))]
mod channel_words;
mod check;
mod cli;
#[cfg(all(feature = "probe", feature = "upstream"))]
mod compat;
mod content;
#[cfg(feature = "upstream")]
mod contradiction;
mod countersign;
#[cfg(feature = "upstream")]
mod download;
#[cfg(feature = "upstream")]
mod faults;
mod fleet;
mod fleet_bounds;
mod fleet_counters;
mod fleet_replicated;
mod house;
mod inspect;
#[cfg(feature = "upstream")]
mod journal;
mod kill;
mod layers;
mod medium;
#[cfg(all(feature = "probe", feature = "upstream"))]
mod mutants;
mod needs;
#[cfg(all(feature = "probe", feature = "upstream"))]
mod offers;
#[cfg(feature = "upstream")]
mod ops;
mod parity;
mod parts;
mod people;
mod pipes;
mod policy_hold;
#[cfg(unix)]
mod privacy;
mod prune;
mod publish;
mod rebuild;
#[cfg(feature = "upstream")]
mod receipt;
mod refusals;
mod relay;
mod repack;
#[cfg(feature = "upstream")]
mod replica;
mod reports;
#[cfg(feature = "upstream")]
mod reproducible;
mod rules;
mod serve;
mod snapshots;
#[cfg(feature = "upstream")]
mod source_kind;
mod support;
#[cfg(feature = "upstream")]
mod sync;
#[cfg(feature = "upstream")]
mod transcript;
mod transfer;
mod update_captured;
mod update_generator;
#[cfg(feature = "upstream")]
mod update_packages;
mod update_properties;
mod update_refusals;
mod update_samples;
#[cfg(feature = "upstream")]
mod upstream_changes;
#[cfg(feature = "upstream")]
mod upstream_depth;
#[cfg(feature = "upstream")]
mod upstream_endless;
#[cfg(feature = "upstream")]
mod upstream_faults;
#[cfg(feature = "upstream")]
mod upstream_hostile;
#[cfg(feature = "upstream")]
mod upstream_kill;
#[cfg(feature = "upstream")]
mod upstream_lists;
#[cfg(feature = "upstream")]
mod upstream_lost;
#[cfg(feature = "upstream")]
mod upstream_partial;
#[cfg(feature = "upstream")]
mod upstream_replay;
mod view;
mod watch;
#[cfg(feature = "upstream")]
mod withdraw;
#[cfg(feature = "upstream")]
mod words;
