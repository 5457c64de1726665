//! What an entry of the journal says.

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes that a line may have, with its end.
pub(super) const LINE_BYTES: usize = 64 * 1024;
/// Characters that a sentence in an entry may have.
const SENTENCE: usize = 2000;
/// What stands before the first entry.
pub(super) const NOTHING: Sha256 = Sha256::from_bytes([0; 32]);

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A data folder was made, perhaps from a bundle.
    Init,
    /// Keys were made or replaced.
    Keys,
    /// Updates were taken in from a source.
    Sync,
    /// An update was made of an installer.
    Publish,
    /// Updates were taken out of the mirror, or offered again.
    Withdraw,
    /// A snapshot was sealed.
    Seal,
    /// A snapshot was countersigned.
    Sign,
    /// Volumes were packed for a site.
    Export,
    /// A receipt was made, or one of a site was recorded.
    Receipt,
    /// A root was trusted.
    Trust,
    /// Volumes were taken in or refused.
    Import,
    /// Approvals.
    Approve,
    /// Declines.
    Decline,
    /// Target groups.
    Groups,
    /// Computers were moved or removed.
    Computers,
    /// Downstream servers were removed.
    Servers,
    /// Approval rules.
    Rules,
    /// Decisions on a policy.
    Policy,
    /// What nobody needs was removed.
    Prune,
    /// The journal itself was repaired.
    Journal,
}

impl EntryKind {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Init,
        Self::Keys,
        Self::Sync,
        Self::Publish,
        Self::Withdraw,
        Self::Seal,
        Self::Sign,
        Self::Export,
        Self::Receipt,
        Self::Trust,
        Self::Import,
        Self::Approve,
        Self::Decline,
        Self::Groups,
        Self::Computers,
        Self::Servers,
        Self::Rules,
        Self::Policy,
        Self::Prune,
        Self::Journal,
    ];

    /// As entries call it: mostly the command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Keys => "keys",
            Self::Sync => "sync",
            Self::Publish => "publish",
            Self::Withdraw => "withdraw",
            Self::Seal => "seal",
            Self::Sign => "sign",
            Self::Export => "export",
            Self::Receipt => "receipt",
            Self::Trust => "trust",
            Self::Import => "import",
            Self::Approve => "approve",
            Self::Decline => "decline",
            Self::Groups => "groups",
            Self::Computers => "computers",
            Self::Servers => "servers",
            Self::Rules => "rules",
            Self::Policy => "policy",
            Self::Prune => "prune",
            Self::Journal => "journal",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was done.
    Done,
    /// It was refused: by verification, or because somebody else is not who was expected.
    Refused,
    /// It was begun and failed.
    Failed,
}

/// What is to be entered.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// What was done.
    pub kind: EntryKind,
    /// How it ended.
    pub verdict: Verdict,
    /// What was done to what, for people.
    pub what: String,
    /// Why it was refused or failed.
    pub why: Option<String>,
    /// More of it, for programs.
    pub details: Value,
}

/// One entry, as its line says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JournalEntry {
    /// From 1, without a gap.
    pub number: u64,
    /// When.
    pub time: Timestamp,
    /// SHA-256 of the line before, with its end; 64 zeros in the first entry.
    pub before: Sha256,
    /// The user of the system.
    pub user: String,
    /// Who became this user with sudo, as sudo says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    /// The machine.
    pub host: String,
    /// The name of an [`EntryKind`]; a later version may know more.
    pub kind: String,
    /// What was done to what.
    pub what: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it was refused or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// More of it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

/// The last entry of a journal: whoever knows it can tell later whether anything before it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JournalHead {
    /// Its number; 0 of a journal without entries.
    pub number: u64,
    /// SHA-256 of its line, with its end.
    pub sha256: Sha256,
}

impl JournalHead {
    /// Before the first entry.
    pub const START: Self = Self { number: 0, sha256: NOTHING };
}

impl JournalEntry {
    /// The line, with its end. What is longer than a line may be loses its details.
    pub(super) fn to_line(&self) -> Vec<u8> {
        let line = to_line(self);
        if line.len() <= LINE_BYTES {
            return line;
        }
        let details = serde_json::json!({ "left-out-bytes": line.len() });
        to_line(&Self { details, ..self.clone() })
    }
}

fn to_line(entry: &JournalEntry) -> Vec<u8> {
    let mut line = serde_json::to_vec(entry).unwrap_or_default();
    line.push(b'\n');
    line
}

/// As much of a sentence as an entry may hold.
pub(super) fn shortened(text: String) -> String {
    match text.char_indices().nth(SENTENCE) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
