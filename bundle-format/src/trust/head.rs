//! The head of a volume: which files it holds, in which order, and how large they may be.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{digest::Sha256, limits::BundleLimits};

/// Name of the TUF target that is the snapshot index.
pub const INDEX_TARGET: &str = "index.json.zst";
/// Name of the TUF target that is the policy.
pub const POLICY_TARGET: &str = "policy.json.zst";
/// Name of the delegated role that signs the policy.
pub const POLICY_ROLE: &str = "policy";

/// The head of a volume: file names as on the volume (`metadata/…`, `targets/…`) and their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// By name.
    pub files: BTreeMap<String, Bytes>,
}

/// What a file of the head is. The order is the one on the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// `metadata/N.root.json`
    Root(u64),
    /// `metadata/timestamp.json`
    Timestamp,
    /// `metadata/N.snapshot.json`
    Snapshot(u64),
    /// `metadata/N.targets.json`
    Targets(u64),
    /// `metadata/N.policy.json`
    Policy(u64),
    /// `targets/<sha256>.index.json.zst`
    IndexTarget(Sha256),
    /// `targets/<sha256>.policy.json.zst`
    PolicyTarget(Sha256),
}

impl Part {
    /// What a name in the head means, if it is one that a head may hold.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        if name == "metadata/timestamp.json" {
            return Some(Self::Timestamp);
        }
        let part = if let Some(name) = name.strip_prefix("metadata/") {
            let (version, role) = name.split_once('.')?;
            let version = version.parse().ok().filter(|n| *n > 0)?;
            match role {
                "root.json" => Self::Root(version),
                "snapshot.json" => Self::Snapshot(version),
                "targets.json" => Self::Targets(version),
                "policy.json" => Self::Policy(version),
                _ => return None,
            }
        } else {
            let (digest, target) = name.strip_prefix("targets/")?.split_once('.')?;
            let digest = digest.parse().ok()?;
            match target {
                INDEX_TARGET => Self::IndexTarget(digest),
                POLICY_TARGET => Self::PolicyTarget(digest),
                _ => return None,
            }
        };
        // One way to write each name: no leading zeros or plus, no upper-case digits.
        (part.name() == name).then_some(part)
    }

    /// Its name on the volume.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Root(version) => format!("metadata/{version}.root.json"),
            Self::Timestamp => "metadata/timestamp.json".to_owned(),
            Self::Snapshot(version) => format!("metadata/{version}.snapshot.json"),
            Self::Targets(version) => format!("metadata/{version}.targets.json"),
            Self::Policy(version) => format!("metadata/{version}.{POLICY_ROLE}.json"),
            Self::IndexTarget(digest) => format!("targets/{digest}.{INDEX_TARGET}"),
            Self::PolicyTarget(digest) => format!("targets/{digest}.{POLICY_TARGET}"),
        }
    }

    /// How many bytes it may have.
    pub(crate) fn limit(self, limits: &BundleLimits) -> u64 {
        match self {
            Self::IndexTarget(_) | Self::PolicyTarget(_) => limits.index_bytes,
            _ => limits.metadata_bytes,
        }
    }

    /// Whether `self` may come right after `before` (`None`: first). Roots count from 1 without a
    /// gap; then each other part comes exactly once.
    pub(crate) fn follows(self, before: Option<Self>) -> bool {
        match (before, self) {
            (None, Self::Root(1))
            | (Some(Self::Root(_)), Self::Timestamp)
            | (Some(Self::Timestamp), Self::Snapshot(_))
            | (Some(Self::Snapshot(_)), Self::Targets(_))
            | (Some(Self::Targets(_)), Self::Policy(_))
            | (Some(Self::Policy(_)), Self::IndexTarget(_))
            | (Some(Self::IndexTarget(_)), Self::PolicyTarget(_)) => true,
            (Some(Self::Root(before)), Self::Root(this)) => before.checked_add(1) == Some(this),
            _ => false,
        }
    }
}

