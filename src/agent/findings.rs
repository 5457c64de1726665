//! What a real agent would stumble over: findings, collected and bounded.

use std::collections::HashMap;

use serde::Serialize;

use super::{rulebook::Rule, severity::Severity};

/// How many findings of one rule in one operation are kept one by one; the rest are counted.
const KEPT: u64 = 5;

/// One thing in an answer that is not as an agent expects it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Operation whose answer it is in, or `Content`.
    pub operation: &'static str,
    /// Name of the rule that is broken; stable, for scripts.
    pub rule: &'static str,
    /// What was found, where.
    pub what: String,
    /// Why it matters.
    pub why: &'static str,
    /// Where the rule is written, or how it is known.
    pub section: &'static str,
    /// How many times the same rule was broken beyond what is listed (on the last one listed only).
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(
            f,
            "{severity}: {}: {} ({}; {})",
            self.operation, self.what, self.why, self.section
        )?;
        if self.more > 0 {
            write!(f, ", and {} more", self.more)?;
        }
        Ok(())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_zero(more: &u64) -> bool {
    *more == 0
}

/// The findings of a run.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    /// Per rule and operation: how many, and where the last one kept is.
    seen: HashMap<(&'static str, &'static str), (u64, usize)>,
    /// How many of `list` have been handed out by [`Self::fresh`].
    shown: usize,
}

impl Findings {
    /// Records that `rule` is broken in the answer to `operation`.
    pub(crate) fn add(&mut self, rule: &Rule, operation: &'static str, what: impl Into<String>) {
        let (count, last) = self.seen.entry((rule.id, operation)).or_insert((0, self.list.len()));
        *count += 1;
        if *count > KEPT {
            if let Some(finding) = self.list.get_mut(*last) {
                finding.more += 1;
            }
            return;
        }
        *last = self.list.len();
        self.list.push(Finding {
            severity: rule.severity,
            operation,
            rule: rule.id,
            what: what.into(),
            why: rule.why,
            section: rule.section,
            more: 0,
        });
    }

    /// Findings since the last call.
    pub(crate) fn fresh(&mut self) -> &[Finding] {
        let from = std::mem::replace(&mut self.shown, self.list.len());
        self.list.get(from..).unwrap_or_default()
    }

    /// All of them, in the order found.
    pub(crate) fn list(&self) -> &[Finding] {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use crate::agent::{findings::*, rulebook};

    #[test]
    fn many_of_one_kind_are_counted() {
        let mut findings = Findings::default();
        for n in 0..20 {
            findings.add(&rulebook::DEPLOYMENT_MISSING, "SyncUpdates", format!("revision {n}"));
            findings.add(&rulebook::ID_NOT_INT32, "SyncUpdates", "x");
        }
        assert_eq!(findings.fresh().len(), 10);
        assert_eq!(findings.fresh().len(), 0);
        let last = findings.list().iter().rfind(|f| f.rule == "deployment-missing").unwrap();
        assert_eq!((last.what.as_str(), last.more), ("revision 4", 15));
    }
}
