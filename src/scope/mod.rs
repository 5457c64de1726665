//! scope: to come.
