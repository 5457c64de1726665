#![no_main]

use std::io::Read as _;

use bundle_format::{container::VolumeReader, limits::BundleLimits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok((mut reader, note, _)) = VolumeReader::open(data, &BundleLimits::default()) else { return };
    let mut objects = Vec::new();
    loop {
        match reader.next_object() {
            Ok(Some(entry)) => {
                let mut body = Vec::new();
                if reader.read_to_end(&mut body).is_err() {
                    return;
                }
                assert_eq!(body.len() as u64, entry.size);
                objects.push(entry);
            }
            Ok(None) => break,
            Err(_) => return,
        }
    }
    assert_eq!(objects, note.objects);
    assert_eq!(reader.position(), data.len() as u64);
});
