//! stdout is data, stderr is progress and messages.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

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
                let text = text();
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
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Says that something deserves attention.
    pub(super) fn warn(&self, text: &str) {
        self.note(&format!("warning: {text}"));
    }

    /// Says why the command failed.
    pub(super) fn error(&self, text: &str) {
        self.note(&format!("error: {text}"));
    }

    /// A progress display for work in phases, counted in bytes.
    pub(super) fn phases(&self) -> Phases {
        Phases { current: Mutex::new(None) }
    }

    /// A progress display for work on `total` bytes (0: not known).
    pub(super) fn bytes(&self, what: &str, total: u64) -> Progress {
        Progress::new(what, total, true)
    }

    /// A progress display for work on `total` things (0: not known).
    #[cfg(feature = "upstream")]
    pub(super) fn things(&self, what: &str, total: u64) -> Progress {
        Progress::new(what, total, false)
    }
}

/// A bar on a terminal, a plain line every few seconds elsewhere.
pub(super) struct Progress {
    what: String,
    bytes: bool,
    bar: Option<ProgressBar>,
    position: u64,
    total: u64,
    begun: Instant,
    said: Instant,
}

/// How often a plain line is said.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

impl Progress {
    fn new(what: &str, total: u64, bytes: bool) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let template = match (total > 0, bytes) {
                (true, true) => {
                    "{msg} [{bar:32}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left"
                }
                (true, false) => "{msg} [{bar:32}] {pos}/{len} {per_sec}, {eta} left",
                (false, true) => "{msg} {spinner} {bytes} {bytes_per_sec}",
                (false, false) => "{msg} {spinner} {pos} {per_sec}",
            };
            let bar = if total > 0 { ProgressBar::new(total) } else { ProgressBar::new_spinner() };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(what.to_owned());
            bar
        });
        Self {
            what: what.to_owned(),
            bytes,
            bar,
            position: 0,
            total,
            begun: Instant::now(),
            said: Instant::now(),
        }
    }

    /// That much is done in all.
    pub(super) fn set(&mut self, position: u64) {
        self.position = position;
        if let Some(bar) = &self.bar {
            bar.set_position(position);
        } else if self.said.elapsed() >= PLAIN_INTERVAL {
            self.said = Instant::now();
            let text = match (self.bytes, self.total) {
                (true, 0) => human_bytes(position),
                (true, total) => {
                    let pace = pace(position, total, self.begun.elapsed());
                    format!("{} of {}{pace}", human_bytes(position), human_bytes(total))
                }
                (false, 0) => position.to_string(),
                (false, total) => format!("{position} of {total}"),
            };
            let _ = writeln!(io::stderr().lock(), "{}: {text}", self.what);
        }
    }

    /// The whole is known only now.
    #[cfg(any(feature = "upstream", feature = "probe"))]
    pub(super) fn set_total(&mut self, total: u64) {
        if self.total != total {
            self.total = total;
            if let Some(bar) = &self.bar {
                bar.set_length(total);
            }
        }
    }

    /// Takes the display away.
    pub(super) fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How fast it goes and how long it will take, once that can be said.
fn pace(position: u64, total: u64, elapsed: Duration) -> String {
    let Some(rate) = u128::from(position).saturating_mul(1000).checked_div(elapsed.as_millis())
    else {
        return String::new();
    };
    let rate = u64::try_from(rate).unwrap_or(u64::MAX);
    let Some(left) = total.saturating_sub(position).checked_div(rate) else { return String::new() };
    let left = match left {
        0..120 => count(left, "second"),
        120..7200 => count(left / 60, "minute"),
        _ => count(left / 3600, "hour"),
    };
    format!(", {}/s, {left} left", human_bytes(rate))
}

/// Shows one phase after the other; each takes the display of the one before away.
pub(super) struct Phases {
    current: Mutex<Option<Progress>>,
}

impl Phases {
    /// Takes the display away.
    pub(super) fn finish(&self) {
        if let Some(progress) = self.current.lock().unwrap_or_else(PoisonError::into_inner).take() {
            progress.finish();
        }
    }
}

impl tidegate::transfer::Progress for Phases {
    fn phase(&self, what: &str, total: Option<u64>) {
        self.finish();
        let progress = Progress::new(what, total.unwrap_or(0), true);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn advance(&self, bytes: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = current.as_mut() {
            progress.set(progress.position + bytes);
        }
    }
}

/// A size as people read it.
pub(super) fn human_bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// `1 update`, `2 updates`, `2 categories`, `2 days`.
pub(super) fn count(n: u64, thing: &str) -> String {
    if n == 1 {
        return format!("1 {thing}");
    }
    match thing.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{n} {stem}ies"),
        _ => format!("{n} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_and_time_left() {
        let second = Duration::from_secs(1);
        assert_eq!(pace(0, 100, Duration::ZERO), "");
        assert_eq!(pace(0, 100, second), "");
        assert_eq!(pace(1024, 102_400, second), ", 1.00 KiB/s, 99 seconds left");
        assert_eq!(pace(1024, 1024 * 7200, second), ", 1.00 KiB/s, 119 minutes left");
        assert_eq!(pace(2048, 1024 * 20_000, second * 2), ", 1.00 KiB/s, 5 hours left");
    }

    #[test]
    fn things_are_counted_in_english() {
        assert_eq!(count(1, "category"), "1 category");
        assert_eq!(count(2, "category"), "2 categories");
        assert_eq!(count(0, "day"), "0 days");
        assert_eq!(count(3, "update"), "3 updates");
    }
}
