//! Bounds on what agents say before it is stored: anyone on the network may say it.

use serde_json::Value;

/// Bounds on what computers and servers may occupy. Over them, computers that never scanned or reported go
/// first, then those that were silent longest; none that an administrator placed, so that a new one is refused
/// where all were placed. Of reports, the oldest of the address that has most go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetBounds {
    /// Computers in all.
    pub computers: u64,
    /// Computers of one address. Many may stand behind one, in a network with address translation.
    pub computers_of_address: u64,
    /// Computers of one address that have never scanned.
    pub never_scanned_of_address: u64,
    /// Bytes of the events and states of one computer.
    pub bytes_of_computer: u64,
    /// Bytes of those of all computers of one address.
    pub bytes_of_address: u64,
    /// Bytes of those of all computers; as many again for the computers of servers below.
    pub bytes: u64,
    /// Servers of one address: one reports those below it, too.
    pub servers_of_address: u64,
}

impl Default for FleetBounds {
    fn default() -> Self {
        Self {
            computers: 100_000,
            computers_of_address: 20_000,
            never_scanned_of_address: 1000,
            bytes_of_computer: 4 * 1024 * 1024,
            bytes_of_address: 256 * 1024 * 1024,
            bytes: 2 * 1024 * 1024 * 1024,
            servers_of_address: 300,
        }
    }
}

/// Bytes of what a computer or a server says of itself.
pub(super) const DETAILS: usize = 32 * 1024;
/// Bytes of the texts of one event.
pub(super) const EVENT: usize = 16 * 1024;

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

/// A list of texts within bounds, together at most `left` bytes, which are taken off.
pub(super) fn clip_all<'a>(texts: &'a [String], left: &mut usize) -> Vec<&'a str> {
    let mut kept = Vec::new();
    for text in texts.iter().take(LIST) {
        if *left == 0 {
            break;
        }
        let text = clip(text, TEXT.min(*left));
        // Signs and quotes of an entry count too.
        *left = left.saturating_sub(text.len() + 3);
        kept.push(text);
    }
    kept
}

/// JSON within bounds, its texts together at most `bytes`; what is over them is left out.
pub(super) fn clip_json(value: &Value, bytes: usize) -> Value {
    clip_below(value, DEPTH, &mut { bytes })
}

fn clip_below(value: &Value, depth: usize, left: &mut usize) -> Value {
    if *left == 0 {
        return Value::Null;
    }
    match value {
        Value::String(text) => {
            let text = clip(text, TEXT.min(*left));
            *left = left.saturating_sub(text.len() + 3);
            Value::from(text)
        }
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::Null,
        Value::Array(list) => {
            list.iter().take(LIST).map(|v| clip_below(v, depth - 1, left)).collect()
        }
        Value::Object(members) => members
            .iter()
            .take(LIST)
            .map(|(key, v)| {
                let key = clip(key, NAME).to_owned();
                *left = left.saturating_sub(key.len() + 4);
                (key, clip_below(v, depth - 1, left))
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            *left = left.saturating_sub(8);
            value.clone()
        }
    }
}
