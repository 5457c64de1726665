//! Each call of the file system that a command makes fails, meets a full disk, or is the last one before
//! SIGKILL: afterwards the state is the old or the new one, exit code and message are true, the same
//! command again succeeds, and nothing is left over.
//!
//! Every k-th call is tried; with `TIDEGATE_FAULTS=all` (`tests/faults/run-all`) each one.

#![cfg(unix)]

mod cases;
mod judge;
mod known;
mod look;
mod plain_disk;
pub(crate) mod preload;
mod read_only;

use std::collections::BTreeMap;

use self::{
    cases::Case,
    judge::{Finding, Trial},
    known::{KNOWN, Known},
    preload::{Call, Mode, library},
};

/// Tries of a command in each mode when not each call is tried.
const TRIES: usize = 12;

fn every_call() -> bool {
    std::env::var("TIDEGATE_FAULTS").is_ok_and(|how| how == "all")
}

/// The calls that are tried: some, evenly spread, and three for each fault that is known.
fn chosen(calls: &[Call], mode: Mode, known: &[&Known]) -> Vec<usize> {
    let fit: Vec<&Call> = calls.iter().filter(|call| mode.fits(call)).collect();
    let step = if every_call() { 1 } else { fit.len().div_ceil(TRIES).max(1) };
    let mut chosen: Vec<usize> =
        fit.iter().skip(step / 2).step_by(step).map(|c| c.number).collect();
    for known in known {
        let at: Vec<&&Call> = fit.iter().filter(|call| known.is_at(mode, call)).collect();
        let places = [0, at.len() / 2, at.len() * 3 / 4];
        chosen.extend(places.iter().filter_map(|place| at.get(*place)).map(|call| call.number));
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

fn try_all(make: fn() -> Case) {
    let Some(library) = library() else { return };
    let trial = Trial::new(library, make());
    let name = trial.case.name;
    let known: Vec<&Known> = KNOWN.iter().filter(|known| known.cases.contains(&name)).collect();
    let mut found: Vec<Finding> = Vec::new();
    let mut tries = 0;
    for mode in Mode::ALL {
        for number in chosen(&trial.calls, mode, &known) {
            tries += 1;
            found.extend(trial.attempt(mode, number));
        }
    }
    println!("{name}: {} calls, {tries} tries", trial.calls.len());
    // A sample may miss the very call: only when every call is tried it shows that a fault is gone.
    let is_needless = |known: &&&Known| every_call() && !found.iter().any(|f| known.forgives(f));
    let needless: Vec<_> = known.iter().filter(is_needless).collect();
    found.retain(|finding| !known.iter().any(|known| known.forgives(finding)));
    assert!(found.is_empty(), "`{name}` with faults, new findings:{}", grouped(&found));
    assert!(needless.is_empty(), "mended, take it off the list: {needless:?}");
}

/// The same finding at many calls stands once.
fn grouped(found: &[Finding]) -> String {
    let mut groups: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for Finding { rule, mode, call, what } in found {
        let group = (format!("{rule:?} at {call}"), what.clone());
        groups.entry(group).or_default().push(format!("{} {}", mode.name(), call.number));
    }
    let line = |((at, what), calls): (&(String, String), &Vec<String>)| {
        format!("\n  {at} [{}]: {what}", calls.join(", "))
    };
    groups.iter().map(line).collect()
}

#[test]
fn init() {
    try_all(cases::init);
}

#[test]
fn keys_init() {
    try_all(cases::keys_init);
}

#[test]
fn trust_add() {
    try_all(cases::trust_add);
}

#[test]
fn sync() {
    try_all(cases::sync);
}

#[test]
fn publish() {
    try_all(cases::publish);
}

#[test]
fn approve() {
    try_all(cases::approve);
}

#[test]
fn groups_add() {
    try_all(cases::groups_add);
}

#[test]
fn backup() {
    try_all(cases::backup);
}

#[test]
fn restore() {
    try_all(cases::restore);
}

#[test]
fn seal() {
    try_all(cases::seal);
}

#[test]
fn export() {
    try_all(cases::export);
}

#[test]
fn import() {
    try_all(cases::import);
}

#[test]
fn import_delta() {
    try_all(cases::import_delta);
}

#[test]
fn receipt() {
    try_all(cases::receipt);
}

#[test]
fn receipt_add() {
    try_all(cases::receipt_add);
}

#[test]
fn prune() {
    try_all(cases::prune);
}
