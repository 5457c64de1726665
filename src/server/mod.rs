//! The WSUS that agents see.

pub mod pack;
pub mod view;
