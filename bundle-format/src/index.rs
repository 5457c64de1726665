//! The snapshot index: what a mirror is, as a list of segments. The TUF target of every bundle.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{digest::Sha256, limits::BundleLimits, packed};

/// The format version that this code writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// The largest snapshot number: JSON readers of all kinds hold it exactly, and so does a database.
pub const MAX_SNAPSHOT: u64 = (1 << 53) - 1;

/// Critical feature: there are segments of [`SegmentKind::DecryptionKeys`]. Without the keys agents
/// would download what they cannot open.
pub const DECRYPTION_KEYS: &str = "decryption-keys";
/// Critical feature: there are segments of [`SegmentKind::DriverSets`].
pub const DRIVER_SETS: &str = "driver-sets";

/// Critical features that this code knows.
const KNOWN_CRITICAL: [&str; 2] = [DECRYPTION_KEYS, DRIVER_SETS];

/// The signed statement of what a mirror is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Index {
    /// See [`FORMAT_VERSION`]; an unknown one is refused.
    pub format_version: u32,
    /// Names of features that a reader must know; an unknown one is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<String>,
    /// The mirror, the numbering authority of its revision IDs.
    pub mirror_id: Uuid,
    /// Number of the snapshot, which is also the version of its TUF metadata.
    pub snapshot: u64,
    /// When it was sealed; given, so that sealing is reproducible.
    pub created: Timestamp,
    /// Ids of the isolated networks that may import it; none while no site has been named.
    pub sites: Vec<String>,
    /// In order; a later record wins over an earlier one of the same key.
    pub segments: Vec<SegmentRef>,
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// Revisions and withdrawals.
    Catalogue,
    /// Payload tables.
    Payloads,
    /// Keys of encrypted files; critical.
    DecryptionKeys,
    /// Driver sets; critical.
    DriverSets,
}

impl SegmentKind {
    /// All kinds, in the order in which a mirror lists them.
    pub const ALL: [Self; 4] =
        [Self::Catalogue, Self::Payloads, Self::DecryptionKeys, Self::DriverSets];

    /// Its name, as the index writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Payloads => "payloads",
            Self::DecryptionKeys => DECRYPTION_KEYS,
            Self::DriverSets => DRIVER_SETS,
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The feature that an index with segments of this kind names in `critical`.
    pub fn critical(self) -> Option<&'static str> {
        match self {
            Self::Catalogue | Self::Payloads => None,
            Self::DecryptionKeys | Self::DriverSets => Some(self.name()),
        }
    }
}

/// What an index of these segments has to name in `critical`, sorted.
pub fn critical_of(segments: &[SegmentRef]) -> Vec<String> {
    let names: BTreeSet<_> = segments.iter().filter_map(|s| s.kind.critical()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// A segment as the index names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SegmentRef {
    /// What it holds.
    pub kind: SegmentKind,
    /// Of the compressed bytes: the object's name.
    pub sha256: Sha256,
    /// Compressed, in bytes.
    pub size: u64,
    /// Unpacked, in bytes.
    pub unpacked_size: u64,
    /// Number of records.
    pub records: u64,
}

/// Why a signed document (index or policy) is refused although its signature holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// A newer format: nothing is wrong with it, this program is too old.
    #[error("the {document} {what}; update Tidegate on this side first")]
    Unsupported {
        /// Which document.
        document: &'static str,
        /// What it needs.
        what: String,
    },
    /// It breaks the format or a limit.
    #[error("the {document} is refused: {what}")]
    Malformed {
        /// Which document.
        document: &'static str,
        /// What is wrong.
        what: String,
    },
}

impl Index {
    /// The index as the TUF target: JSON, compressed. The same index gives the same bytes.
    ///
    /// # Errors
    /// When it breaks a rule that [`Index::from_zst`] would refuse it for.
    pub fn to_zst(&self) -> Result<Vec<u8>, DocumentError> {
        let limits = BundleLimits::default();
        self.validate(&limits)?;
        to_zst("snapshot index", self, &limits)
    }

    /// Reads the TUF target. Its signature and digest must have been verified before.
    ///
    /// # Errors
    /// When version, critical features, limits or shape are not ours.
    pub fn from_zst(bytes: &[u8], limits: &BundleLimits) -> Result<Self, DocumentError> {
        let index: Self = from_zst("snapshot index", bytes, limits)?;
        index.validate(limits)?;
        Ok(index)
    }

