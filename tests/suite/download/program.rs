//! Downloading with the built program: killed, interrupted, on a full disk, outside its window; and
//! from our own server.

#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use jiff::{ToSpan as _, Zoned};
use serde_json::Value;
use tidegate::{
    content::ContentStore,
    update::DocumentLimits,
    upstream::{Source, SyncOptions, sync},
};

use super::{Side, options};
use crate::support::{
    clock::now,
    file_server::{Body, FileServer, Reply},
    program::{messages, run, tidegate},
    server::{Running, Site},
    sides::{bytes, copy_folder, document},
    stores::digests,
};

const SIZE: usize = 3 * 1024 * 1024;

/// The exit code and what was said, for messages.
fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), messages(output))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {:?}", told(output)))
}

/// A payload of which the first answer stalls after `first` bytes.
fn stalling(first: usize) -> (Side, FileServer) {
    let side = Side::new(vec![bytes(1, SIZE)]);
    let payload = side.payloads[0].clone();
    let server = FileServer::start(move |asked, before| match before {
        0 => Reply::ok(Body::Stall(payload[..first].to_vec(), payload.len())).with("ETag", "\"1\""),
        _ => Reply::file(&payload, "\"1\"", asked),
    });
    side.told(&server);
    (side, server)
}

/// Starts a download and waits until so many bytes are on the disk.
fn until(side: &Side, length: usize) -> Child {
    let child = tidegate(side.mirror.data.root())
        .args(["download", "--reserve", "0", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let partial = side.mirror.data.content().join("partial");
    let partial = partial.join(side.digests(0).sha256.to_string());
    let begun = Instant::now();
    while fs::metadata(&partial).map_or(0, |m| m.len()) < length as u64 {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing arrives");
        thread::sleep(Duration::from_millis(10));
    }
    child
}

#[test]
fn killed_in_the_middle_it_goes_on() {
    let (side, server) = stalling(2_000_000);
    let mut child = until(&side, 2_000_000);
    child.kill().unwrap();
    child.wait().unwrap();
    let output = run(side.mirror.data.root(), &["download", "--reserve", "0", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let report = json(&output);
    assert_eq!(report["forecast"]["resumed-bytes"], 2_000_000);
    assert_eq!(report["received-bytes"], SIZE - 2_000_000);
    let asked = server.asked();
    assert_eq!((asked.len(), asked[1].from()), (2, Some(2_000_000)));
    assert_eq!(asked[1].header("if-range"), Some("\"1\""));
    side.assert_all_here();
}

#[test]
fn interrupted_it_ends_in_order_and_goes_on_later() {
    let (side, _server) = stalling(2_000_000);
    let child = until(&side, 2_000_000);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{:?}", told(&output));
    assert_eq!(json(&output)["stopped"], "interrupted");
    assert_eq!(side.partials().len(), 2);
    let output = run(side.mirror.data.root(), &["download", "--reserve", "0"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    side.assert_all_here();
}

#[test]
fn outside_the_window_nothing_is_asked_for() {
    let side = Side::new(vec![bytes(1, 1000)]);
    let payload = side.payloads[0].clone();
    let server = FileServer::start(move |asked, _| Reply::file(&payload, "\"1\"", asked));
    side.told(&server);
    let at = |hours: i64| (Zoned::now() + hours.hours()).strftime("%H:%M").to_string();
    let closed = format!("{}-{}", at(2), at(4));
    let data = side.mirror.data.root();
    let arguments = ["download", "--reserve", "0", "--window", &closed, "--once", "--json"];
    let output = run(data, &arguments);
    assert_eq!(output.status.code(), Some(4), "{:?}", told(&output));
    let report = json(&output);
    assert_eq!((&report["stopped"], &report["missing"]), (&"window-closed".into(), &1.into()));
    assert_eq!(server.asked().len(), 0);
    let open = format!("{}-{}", at(-2), at(2));
    let output = run(data, &["download", "--reserve", "0", "--window", &open]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    side.assert_all_here();
}

#[test]
fn the_plan_is_told_and_downloads_nothing() {
    let side = Side::new(vec![bytes(1, 1000), bytes(2, 2000)]);
    let payloads = side.payloads.clone();
    let server = FileServer::start(move |asked, _| {
        Reply::file(&payloads[usize::from(asked.path.contains("1.cab"))], "\"1\"", asked)
    });
    side.told(&server);
    let data = side.mirror.data.root();
    let output = run(data, &["download", "--plan", "--json", "--reserve", "0"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let plan = json(&output);
    assert_eq!((&plan["fetch"], &plan["fetch-bytes"]), (&2.into(), &3000.into()));
    assert_eq!((&plan["fits"], &plan["here"]), (&true.into(), &0.into()));
    let output = run(data, &["download", "--plan", "--rate", "100"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("2 files") && text.contains("1 minute at least"), "{text}");
    assert_eq!(server.asked().len(), 0);
    // More than any disk: nothing is begun.
    let output = run(data, &["download", "--reserve", "8000000TiB"]);
    assert_eq!(output.status.code(), Some(1), "{:?}", told(&output));
    assert!(told(&output).1.contains("Nothing was downloaded"), "{:?}", told(&output));
    assert_eq!(server.asked().len(), 0);
}

/// A file system of a few megabytes that something else fills up while we download.
#[test]
fn a_disk_that_becomes_full_stops_it_cleanly() {
    let side = Side::new((0..4).map(|n| bytes(n, SIZE)).collect());
    let mount = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=20m", "tmpfs"])
        .arg(mount.path())
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: a full disk needs the right to mount a small file system");
        return;
    }
    let unmount = Unmount(mount.path());
    let data = mount.path().join("data");
    let payloads = side.payloads.clone();
    let filler = mount.path().join("filler");
    let fill = Arc::new(Mutex::new(Some(filler.clone())));
    let server = FileServer::start(move |asked, _| {
        let n: usize = asked.path[3..].trim_end_matches(".cab").parse().unwrap();
        if n == 2
            && let Some(filler) = fill.lock().unwrap().take()
        {
            // Until nothing more fits.
            let _ = fs::write(filler, vec![1; 32 * 1024 * 1024]);
        }
        Reply::file(&payloads[n], "\"1\"", asked)
    });
    side.told(&server);
    copy_folder(side.mirror.data.root(), &data);

    let arguments = ["download", "--reserve", "0", "--parallel", "1", "--attempts", "1"];
    let output = run(&data, &arguments);
    let (code, said) = told(&output);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the download stopped after") && said.contains("free space"), "{said}");

    fs::remove_file(&filler).unwrap();
    let output = run(&data, &arguments);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let content = ContentStore::open(&data.join("content")).unwrap();
    for payload in &side.payloads {
        assert!(fs::read(content.path(&digests(payload).sha256)).unwrap() == *payload);
    }
    drop(unmount);
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Where nothing may be mounted: files of this process may have 2 MiB at most.
#[test]
fn a_file_that_may_not_grow_stops_it_cleanly() {
    let side = Side::new(vec![bytes(1, SIZE), bytes(2, 100_000)]);
    let payloads = side.payloads.clone();
    let server = FileServer::start(move |asked, _| {
        Reply::file(&payloads[usize::from(asked.path.contains("1.cab"))], "\"1\"", asked)
    });
    side.told(&server);
    let data = side.mirror.data.root();
    let output = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "bash"])
        .arg(env!("CARGO_BIN_EXE_tidegate"))
        .arg("--data")
        .arg(data)
        .args(["download", "--reserve", "0"])
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    let (code, said) = told(&output);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the download stopped after"), "{said}");
    let output = run(data, &["download", "--reserve", "0"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    side.assert_all_here();
}

/// Synchronizes what a server of ours has, without payloads.
fn below(upstream: &Running, documents: usize) -> Side {
    let side = Side::new(Vec::new());
    let mut catalog = side.mirror.catalog();
    let mut settings = SyncOptions { limits: DocumentLimits::default(), ..SyncOptions::new(now()) };
    settings.upstream.connection = options().connection;
    let source = Source::detect(&format!("http://{}/", upstream.address)).unwrap();
    let report = sync(&source, &mut catalog, &side.content(), &settings, &mut |_| {}).unwrap();
    assert_eq!(report.new_revisions, documents as u64, "{report:?}");
    side
}

#[test]
fn from_our_own_server_and_what_it_lacks_it_is_told() {
    let site = Site::new();
    let payloads = [bytes(1, SIZE), bytes(2, 70_000)];
    for (n, payload) in payloads.iter().enumerate() {
        let xml = document(n as u128, 1, &[digests(payload)]);
        site.add(i32::try_from(n).unwrap() + 1, xml.as_bytes());
    }
    site.add_payload(&payloads[0]);
    let upstream = Running::new(&site);
    let side = Side { payloads: payloads.to_vec(), ..below(&upstream, 2) };
    let data = side.mirror.data.root();
    let all = ["download", "--all", "--reserve", "0", "--allow-http", "--json"];
    let output = run(data, &all);
    assert_eq!(output.status.code(), Some(4), "{:?}", told(&output));
    let report = json(&output);
    assert_eq!((&report["fetched"], &report["missing"]), (&1.into(), &1.into()), "{report}");
    assert_eq!(report["asked-upstream"], 1, "{:?}", told(&output));

    // Its administrator brings the file; the server takes notice of it.
    site.add_payload(&payloads[1]);
    upstream.wait();
    let upstream = Running::new(&site);
    let moved = below(&upstream, 2);
    let side = Side { payloads: payloads.to_vec(), ..moved };
    let output = run(side.mirror.data.root(), &all);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    side.assert_all_here();
}

/// One command for both: what is approved comes with the synchronization.
#[test]
fn a_synchronization_may_bring_the_payloads() {
    let site = Site::new();
    let payload = bytes(1, 100_000);
    site.add(1, document(0, 1, &[digests(&payload)]).as_bytes());
    site.add_payload(&payload);
    let upstream = Running::new(&site);
    let side = Side::new(vec![payload]);
    let from = format!("http://{}/", upstream.address);
    let arguments = ["sync", "--from", &from, "--allow-http", "--payloads", "--json"];
    let output = run(side.mirror.data.root(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    assert_eq!(json(&output)["download"]["fetched"], 1);
    side.assert_all_here();
}

#[test]
fn the_configuration_says_what_flags_do_not() {
    let side = Side::new(vec![bytes(1, 1000)]);
    let data = side.mirror.data.root();
    let file = side.mirror.folder.path().join("tidegate.toml");
    let config = |text: &str, more: &[&str]| {
        fs::write(&file, format!("[download]\n{text}\n")).unwrap();
        let mut arguments = vec!["download", "--plan", "--config", file.to_str().unwrap()];
        arguments.extend(more);
        let output = run(data, &arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said + &told(&output).1)
    };
    let (code, said) = config("rate = \"10B\"\nreserve = \"0\"", &[]);
    assert!(code == Some(0) && said.contains("2 minutes at least"), "{said}");
    let (code, said) = config("rate = \"10B\"", &["--rate", "1000"]);
    assert!(code == Some(0) && said.contains("1 minute at least"), "{said}");
    for wrong in ["rate = \"fast\"", "window = \"night\"", "locations = [\"/no/such/folder\"]"] {
        let (code, said) = config(wrong, &[]);
        assert_eq!(code, Some(2), "{said}");
    }
}

#[test]
fn an_isolated_side_downloads_nothing() {
    let site = Site::new();
    let output = run(site.data.root(), &["download"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).1.contains("come in bundles"), "{:?}", told(&output));
}
