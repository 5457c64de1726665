//! transfer: to come.
