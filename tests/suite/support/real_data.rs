//! Where the real data lies that tests may read and the repository may not hold.

use std::{env, path::PathBuf};

/// The folder with `captures/` and `data/`: `TIDEGATE_REAL_DATA`, else `shared` beside the
/// repository. `None` is said loudly, and is a failure where `CI` is set.
pub(crate) fn real_data() -> Option<PathBuf> {
    let folder = env::var_os("TIDEGATE_REAL_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")),
        PathBuf::from,
    );
    if folder.join("captures").is_dir() && folder.join("data").is_dir() {
        return Some(folder);
    }
    assert!(env::var_os("CI").is_none(), "CI needs the real data, absent: {}", folder.display());
    eprintln!(
        "SKIPPED: {}, real data absent at {} (set TIDEGATE_REAL_DATA)",
        std::thread::current().name().unwrap_or("a test"),
        folder.display()
    );
    None
}
