//! Transcript: every check that a verification made, with what went into it and how it ended, so that
//! somebody else can make each of them again.

use std::path::{Path, PathBuf};

use bundle_format::{
    container::{ObjectEntry, VolumeNote},
    digest::Sha256,
    segment::PayloadRecord,
    trust::{Fingerprint, Head, TrustState, VerifiedHead},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{read::Member, verify_report::VerifyReport};
use crate::{
    error_chain::chain,
    transfer::error::{Blame, TransferError},
};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckVerdict {
    /// It holds.
    Passed,
    /// It holds, and something about it deserves attention.
    Warned,
    /// It could not be made with what is here.
    NotChecked,
    /// It does not hold; nothing behind it was checked.
    Refused,
    /// It could not be made, because a disk or this machine failed.
    Failed,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckRecord {
    /// The volume that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<PathBuf>,
    /// Which check.
    pub check: &'static str,
    /// What went into it.
    pub inputs: Value,
    /// How it ended.
    pub verdict: CheckVerdict,
    /// Why, if it did not simply pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The checks of a verification, in the order in which they were made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Transcript {
    format_version: u32,
    program: &'static str,
    /// When it was begun, by the clock that dates were compared with.
    created: Timestamp,
    refuse_expired: bool,
    /// The checks.
    pub checks: Vec<CheckRecord>,
    /// How all of it ended.
    pub verdict: CheckVerdict,
    #[serde(skip)]
    volume: Option<PathBuf>,
    /// The object that is being read.
    #[serde(skip)]
    reading: Value,
    #[serde(skip)]
    is_kept: bool,
}

impl Transcript {
    /// One that is kept, of checks against this clock.
    pub fn new(now: Timestamp, refuse_expired: bool) -> Self {
        Self {
            format_version: 1,
            program: concat!("tidegate ", env!("CARGO_PKG_VERSION")),
            created: now,
            refuse_expired,
            checks: Vec::new(),
            verdict: CheckVerdict::NotChecked,
            volume: None,
            reading: Value::Null,
            is_kept: true,
        }
    }

    /// One that nobody reads.
    pub(super) fn none() -> Self {
        Self { is_kept: false, ..Self::new(Timestamp::UNIX_EPOCH, false) }
    }

    fn add(&mut self, check: &'static str, verdict: CheckVerdict, inputs: impl FnOnce() -> Value) {
        if self.is_kept {
            let (volume, inputs) = (self.volume.clone(), inputs());
            self.checks.push(CheckRecord { volume, check, inputs, verdict, why: None });
        }
    }

    fn add_because(
        &mut self,
        check: &'static str,
        verdict: CheckVerdict,
        why: &str,
        inputs: Value,
    ) {
        self.add(check, verdict, || inputs);
        if let Some(added) = self.checks.last_mut().filter(|_| self.is_kept) {
            added.why = Some(why.to_owned());
        }
    }

    /// What everything is checked against.
    pub(super) fn trusted(&mut self, state: &TrustState, site: Option<&str>) {
        self.add("trusted-root", CheckVerdict::Passed, || {
            json!({
                "root": metadata("root", state.root()),
                "fingerprint": Fingerprint::from_root(state.root()).ok().map(|f| f.words()),
                "accepted-snapshot": state.snapshot(),
                "mirror-id": state.mirror(),
                "site": site,
            })
        });
    }

    /// The beginning of a volume was read.
    pub(super) fn head(&mut self, path: &Path, note: &VolumeNote, head: &Head) {
        self.add("container", CheckVerdict::Passed, || {
            json!({
                "size": std::fs::metadata(path).map(|file| file.len()).ok(),
                "format-version": note.format_version,
                "set": note.set,
                "volume": note.volume,
                "of": note.of,
                "objects": note.objects.len(),
            })
        });
        for (name, bytes) in &head.files {
            self.add("metadata", CheckVerdict::Passed, || metadata(name, bytes));
        }
    }

    /// The signatures hold, and so does what they say.
    pub(super) fn signed(&mut self, head: &Head, verified: &VerifiedHead) {
        let VerifiedHead { index, freshness, .. } = verified;
        for (role, signers) in &verified.signers {
            self.add("signatures", CheckVerdict::Passed, || {
                let (keys, threshold) = keys_of(role, head);
                json!({ "role": role, "keys": keys, "threshold": threshold, "valid": signers })
            });
        }
        self.add(
            "rollback",
            CheckVerdict::Passed,
            || json!({ "snapshot": index.snapshot, "freshness": freshness }),
        );
        self.add("site", CheckVerdict::Passed, || json!({ "sites": index.sites }));
        self.add("index", CheckVerdict::Passed, || {
            json!({
                "sha256": verified.index_digest,
                "format-version": index.format_version,
                "critical": index.critical,
                "mirror-id": index.mirror_id,
                "snapshot": index.snapshot,
                "created": index.created,
                "segments": index.segments.iter().map(|s| (s.sha256, s.size)).collect::<Vec<_>>(),
            })
        });
        for warning in &verified.warnings {
            self.add_because("dates", CheckVerdict::Warned, warning, Value::Null);
        }
        if verified.warnings.is_empty() {
            self.add("dates", CheckVerdict::Passed, || json!({ "created": index.created }));
        }
    }

    /// An object is read now.
    pub(super) fn begin_object(&mut self, member: &Member<'_>) {
        if self.is_kept {
            self.reading = match member {
                Member::Segment(segment) => json!(segment),
                Member::Payload(entry, Some(record)) => payload(entry, record),
                Member::Payload(entry, None) => json!(entry),
            };
        }
    }

    /// It was read whole.
    pub(super) fn object(&mut self, member: &Member<'_>) {
        let inputs = self.reading.take();
        match member {
            Member::Segment(_) => self.add("segment", CheckVerdict::Passed, || inputs),
            Member::Payload(_, Some(_)) => self.add("payload", CheckVerdict::Passed, || inputs),
            Member::Payload(_, None) => {
                let why = "the list that may name it is on another volume: its own digest holds, whether the snapshot names it is open";
                self.add_because("payload", CheckVerdict::NotChecked, why, inputs);
            }
        }
    }

    /// The last byte of a volume was read.
    pub(super) fn end_of_volume(&mut self, note: &VolumeNote, checksums: Option<Sha256>) {
        self.add(
            "end",
            CheckVerdict::Passed,
            || json!({ "objects": note.objects.len(), "sha256sums": checksums }),
        );
        self.volume = None;
    }

    /// A volume is refused, or cannot be read; the others are checked all the same.
    pub(super) fn refused(&mut self, error: &TransferError) -> CheckVerdict {
        let verdict = match error.blame() {
            Blame::Refused => CheckVerdict::Refused,
            Blame::Machine => CheckVerdict::Failed,
        };
        let reading = self.reading.take();
        self.add_because("refusal", verdict, &chain(error), reading);
        self.volume = None;
        verdict
    }

    /// How all of it ended.
    pub(super) fn finish(&mut self, report: Result<&VerifyReport, &TransferError>) {
        self.verdict = match report {
            Ok(report) if report.refused.iter().any(|volume| volume.refused) => {
                CheckVerdict::Refused
            }
            Ok(report) if !report.refused.is_empty() => CheckVerdict::Failed,
            Ok(report) if report.is_complete() => CheckVerdict::Passed,
            Ok(_) => CheckVerdict::NotChecked,
            Err(error) => self.refused(error),
        };
    }

    /// The volume that is read from now on.
    pub(super) fn begin_volume(&mut self, path: &Path) {
        self.volume = Some(path.to_owned());
    }
}

fn payload(entry: &ObjectEntry, record: &PayloadRecord) -> Value {
    json!({
        "sha256": entry.sha256,
        "offset": entry.offset,
        "size": entry.size,
        "whole-size": record.size,
        "sha1": record.sha1,
        "chunks": record.chunks.len(),
    })
}

/// A file of the head: its digest, and what it says of itself.
fn metadata(name: &str, bytes: &[u8]) -> Value {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let signatures = document.get("signatures").and_then(Value::as_array);
    let signed_by: Vec<Option<&Value>> =
        signatures.into_iter().flatten().map(|one| one.get("keyid")).collect();
    json!({
        "name": name,
        "size": bytes.len(),
        "sha256": Sha256::hash(bytes),
        "version": document.pointer("/signed/version"),
        "expires": document.pointer("/signed/expires"),
        "signed-by": signed_by,
    })
}

/// Which keys may sign for a role, and how many must: as the newest root says, or for the policy the
/// targets.
fn keys_of(role: &str, head: &Head) -> (Value, Value) {
    let newest_root = head.roots().last().cloned().unwrap_or_default();
    let root: Value = serde_json::from_slice(&newest_root).unwrap_or_default();
    let of_root = root.pointer(&format!("/signed/roles/{role}"));
    let targets = head.files.iter().find(|(name, _)| name.ends_with(".targets.json"));
    let targets: Value =
        targets.and_then(|(_, bytes)| serde_json::from_slice(bytes).ok()).unwrap_or_default();
    let delegated = targets.pointer("/signed/delegations/roles").and_then(Value::as_array);
    let delegated = delegated
        .and_then(|roles| roles.iter().find(|one| one.get("name").is_some_and(|n| n == role)));
    let found = of_root.or(delegated);
    let part = |name| found.and_then(|found| found.get(name)).cloned().unwrap_or_default();
    (part("keyids"), part("threshold"))
}
