//! A volume as its members, so that it can be put together wrongly.

use std::fs;

use bundle_format::{
    container::{ObjectEntry, VolumeNote},
    digest::Sha256,
};

use super::start;

/// A volume taken apart, so that it can be put together wrongly.
#[derive(Clone)]
pub(super) struct Volume {
    pub(super) members: Vec<Member>,
    pub(super) tail: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct Member {
    pub(super) header: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) padding: Vec<u8>,
}

impl Member {
    pub(super) fn name(&self) -> String {
        let end = self.header[..100].iter().position(|b| *b == 0).unwrap_or(100);
        String::from_utf8(self.header[..end].to_vec()).unwrap()
    }

    pub(super) fn new(name: &str, kind: u8, body: &[u8]) -> Self {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000444");
        header[108..115].copy_from_slice(b"0000000");
        header[116..123].copy_from_slice(b"0000000");
        header[136..147].copy_from_slice(b"00000000000");
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header[263..265].copy_from_slice(b"00");
        header[329..336].copy_from_slice(b"0000000");
        header[337..344].copy_from_slice(b"0000000");
        let mut member = Self { header, body: body.to_vec(), padding: Vec::new() };
        member.set_size(body.len() as u64);
        member.pad();
        member
    }

    pub(super) fn pad(&mut self) {
        self.padding = vec![0; self.body.len().next_multiple_of(512) - self.body.len()];
    }

    pub(super) fn set_size(&mut self, size: u64) {
        let octal = format!("{size:011o}");
        self.header[124..135].copy_from_slice(octal.as_bytes());
        self.sum();
    }

    pub(super) fn sum(&mut self) {
        self.header[148..156].fill(b' ');
        let sum: u32 = self.header.iter().map(|b| u32::from(*b)).sum();
        let text = format!("{sum:07o}\0");
        self.header[148..156].copy_from_slice(text.as_bytes());
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.header.as_slice(), &self.body, &self.padding].concat()
    }
}

impl Volume {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let (mut members, mut at) = (Vec::new(), 0);
        while bytes[at] != 0 {
            let header = bytes[at..at + 512].to_vec();
            let octal = std::str::from_utf8(&header[124..135]).unwrap();
            let size = usize::from_str_radix(octal, 8).unwrap();
            let (start, end) = (at + 512, at + 512 + size);
            let next = end.next_multiple_of(512);
            members.push(Member {
                header,
                body: bytes[start..end].to_vec(),
                padding: bytes[end..next].to_vec(),
            });
            at = next;
        }
        Self { members, tail: bytes[at..].to_vec() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.members.iter().flat_map(Member::bytes).collect();
        bytes.extend_from_slice(&self.tail);
        bytes
    }

    pub(super) fn position(&self, test: impl Fn(&str) -> bool) -> usize {
        self.members.iter().position(|m| test(&m.name())).unwrap()
    }

    pub(super) fn objects(&self) -> std::ops::Range<usize> {
        let first = self.position(|name| name.starts_with("objects/"));
        first..self.position(|name| name == "SHA256SUMS")
    }

    /// Takes the last object away, from the note too: what such a volume brings stays pending.
    pub(super) fn without_last_object(mut self) -> Self {
        let last = self.objects().end - 1;
        self.members.remove(last);
        self.edit_note(|note| {
            note.objects.pop();
        });
        self.sum_again();
        self
    }

    /// Adds an object behind the segments that only the note names.
    pub(super) fn with_stranger(mut self, body: &[u8]) -> Self {
        let sha256 = Sha256::hash(body);
        let name = format!("objects/{sha256}");
        let objects = self.objects();
        let first_payload = objects.start + 2;
        let at = (first_payload..objects.end)
            .find(|at| self.members[*at].name() > name)
            .unwrap_or(objects.end);
        self.members.insert(at, Member::new(&name, b'0', body));
        self.edit_note(|note| {
            let size = body.len() as u64;
            note.objects.insert(at - objects.start, ObjectEntry { sha256, offset: None, size });
        });
        self.sum_again();
        self
    }

    /// Makes `SHA256SUMS` fit the members again: who changes a volume can do that too.
    pub(super) fn sum_again(&mut self) {
        let sums: String = self
            .members
            .iter()
            .filter(|m| m.name() != "SHA256SUMS")
            .map(|m| format!("{}  {}\n", Sha256::hash(&m.body), m.name()))
            .collect();
        let at = self.position(|name| name == "SHA256SUMS");
        self.members[at] = Member::new("SHA256SUMS", b'0', sums.as_bytes());
    }

    /// Changes the note, as JSON text.
    pub(super) fn edit_note(&mut self, edit: impl FnOnce(&mut VolumeNote)) {
        let mut note: VolumeNote = serde_json::from_slice(&self.members[0].body).unwrap();
        edit(&mut note);
        let mut json = serde_json::to_vec_pretty(&note).unwrap();
        json.push(b'\n');
        self.members[0] = Member::new("VOLUME.json", b'0', &json);
    }
}

#[test]
fn the_editor_puts_together_what_it_took_apart() {
    let delta = &start().delta;
    let volume = Volume::parse(delta);
    assert!(volume.bytes() == *delta);
    for member in &volume.members {
        let made = Member::new(&member.name(), b'0', &member.body);
        assert!(made.bytes() == member.bytes(), "{}", member.name());
    }
    let mut summed = volume.clone();
    summed.sum_again();
    assert!(summed.bytes() == *delta, "the editor sums as the writer does");
    let site = start().site.copy();
    let path = site.folder.path().join("volume.tar");
    fs::write(&path, volume.bytes()).unwrap();
    assert!(site.import(&[path]).unwrap().is_complete());
}
