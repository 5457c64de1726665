//! The Client web service. [MS-WUSP] 2.2.2.2

mod action;

pub use action::{Action, UnknownAction};
