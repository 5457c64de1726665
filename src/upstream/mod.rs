//! upstream: to come.
