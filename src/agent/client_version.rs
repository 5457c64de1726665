//! Which agent the stand-in is.

/// Version of the agent whose behaviour this is.
pub(crate) const CLIENT_VERSION: &str = "1507.2601.30012.0";

/// Its protocol version.
pub(crate) const CLIENT_PROTOCOL: &str = "2.90";
