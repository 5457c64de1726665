//! Volumes whose bytes, members or sizes are wrong.

use std::fs;

use bundle_format::digest::Sha256;
use tidegate::transfer::Blame;

use super::{
    super::support::sides::{Site, bytes},
    Start,
    editor::{Member, Volume},
    refused, start,
};

#[test]
fn one_byte_changed_anywhere_in_any_member() {
    let good = Volume::parse(&start().delta);
    for at in 0..good.members.len() {
        let name = good.members[at].name();
        let places = |len: usize| [0, len / 3, len / 2, len.saturating_sub(1)];
        for place in [0, 50, 101, 109, 117, 126, 140, 150, 156, 160, 258, 265, 300, 330, 350, 511] {
            let mut bad = good.clone();
            bad.members[at].header[place] ^= 1;
            refused(&format!("{name} header byte {place}"), &bad.bytes());
        }
        for place in places(good.members[at].body.len()) {
            let mut bad = good.clone();
            bad.members[at].body[place] ^= 1;
            refused(&format!("{name} byte {place}"), &bad.bytes());
        }
        if let Some(len) = Some(good.members[at].padding.len()).filter(|len| *len > 0) {
            for place in places(len) {
                let mut bad = good.clone();
                bad.members[at].padding[place] = 1;
                let story = refused(&format!("{name} padding {place}"), &bad.bytes());
                assert!(story.contains("padding") || story.contains("zero"), "{story}");
            }
        }
    }
}

#[test]
fn one_byte_of_an_object_changed_and_summed_again() {
    let good = Volume::parse(&start().delta);
    for at in good.objects() {
        let mut bad = good.clone();
        let middle = bad.members[at].body.len() / 2;
        bad.members[at].body[middle] ^= 0x80;
        bad.sum_again();
        let story = refused("object", &bad.bytes());
        assert!(story.contains("another digest"), "{story}");
    }
}

#[test]
fn truncated_at_any_point() {
    let delta = &start().delta;
    let mut points: Vec<usize> = (0..delta.len()).step_by(512).collect();
    points.extend((0..delta.len()).step_by(1777));
    points.extend([1, 511, 513, delta.len() - 1, delta.len() - 512, delta.len() - 1023]);
    for at in points {
        let story = refused(&format!("cut at {at}"), &delta[..at]);
        assert!(
            ["cut", "end", "short", "truncat", "complete"].iter().any(|w| story.contains(w)),
            "cut at {at}: {story}"
        );
    }
}

#[test]
fn a_missing_object() {
    let good = Volume::parse(&start().delta);
    for at in good.objects() {
        let mut bad = good.clone();
        let name = bad.members.remove(at).name();
        refused(&format!("without {name}"), &bad.bytes());
        bad.sum_again();
        let story = refused(&format!("without {name}, summed again"), &bad.bytes());
        assert!(story.contains("objects/") || story.contains("SHA256SUMS"), "{story}");
    }
    for at in 0..good.objects().start {
        let mut bad = good.clone();
        let name = bad.members.remove(at).name();
        bad.sum_again();
        refused(&format!("without {name}"), &bad.bytes());
    }
}

#[test]
fn an_extra_member() {
    let good = Volume::parse(&start().delta);
    let body = bytes(99, 600);
    let name = format!("objects/{}", Sha256::hash(&body));
    for (name, body) in [(name.as_str(), body.as_slice()), ("README", b"hello"), ("objects/x", b"")]
    {
        for at in 0..=good.members.len() {
            let mut bad = good.clone();
            bad.members.insert(at, Member::new(name, b'0', body));
            refused(&format!("{name} at {at}"), &bad.bytes());
        }
        let mut bad = good.clone();
        bad.members.insert(good.objects().end, Member::new(name, b'0', body));
        bad.sum_again();
        refused(&format!("{name}, summed again"), &bad.bytes());
    }
}

/// Not even when the note speaks of it: only the signature decides what belongs.
#[test]
fn an_extra_object_that_the_note_names() {
    let good = Volume::parse(&start().delta);
    for seed in [98, 99, 100, 101] {
        let bad = good.clone().with_stranger(&bytes(seed, 600));
        let story = refused("an extra object", &bad.bytes());
        assert!(story.contains("not named by the signed snapshot"), "{story}");
    }
}

#[test]
fn duplicated_and_reordered_members() {
    let good = Volume::parse(&start().delta);
    for at in 0..good.members.len() {
        let mut twice = good.clone();
        twice.members.insert(at, good.members[at].clone());
        refused(&format!("{} twice", good.members[at].name()), &twice.bytes());
        if at > 0 {
            let mut swapped = good.clone();
            swapped.members.swap(at - 1, at);
            refused(&format!("{} swapped", good.members[at].name()), &swapped.bytes());
        }
    }
    for (i, j) in [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)] {
        let first = good.objects().start;
        let mut swapped = good.clone();
        swapped.members.swap(first + i, first + j);
        swapped.edit_note(|note| note.objects.swap(i, j));
        swapped.sum_again();
        let story = refused(&format!("objects {i} and {j} swapped"), &swapped.bytes());
        assert!(story.contains("order"), "{story}");
    }
    let mut twice = good.clone();
    let last = good.objects().end - 1;
    twice.members.insert(last, good.members[last].clone());
    twice.edit_note(|note| note.objects.push(note.objects.last().unwrap().clone()));
    twice.sum_again();
    refused("the last object twice", &twice.bytes());
}

