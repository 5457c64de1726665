//! Telling a caller how far a long run is.

/// Hears of progress. `()` hears nothing.
pub trait Progress {
    /// A new phase begins; `total` bytes lie ahead, if known.
    fn phase(&self, what: &str, total: Option<u64>);
    /// So many more bytes are done.
    fn advance(&self, bytes: u64);
}

impl Progress for () {
    fn phase(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
}
