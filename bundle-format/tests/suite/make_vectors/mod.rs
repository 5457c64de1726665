//! Makes the vectors with our own writer; what no writer makes, by forging and by edits.

mod containers;
mod judgements;
mod volumes;

use std::{collections::BTreeMap, fs};

use bundle_format::{container::VolumeReader, limits::BundleLimits};

use crate::{
    support::time,
    vector::{Edit, Expected, Vector, folder},
};

#[test]
#[ignore = "writes tests/vectors; run by hand when a vector is added"]
fn make_the_vectors() {
    let mut made = Made::default();
    volumes::volumes(&mut made);
    judgements::accepted(&mut made);
    containers::broken_containers(&mut made);
    containers::broken_members(&mut made);
    judgements::untrusted(&mut made);
}

#[derive(Default)]
struct Made {
    /// Unpacked, by name.
    volumes: BTreeMap<String, Vec<u8>>,
}

impl Made {
    fn volume(&mut self, name: &str, bytes: Vec<u8>) {
        let packed = zstd::encode_all(&bytes[..], 19).unwrap();
        let file = format!("{name}.tar.zst");
        fs::write(folder().join(&file), packed).unwrap();
        self.volumes.insert(file, bytes);
    }

    fn vector(&self, name: &str, vector: &Vector) {
        let json = serde_json::to_string_pretty(vector).unwrap();
        fs::write(folder().join(format!("{name}.json")), json + "\n").unwrap();
    }

    /// A vector on the volume `good`.
    fn refused(&self, name: &str, about: &str, edits: Vec<Edit>, by: &str, says: &str) {
        let vector = Vector { edits, ..good(about, by, says) };
        self.vector(name, &vector);
    }

    /// Where a member of `good` begins (its header), where its body begins, and where it ends.
    fn member(&self, name: &str) -> (usize, usize, usize) {
        let bytes = &self.volumes["good.tar.zst"];
        let mut at = 0;
        loop {
            let header = tar::Header::from_byte_slice(&bytes[at..at + 512]);
            let size = usize::try_from(header.entry_size().unwrap()).unwrap();
            let end = at + 512 + size.next_multiple_of(512);
            if header.path_bytes().ends_with(name.as_bytes()) {
                return (at, at + 512, end);
            }
            at = end;
        }
    }

    fn end(&self) -> usize {
        self.volumes["good.tar.zst"].len()
    }

    /// The digest that names the nth object.
    fn object(&self, nth: usize) -> String {
        let bytes = &self.volumes["good.tar.zst"];
        let (_, note, _) = VolumeReader::open(&bytes[..], &BundleLimits::default()).unwrap();
        note.objects[nth].name()
    }
}

fn good(about: &str, by: &str, says: &str) -> Vector {
    Vector {
        about: about.to_owned(),
        volume: "good.tar.zst".to_owned(),
        edits: Vec::new(),
        root: "root.json".to_owned(),
        after: Vec::new(),
        seen: Vec::new(),
        site: "plant-7".to_owned(),
        clock: time("2026-02-01T00:00:00Z"),
        refuse_expired: false,
        expect: Expected::Refused { by: by.to_owned(), says: says.to_owned() },
    }
}

fn flip(bytes: &[u8], at: usize) -> Edit {
    Edit::Replace { at, hex: hex::encode([bytes[at] ^ 1]) }
}
