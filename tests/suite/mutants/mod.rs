//! One bad item never stops the rest: odd documents beside good ones go through the whole chain, from
//! `sync` to the scan of an agent and the synchronization of a downstream server. Every good update
//! arrives and is offered as if the odd ones were not there; an odd one arrives, or is named.
//!
//! `TIDEGATE_MUTANTS=first..end` runs these seeds instead of the few that are usual.

mod mutation;
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tidegate::update::{DocumentLimits, UpdateDocument};

use self::{mutation::mutate, tree::Element};
use super::{
    support::{
        documents::samples,
        program::{Program, utf8},
    },
    update_generator::generator::random::Random,
};

/// Odd documents beside the good ones in one run.
const PER_RUN: usize = 40;

/// Two sides on which everything is decided, and a downstream server.
struct Chain {
    folder: TempDir,
    mirror: Program,
    site: Program,
    downstream: Program,
}

/// What arrived, and what was said on the way.
struct Arrival {
    site: BTreeSet<String>,
    downstream: BTreeSet<String>,
    /// Updates that an agent was offered.
    offered: BTreeSet<String>,
    /// What a strict agent did not like.
    findings: Vec<String>,
    said: String,
}

impl Chain {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let mirror = Program::init(root, "mirror", &[], "");
        let made = mirror.run(&["keys", "init"]);
        let site = Program::init(root, "site", &["--site", "plant-7"], "");
        site.run(&["trust", "add", made["root"].as_str().unwrap(), "--yes"]);
        let downstream = Program::init(root, "downstream", &[], "");
        Self { folder, mirror, site, downstream }
    }

    /// The whole way of what is in `source`.
    fn run(&self, source: &Path) -> Arrival {
        let mut said = String::new();
        let mut say = |value: Value| said.push_str(&value.to_string());
        let out = self.folder.path().join("out");
        say(self.any(&self.mirror, &["sync", "--from", utf8(source)]));
        let everyone =
            ["approve", "--all", "--superseded", "--accept-eula", "--group", "All Computers"];
        say(self.any(&self.mirror, &everyone));
        let rule = ["rules", "add", "all", "--title", "*", "--group", "Unassigned Computers"];
        say(self.mirror.run(&rule));
        for step in [
            &["rules", "run", "--dry-run"][..],
            &["rules", "run"],
            &["check"],
            &["prune", "--payloads", "--dry-run"],
        ] {
            say(self.any(&self.mirror, step));
        }
        say(self.any(&self.mirror, &["export", "--site", "plant-7", "--out", utf8(&out)]));
        say(self.any(&self.mirror, &["status"]));
        say(self.any(&self.site, &["policy", "diff", utf8(&out)]));
        say(self.site.run(&["import", utf8(&out)]));
        for look in
            [&["status"][..], &["updates"], &["approve", "--list"], &["check"], &["policy", "show"]]
        {
            say(self.any(&self.site, look));
        }
        let server = self.site.serve(&[]);
        let url = server.said("/url");
        let scan = self.any(&self.site, &["probe", url, "--download"]);
        say(self.any(&self.downstream, &["sync", "--from", url, "--allow-http"]));
        // What the agent and the downstream server reported.
        for look in [&["computers"][..], &["servers"], &["status"]] {
            say(self.any(&self.site, look));
        }
        Arrival {
            site: identities(&self.site),
            downstream: identities(&self.downstream),
            offered: texts(&scan, "offered", "id"),
            findings: errors(&scan),
            said,
        }
    }

    /// A command that may say that something was left out, but must do the rest.
    #[track_caller]
    fn any(&self, program: &Program, args: &[&str]) -> Value {
        let output = program.command(args).output().unwrap();
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 4)) || matches!(args[0], "probe" | "check") && code == Some(1),
            "{args:?}: {code:?}: {}\n{}",
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}"))
    }
}

