//! Faults of the program that are known and not mended yet. An entry forgives exactly what it names, and
//! fails the test of a command that does not need it any more.

use super::{
    judge::{Finding, Rule},
    preload::{Call, Mode},
};

/// One of them.
#[derive(Debug)]
pub(super) struct Known {
    /// The commands that have it, as their cases are called.
    pub(super) cases: &'static [&'static str],
    pub(super) modes: &'static [Mode],
    /// A part of the call that fails, as `fsync data/keys`; its end, when a `$` follows.
    pub(super) call: &'static str,
    pub(super) rule: Rule,
    /// A part of what was found.
    pub(super) what: &'static str,
    /// What is wrong, and what would be right.
    #[expect(dead_code, reason = "shown by Debug when it is mended")]
    pub(super) why: &'static str,
}

impl Known {
    /// Whether it is about this call.
    pub(super) fn is_at(&self, mode: Mode, call: &Call) -> bool {
        let shown = call.to_string();
        let here = match self.call.strip_suffix('$') {
            Some(end) => shown.ends_with(end),
            None => shown.contains(self.call),
        };
        self.modes.contains(&mode) && here
    }

    /// Whether this is what was found.
    pub(super) fn forgives(&self, finding: &Finding) -> bool {
        self.is_at(finding.mode, &finding.call)
            && self.rule == finding.rule
            && finding.what.contains(self.what)
    }
}

pub(super) const KNOWN: &[Known] = &[];
