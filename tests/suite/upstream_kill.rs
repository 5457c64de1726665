//! The built program, killed with SIGKILL while it synchronizes or downloads over the network from
//! the built server: the stores are in order, and run again it ends with the same revisions under the
//! same numbers, and the same files, as one that nobody stopped.

#![cfg(unix)]

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use bundle_format::digest::Sha256;
use tempfile::TempDir;
use tidegate::catalog::{Catalog, RevisionFilter};

use super::{
    support::sides::{copy_folder, tree},
    update_generator::generator::{Plan, Profile, output},
};

use crate::support::program::{self, Program, Server};

fn silent(data: &Path) -> Command {
    let mut command = program::tidegate(data);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Does its work with the server through a proxy, so that the server's address is always the same:
/// what is remembered of it counts in the next run.
#[derive(Clone)]
struct Work(Vec<String>);

impl Work {
    fn sync(server: &Server) -> Self {
        let from = format!("http://{}", server.said("/address"));
        Self(["sync", "--from", &from].map(str::to_owned).to_vec())
    }

    /// The files of these updates.
    fn download(updates: &[String]) -> Self {
        let updates = updates.iter().flat_map(|id| ["--update", id]);
        Self(
            ["download", "--reserve", "1MiB"]
                .into_iter()
                .chain(updates)
                .map(str::to_owned)
                .collect(),
        )
    }

    fn command(&self, data: &Path, proxy: &str) -> Command {
        let mut command = silent(data);
        command.args(&self.0).args(["--allow-http", "--proxy", proxy]);
        command
    }

    fn done(&self, data: &Path) {
        assert!(self.command(data, "none").status().unwrap().success());
    }
}

/// When to kill, seen from one exchange.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The request has arrived here and not yet there.
    Asked,
    /// Half of the answer is out.
    Half,
    /// All of it is out, so long ago.
    Answered(Duration),
}

const MOMENTS: [Moment; 4] = [
    Moment::Asked,
    Moment::Half,
    Moment::Answered(Duration::from_millis(15)),
    Moment::Answered(Duration::from_millis(60)),
];

/// Stands between the two, passes on one exchange after the other, and kills the child at its moment.
struct Proxy {
    url: String,
    exchanges: Arc<AtomicUsize>,
    child: Arc<Mutex<Option<Child>>>,
}

impl Proxy {
    fn new(at: Option<(usize, Moment)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let exchanges = Arc::new(AtomicUsize::new(0));
        let child: Arc<Mutex<Option<Child>>> = Arc::default();
        let (counted, killed) = (exchanges.clone(), child.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let moment = at.filter(|(exchange, _)| *exchange == number).map(|(_, m)| m);
                let kill = || killed.lock().unwrap().as_mut().unwrap().kill().unwrap();
                // A client that was killed is no failure of the proxy.
                let _ = exchange(client.unwrap(), moment, &kill);
            }
        });
        Self { url, exchanges, child }
    }

    /// Works through this proxy, to the end or until it is killed.
    fn run(&self, work: &Work, data: &Path) -> ExitStatus {
        *self.child.lock().unwrap() = Some(work.command(data, &self.url).spawn().unwrap());
        loop {
            if let Some(status) = self.child.lock().unwrap().as_mut().unwrap().try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn exchange(mut client: TcpStream, moment: Option<Moment>, kill: &dyn Fn()) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(());
    }
    // As it is said to proxies: with the whole address.
    let (method, address) = line.split_once(" http://").unwrap();
    let (upstream, path) = address.split_once('/').unwrap();
    let mut request = format!("{method} /{path}").into_bytes();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        request.extend(line.bytes());
    }
    request.extend(b"Connection: close\r\n\r\n");
    let head = request.len();
    request.resize(head + length, 0);
    reader.read_exact(&mut request[head..])?;
    if matches!(moment, Some(Moment::Asked)) {
        kill();
    }
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(&request)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let (first, second) = answer.split_at(answer.len() / 2);
    client.write_all(first)?;
    if matches!(moment, Some(Moment::Half)) {
        kill();
    }
    client.write_all(second)?;
    client.shutdown(Shutdown::Both)?;
    if let Some(Moment::Answered(after)) = moment {
        thread::sleep(after);
        kill();
    }
    Ok(())
}

/// Every revision: its number, its identity, its document's digest.
fn held(data: &Path) -> Vec<(i32, String, Sha256)> {
    let catalog = Catalog::open(&data.join("catalog.sqlite")).unwrap();
    let mut found = Vec::new();
    catalog.find(&RevisionFilter::default(), &mut |summary| found.push(summary)).unwrap();
    let mut held: Vec<_> = found
        .into_iter()
        .map(|summary| {
            let document = catalog.document(summary.revision_id).unwrap().unwrap();
            (summary.revision_id.0, summary.identity.to_string(), Sha256::hash(&document))
        })
        .collect();
    held.sort();
    held
}

/// All that must be the same.
fn state(data: &Path) -> State {
    let content = data.join("content");
    (held(data), if content.exists() { tree(&content) } else { BTreeMap::new() })
}

type State = (Vec<(i32, String, Sha256)>, BTreeMap<String, Sha256>);

/// Work, a downstream before it, and what an uninterrupted run makes of it.
struct Scenario {
    name: &'static str,
    work: Work,
    folder: TempDir,
    before: PathBuf,
    twin: State,
    exchanges: usize,
}

