//! The crate as its users see it: whole volumes, test vectors, the outside tools.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod make_vectors;
mod support;
mod vector;
mod vectors;
mod whole;
