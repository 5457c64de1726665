//! What a data folder and a medium hold, as lines of text that two runs which did the same have alike.

use std::{collections::BTreeSet, path::Path};

use serde::Serialize;
use serde_json::Value;
use tidegate::ops::{Context, approve, groups, status, trust, updates};

use super::preload::starred;
use crate::support::sides::tree;

/// A state: lines without order.
pub(super) type State = BTreeSet<String>;

/// Times, counters of changes, and ids that are random; and which snapshot was packed, which is noted when
/// all volumes have their names.
const VARIES: [&str; 10] = [
    "arrived",
    "switched",
    "changed",
    "change",
    "created",
    "group",
    "bundle-set",
    "parent",
    "since",
    "exported",
];

/// What users of the program see: its answers, who is trusted, the keys, the volumes on the medium.
/// Files that the databases do not name yet are no part of it.
pub(super) fn visible(root: &Path) -> State {
    let mut state = files(root);
    state.retain(|line| !INSIDE.iter().any(|folder| line.starts_with(folder)));
    let data = root.join("data");
    if !data.join("tidegate.json").exists() {
        return state;
    }
    let context = Context::new(&data, &());
    add(&mut state, root, "status", status::status(&context));
    add(&mut state, root, "trust", trust::show(&context));
    add(&mut state, root, "updates", updates::list(&context, updates::UpdatesQuery::default()));
    add(&mut state, root, "approvals", approve::list(&context));
    let names = groups::list(&context)
        .map(|groups| groups.into_iter().map(|group| group.name).collect::<Vec<_>>());
    add(&mut state, root, "groups", names);
    state
}

/// Folders of files that only the databases give a meaning.
const INSIDE: [&str; 6] = [
    "data/content/",
    "data/segments/",
    "data/snapshots/",
    "data/parts/",
    "data/incoming/",
    "data/receipts/",
];

/// All of it, with every file.
pub(super) fn whole(root: &Path) -> State {
    let mut state = visible(root);
    state.extend(files(root));
    state
}

fn files(root: &Path) -> State {
    let mut state = State::new();
    for folder in ["data", "out", "tmp"] {
        if !root.join(folder).exists() {
            continue;
        }
        for (name, digest) in tree(&root.join(folder)) {
            let file = name.rsplit('/').next().unwrap_or_default();
            let lock = ["lock", ".lock", "sync.lock"].contains(&file);
            // Databases are compared by what they answer, and so is what is trusted, which says since
            // when; keys are random; what is in the journal has a time, and `check` looks whether it
            // is whole.
            let journal = name.starts_with("journal/");
            if lock || journal || file.contains(".sqlite") || is_left_over(&name) {
                continue;
            }
            // What a backup says of itself has its date.
            let of_backup = ["BACKUP.json", "README.txt", "SHA256SUMS"].contains(&file);
            let varies = name.starts_with("keys/") || name == "trust/state" || of_backup;
            let digest = if varies { String::new() } else { digest.to_string() };
            state.insert(format!("{folder}/{name} {digest}"));
        }
    }
    state
}

/// Files and folders that a run which has ended has no use for.
pub(super) fn left_over(root: &Path) -> Vec<String> {
    let mut found = BTreeSet::new();
    walk(root, root, &mut found);
    found.into_iter().collect()
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let in_tmp = name.starts_with("tmp/");
        let in_content = name.starts_with("data/content/tmp/") && !name.ends_with("/.lock");
        if in_tmp || in_content || is_left_over(&name) {
            found.insert(starred(&name));
        } else if path.is_dir() {
            walk(root, &path, found);
        }
    }
}

fn is_left_over(name: &str) -> bool {
    name.split('/').any(|part| part == "incoming" || starred(part) != part)
}

fn add<T: Serialize, E: std::fmt::Display>(
    state: &mut State,
    root: &Path,
    what: &str,
    answer: Result<T, E>,
) {
    let mut lines = Vec::new();
    match answer {
        Ok(answer) => flatten(what, &serde_json::to_value(&answer).unwrap(), &mut lines),
        Err(error) => lines.push(format!("{what}: {error}")),
    }
    let root = root.display().to_string();
    state.extend(lines.into_iter().map(|line| line.replace(&root, "ROOT")));
}

/// A line for each value; the members of a list by their first text, not by their place.
fn flatten(at: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if !VARIES.contains(&name.as_str()) || value.is_object() {
                    flatten(&format!("{at}/{name}"), value, lines);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut of_item = Vec::new();
                flatten("", item, &mut of_item);
                lines.push(format!("{at}[{}]", of_item.join(" ")));
            }
        }
        other => lines.push(format!("{at}={other}")),
    }
}

/// The lines that one state has and the other has not.
pub(super) fn difference(expected: &State, found: &State) -> String {
    let side = |sign: &str, lines: Vec<&String>| {
        lines.iter().take(3).map(|line| format!("\n    {sign} {line:.90}")).collect::<String>()
    };
    let lacks = expected.difference(found).collect();
    let has = found.difference(expected).collect();
    side("-", lacks) + &side("+", has)
}
