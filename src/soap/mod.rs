//! soap: to come.