impl Scenario {
    fn new(name: &'static str, work: Work, before: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("before");
        copy_folder(before, &kept);
        let twin = folder.path().join("twin");
        copy_folder(before, &twin);
        let proxy = Proxy::new(None);
        assert!(proxy.run(&work, &twin).success(), "{name}: the twin");
        let exchanges = proxy.exchanges.load(Ordering::SeqCst);
        Self { name, work, before: kept, twin: state(&twin), exchanges, folder }
    }

    /// Kills at one point, then lets it finish. Gives whether it was killed.
    fn kill(&self, exchange: usize, moment: Moment) -> bool {
        let what = format!("{} killed at exchange {exchange}, {moment:?}", self.name);
        let copy = tempfile::tempdir_in(self.folder.path()).unwrap();
        let data = copy.path().join("data");
        copy_folder(&self.before, &data);
        let status = Proxy::new(Some((exchange, moment))).run(&self.work, &data);
        let killed = status.signal() == Some(9);
        assert!(killed || status.success(), "{what}: {status}");
        assert!(silent(&data).arg("check").status().unwrap().success(), "{what}: check");
        if data.join("catalog.sqlite").exists() {
            let some = held(&data);
            assert!(some.iter().all(|revision| self.twin.0.contains(revision)), "{what}: numbers");
        }
        let again = Proxy::new(None).run(&self.work, &data);
        assert!(again.success(), "{what}: the second run: {again}");
        assert_eq!(state(&data), self.twin, "{what}");
        assert!(silent(&data).arg("check").status().unwrap().success(), "{what}: check");
        killed
    }
}

fn serve(data: &Path) -> Server {
    let name = data.file_name().unwrap().to_str().unwrap();
    Program::at(data.parent().unwrap(), name).serve(&[])
}

fn connected(folder: &Path) -> PathBuf {
    let data = folder.to_owned();
    assert!(silent(&data).arg("init").status().unwrap().success());
    data
}

fn add(data: &Path, plan: &Plan) {
    let source = tempfile::tempdir().unwrap();
    output::folder(plan, source.path()).unwrap();
    let mut command = silent(data);
    assert!(command.arg("sync").arg("--from").arg(source.path()).status().unwrap().success());
}

#[test]
fn killed_at_every_exchange_the_next_run_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = connected(&folder.path().join("upstream"));
    let plan = Plan::new(Profile::General, 1, 600, 6);
    add(&upstream, &plan);
    let server = serve(&upstream);
    let downstream = connected(&folder.path().join("downstream"));
    let first = Scenario::new("the first", Work::sync(&server), &downstream);
    assert!(first.twin.0.len() > 500 && first.exchanges >= 10, "{}", first.exchanges);
    let mut killed = each_point(&first);
    first.work.done(&downstream);

    // More arrives at the upstream; then only that is fetched.
    add(&upstream, &Plan::new(Profile::General, 2, 150, 0));
    let delta = Scenario::new("changes", Work::sync(&server), &downstream);
    assert!(delta.exchanges < first.exchanges, "{}", delta.exchanges);
    assert!(delta.twin.0.len() > first.twin.0.len() + 100);
    killed += each_point(&delta);
    delta.work.done(&downstream);

    // Then the files that are at the upstream.
    let with_files = plan.entries().filter(|entry| entry.files.iter().any(|f| f.payload.is_some()));
    let updates: Vec<_> = with_files.map(|entry| entry.id).collect();
    let files = Scenario::new("files", Work::download(&updates), &downstream);
    assert!(files.twin.1.len() >= 6 && files.exchanges >= 6, "{}", files.exchanges);
    killed += each_point(&files);
    assert!(killed >= 70, "only {killed} points were tried");
}

/// Gives how often it was killed.
fn each_point(scenario: &Scenario) -> usize {
    let points: Vec<_> =
        (0..scenario.exchanges).flat_map(|n| MOMENTS.map(|moment| (n, moment))).collect();
    let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((n, moment)) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let hit = scenario.kill(*n, *moment);
                    killed.fetch_add(usize::from(hit), Ordering::SeqCst);
                }
            });
        }
    });
    killed.into_inner()
}

/// Killed again and again, each time a little later, it still gets there.
#[test]
fn killed_many_times_in_a_row_it_goes_on_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = connected(&folder.path().join("upstream"));
    add(&upstream, &Plan::new(Profile::General, 3, 500, 0));
    let server = serve(&upstream);
    let downstream = connected(&folder.path().join("downstream"));
    let scenario = Scenario::new("one after the other", Work::sync(&server), &downstream);
    let (mut runs, mut most) = (0, 0);
    // After the handshake and both lists: each run comes as far as one more batch. When all are here,
    // what they need is looked for, and that is done in one go.
    let mut at = 6;
    loop {
        let late = Moment::Answered(Duration::from_millis(400));
        let status = Proxy::new(Some((at, late))).run(&scenario.work, &downstream);
        runs += 1;
        if status.success() {
            break;
        }
        assert_eq!(status.signal(), Some(9));
        let now = held(&downstream).len();
        assert!(now >= most && runs < 40, "{runs} runs, {now} revisions");
        at += usize::from(now == most);
        most = now;
    }
    assert!(runs > 2, "it was killed only {} times", runs - 1);
    assert_eq!(state(&downstream), scenario.twin);
}
