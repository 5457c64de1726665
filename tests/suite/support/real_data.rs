//! Where the real data lies that tests may read and the repository may not hold.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

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

/// The messages of the first scan of a recorded agent, in their order.
pub(crate) const FIRST_SCAN: [&str; 10] = [
    "scan-000001-GetConfig",
    "scan-000002-GetAuthorizationCookie",
    "scan-000003-GetCookie",
    "scan-000004-RegisterComputer",
    "scan-000005-StartCategoryScan",
    "scan-000006-SyncUpdates",
    "scan-000007-SyncUpdates",
    "scan-000008-SyncUpdates",
    "scan-000009-SyncUpdates",
    "scan-000010-GetExtendedUpdateInfo",
];

/// The names of the requests in a folder, each `NAME.request.xml`, sorted.
pub(crate) fn requests(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".request.xml").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}
