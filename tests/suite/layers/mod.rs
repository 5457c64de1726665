//! The layer table of `src/lib.rs`, enforced: who imports whom is read from the sources.

mod model;
mod rooms;

use std::{fs, path::Path};

/// Module, layer. Siblings do not know each other.
const LAYERS: &[(&str, u32)] = &[
    ("durable", 0),
    ("encoding", 0),
    ("file_error", 0),
    ("printable", 0),
    ("sidecar", 0),
    ("cabinet", 1),
    ("certificate", 1),
    ("connection_failure", 1),
    ("soap", 1),
    ("update", 1),
    ("error_chain", 0),
    ("xml", 0),
    ("protocol", 2),
    ("scope", 2),
    ("sqlite", 2),
    ("catalog", 3),
    ("content", 3),
    ("data_dir", 3),
    ("fleet", 3),
    ("journal", 3),
    ("agent", 4),
    ("advice", 3),
    ("approval", 4),
    ("publish", 4),
    ("server", 4),
    ("transfer", 4),
    ("upstream", 4),
    ("ops", 5),
];

/// Imports that the table forbids although the layers would allow them.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("agent", &["scope", "catalog", "content", "data_dir", "fleet"]),
    ("catalog", &["protocol", "soap", "scope"]),
    ("content", &["protocol", "soap", "scope", "update"]),
    ("fleet", &["protocol", "soap", "scope"]),
    ("scope", &["soap"]),
    ("transfer", &["protocol", "soap", "scope"]),
    ("upstream", &["scope"]),
];

/// What may appear only where it belongs: a text, and the modules that may hold it.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["server", "cli"]),
    ("hyper", &["connection_failure", "server"]),
    ("hyper_util", &["server"]),
    ("reqwest", &["agent", "upstream"]),
    ("rusqlite", &["catalog", "fleet", "sqlite"]),
    ("anyhow", &["cli", "main"]),
    ("clap", &["cli", "main"]),
    ("indicatif", &["cli", "main"]),
    ("tokio_rustls", &["certificate", "connection_failure", "server", "upstream"]),
    ("tokio", &["agent", "server", "upstream", "ops", "cli"]),
    ("tough", &[]),
    (
        "std::fs",
        &[
            "agent",
            "cli",
            "config",
            "content",
            "data_dir",
            "durable",
            "file_error",
            "journal",
            "ops",
            "publish",
            "server",
            "transfer",
            "upstream",
        ],
    ),
    ("std::net", &["agent", "cli", "config", "ops", "server", "upstream"]),
];

fn sources(folder: &Path, out: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let code: String = fs::read_to_string(&path)
                .unwrap()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| format!("{line}\n"))
                .collect();
            out.push((path.display().to_string(), code));
        }
    }
}

fn module_of(path: &str) -> &str {
    let rest = path.rsplit_once("/src/").unwrap().1;
    rest.split(['/', '.']).next().unwrap()
}

fn layer(module: &str) -> u32 {
    LAYERS.iter().find(|(name, _)| *name == module).map_or(6, |(_, layer)| *layer)
}

#[test]
fn modules_import_only_from_layers_below() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 20, "the sources were not found");
    let mut wrong = Vec::new();
    for (path, code) in &files {
        let module = module_of(path);
        if module == "lib" {
            continue;
        }
        for (other, other_layer) in LAYERS {
            let imported = code.contains(&format!("crate::{other}"))
                || (code.contains("use crate::{")
                    && code.split("use crate::{").skip(1).any(|uses| {
                        let block = uses.split(';').next().unwrap_or_default();
                        block
                            .split([',', '{', '}', ' ', '\n'])
                            .any(|word| word.split("::").next() == Some(*other))
                    }));
            if !imported || *other == module {
                continue;
            }
            let forbidden =
                FORBIDDEN.iter().any(|(name, list)| *name == module && list.contains(other));
            if *other_layer >= layer(module) || forbidden {
                wrong.push(format!("{path}: {module} must not import {other}"));
            }
        }
        for (name, allowed) in CRATES {
            if code.contains(&format!("{name}::")) && !allowed.contains(&module) {
                wrong.push(format!("{path}: {name} does not belong into {module}"));
            }
        }
    }
    assert!(wrong.is_empty(), "layers are crossed:\n{}", wrong.join("\n"));
}

/// The test above cannot fail silently: every module it knows exists, and every folder is known.
#[test]
fn the_table_names_what_is_there() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (module, _) in LAYERS {
        assert!(
            src.join(module).join("mod.rs").exists() || src.join(format!("{module}.rs")).exists(),
            "{module} is in the table but not in src/"
        );
    }
    for entry in fs::read_dir(&src).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(
            LAYERS.iter().any(|(known, _)| *known == module)
                || ["cli", "config", "lib", "main"].contains(&module),
            "{module} is in src/ but not in the table"
        );
    }
}

/// What the program does is done by operations: commands open no store.
#[test]
fn commands_open_no_store() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli"), &mut files);
    assert!(files.len() > 20, "the commands were not found");
    for (path, code) in &files {
        for word in ["::open(", "Catalog::", "ContentStore", "DataDir", "Fleet::"] {
            assert!(!code.contains(word), "{path}: {word} belongs into an operation");
        }
    }
}
