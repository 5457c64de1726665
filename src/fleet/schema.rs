//! Numbered migrations; a newer schema is refused.
