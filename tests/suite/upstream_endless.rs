//! Answers that do not end, fast ones and slow ones: given up with a message, with little memory, and
//! the next run finishes.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use super::{
    support::upstream_fake::{OPERATIONS, Pair},
    support::upstream_small::{revisions, server},
};

use crate::support::program;

/// An answer to `operation` that goes on for ever.
fn endless(pair: &Pair, operation: &'static str, piece: Vec<u8>, pause: Duration) {
    pair.bend(move |asked, _, mut reply| {
        if asked.operation() == operation {
            reply.body.clone_from(&piece);
            reply.endless = Some(pause);
        }
        reply
    });
}

/// For each operation at the same time: an endless answer, then a good one.
fn each(pause: Duration, piece: &'static [u8], call: Duration, read: Duration) {
    std::thread::scope(|scope| {
        for operation in OPERATIONS {
            scope.spawn(move || {
                let mut pair = Pair::new(server());
                let connection = &mut pair.options.upstream.connection;
                let patient = connection.clone();
                connection.attempts = 2;
                (connection.call_timeout, connection.read_timeout) = (call, read);
                endless(&pair, operation, piece.to_vec(), pause);
                let began = Instant::now();
                let error = pair.sync().unwrap_err().to_string();
                assert!(error.contains(operation) && error.contains("attempt 2"), "{error}");
                assert!(began.elapsed() >= 2 * call.min(read), "{operation}");
                assert_eq!(pair.mock.requests(operation).len(), 2, "{operation}");
                pair.options.upstream.connection = patient;
                pair.straight();
                pair.sync().unwrap();
                assert_eq!(revisions(&pair.catalog), 22, "{operation}");
            });
        }
    });
}

/// A byte now and then: no pause is too long, but the call is.
#[test]
fn drips_are_given_up_after_the_time_for_a_call() {
    each(Duration::from_millis(50), b" ", Duration::from_secs(2), Duration::from_secs(60));
}

#[test]
fn silence_in_an_answer_is_given_up_after_the_time_between_two_pieces() {
    let (hour, second) = (Duration::from_secs(3600), Duration::from_secs(2));
    each(hour, b"<?xml", hour, second);
}

/// As much as the line carries, into the built program: it ends by itself, says why, and its memory
/// has a bound that does not depend on what is sent.
#[test]
#[cfg(target_os = "linux")]
fn floods_are_given_up_at_a_limit_with_bounded_memory() {
    let mib = 1024;
    for (operation, most) in [
        ("GetAuthConfig", 100 * mib),
        ("GetCookie", 100 * mib),
        ("GetConfigData", 100 * mib),
        ("GetRevisionIdList", 700 * mib),
        ("GetUpdateData", 700 * mib),
    ] {
        let pair = Pair::new(server());
        endless(&pair, operation, b"<a>".repeat(100_000), Duration::ZERO);
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let tidegate = || {
            let mut command = program::tidegate(&data);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            command
        };
        assert!(tidegate().arg("init").status().unwrap().success());
        let mut sync = tidegate();
        sync.args(["sync", "--allow-http", "--proxy", "none", "--from", &pair.mock.url]);
        let mut child = sync.spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
            peak = kib.map_or(0, |kib| kib.parse::<u64>().unwrap()).max(peak);
            std::thread::sleep(Duration::from_millis(1));
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{operation}: {said}");
        assert!(said.contains(operation) && said.contains("more than"), "{operation}: {said}");
        assert!(peak > 0 && peak < most, "{operation}: {peak} KiB");
        pair.straight();
        assert!(sync.status().unwrap().success(), "{operation}: the next run");
    }
}
