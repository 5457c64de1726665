//! Files are called by words that docs/terminology.md explains or lists, or that name an operation of the
//! protocol.

use std::{collections::BTreeSet, fs, path::Path};

use super::sources;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// The words of a text, in lower case; `CamelCase` is two.
fn words(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in text.split(|c: char| !c.is_alphanumeric()) {
        let mut word = String::new();
        let mut small = false;
        for c in part.chars() {
            if c.is_uppercase() && small {
                found.insert(std::mem::take(&mut word));
            }
            small = !c.is_uppercase();
            word.extend(c.to_lowercase());
        }
        found.insert(word);
    }
    found.remove("");
    found
}

/// What a page names: the first cells of its tables, what is bold, and what its lists begin with.
fn named(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in page.lines().map(str::trim) {
        if let Some(row) = line.strip_prefix('|') {
            found.extend(words(row.split('|').next().unwrap_or_default()));
        }
        if let Some(item) = line.strip_prefix("- ") {
            found.extend(words(item.split(": ").next().unwrap_or_default()));
        }
        found.extend(line.split("**").skip(1).step_by(2).flat_map(words));
    }
    found
}

/// The words of the names of operations: the first cells of those tables of docs/protocol-support.md that
/// have operations in them.
fn operations(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut listed = false;
    for line in page.lines() {
        let Some(row) = line.strip_prefix('|') else {
            listed = false;
            continue;
        };
        let cell = row.split('|').next().unwrap_or_default();
        if cell.trim() == "operation" {
            listed = true;
        }
        // `SyncUpdates, drivers`: the rest is no name.
        let names = cell.split([' ', ',']).filter(|name| name.starts_with(char::is_uppercase));
        if listed {
            found.extend(names.flat_map(words));
        }
    }
    found
}

/// Whether a word is known, in the singular or the plural.
fn is_known(word: &str, known: &BTreeSet<String>) -> bool {
    let plurals = |word: &str| {
        let ies = word.strip_suffix('y').map(|stem| format!("{stem}ies"));
        [format!("{word}s"), format!("{word}es"), ies.unwrap_or_default()]
    };
    known.contains(word)
        || plurals(word).iter().any(|plural| known.contains(plural))
        || known.iter().any(|one| plurals(one).iter().any(|plural| plural == word))
}

/// The words of files and folders, with a file that each is from. Tests are called by what they test.
fn of_files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, _) in sources() {
        let inside = path.split_once("src/").unwrap().1.trim_end_matches(".rs");
        if inside.contains("/tests/") {
            continue;
        }
        for word in inside.split(['/', '_']) {
            if !["mod", "lib", "main"].contains(&word) {
                found.push((word.to_owned(), path.clone()));
            }
        }
    }
    found
}

#[test]
fn files_are_called_by_words_that_the_terminology_has() {
    let mut known = named(&page("terminology.md"));
    let protocol = operations(&page("protocol-support.md"));
    assert!(known.contains("mirror") && protocol.contains("cookie"), "the pages have changed");
    known.extend(protocol);
    let files = of_files();
    let mut wrong = Vec::new();
    for (word, path) in &files {
        if !is_known(word, &known) {
            wrong.push(format!("{path}: {word:?} is no word of docs/terminology.md"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The words of public types, with the type that each is from.
fn of_types() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, text) in sources() {
        if path.contains("/tests") {
            continue;
        }
        for line in text.lines().filter(|line| line.starts_with("pub")) {
            let mut parts = line
                .split([' ', '<', '(', '{', ';'])
                .skip_while(|part| !["struct", "enum", "trait", "type"].contains(part));
            if let (Some(_), Some(name)) = (parts.next(), parts.next()) {
                found.extend(words(name).into_iter().map(|word| (word, format!("{path}: {name}"))));
            }
        }
    }
    found
}

#[test]
fn public_types_are_called_by_words_that_the_terminology_has() {
    let mut known = named(&page("terminology.md"));
    known.extend(operations(&page("protocol-support.md")));
    let types = of_types();
    assert!(types.len() > 500, "only {} words were found", types.len());
    let wrong: Vec<String> = types
        .iter()
        .filter(|(word, _)| !is_known(word, &known))
        .map(|(word, at)| format!("{at}: {word:?} is no word of docs/terminology.md"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pages_name_what_is_in_tables_lists_and_bold() {
    let page = "Prose.\n| word | meaning |\n|---|---|\n| trust state, root | what |\n- lists: yes\n**Bold** no";
    let known = named(page);
    let expected = ["bold", "lists", "root", "state", "trust", "word"];
    assert_eq!(known.iter().collect::<Vec<_>>(), expected);
    assert!(is_known("roots", &known) && is_known("list", &known) && !is_known("prose", &known));
    let known = words("policy GetOutOfSyncComputers");
    assert!(is_known("policies", &known) && is_known("computer", &known));
    let page = "| operation | notes |\n|---|---|\n| GetCookie, more | TLS |\n| Ping | |\n\n| what |\n| Not |";
    let found = operations(page);
    assert_eq!(found.iter().collect::<Vec<_>>(), ["cookie", "get", "ping"]);
}
