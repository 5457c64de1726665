//! stdout is data, stderr is messages.

use std::io::{self, Write as _};

use serde::Serialize;
use tidegate::printable::printable_lines;
pub(super) use tidegate::{ops::count, printable::printable};

/// Nobody reads the data (any more): `tidegate … | head`.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output")]
pub(super) struct ReaderGone;

/// Where a command writes.
#[derive(Debug, Clone)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether data goes out as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints data: the value as JSON, or the text.
    pub(super) fn data<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        let print = || {
            let mut out = io::stdout().lock();
            if self.json {
                serde_json::to_writer_pretty(&mut out, value)?;
                writeln!(out)?;
            } else {
                // What came from outside passes through here too: nothing of it acts on a terminal.
                let text = printable_lines(&text());
                if !text.is_empty() {
                    writeln!(out, "{}", text.trim_end())?;
                }
            }
            out.flush()
        };
        print().map_err(|e| match e.kind() {
            io::ErrorKind::BrokenPipe => anyhow::Error::new(ReaderGone),
            _ => anyhow::Error::new(e).context("cannot print the result"),
        })
    }

    /// Says something that is no data.
    pub(super) fn note(&self, text: &str) {
        // Nobody can be told that nobody can be told.
        let _ = writeln!(io::stderr().lock(), "{}", printable_lines(text));
    }

    /// Says that something deserves attention.
    pub(super) fn warn(&self, text: &str) {
        self.note(&format!("warning: {text}"));
    }

    /// Says why the command failed.
    pub(super) fn error(&self, text: &str) {
        self.note(&format!("error: {text}"));
    }
}

/// The title of an update, which may have none.
pub(super) fn titled(title: &str) -> String {
    match title.trim() {
        "" => "(no title)".to_owned(),
        title => printable(title),
    }
}

/// A size as people read it.
pub(super) fn human_bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
