//! One integration binary: linking is what costs.

mod layers;