/// The revisions that a side has.
fn identities(program: &Program) -> BTreeSet<String> {
    let catalog = Connection::open(program.data.join("catalog.sqlite")).unwrap();
    let mut statement = catalog
        .prepare("SELECT lower(hex(update_id)) || '.' || revision_number FROM revision WHERE withdrawn = 0")
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// One member of all objects in a list.
fn texts(value: &Value, list: &str, member: &str) -> BTreeSet<String> {
    let items = value[list].as_array().unwrap_or_else(|| panic!("no {list} in {value:#}"));
    items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

/// What stops an agent; not what only is true of one document: a missing title, and a file without
/// SHA-256, as all files of old updates are.
fn errors(scan: &Value) -> Vec<String> {
    let findings = scan["findings"].as_array().unwrap_or_else(|| panic!("{scan:#}"));
    let errors = findings.iter().filter(|finding| {
        finding["severity"] == "error" && finding["rule"] != "file-sha256-missing"
    });
    errors.map(Value::to_string).collect()
}

/// A mutated document that is in the source.
struct Mutant {
    file: String,
    /// What was done to it.
    what: String,
    /// As far as it can be read.
    document: Option<UpdateDocument>,
}

/// Good documents and their payloads, with mutants of them; the good ones come first.
fn source(seed: u64) -> (TempDir, Vec<Mutant>) {
    let folder = samples();
    let mut paths: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    paths.sort();
    let good: Vec<Element> =
        paths.iter().map(|path| Element::parse(&fs::read_to_string(path).unwrap())).collect();
    let ids: BTreeSet<String> = good
        .iter()
        .map(|document| document.clone().nth(1).unwrap().attributes[0].1.clone())
        .collect();
    let mut mutants = Vec::new();
    for number in 0.. {
        if mutants.len() == PER_RUN {
            break;
        }
        let mut random = Random::new(seed, 0x6d75, number);
        let mut document = random.pick(&good).clone();
        document.nth(1).unwrap().attributes[0].1 = random.id();
        let what = mutate(&mut document, &good, &mut random);
        let mut xml = String::new();
        document.write(&mut xml);
        let read = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default()).ok();
        // A new revision of a good update replaces it: that is no fault.
        if read.as_ref().is_some_and(|read| ids.contains(&read.identity.id.to_string())) {
            continue;
        }
        let file = format!("mutant-{seed}-{number}.xml");
        fs::write(folder.path().join(&file), xml).unwrap();
        mutants.push(Mutant { file, what, document: read });
    }
    (folder, mutants)
}

/// The seeds to run.
fn seeds() -> std::ops::Range<u64> {
    let Ok(wanted) = std::env::var("TIDEGATE_MUTANTS") else { return 0..3 };
    let (first, end) = wanted.split_once("..").expect("TIDEGATE_MUTANTS is first..end");
    first.parse().unwrap()..end.parse().unwrap()
}

#[test]
fn odd_documents_never_stop_the_rest() {
    let plain = Chain::new();
    let usual = plain.run(samples().path());
    assert!(usual.site.len() > 10 && usual.offered.len() > 1, "{}", usual.said);
    // Newest revisions only, as a WSUS gives them on.
    assert_eq!(usual.downstream.len() + 1, usual.site.len(), "{}", usual.said);
    assert_eq!(usual.findings, Vec::<String>::new());
    let mut faults = BTreeMap::new();
    for seed in seeds() {
        let (folder, mutants) = source(seed);
        let arrival = Chain::new().run(folder.path());
        let found = judge(&usual, &mutants, &arrival);
        if !found.is_empty() {
            faults.insert(seed, found);
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What is not as it should be.
fn judge(usual: &Arrival, mutants: &[Mutant], arrival: &Arrival) -> Vec<String> {
    let mut found = Vec::new();
    for missing in usual.site.difference(&arrival.site) {
        found.push(format!("{missing} did not arrive at the site"));
    }
    for missing in usual.downstream.difference(&arrival.downstream) {
        found.push(format!("{missing} did not arrive at the downstream server"));
    }
    let superseded: BTreeSet<String> = mutants
        .iter()
        .filter_map(|mutant| mutant.document.as_ref())
        .filter(|document| arrival.offered.contains(&document.identity.id.to_string()))
        .flat_map(|document| document.superseded.iter().map(ToString::to_string))
        .collect();
    for missing in usual.offered.difference(&arrival.offered) {
        if !superseded.contains(missing) {
            found.push(format!("{missing} is not offered any more"));
        }
    }
    for Mutant { file, what, document } in mutants {
        let identity = document.as_ref().map(|document| document.identity);
        let key =
            identity.map(|it| format!("{}.{}", it.id.to_string().replace('-', ""), it.revision));
        let named = arrival.said.contains(file.as_str());
        let id = identity.map_or_else(String::new, |identity| identity.id.to_string());
        match key {
            None if named => {}
            None => found.push(format!("{file} cannot be read and is named nowhere: {what}")),
            Some(key) if !arrival.site.contains(&key) => {
                if !named && !arrival.said.contains(&id) {
                    found.push(format!("{file} ({id}) was left out and is named nowhere: {what}"));
                }
            }
            Some(key) if !arrival.downstream.contains(&key) => {
                if !arrival.said.contains(&id) {
                    found.push(format!("{file} ({id}) did not reach the downstream: {what}"));
                }
            }
            Some(_) => {}
        }
    }
    for finding in &arrival.findings {
        found.push(format!("an agent stumbles: {finding}"));
    }
    found
}