    fn validate(&self, limits: &BundleLimits) -> Result<(), DocumentError> {
        let malformed =
            |what: String| Err(DocumentError::Malformed { document: "snapshot index", what });
        if !(1..=MAX_SNAPSHOT).contains(&self.snapshot) {
            return malformed(format!("snapshot number {} is out of range", self.snapshot));
        }
        if let Some(site) = self.sites.iter().find(|site| !is_site(site)) {
            return malformed(format!("{site:?} cannot be the id of a site"));
        }
        if self.sites.iter().collect::<BTreeSet<_>>().len() != self.sites.len() {
            return malformed("it names a site twice".to_owned());
        }
        let mut seen = BTreeSet::new();
        for segment in &self.segments {
            if let Some(feature) = segment.kind.critical()
                && !self.critical.iter().any(|name| name == feature)
            {
                return malformed(format!(
                    "it has a segment of {feature} without naming that as critical"
                ));
            }
            if !seen.insert(segment.sha256) {
                return malformed(format!("it names the segment {} twice", segment.sha256));
            }
            if segment.size > limits.segment_bytes
                || segment.unpacked_size > limits.segment_unpacked_bytes
            {
                return malformed(format!(
                    "segment {} has {} bytes, {} unpacked; the limits are {} and {}",
                    segment.sha256,
                    segment.size,
                    segment.unpacked_size,
                    limits.segment_bytes,
                    limits.segment_unpacked_bytes
                ));
            }
        }
        Ok(())
    }
}

/// Whether a text can name a site: 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.`, beginning with a letter
/// or digit. ASCII, because the text is signed by TUF.
pub fn is_site(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// Serializes and compresses a signed document; refuses what no reader would take.
pub(crate) fn to_zst<T: Serialize>(
    document: &'static str,
    value: &T,
    limits: &BundleLimits,
) -> Result<Vec<u8>, DocumentError> {
    let malformed = |what: String| DocumentError::Malformed { document, what };
    let fits = |bytes: usize, limit: u64, how: &str| {
        if bytes as u64 <= limit {
            return Ok(());
        }
        Err(malformed(format!("it has {bytes} bytes {how}; readers take at most {limit}")))
    };
    let json = serde_json::to_vec(value).map_err(|e| malformed(format!("no JSON: {e}")))?;
    fits(json.len(), limits.index_unpacked_bytes, "unpacked")?;
    let packed =
        packed::pack(&json).map_err(|e| malformed(format!("it cannot be compressed: {e}")))?;
    fits(packed.len(), limits.index_bytes, "compressed")?;
    Ok(packed)
}

/// Unpacks and parses a signed document; version and critical features come before all else, so
/// that a newer format is named as such and not as damage.
pub(crate) fn from_zst<T: DeserializeOwned>(
    document: &'static str,
    bytes: &[u8],
    limits: &BundleLimits,
) -> Result<T, DocumentError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Preamble {
        format_version: u32,
        #[serde(default)]
        critical: Vec<String>,
    }

    let malformed = |what: String| DocumentError::Malformed { document, what };
    if bytes.len() as u64 > limits.index_bytes {
        let (has, most) = (bytes.len(), limits.index_bytes);
        return Err(malformed(format!("it has {has} bytes; the limit is {most}")));
    }
    let json = packed::unpack(bytes, limits.index_unpacked_bytes).map_err(malformed)?;
    let parse = |e: serde_json::Error| match e.to_string().contains("duplicate field") {
        true => malformed("a field stands twice".to_owned()),
        false => malformed(format!("its JSON is not as it must be, at byte {}", e.column())),
    };
    let preamble: Preamble = serde_json::from_slice(&json).map_err(parse)?;
    check_version(document, preamble.format_version)?;
    if let Some(feature) =
        preamble.critical.iter().find(|feature| !KNOWN_CRITICAL.contains(&feature.as_str()))
    {
        let what = format!("needs the feature {feature:?}, which this version does not know");
        return Err(DocumentError::Unsupported { document, what });
    }
    serde_json::from_slice(&json).map_err(parse)
}

