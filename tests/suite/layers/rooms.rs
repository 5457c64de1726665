//! Within the rooms: which folder knows which, no circle of files, no detour through a re-export.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Edge, Model, Target, src};

/// A folder or file of a room, and the folders that it may know.
type Place = (&'static str, &'static [&'static str]);

/// A room, its inner folders and files, and which folders each of them may know. A file that stands in
/// no list knows none.
const ROOMS: &[(&str, &[Place])] = &[
    (
        "fleet",
        &[
            ("decisions", &[]),
            ("computers", &["decisions"]),
            ("hierarchy", &["computers", "decisions"]),
        ],
    ),
    (
        "server",
        &[
            ("http", &["services", "content", "state", "view", "pack"]),
            ("services", &["content", "state", "view", "pack"]),
            ("content", &["state", "view", "pack"]),
            ("state", &["view", "pack"]),
            ("view", &["pack"]),
            ("pack", &[]),
            ("mod", &["http", "services", "content", "state", "view", "pack"]),
            // The words that name what is in a pack, or what may go wrong with a view.
            ("call", &["pack"]),
            ("failure", &["pack"]),
            ("error", &["view"]),
            ("options", &["view"]),
        ],
    ),
    (
        "transfer",
        &[
            ("upkeep", &["connected", "isolated", "policy", "volume", "store"]),
            ("connected", &["policy", "volume", "store"]),
            ("isolated", &["policy", "volume", "store"]),
            ("policy", &["volume", "store"]),
            ("volume", &["store"]),
            ("store", &[]),
        ],
    ),
    (
        "upstream",
        &[
            ("mod", &["download", "wsus"]),
            ("download", &["wsus"]),
            ("wsus", &[]),
            // What may go wrong with a source, and what a source may be, names servers too.
            ("error", &["wsus"]),
            ("report", &["wsus"]),
            ("source", &["wsus"]),
        ],
    ),
];

/// Files that know each other because they belong together, and say so in their opening comments.
const PAIRS: &[(&str, &str)] = &[];

fn edges() -> BTreeSet<Edge> {
    let edges = Model::read(&src()).edges();
    assert!(edges.len() > 1000, "only {} uses between files were found", edges.len());
    edges
}

/// The room of a file, and the folder or file within it.
fn place(file: &str) -> Option<(&str, &str)> {
    let (room, rest) = file.split_once('/')?;
    Some((room, rest.split(['/', '.']).next()?))
}

#[test]
fn folders_know_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for Edge { from, to, what } in edges() {
        let (Some((room, folder)), Some((other_room, other))) = (place(&from), place(&to)) else {
            continue;
        };
        let Some((_, folders)) = ROOMS.iter().find(|(name, _)| *name == room) else { continue };
        // Files beside the folders are the vocabulary of the room: everybody knows them.
        let is_folder = src().join(room).join(other).is_dir();
        if room != other_room || folder == other || !is_folder {
            continue;
        }
        let known = folders.iter().find(|(name, _)| *name == folder).map_or(&[][..], |(_, k)| k);
        if !known.contains(&other) {
            wrong.push(format!("{from} must not know {what} of {to}"));
        }
    }
    assert!(wrong.is_empty(), "inner walls are crossed:\n{}", wrong.join("\n"));
}

#[test]
fn the_inner_tables_name_what_is_there() {
    for (room, folders) in ROOMS {
        for (name, known) in *folders {
            let room = src().join(room);
            assert!(
                room.join(name).is_dir() || room.join(format!("{name}.rs")).exists(),
                "{name} is in the table of {}, but not there",
                room.display()
            );
            for other in *known {
                assert!(folders.iter().any(|(name, _)| name == other), "{other} is not listed");
            }
        }
    }
}

#[test]
fn no_files_import_each_other() {
    let edges = edges();
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in &edges {
        graph.entry(&edge.from).or_default().insert(&edge.to);
    }
    let mut circles: BTreeSet<BTreeSet<&str>> = BTreeSet::new();
    for file in graph.keys() {
        let forward = reachable(&graph, file);
        let circle: BTreeSet<&str> = forward
            .iter()
            .copied()
            .filter(|other| other == file || reachable(&graph, other).contains(file))
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    let is_a_pair =
        |circle: &BTreeSet<&str>| PAIRS.iter().any(|(a, b)| *circle == BTreeSet::from([*a, *b]));
    let wrong: Vec<String> = circles
        .iter()
        .filter(|circle| !is_a_pair(circle))
        .map(|circle| {
            let inner = edges.iter().filter(|edge| {
                circle.contains(edge.from.as_str()) && circle.contains(edge.to.as_str())
            });
            let inner: Vec<_> =
                inner.map(|e| format!("    {} names {} of {}", e.from, e.what, e.to)).collect();
            format!("{circle:?}\n{}", inner.join("\n"))
        })
        .collect();
    assert!(wrong.is_empty(), "files import each other in circles:\n{}", wrong.join("\n"));
    for (a, b) in PAIRS {
        assert!(circles.contains(&BTreeSet::from([*a, *b])), "{a} and {b} are no pair any more");
    }
}

fn reachable<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = graph.get(from).into_iter().flatten().copied().collect();
    while let Some(file) = open.pop() {
        if found.insert(file) {
            open.extend(graph.get(file).into_iter().flatten().copied());
        }
    }
    found
}

/// Within a room, a type is imported from the file that defines it: a detour through the face that a
/// room shows to others hides who knows whom.
#[test]
fn imports_within_a_room_lead_to_the_definition() {
    let model = Model::read(&src());
    let mut wrong = Vec::new();
    for (id, module) in model.modules.iter().enumerate() {
        let Some(room) = module.path.first() else { continue };
        for import in module.imports.iter().filter(|import| !import.is_public) {
            let Some(name) = &import.name else { continue };
            for target in model.resolve(id, &import.path) {
                let Target::Item(defining, item) = target else { continue };
                let home = &model.modules[defining].path;
                if home.first() != Some(room) || !import.path.contains(&item) {
                    continue;
                }
                // A module and its function may have one name: the item is the last of that name.
                let at = import.path.iter().rposition(|word| *word == item).unwrap_or_default();
                let through = import.path[..at].to_vec();
                let written = model.resolve(id, &through);
                let direct = through.is_empty() || written.contains(&Target::Module(defining));
                if !direct {
                    wrong.push(format!(
                        "{}: {name} comes through {}, but is defined in {}",
                        module.file,
                        through.join("::"),
                        home.join("::")
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports take detours:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_exported_as_a_heap() {
    let model = Model::read(&src());
    for module in &model.modules {
        for import in module.imports.iter().filter(|import| import.is_public) {
            assert!(
                import.name.is_some(),
                "{}: `pub use {}::*` does not say what it shows",
                module.file,
                import.path.join("::")
            );
        }
    }
}
