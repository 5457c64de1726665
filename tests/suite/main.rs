//! One integration binary: linking is what costs.

mod catalog;
mod content;
mod fleet;
mod layers;
mod real_data;
mod reports;
mod sync;
mod update_captured;
mod update_properties;
mod update_refusals;
mod update_samples;
mod view;