#[test]
fn entries_that_are_no_plain_files() {
    let good = Volume::parse(&start().delta);
    let long = format!("path={}\n", "x".repeat(200));
    let pax = format!("{} {long}", long.len() + 4);
    let kinds: [(&str, &str, u8, &[u8]); 12] = [
        ("hard link", "objects/link", b'1', b""),
        ("symbolic link", "objects/link", b'2', b""),
        ("character device", "objects/tty", b'3', b""),
        ("block device", "objects/disk", b'4', b""),
        ("folder", "objects/", b'5', b""),
        ("FIFO", "objects/fifo", b'6', b""),
        ("contiguous file", "objects/old", b'7', b""),
        ("old plain file", "objects/old", 0, b""),
        ("PAX header", "PaxHeaders/x", b'x', pax.as_bytes()),
        ("global PAX header", "pax_global_header", b'g', pax.as_bytes()),
        ("long name", "././@LongLink", b'L', &[b'x'; 300]),
        ("long link", "././@LongLink", b'K', &[b'x'; 300]),
    ];
    for (what, name, kind, body) in kinds {
        for at in 0..=good.members.len() {
            let mut bad = good.clone();
            bad.members.insert(at, Member::new(name, kind, body));
            refused(&format!("{what} at {at}"), &bad.bytes());
        }
    }
    for name in ["../escape", "objects/../../escape", "/etc/passwd", "./VOLUME.json", "metadata/.."]
    {
        for at in 0..=good.members.len() {
            let mut bad = good.clone();
            bad.members.insert(at, Member::new(name, b'0', b"x"));
            refused(&format!("{name} at {at}"), &bad.bytes());
        }
    }
    // An object under its own name, but as a link.
    let at = good.objects().start;
    for kind in [b'1', b'2', b'3', b'5', 0] {
        let mut bad = good.clone();
        bad.members[at].header[156] = kind;
        bad.members[at].sum();
        refused(&format!("an object of type {kind}"), &bad.bytes());
    }
}

#[test]
fn trailing_bytes() {
    let delta = &start().delta;
    for tail in [&b"x"[..], &[0], &[0; 512], &[0; 9216], delta] {
        let story = refused("trailing bytes", &[delta, tail].concat());
        assert!(["end", "trailing", "follow"].iter().any(|w| story.contains(w)), "{story}");
    }
    let mut bad = Volume::parse(delta);
    for place in [0, 511, 512, 1023] {
        bad.tail = vec![0; 1024];
        bad.tail[place] = 1;
        refused(&format!("byte {place} of the end"), &bad.bytes());
    }
    bad.tail = vec![0; 512];
    refused("a lone zero block", &bad.bytes());
}

#[test]
fn sizes_that_lie() {
    let good = Volume::parse(&start().delta);
    for at in 0..good.members.len() {
        let len = good.members[at].body.len() as u64;
        for size in [len + 1, len + 512, len.saturating_sub(1), 0, 0o77777777777] {
            if size == len {
                continue;
            }
            let mut bad = good.clone();
            bad.members[at].set_size(size);
            refused(&format!("{} says {size}", good.members[at].name()), &bad.bytes());
        }
    }
    for (i, at) in good.objects().enumerate() {
        for longer in [true, false] {
            // Member, note and sums agree with each other; the signed index or its table does not.
            let mut bad = good.clone();
            let member = &mut bad.members[at];
            if longer {
                member.body.push(0);
            } else {
                member.body.pop();
            }
            *member = Member::new(&member.name(), b'0', &member.body);
            let size = member.body.len() as u64;
            bad.edit_note(|note| note.objects[i].size = size);
            bad.sum_again();
            refused(&format!("object {i} longer: {longer}"), &bad.bytes());
            // The note alone.
            let mut bad = good.clone();
            bad.edit_note(|note| note.objects[i].size = size);
            bad.sum_again();
            refused(&format!("the note says {size} of object {i}"), &bad.bytes());
        }
    }
}

#[test]
fn things_that_are_no_volume() {
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("text", b"hello".to_vec()),
        ("zeros", vec![0; 4096]),
        ("noise", bytes(5, 5000)),
    ] {
        refused(name, &bytes);
    }
}

#[test]
fn one_bad_volume_among_good_ones_keeps_all_out() {
    let Start { mirror, delta, .. } = start();
    let site = Site::new("plant-7", &mirror.root);
    let folder = site.folder.path().join("stick");
    fs::create_dir(&folder).unwrap();
    fs::copy(&start().first, folder.join("1.tar")).unwrap();
    let mut bad = delta.clone();
    let middle = bad.len() * 2 / 3;
    bad[middle] ^= 1;
    fs::write(folder.join("2.tar"), bad).unwrap();
    let error = site.import(std::slice::from_ref(&folder)).unwrap_err();
    assert_eq!(error.blame(), Blame::Refused);
    assert!(!site.data.catalog().exists() && !site.data.segments().exists());
    fs::write(folder.join("2.tar"), delta).unwrap();
    assert_eq!(site.import(&[folder]).unwrap().in_force, Some(2));
}

#[test]
fn the_site_of_the_note() {
    let mut bad = Volume::parse(&start().delta);
    bad.edit_note(|note| note.site = "plant-9".to_owned());
    bad.sum_again();
    refused("a note for another site", &bad.bytes());
}
