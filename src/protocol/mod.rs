//! protocol: to come.
