//! Prints update documents and the fragments that the library derives from them, a JSON object per
//! line, for the oracle `tests/outside/fragments_oracle.py`, which was written apart from it.
//!
//! ```text
//! cargo run --example fragments -- FILE...      (a wsusutil export package, or a document)
//! ```

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use serde_json::json;
use tidegate::update::{DocumentLimits, Fragments, LocalizedFragment, fragments};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for argument in env::args().skip(1) {
        let path = Path::new(&argument);
        if path.extension().is_some_and(|extension| extension == "cab") {
            let mut cabinet = cab::Cabinet::new(File::open(path)?)?;
            let mut text = String::new();
            cabinet.read_file("metadata.txt")?.read_to_string(&mut text)?;
            for record in records(&text) {
                let (name, document) = record?;
                print(&mut out, name, document)?;
            }
        } else {
            print(&mut out, &argument, &fs::read_to_string(path)?)?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Records are `<id>,<revision>,<length>,<document>` and a line end; the numbers are hexadecimal,
/// and the length counts UTF-16 units.
fn records(mut text: &str) -> impl Iterator<Item = Outcome<(&str, &str)>> {
    std::iter::from_fn(move || {
        (!text.is_empty()).then(|| {
            let (name, rest) = text.split_at_checked(45).ok_or("a record cut short")?;
            let (length, rest) = rest
                .strip_prefix(',')
                .and_then(|rest| rest.split_once(','))
                .ok_or("a record without a length")?;
            let mut units = usize::from_str_radix(length, 16)?;
            let end = rest
                .char_indices()
                .find(|(_, character)| match units.checked_sub(character.len_utf16()) {
                    Some(left) => {
                        units = left;
                        false
                    }
                    None => true,
                })
                .map_or(rest.len(), |(at, _)| at);
            let (document, rest) = rest.split_at(end);
            text = rest.strip_prefix("\r\n").ok_or("a record that does not end its line")?;
            Ok((name, document))
        })
    })
}

fn print(out: &mut impl Write, name: &str, document: &str) -> Outcome<()> {
    let Fragments { core, extended, localized, eulas } =
        fragments(document.as_bytes(), &DocumentLimits::default())
            .map_err(|error| format!("{name}: {error}"))?;
    let line = json!({
        "name": name,
        "document": document,
        "core": core,
        "extended": extended,
        "localized": list(&localized),
        "eulas": list(&eulas),
    });
    writeln!(out, "{line}")?;
    Ok(())
}

fn list(fragments: &[LocalizedFragment]) -> Vec<serde_json::Value> {
    fragments
        .iter()
        .map(|LocalizedFragment { language, geo_id, xml }| {
            json!({ "language": language, "geo_id": geo_id, "xml": xml })
        })
        .collect()
}
