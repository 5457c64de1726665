//! What goes wrong during a download, bounded.

use super::{outcome::RejectedContent, report::DownloadReport};
use crate::upstream::report::Problem;

/// So many problems are listed; of more only the number.
const LISTED: usize = 1000;

/// Problems, as far as they are listed.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    pub(super) rejected: Vec<RejectedContent>,
    pub(super) not_told: u64,
}

impl Problems {
    pub(super) fn add(&mut self, at: &str, what: &str) {
        let problem = Problem { at: at.to_owned(), what: what.to_owned() };
        push_bounded(&mut self.problems, problem, &mut self.not_told);
    }

    pub(super) fn warn(&mut self, at: &str, what: &str) {
        let problem = Problem { at: at.to_owned(), what: what.to_owned() };
        push_bounded(&mut self.warnings, problem, &mut self.not_told);
    }

    pub(super) fn reject(&mut self, rejected: RejectedContent) {
        push_bounded(&mut self.rejected, rejected, &mut self.not_told);
    }

    pub(super) fn into_report(self, report: &mut DownloadReport) {
        report.problems = self.problems;
        report.warnings = self.warnings;
        report.rejected = self.rejected;
        report.not_told = self.not_told;
    }
}

fn push_bounded<T>(list: &mut Vec<T>, one: T, not_told: &mut u64) {
    if list.len() < LISTED {
        list.push(one);
    } else {
        *not_told += 1;
    }
}
