//! The wire: connections, TLS, paths, requests and answers. Knows the services; they do not know it.
//!
//! | file | what it owns |
//! |---|---|
//! | `listen` | connections: accepting, handshakes, an orderly end |
//! | `shares` | how many connections an address has, and which one goes when there is no room |
//! | `answer_body` | shows that the request of an answer is still in progress |
//! | `request_body` | the body of a request: its size, its place, its slowness |
//! | `write_timeout` | giving up on clients that take nothing |
//! | `tls` | certificate and key, also when they are renewed |
//! | `routes` | which path is which service; letter case does not matter |
//! | `exchange` | a SOAP request in, an answer or a fault out |
//! | `answer` | what an answer weighs, and how it is streamed |

pub(super) mod answer;
mod answer_body;
pub(super) mod exchange;
pub(super) mod listen;
mod request_body;
pub(super) mod routes;
mod shares;
pub(super) mod tls;
mod write_timeout;
