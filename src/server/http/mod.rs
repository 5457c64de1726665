//! The wire: connections, TLS, paths, requests and answers. Knows the services; they do not know it.
//!
//! | file | what it owns |
//! |---|---|
//! | `listen` | connections: accepting, handshakes, an orderly end |
//! | `write_timeout` | giving up on clients that take nothing |
//! | `tls` | certificate and key, also when they are renewed |
//! | `routes` | which path is which service; letter case does not matter |
//! | `exchange` | a SOAP request in, an answer or a fault out |
//! | `answer` | what an answer weighs, and how it is streamed |

pub(super) mod answer;
pub(super) mod exchange;
pub(super) mod listen;
pub(super) mod routes;
pub(super) mod tls;
mod write_timeout;
