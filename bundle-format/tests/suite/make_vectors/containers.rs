//! The volume `good`, edited byte by byte.

use tar::EntryType;

use super::{Made, flip};
use crate::vector::Edit;

pub(super) fn broken_containers(made: &mut Made) {
    let bytes = made.volumes["good.tar.zst"].clone();
    let (_, note_body, _) = made.member("VOLUME.json");
    let (timestamp, timestamp_body, timestamp_end) = made.member("timestamp.json");
    let first = made.member(&made.object(0));
    let second = made.member(&made.object(1));
    let third = made.member(&made.object(3));
    let (sums, sums_body, sums_end) = made.member("SHA256SUMS");
    let end = made.end();
    let refused = |name: &str, about: &str, edits: Vec<Edit>, says: &str| {
        made.refused(name, about, edits, "volume", says);
    };
    let remove = |from, to| vec![Edit::Remove { from, to }];
    let insert = |at: usize, header: &tar::Header| {
        vec![Edit::Insert { at, hex: hex::encode(header.as_bytes()) }]
    };
    let header = |change: &dyn Fn(&mut tar::Header)| {
        let mut header = tar::Header::new_ustar();
        header.set_path("objects/x").unwrap();
        header.set_mode(0o444);
        header.set_entry_type(EntryType::Regular);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        change(&mut header);
        header.set_cksum();
        header
    };

    refused("empty", "Nothing at all.", vec![Edit::Cut { at: 0 }], "cut off");
    refused(
        "cut-in-header",
        "Cut off within a header.",
        vec![Edit::Cut { at: first.0 + 100 }],
        "cut off",
    );
    refused(
        "cut-in-body",
        "Cut off within an object.",
        vec![Edit::Cut { at: first.1 + 10 }],
        "cut off",
    );
    refused(
        "cut-between-members",
        "Cut off between two members.",
        vec![Edit::Cut { at: second.0 }],
        "cut off",
    );
    refused(
        "cut-before-sums",
        "Cut off before SHA256SUMS.",
        vec![Edit::Cut { at: sums }],
        "cut off",
    );
    refused(
        "cut-in-tail",
        "Only one zero block at the end.",
        vec![Edit::Cut { at: end - 512 }],
        "cut off",
    );
    refused("no-tail", "No zero block at the end.", vec![Edit::Cut { at: sums_end }], "cut off");
    refused(
        "trailing-zeros",
        "A third zero block at the end.",
        vec![Edit::Insert { at: end, hex: "00".repeat(512) }],
        "bytes follow",
    );
    refused(
        "trailing-byte",
        "One byte behind the end.",
        vec![Edit::Insert { at: end, hex: "0a".into() }],
        "bytes follow",
    );
    refused("tail-not-zero", "A bit in the tail.", vec![flip(&bytes, end - 700)], "not zero");
    refused(
        "padding-not-zero",
        "A bit in the padding of an object.",
        vec![flip(&bytes, first.2 - 1)],
        "not zero",
    );
    refused(
        "head-padding-not-zero",
        "A bit in the padding of VOLUME.json.",
        vec![flip(&bytes, made.member("VOLUME.json").2 - 1)],
        "not zero",
    );
    refused(
        "object-flipped",
        "A bit of a segment.",
        vec![flip(&bytes, first.1 + 3)],
        "another digest",
    );
    made.refused(
        "part-flipped",
        "A bit of a part of a payload.",
        vec![flip(&bytes, made.member(".0").1)],
        "index",
        "another digest",
    );
    refused(
        "sums-flipped",
        "A bit of SHA256SUMS.",
        vec![flip(&bytes, sums_body)],
        "SHA256SUMS does not agree",
    );
    refused(
        "note-flipped",
        "A bit of a digest in VOLUME.json.",
        vec![flip(&bytes, {
            let text = String::from_utf8_lossy(&bytes[note_body..]).into_owned();
            note_body + text.find("\"sha256\": \"").unwrap() + 15
        })],
        "must come here",
    );
    refused(
        "note-set-flipped",
        "Another set id in VOLUME.json.",
        vec![flip(&bytes, {
            let text = String::from_utf8_lossy(&bytes[note_body..]).into_owned();
            note_body + text.find("\"set\": \"").unwrap() + 10
        })],
        "SHA256SUMS does not agree",
    );
    refused(
        "size-lies",
        "The size in a header, with its checksum, is one more.",
        {
            let mut changed = tar::Header::from_byte_slice(&bytes[first.0..first.1]).clone();
            changed.set_size(changed.entry_size().unwrap() + 1);
            changed.set_cksum();
            vec![Edit::Replace { at: first.0, hex: hex::encode(changed.as_bytes()) }]
        },
        "must come here",
    );
    refused(
        "checksum-wrong",
        "The checksum of a header.",
        vec![flip(&bytes, first.0 + 149)],
        "must come here",
    );
    refused(
        "object-missing",
        "A listed object is left out.",
        remove(first.0, first.2),
        "must come here",
    );
    refused(
        "head-member-missing",
        "The timestamp is left out.",
        remove(timestamp, timestamp_end),
        "does not belong",
    );
    refused(
        "note-missing",
        "VOLUME.json is left out.",
        remove(0, made.member("VOLUME.json").2),
        "VOLUME.json does not come first",
    );
    refused("sums-missing", "SHA256SUMS is left out.", remove(sums, sums_end), "must come here");
    refused(
        "object-doubled",
        "An object comes twice.",
        vec![Edit::Copy { from: first.0, to: first.2, at: first.2 }],
        "must come here",
    );
    refused(
        "head-member-doubled",
        "The timestamp comes twice.",
        vec![Edit::Copy { from: timestamp, to: timestamp_end, at: timestamp_end }],
        "does not belong",
    );
    refused(
        "objects-reordered",
        "Two objects have changed places.",
        vec![
            Edit::Copy { from: first.0, to: first.2, at: second.2 },
            Edit::Remove { from: first.0, to: first.2 },
        ],
        "must come here",
    );
    refused(
        "object-added",
        "An object that VOLUME.json does not list.",
        vec![Edit::Copy { from: third.0, to: third.2, at: sums }],
        "must come here",
    );
    refused(
        "metadata-among-objects",
        "The timestamp once more among the objects.",
        vec![Edit::Copy { from: timestamp, to: timestamp_end, at: second.0 }],
        "must come here",
    );
    refused(
        "second-archive",
        "A whole second volume behind the first.",
        vec![Edit::Copy { from: 0, to: end, at: end }],
        "bytes follow",
    );
    refused(
        "zero-block-inside",
        "A zero block between two objects.",
        vec![Edit::Insert { at: second.0, hex: "00".repeat(512) }],
        "must come here",
    );
    assert_eq!(bytes[timestamp_body], b'{');

    type Kind<'a> = (&'a str, &'a str, &'a dyn Fn(&mut tar::Header));
    let kinds: [Kind<'_>; 14] = [
        ("symlink", "A symbolic link to /etc/passwd.", &|h| {
            h.set_entry_type(EntryType::Symlink);
            h.set_link_name("/etc/passwd").unwrap();
        }),
        ("hard-link", "A hard link.", &|h| {
            h.set_entry_type(EntryType::Link);
            h.set_link_name("VOLUME.json").unwrap();
        }),
        ("directory", "A directory.", &|h| h.set_entry_type(EntryType::Directory)),
        ("device", "A block device.", &|h| h.set_entry_type(EntryType::Block)),
        ("fifo", "A named pipe.", &|h| h.set_entry_type(EntryType::Fifo)),
        ("pax", "A PAX header.", &|h| h.set_entry_type(EntryType::XHeader)),
        ("pax-global", "A global PAX header.", &|h| h.set_entry_type(EntryType::XGlobalHeader)),
        ("long-name", "A GNU long-name entry.", &|h| h.set_entry_type(EntryType::GNULongName)),
        ("sparse", "A GNU sparse file.", &|h| h.set_entry_type(EntryType::GNUSparse)),
        ("old-regular", "A regular file of type NUL.", &|h| h.as_mut_bytes()[156] = 0),
        ("dot-dot", "A member named ../x.", &|h| {
            h.as_ustar_mut().unwrap().name[..5].copy_from_slice(b"../x\0");
        }),
        ("absolute", "A member named /x.", &|h| {
            h.as_ustar_mut().unwrap().name[..3].copy_from_slice(b"/x\0");
        }),
        ("owned", "A member with an owner.", &|h| h.set_uid(1000)),
        ("dated", "A member with a date.", &|h| h.set_mtime(1)),
    ];
    for (name, about, change) in kinds {
        let edits = insert(second.0, &header(change));
        refused(&format!("{name}-among-objects"), about, edits, "must come here");
        let edits = insert(timestamp, &header(change));
        refused(&format!("{name}-in-head"), about, edits, "");
    }
    let mut gnu = tar::Header::new_gnu();
    gnu.set_path("objects/x").unwrap();
    gnu.set_size(0);
    gnu.set_cksum();
    refused("gnu-header", "A header of the GNU form.", insert(second.0, &gnu), "must come here");
    let mut base256 = tar::Header::from_byte_slice(&bytes[first.0..first.1]).clone();
    let size = base256.entry_size().unwrap();
    base256.as_mut_bytes()[124..136].fill(0);
    base256.as_mut_bytes()[124] = 0x80;
    base256.as_mut_bytes()[128..136].copy_from_slice(&size.to_be_bytes());
    base256.set_cksum();
    refused(
        "size-in-base-256",
        "The right size, written as GNU tar writes large ones.",
        vec![Edit::Replace { at: first.0, hex: hex::encode(base256.as_bytes()) }],
        "must come here",
    );
}

