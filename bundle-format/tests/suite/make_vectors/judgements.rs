//! Whole volumes: accepted, or refused for what is signed.

use super::{Made, good};
use crate::{
    support::time,
    vector::{Expected, Vector},
};

pub(super) fn accepted(made: &mut Made) {
    let accepted = |freshness: &str, warnings| Expected::Accepted {
        freshness: freshness.to_owned(),
        warnings,
    };
    let base = |about: &str, volume: &str, freshness: &str| Vector {
        volume: format!("{volume}.tar.zst"),
        expect: accepted(freshness, 0),
        ..good(about, "", "")
    };
    let after = |name: &str| vec![format!("{name}.tar.zst")];
    made.vector("good", &base("A whole volume, all of its snapshot.", "good", "newer"));
    for (name, about, volume, before, freshness) in [
        ("good-again", "The same volume once more.", "good", "good", "same"),
        ("newer", "A newer snapshot.", "newer", "good", "newer"),
        (
            "older",
            "An older one: it may fill gaps and never take effect.",
            "older",
            "good",
            "older",
        ),
        (
            "rotated",
            "Content and timestamp keys replaced by a second root.",
            "rotated",
            "good",
            "newer",
        ),
        (
            "rotated-and-counted-anew",
            "All counting keys replaced: a lower number is newer, the way out of a count far ahead.",
            "rotated-and-counted-anew",
            "good",
            "newer",
        ),
    ] {
        made.vector(name, &Vector { after: after(before), ..base(about, volume, freshness) });
    }
    made.vector(
        "optional-field",
        &base("An unknown optional field is ignored.", "optional-field", "newer"),
    );
    made.vector(
        "two-signatures",
        &Vector {
            root: "other-root.json".to_owned(),
            ..base("Countersigned: two of two signatures.", "two-signatures", "newer")
        },
    );
    made.vector(
        "expired-warns",
        &Vector {
            clock: time("2027-06-01T00:00:00Z"),
            expect: accepted("newer", 4),
            ..base("Four roles expired: accepted with warnings.", "good", "newer")
        },
    );
    made.vector(
        "clock-behind-warns",
        &Vector {
            clock: time("2020-01-01T00:00:00Z"),
            expect: accepted("newer", 1),
            ..base("Sealed in this clock's future: accepted with a warning.", "good", "newer")
        },
    );
}

pub(super) fn untrusted(made: &mut Made) {
    let of = |about: &str, volume: &str, by: &str, says: &str| Vector {
        volume: format!("{volume}.tar.zst"),
        ..good(about, by, says)
    };
    for (name, about, by, says) in [
        ("format-version-2", "A newer format version.", "trust", "update Tidegate"),
        (
            "future-metadata",
            "A newer format version, all else unknown.",
            "trust",
            "update Tidegate",
        ),
        ("critical-feature", "An unknown critical feature.", "trust", "\"teleport\""),
        (
            "custom-contradicts-index",
            "The signed metadata name other sites than the index.",
            "trust",
            "contradict",
        ),
        ("policy-not-listed", "The policy role is delegated but not listed.", "trust", "policy"),
        (
            "policy-may-sign-the-index",
            "The policy role has a say over every target.",
            "trust",
            "nothing else",
        ),
        (
            "versions-differ",
            "Timestamp and snapshot have different versions.",
            "trust",
            "the same version",
        ),
        ("mixed", "The timestamp of another snapshot.", "trust", "mixed"),
        (
            "revoked-signer",
            "Signed by keys that the newest root no longer names.",
            "trust",
            "revoked",
        ),
        (
            "segment-kind-lies",
            "A catalogue segment named as payloads.",
            "segment",
            "does not belong",
        ),
        ("segment-records-lie", "The index counts one record more.", "segment", "fewer records"),
        ("segment-unpacked-size-lies", "The index says one byte less.", "segment", "more bytes"),
        ("segment-missing", "The index names a segment that is not there.", "index", "is missing"),
        ("payload-missing", "A payload is not there.", "index", "is missing"),
        (
            "stray-object",
            "An object that the snapshot does not name.",
            "index",
            "not named by the snapshot",
        ),
        ("segments-swapped", "Segments in another order than the index.", "index", "out of order"),
        ("payloads-swapped", "Payloads not ascending.", "index", "out of order"),
        ("payload-before-segment", "A payload before a segment.", "index", ""),
        (
            "note-of-another-snapshot",
            "VOLUME.json speaks of another snapshot.",
            "volume",
            "speaks of snapshot 9",
        ),
    ] {
        made.vector(name, &of(about, name, by, says));
    }
    for (name, document, file, member) in super::volumes::UNLISTED {
        let about = format!("{document} lists {file} without {member}, as TUF allows.");
        made.vector(name, &of(&about, name, "trust", &format!("SHA-256 and length of {file}")));
    }
    for (name, about, says) in [
        ("specification-2", "Timestamp of TUF 2.0.0.", "specification"),
        ("key-id-in-upper-case", "A key id in upper case.", "one form"),
        ("signature-in-upper-case", "A signature in upper case.", "one form"),
        ("root-signed-by-a-stranger", "A signature that counts for nothing.", "signatures on it"),
        ("timestamp-padding-longer", "2048 spaces more.", "room for its signatures"),
    ] {
        made.vector(name, &of(about, name, "trust", says));
    }
    made.vector(
        "revoked-while-pending",
        &Vector {
            after: vec!["good.tar.zst".to_owned()],
            seen: vec!["rotated.tar.zst".to_owned()],
            ..of(
                "The root that revokes its keys was seen; its snapshot is pending.",
                "newer",
                "trust",
                "revoked",
            )
        },
    );
    made.vector(
        "unknown-signer",
        &Vector {
            root: "other-root.json".to_owned(),
            ..of("Another root is pinned.", "good", "trust", "unknown signer")
        },
    );
    made.vector(
        "one-of-two-signatures",
        &Vector {
            root: "other-root.json".to_owned(),
            ..of(
                "A countersignature is missing.",
                "one-of-two-signatures",
                "trust",
                "countersignature",
            )
        },
    );
    made.vector(
        "other-site",
        &Vector {
            site: "plant-8".to_owned(),
            ..of("For another site.", "good", "trust", "this is \"plant-8\"")
        },
    );
    for (name, about, says) in [
        ("other-mirror", "From another mirror than the one followed.", "follows one mirror"),
        ("same-number", "Another snapshot under an accepted number.", "the same number 3"),
        ("policy-back", "The policy's version falls.", "policy"),
    ] {
        made.vector(
            name,
            &Vector { after: vec!["good.tar.zst".to_owned()], ..of(about, name, "trust", says) },
        );
    }
    made.vector(
        "revoked-signer-known",
        &Vector {
            after: vec!["rotated.tar.zst".to_owned()],
            ..of("Signed by keys that a root known here revoked.", "newer", "trust", "revoked")
        },
    );
    made.vector(
        "expired-refused",
        &Vector {
            clock: time("2027-06-01T00:00:00Z"),
            refuse_expired: true,
            ..of("Expired, and this site refuses that.", "good", "trust", "refuses expired")
        },
    );
}
