//! The messages of the web services that Windows Update Agents call, their error codes, cookies and
//! compression. [MS-WUSP] Pure: no I/O, no clock.

pub mod client;
pub mod xpress;
