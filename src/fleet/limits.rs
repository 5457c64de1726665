//! Bounds on what agents say before it is stored: anyone on the network may say it.

use serde_json::Value;

/// Bytes of one text.
pub(super) const TEXT: usize = 4 * 1024;
/// Bytes of a computer's id or DNS name.
pub(super) const NAME: usize = 256;
/// Texts in a list, members of an object.
pub(super) const LIST: usize = 256;
/// Nesting of JSON.
const DEPTH: usize = 8;
/// Updates whose state is kept for one computer.
pub(super) const UPDATES: usize = 20_000;

/// The beginning of a text, cut between characters.
pub(super) fn clip(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

/// A list of texts within bounds.
pub(super) fn clip_all(texts: &[String]) -> Vec<&str> {
    texts.iter().take(LIST).map(|text| clip(text, TEXT)).collect()
}

/// JSON within bounds; what is over them is left out.
pub(super) fn clip_json(value: &Value) -> Value {
    clip_below(value, DEPTH)
}

fn clip_below(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) => Value::from(clip(text, TEXT)),
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::Null,
        Value::Array(list) => list.iter().take(LIST).map(|v| clip_below(v, depth - 1)).collect(),
        Value::Object(members) => members
            .iter()
            .take(LIST)
            .map(|(key, v)| (clip(key, NAME).to_owned(), clip_below(v, depth - 1)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
