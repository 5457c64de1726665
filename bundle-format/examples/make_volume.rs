//! Writes a small volume, and the root to pin, into a folder: something for other people's tools to
//! read. `cargo run -p bundle-format --example make_volume -- FOLDER`
//!
//! The keys are known to everybody; never pin this root anywhere.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]
#![allow(dead_code, reason = "uses a part of the test support")]

#[path = "../tests/suite/support.rs"]
mod support;

use std::{env, fs, path::PathBuf};

fn main() {
    let folder: PathBuf = env::args_os().nth(1).map(PathBuf::from).unwrap_or_default();
    fs::create_dir_all(&folder).unwrap();
    let mut mirror = support::Mirror::new();
    // More than two chunks, so that a payload is cut in parts.
    mirror.payloads.push((0..=250).cycle().take(33 * 1024 * 1024 + 5).collect());
    fs::write(folder.join("root.json"), &mirror.roots[0]).unwrap();
    fs::write(folder.join("volume.tar"), mirror.full(3)).unwrap();
}