/// Bytes of the head altered; the container would be whole but for SHA256SUMS.
pub(super) fn broken_members(made: &mut Made) {
    let bytes = made.volumes["good.tar.zst"].clone();
    let find = |member: &str, text: &str| {
        let (_, body, end) = made.member(member);
        let place = bytes[body..end].windows(text.len()).position(|w| w == text.as_bytes());
        body + place.unwrap() + text.len()
    };
    for (name, about, at, by, says) in [
        (
            "root-signature-flipped",
            "A digit of the root's signature.",
            find("1.root.json", "\"sig\": \"") + 1,
            "trust",
            "1.root.json",
        ),
        (
            "root-content-flipped",
            "A digit of a key in the root.",
            find("1.root.json", "\"public\": \"") + 1,
            "trust",
            "",
        ),
        (
            "timestamp-signature-flipped",
            "A digit of the timestamp's signature.",
            find("timestamp.json", "\"sig\": \"") + 1,
            "trust",
            "unknown here or was revoked",
        ),
        (
            "timestamp-version-flipped",
            "The timestamp's version.",
            find("timestamp.json", "\"version\": "),
            "trust",
            "unknown here or was revoked",
        ),
        (
            "timestamp-padding-flipped",
            "A space in the timestamp's padding.",
            made.member("timestamp.json").2 - 600,
            "trust",
            "timestamp",
        ),
        (
            "snapshot-flipped",
            "A digit in the snapshot metadata.",
            find("snapshot.json", "\"sha256\": \"") + 1,
            "trust",
            "does not have the digest",
        ),
        (
            "targets-flipped",
            "A digit in the targets metadata.",
            find("targets.json", "\"sha256\": \"") + 1,
            "trust",
            "does not have the digest",
        ),
        (
            "policy-metadata-flipped",
            "A digit in the policy metadata.",
            find("policy.json", "\"sha256\": \"") + 1,
            "trust",
            "does not have the digest",
        ),
        (
            "index-flipped",
            "A bit of the compressed index.",
            made.member(".index.json.zst").1 + 9,
            "volume",
            "another digest",
        ),
        (
            "policy-flipped",
            "A bit of the compressed policy.",
            made.member(".policy.json.zst").1 + 9,
            "volume",
            "another digest",
        ),
    ] {
        made.refused(name, about, vec![flip(&bytes, at)], by, says);
    }
}
