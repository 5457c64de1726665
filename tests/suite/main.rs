//! One integration binary: linking is what costs.

mod layers;
mod real_data;
mod sync;
mod update_captured;