impl Head {
    /// Its files in the order of the volume; the error is a plain sentence.
    pub(crate) fn parts(&self, limits: &BundleLimits) -> Result<Vec<(Part, &Bytes)>, String> {
        let mut parts = Vec::with_capacity(self.files.len());
        for (name, bytes) in &self.files {
            let part = Part::from_name(name)
                .ok_or_else(|| format!("the head holds {name:?}, which no head may hold"))?;
            let limit = part.limit(limits);
            if bytes.len() as u64 > limit {
                return Err(format!("{name} has {} bytes; the limit is {limit}", bytes.len()));
            }
            parts.push((part, bytes));
        }
        parts.sort_by_key(|(part, _)| *part);
        let mut before = None;
        for (part, _) in &parts {
            if !part.follows(before) {
                return Err(format!("the head is not whole: {} is out of place", part.name()));
            }
            if matches!(part, Part::Root(version) if *version > limits.roots) {
                return Err(format!("the head holds more than {} roots", limits.roots));
            }
            before = Some(*part);
        }
        match before {
            Some(Part::PolicyTarget(_)) => Ok(parts),
            Some(part) => Err(format!("the head is not whole: it ends with {}", part.name())),
            None => Err("the head is empty".to_owned()),
        }
    }

    /// A file of the head, by what it is.
    pub(crate) fn get(&self, part: Part) -> Option<&Bytes> {
        self.files.get(&part.name())
    }

    /// All root files, in order.
    pub fn roots(&self) -> Vec<Bytes> {
        (1..).map_while(|version| self.get(Part::Root(version)).cloned()).collect()
    }

    /// Bytes of all files together.
    pub fn size(&self) -> u64 {
        self.files.values().map(|bytes| bytes.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        let digest = Sha256::hash(b"x");
        for part in [
            Part::Root(1),
            Part::Root(12),
            Part::Timestamp,
            Part::Snapshot(7),
            Part::Targets(7),
            Part::Policy(2),
            Part::IndexTarget(digest),
            Part::PolicyTarget(digest),
        ] {
            assert_eq!(Part::from_name(&part.name()), Some(part));
        }
        let upper = format!("targets/{}.index.json.zst", digest.to_string().to_uppercase());
        for name in [
            "",
            "metadata",
            "metadata/",
            "metadata/root.json",
            "metadata/01.root.json",
            "metadata/+1.root.json",
            "metadata/0.root.json",
            "metadata/1.timestamp.json",
            "metadata/1.root.json/",
            "metadata/../1.root.json",
            "/metadata/1.root.json",
            "metadata/18446744073709551616.root.json",
            "targets/index.json.zst",
            "VOLUME.json",
            "objects/x",
            upper.as_str(),
        ] {
            assert_eq!(Part::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_head_is_whole_and_in_order() {
        let digest = Sha256::hash(b"x");
        let parts = [
            Part::Root(1),
            Part::Root(2),
            Part::Timestamp,
            Part::Snapshot(10),
            Part::Targets(10),
            Part::Policy(3),
            Part::IndexTarget(digest),
            Part::PolicyTarget(digest),
        ];
        let head = |parts: &[Part]| Head {
            files: parts.iter().map(|part| (part.name(), Bytes::from_static(b"{}"))).collect(),
        };
        let whole = head(&parts);
        let order: Vec<Part> = whole
            .parts(&BundleLimits::default())
            .unwrap()
            .into_iter()
            .map(|(part, _)| part)
            .collect();
        assert_eq!(order, parts);
        assert_eq!(whole.roots().len(), 2);
        for missing in 0..parts.len() {
            let mut fewer = parts.to_vec();
            let part = fewer.remove(missing);
            // Without root 2 the head is whole again: a chain of one.
            let ok = part == Part::Root(2);
            assert_eq!(head(&fewer).parts(&BundleLimits::default()).is_ok(), ok, "{part:?}");
        }
        let mut more = parts.to_vec();
        more.push(Part::Snapshot(11));
        assert!(head(&more).parts(&BundleLimits::default()).is_err());
        assert!(whole.parts(&BundleLimits { roots: 1, ..BundleLimits::default() }).is_err());
        assert!(
            whole.parts(&BundleLimits { metadata_bytes: 1, ..BundleLimits::default() }).is_err()
        );
    }
}
