//! What the tests share, by subject. A helper that a second test file needs belongs here.

pub(crate) mod agent_fake;
#[cfg(feature = "upstream")]
pub(crate) mod cabinets;
pub(crate) mod clock;
pub(crate) mod deflate;
pub(crate) mod documents;
#[cfg(feature = "upstream")]
pub(crate) mod driver_sets;
#[cfg(feature = "upstream")]
pub(crate) mod file_server;
pub(crate) mod http;
pub(crate) mod mock;
pub(crate) mod pki;
pub(crate) mod program;
pub(crate) mod real_data;
pub(crate) mod server;
pub(crate) mod sides;
pub(crate) mod stores;
pub(crate) mod two_sides;
#[cfg(feature = "upstream")]
pub(crate) mod upstream_fake;
#[cfg(feature = "upstream")]
pub(crate) mod upstream_small;
