//! Faults of the program that are known and not mended yet. An entry forgives exactly what it names, and
//! fails the test when it is needed no more.

use super::{
    judge::{Finding, Rule},
    preload::{Call, Mode},
};

/// One of them.
#[derive(Debug)]
pub(super) struct Known {
    /// The command, as its case is called.
    pub(super) case: &'static str,
    pub(super) mode: Mode,
    /// A part of the call that fails, as `fsync data/keys`.
    pub(super) call: &'static str,
    pub(super) rule: Rule,
    /// A part of what was found.
    pub(super) what: &'static str,
    /// Which fault this is.
    #[expect(dead_code, reason = "for the reader, and for the message")]
    pub(super) why: &'static str,
}

impl Known {
    /// Whether it is about this call.
    pub(super) fn is_at(&self, mode: Mode, call: &Call) -> bool {
        self.mode == mode && call.to_string().contains(self.call)
    }

    /// Whether this is what was found.
    pub(super) fn forgives(&self, finding: &Finding) -> bool {
        self.is_at(finding.mode, &finding.call)
            && self.rule == finding.rule
            && finding.what.contains(self.what)
    }
}

pub(super) const KNOWN: &[Known] = &[];
