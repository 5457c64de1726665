//! The policy: what the connected side decided and the isolated side may follow.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    index::{self, DocumentError, FORMAT_VERSION},
    limits::BundleLimits,
};

/// Approvals and declines that travel, signed under the `policy` role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// See [`crate::index::FORMAT_VERSION`].
    pub format_version: u32,
    /// Names of features that a reader must know; an unknown one is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<String>,
    /// Names of target groups that approvals refer to.
    pub groups: Vec<String>,
    /// Sorted by update, then group.
    pub approvals: Vec<PolicyApproval>,
    /// Declined updates, sorted.
    pub declined: Vec<Uuid>,
    /// Ids of licences that were accepted on behalf of the computers, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_eulas: Vec<String>,
    /// Approvals that were taken back on purpose, sorted. Where this is given, an approval of an
    /// earlier policy that is neither here nor among the approvals has only got lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<Vec<PolicyWithdrawal>>,
    /// The rules by which approvals are made, for people; nothing follows from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<PolicyRule>,
}

/// An approval that was taken back on purpose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyWithdrawal {
    /// The update.
    pub update: Uuid,
    /// Name of the target group.
    pub group: String,
}

/// A rule by which approvals are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyRule {
    /// Its name, by which approvals refer to it.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyApproval {
    /// The update.
    pub update: Uuid,
    /// Name of the target group.
    pub group: String,
    /// `install`, `optional-install`, `uninstall`, `detect` or `block`.
    pub action: String,
    /// When it has to be installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Name of the rule that made it, if none of the people did; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl Default for Policy {
    /// A policy that decides nothing.
    fn default() -> Self {
        Self {
            format_version: FORMAT_VERSION,
            critical: Vec::new(),
            groups: Vec::new(),
            approvals: Vec::new(),
            declined: Vec::new(),
            accepted_eulas: Vec::new(),
            taken_back: None,
            rules: Vec::new(),
        }
    }
}

impl Policy {
    /// The policy as its TUF target: JSON, compressed. The same policy gives the same bytes.
    ///
    /// # Errors
    /// When it is larger than readers take.
    pub fn to_zst(&self) -> Result<Vec<u8>, DocumentError> {
        let limits = BundleLimits::default();
        self.validate(&limits)?;
        index::to_zst("policy", self, &limits)
    }

    /// Reads the TUF target. Its signature and digest must have been verified before.
    ///
    /// # Errors
    /// When version, critical features, limits or shape are not ours.
    pub fn from_zst(bytes: &[u8], limits: &BundleLimits) -> Result<Self, DocumentError> {
        let policy: Self = index::from_zst("policy", bytes, limits)?;
        policy.validate(limits)?;
        Ok(policy)
    }

    /// Holds the bounds on its lists.
    fn validate(&self, limits: &BundleLimits) -> Result<(), DocumentError> {
        let taken_back = self.taken_back.as_ref().map_or(0, Vec::len);
        let lists = [
            ("groups", self.groups.len(), limits.policy_groups),
            ("approvals", self.approvals.len(), limits.policy_entries),
            ("declined updates", self.declined.len(), limits.policy_entries),
            ("accepted licences", self.accepted_eulas.len(), limits.policy_entries),
            ("approvals that were taken back", taken_back, limits.policy_entries),
            ("rules", self.rules.len(), limits.policy_entries),
        ];
        for (what, found, most) in lists {
            if found as u64 > most {
                let what = format!("it has {found} {what}; the limit is {most}");
                return Err(DocumentError::Malformed { document: "policy", what });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let policy = Policy {
            groups: vec!["Servers".to_owned()],
            approvals: vec![PolicyApproval {
                update: Uuid::from_u128(1),
                group: "Servers".to_owned(),
                action: "install".to_owned(),
                deadline: Some("2026-03-01T00:00:00Z".parse().unwrap()),
                rule: Some("monthly".to_owned()),
            }],
            taken_back: Some(vec![PolicyWithdrawal {
                update: Uuid::from_u128(3),
                group: "Servers".to_owned(),
            }]),
            rules: vec![PolicyRule {
                name: "monthly".to_owned(),
                text: "title \"*\": install for Servers".to_owned(),
            }],
            declined: vec![Uuid::from_u128(2)],
            accepted_eulas: vec!["licence-1".to_owned()],
            ..Policy::default()
        };
        let bytes = policy.to_zst().unwrap();
        assert_eq!(Policy::from_zst(&bytes, &BundleLimits::default()).unwrap(), policy);
    }

    /// What an exporter of the first days wrote reads, and a policy without rules is written so.
    #[test]
    fn rules_and_what_was_taken_back_are_optional() {
        let first = r#"{"format-version":1,"groups":["g"],"approvals":[{"update":"00000000-0000-0000-0000-000000000001","group":"g","action":"install"}],"declined":[]}"#;
        let read: Policy = serde_json::from_str(first).unwrap();
        assert_eq!((read.taken_back.as_ref(), read.rules.len()), (None, 0));
        assert_eq!(serde_json::to_string(&read).unwrap(), first);
    }

    /// Readers that take the first or the last of two would follow different policies.
    #[test]
    fn a_field_that_stands_twice_is_refused() {
        let twice =
            r#"{"format-version":1,"groups":[],"approvals":[],"declined":[],"groups":["g"]}"#;
        let packed = crate::packed::pack(twice.as_bytes()).unwrap();
        let error = Policy::from_zst(&packed, &BundleLimits::default()).unwrap_err();
        assert!(error.to_string().contains("a field stands twice"), "{error}");
    }

    /// By what a writer makes, and by what a reader takes.
    #[test]
    fn lists_are_bounded() {
        let limits = BundleLimits::default();
        let groups = |n: u64| Policy {
            groups: (0..n).map(|n| format!("Group {n}")).collect(),
            ..Policy::default()
        };
        let most = groups(limits.policy_groups);
        assert_eq!(Policy::from_zst(&most.to_zst().unwrap(), &limits).unwrap(), most);
        let error = groups(limits.policy_groups + 1).to_zst().unwrap_err();
        assert!(error.to_string().contains("5001 groups; the limit is 5000"), "{error}");
        let declined = Policy {
            declined: (0..=limits.policy_entries).map(|n| Uuid::from_u128(n.into())).collect(),
            ..Policy::default()
        };
        let error = declined.to_zst().unwrap_err();
        assert!(error.to_string().contains("250001 declined updates"), "{error}");
        let stricter = BundleLimits { policy_groups: 10, ..limits };
        let error = Policy::from_zst(&groups(11).to_zst().unwrap(), &stricter).unwrap_err();
        assert!(error.to_string().contains("11 groups; the limit is 10"), "{error}");
    }

    #[test]
    fn a_newer_policy_is_named_as_such() {
        let policy = Policy { format_version: 9, ..Policy::default() };
        let error =
            Policy::from_zst(&policy.to_zst().unwrap(), &BundleLimits::default()).unwrap_err();
        assert!(matches!(error, DocumentError::Unsupported { .. }), "{error}");
    }
}