/// Refuses every format version but ours.
pub(crate) fn check_version(document: &'static str, version: u32) -> Result<(), DocumentError> {
    if version == FORMAT_VERSION {
        return Ok(());
    }
    let what = format!("has format version {version}; this version reads {FORMAT_VERSION}");
    Err(DocumentError::Unsupported { document, what })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn index() -> Index {
        Index {
            format_version: FORMAT_VERSION,
            critical: Vec::new(),
            mirror_id: Uuid::from_u128(7),
            snapshot: 3,
            created: "2026-01-02T03:04:05Z".parse().unwrap(),
            sites: vec!["plant-7".to_owned()],
            segments: vec![SegmentRef {
                kind: SegmentKind::Catalogue,
                sha256: Sha256::hash(b"a segment"),
                size: 9,
                unpacked_size: 100,
                records: 1,
            }],
        }
    }

    /// Packs the index after `change` has been made to its JSON.
    fn changed(change: impl FnOnce(&mut Value)) -> Result<Index, DocumentError> {
        let mut value = serde_json::to_value(index()).unwrap();
        change(&mut value);
        let bytes = packed::pack(&serde_json::to_vec(&value).unwrap()).unwrap();
        Index::from_zst(&bytes, &BundleLimits::default())
    }

    #[test]
    fn there_and_back_and_always_the_same_bytes() {
        let bytes = index().to_zst().unwrap();
        assert_eq!(Index::from_zst(&bytes, &BundleLimits::default()).unwrap(), index());
        assert_eq!(
            packed::unpack(&bytes, 10_000).unwrap(),
            br#"{"format-version":1,"mirror-id":"00000000-0000-0000-0000-000000000007","snapshot":3,"#
                .iter()
                .chain(br#""created":"2026-01-02T03:04:05Z","sites":["plant-7"],"segments":[{"kind":"#)
                .chain(br#""catalogue","sha256":""#)
                .chain(Sha256::hash(b"a segment").to_string().as_bytes())
                .chain(br#"","size":9,"unpacked-size":100,"records":1}]}"#)
                .copied()
                .collect::<Vec<u8>>()
        );
    }

    #[test]
    fn kinds_that_are_critical_must_be_named() {
        for kind in SegmentKind::ALL {
            assert_eq!(SegmentKind::named(kind.name()), Some(kind));
            assert_eq!(json!(kind), json!(kind.name()));
            let named = kind.critical().is_some();
            let silent = changed(|index| index["segments"][0]["kind"] = json!(kind.name()));
            assert_eq!(silent.is_err(), named, "{kind:?}");
            let said = changed(|index| {
                index["segments"][0]["kind"] = json!(kind.name());
                index["critical"] = json!(kind.critical().into_iter().collect::<Vec<_>>());
            });
            assert_eq!(critical_of(&said.as_ref().unwrap().segments), said.unwrap().critical);
        }
        // What an older reader says of a newer kind: it stops before the segments are looked at.
        let newer = changed(|index| {
            index["segments"][0]["kind"] = json!("of-tomorrow");
            index["critical"] = json!(["of-tomorrow"]);
        });
        assert!(matches!(newer, Err(DocumentError::Unsupported { .. })), "{newer:?}");
    }

    #[test]
    fn what_no_reader_would_take_is_not_written() {
        let bytes = index().to_zst().unwrap().len() as u64;
        let json = serde_json::to_vec(&index()).unwrap().len() as u64;
        let write = |limits: BundleLimits| to_zst("snapshot index", &index(), &limits);
        write(BundleLimits {
            index_bytes: bytes,
            index_unpacked_bytes: json,
            ..BundleLimits::default()
        })
        .unwrap();
        for (limits, how) in [
            (BundleLimits { index_bytes: bytes - 1, ..BundleLimits::default() }, "compressed"),
            (
                BundleLimits { index_unpacked_bytes: json - 1, ..BundleLimits::default() },
                "unpacked",
            ),
        ] {
            assert!(write(limits.clone()).unwrap_err().to_string().contains(how), "{how}");
            let read = Index::from_zst(&index().to_zst().unwrap(), &limits);
            assert!(read.unwrap_err().to_string().contains("limit"), "{how}");
        }
    }

    #[test]
    fn unknown_optional_fields_are_ignored() {
        assert_eq!(changed(|v| v["note"] = json!("later")).unwrap(), index());
    }

    #[test]
    fn a_newer_format_is_named_as_such() {
        let newer = changed(|v| *v = json!({ "format-version": 2, "all": "different" }));
        assert!(matches!(newer, Err(DocumentError::Unsupported { .. })), "{newer:?}");
        let critical = changed(|v| v["critical"] = json!(["teleport"]));
        assert!(critical.unwrap_err().to_string().contains("\"teleport\""));
    }

    #[test]
    fn broken_rules_are_refused() {
        for (name, broken) in [
            ("number 0", changed(|v| v["snapshot"] = json!(0))),
            ("number too large", changed(|v| v["snapshot"] = json!(1u64 << 53))),
            ("a site twice", changed(|v| v["sites"] = json!(["a", "a"]))),
            ("a site that is no name", changed(|v| v["sites"] = json!(["../a"]))),
            (
                "a segment twice",
                changed(|v| {
                    let segment = v["segments"][0].clone();
                    v["segments"] = json!([segment, segment]);
                }),
            ),
            ("a segment too large", changed(|v| v["segments"][0]["size"] = json!(u64::MAX))),
            ("an unknown kind", changed(|v| v["segments"][0]["kind"] = json!("spells"))),
            ("no mirror", changed(|v| v["mirror-id"] = Value::Null)),
        ] {
            assert!(matches!(broken, Err(DocumentError::Malformed { .. })), "{name}: {broken:?}");
        }
    }
}
