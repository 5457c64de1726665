//! How an operation tells how far it is, and what deserves attention on the way.

use std::cell::Cell;
#[cfg(feature = "upstream")]
use std::time::Duration;

use crate::transfer;
#[cfg(feature = "upstream")]
use crate::upstream::DownloadForecast;

/// What a phase is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Documents, files: whatever the name of the phase says.
    Items,
}

/// Watches an operation. `()` watches nothing.
pub trait Observer: Sync {
    /// A phase begins and ends the one before; `total` units lie ahead, if that is known.
    fn phase(&self, _name: &str, _unit: Unit, _total: Option<u64>) {}

    /// So many units of the phase are done, of so many if that is known by now.
    fn position(&self, _done: u64, _total: Option<u64>) {}

    /// The last phase has ended.
    fn end(&self) {}

    /// Good to know.
    fn note(&self, _text: &str) {}

    /// Deserves attention.
    fn warn(&self, _text: &str) {}

    /// A download is about to begin, at no more than `rate` bytes per second.
    #[cfg(feature = "upstream")]
    fn download_planned(&self, _forecast: &DownloadForecast, _rate: Option<u64>) {}

    /// A download waits for its time window, which opens in so long.
    #[cfg(feature = "upstream")]
    fn window_closed(&self, _opens_in: Duration) {}
}

impl Observer for () {}

/// Passes on the phases of a transfer, which are counted in bytes.
pub(super) struct TransferPhases<'a> {
    observer: &'a dyn Observer,
    done: Cell<u64>,
}

impl<'a> TransferPhases<'a> {
    pub(super) fn new(observer: &'a dyn Observer) -> Self {
        Self { observer, done: Cell::new(0) }
    }
}

impl transfer::Progress for TransferPhases<'_> {
    fn phase(&self, what: &str, total: Option<u64>) {
        self.done.set(0);
        self.observer.phase(what, Unit::Bytes, total);
    }

    fn advance(&self, bytes: u64) {
        self.done.set(self.done.get().saturating_add(bytes));
        self.observer.position(self.done.get(), None);
    }
}

impl Drop for TransferPhases<'_> {
    fn drop(&mut self) {
        self.observer.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::transfer::Progress as _;

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);

    impl Observer for Log {
        fn phase(&self, name: &str, unit: Unit, total: Option<u64>) {
            self.0.lock().unwrap().push(format!("{name} {unit:?} {total:?}"));
        }

        fn position(&self, done: u64, total: Option<u64>) {
            self.0.lock().unwrap().push(format!("{done} {total:?}"));
        }

        fn end(&self) {
            self.0.lock().unwrap().push("end".to_owned());
        }
    }

    #[test]
    fn each_phase_of_a_transfer_counts_from_zero() {
        let log = Log::default();
        let phases = TransferPhases::new(&log);
        phases.phase("reading", Some(7));
        phases.advance(3);
        phases.advance(4);
        phases.phase("writing", None);
        phases.advance(1);
        drop(phases);
        let expected =
            ["reading Bytes Some(7)", "3 None", "7 None", "writing Bytes None", "1 None", "end"];
        assert_eq!(*log.0.lock().unwrap(), expected);
    }
}
