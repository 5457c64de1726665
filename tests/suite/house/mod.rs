//! Rules of the house that a compiler does not know: how long functions and files may be, and which words
//! files may be called by.

mod names;
mod scanner;

use std::{fs, path::Path};

use self::scanner::functions;

/// Lines that a function may have, from that of its `fn` to its closing brace.
const FUNCTION: usize = 60;
/// Lines that a file may have.
const FILE: usize = 400;

/// A reason: it is one table, with a case in each line or so.
const TABLE: &str = "a table of cases";
/// A reason: each case is a few lines, and they are compared with each other.
const CASES: &str = "one test for each refusal of a container";

/// Functions that are longer than [`FUNCTION`]: file, name, the lines that it may have, and why. The list
/// only shrinks: what is short enough, or gone, has to leave it, and none may grow.
const LONG_FUNCTIONS: &[(&str, &str, usize, &str)] = &[
    (
        "bundle-format/src/trust/tests/lying.rs",
        "metadata_that_say_something_else_are_refused",
        78,
        TABLE,
    ),
    ("src/agent/rules/tests.rs", "rules_hold_or_not", 93, TABLE),
    ("src/protocol/client/tests.rs", "soup", 71, TABLE),
];

/// Files that are longer than [`FILE`]: file, the lines that it may have, and why. It only shrinks, too.
const LONG_FILES: &[(&str, usize, &str)] = &[("bundle-format/src/container/tests.rs", 431, CASES)];

/// Every source of the two crates: its path from the root of the repository, and its text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "bundle-format/src"] {
        collect(root, &root.join(folder), &mut found);
    }
    found.sort();
    assert!(found.len() > 200, "the sources were not found");
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// What is longer than it may be, and what is listed without need.
fn judge(found: &[(String, usize)], most: usize, listed: &[(String, usize)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, lines) in found.iter().filter(|(_, lines)| *lines > most) {
        match listed.iter().find(|(known, _)| known == what) {
            None => wrong.push(format!("{what} has {lines} lines, {most} are allowed: split it")),
            Some((_, allowed)) if lines > allowed => {
                wrong.push(format!("{what} has grown to {lines} lines: split it"));
            }
            Some((_, allowed)) if lines < allowed => {
                wrong.push(format!("{what} has {lines} lines only: say so in its list"));
            }
            Some(_) => {}
        }
    }
    for (what, _) in listed {
        if !found.iter().any(|(known, lines)| known == what && *lines > most) {
            wrong.push(format!("{what} is listed as long and is not: take it off its list"));
        }
    }
    wrong
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let of_file = functions(&text);
        found.extend(of_file.into_iter().map(|f| (format!("{path}: {}", f.name), f.lines)));
    }
    assert!(found.len() > 2000, "only {} functions were found", found.len());
    let listed: Vec<_> = LONG_FUNCTIONS
        .iter()
        .map(|(path, name, lines, _)| (format!("{path}: {name}"), *lines))
        .collect();
    let wrong = judge(&found, FUNCTION, &listed);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    let lines = |(path, text): (String, String)| (path, text.lines().count());
    let found: Vec<_> = sources().into_iter().map(lines).collect();
    let listed: Vec<_> =
        LONG_FILES.iter().map(|(path, lines, _)| ((*path).to_owned(), *lines)).collect();
    let wrong = judge(&found, FILE, &listed);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_too_long_or_listed_without_need_is_found() {
    let found = [("short", 5), ("long", 61), ("known", 70), ("grown", 80), ("shrunk", 65)];
    let found: Vec<_> = found.iter().map(|(name, lines)| ((*name).to_owned(), *lines)).collect();
    let listed = [("known", 70), ("grown", 79), ("shrunk", 66), ("short", 61), ("gone", 99)];
    let listed: Vec<_> = listed.iter().map(|(name, lines)| ((*name).to_owned(), *lines)).collect();
    let wrong = judge(&found, 60, &listed);
    let about: Vec<_> = wrong.iter().map(|text| text.split(' ').next().unwrap()).collect();
    assert_eq!(about, ["long", "grown", "shrunk", "short", "gone"]);
}
