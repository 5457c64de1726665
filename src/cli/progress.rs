//! Shows the progress of an operation on stderr, as bars and lines.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use tidegate::ops::{Observer, Unit};
#[cfg(feature = "upstream")]
use tidegate::upstream::DownloadForecast;

use super::output::{Output, count, human_bytes};

/// Shows one phase after the other; each clears the display of the one before.
pub(super) struct Display {
    out: Output,
    bar: Mutex<Option<Bar>>,
}

impl Display {
    pub(super) fn new(out: Output) -> Self {
        Self { out, bar: Mutex::new(None) }
    }

    fn bar(&self) -> MutexGuard<'_, Option<Bar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Display {
    fn phase(&self, name: &str, unit: Unit, total: Option<u64>) {
        self.end();
        *self.bar() = Some(Bar::new(name, unit, total.unwrap_or(0)));
    }

    fn position(&self, done: u64, total: Option<u64>) {
        if let Some(bar) = self.bar().as_mut() {
            if let Some(total) = total {
                bar.set_total(total);
            }
            bar.set(done);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish();
        }
    }

    fn note(&self, text: &str) {
        self.out.note(text);
    }

    fn warn(&self, text: &str) {
        self.out.warn(text);
    }

    #[cfg(feature = "upstream")]
    fn download_planned(&self, forecast: &DownloadForecast, rate: Option<u64>) {
        self.out.note(super::download::forecast(forecast, rate).trim_end());
    }

    #[cfg(feature = "upstream")]
    fn window_closed(&self, opens_in: Duration) {
        let minutes = count(opens_in.as_secs().div_ceil(60), "minute");
        self.out.note(&format!("The window is closed; it opens in {minutes}."));
    }
}

/// A bar on a terminal, a plain line every few seconds elsewhere.
struct Bar {
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

impl Bar {
    fn new(what: &str, unit: Unit, total: u64) -> Self {
        let bytes = unit == Unit::Bytes;
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
    fn set(&mut self, position: u64) {
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
    fn set_total(&mut self, total: u64) {
        if self.total != total {
            self.total = total;
            if let Some(bar) = &self.bar {
                bar.set_length(total);
            }
        }
    }

    /// Takes the display away.
    fn finish(self) {
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
}
