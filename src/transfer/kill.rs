//! Points at which a test has the program killed. Nothing in a release build.

/// Counts a step; kills the process, as `kill -9` would, when `TIDEGATE_KILL_AT` names its number.
#[cfg(debug_assertions)]
pub(super) fn step(_what: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };
    static AT: OnceLock<Option<u64>> = OnceLock::new();
    static STEPS: AtomicU64 = AtomicU64::new(0);
    let Some(at) = *AT.get_or_init(|| std::env::var("TIDEGATE_KILL_AT").ok()?.parse().ok()) else {
        return;
    };
    if STEPS.fetch_add(1, Ordering::SeqCst) + 1 == at {
        let pid = std::process::id().to_string();
        let _ = std::process::Command::new("kill").args(["-KILL", &pid]).status();
        // Without a `kill` command: no destructor and no exit handler runs either way.
        std::process::abort();
    }
}

/// Nothing in a release build.
#[cfg(not(debug_assertions))]
pub(super) fn step(_what: &str) {}
