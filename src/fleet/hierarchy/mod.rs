//! Other servers: those below, which report to this one, and the one above, to which this one
//! reports or whose decisions it follows. [MS-WSUSSS]
//!
//! | file | what it owns |
//! |---|---|
//! | `downstream_servers` | servers below: who they are, what they were given |
//! | `server_reports` | what servers below report of themselves |
//! | `downstream_computers` | computers of the servers below, as they report them |
//! | `limits` | bounds on those |
//! | `change_marks` | what replicas below have to be sent: approvals that changed or went |
//! | `missing_files` | files that servers below asked for and that are not here |
//! | `upstream_reports` | what the server above has been sent of our computers, and what not yet |
//! | `installations` | installations that the server above has not been sent yet |
//! | `replica` | the decisions of the server above, taken over |

pub(super) mod change_marks;
pub(super) mod downstream_computers;
pub(super) mod downstream_servers;
pub(super) mod installations;
pub(super) mod limits;
pub(super) mod missing_files;
pub(super) mod replica;
pub(super) mod server_reports;
pub(super) mod upstream_reports;
