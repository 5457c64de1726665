//! What administrators decide: target groups, approvals, declines, licences, rules, policies.
//!
//! Nothing here knows computers or other servers.
//!
//! | file | what it owns |
//! |---|---|
//! | `groups` | target groups, one within another |
//! | `approvals` | approvals |
//! | `declines` | declined updates |
//! | `licences` | accepted licences |
//! | `origin` | who decided |
//! | `overrides` | decisions of a person that outlast rules and policies |
//! | `rules` | approval rules as they are stored |
//! | `policies` | policies that came in bundles |
//! | `deployments` | the ids and change marks under which agents get approvals |

pub(super) mod approvals;
pub(super) mod declines;
pub(super) mod deployments;
pub(super) mod groups;
pub(super) mod licences;
pub(super) mod origin;
pub(super) mod overrides;
pub(super) mod policies;
pub(super) mod rules;
