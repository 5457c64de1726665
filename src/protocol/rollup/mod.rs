//! What downstream servers report to their upstream: the part of the Reporting service between
//! servers, both directions, both sides. [MS-WSUSSS] 3.1.4.13 to 3.1.4.17
//!
//! Requests and answers are [`Operation`]s, as those of [`super::server_sync`]. None of them has an
//! error code of its own: any fault ends the reporting of the downstream.

mod computers;
mod servers;
mod status;
#[cfg(test)]
mod tests;

pub use computers::{
    ChangedComputer, ComputerDetails, RollupChange, RollupComputer, RollupComputers,
};
pub use servers::{
    ClientActivity, ClientSummary, DownstreamServer, RollupDownstreamServers, ServerSummary,
};
pub use status::{
    ComputerStatus, GetOutOfSyncComputers, LastRollupNumber, RollupComputerStatus,
    SummarizationState, UpdateStatus,
};

use std::convert::Infallible;

use jiff::tz::Offset;
use uuid::Uuid;

use super::{
    fault::ProtocolFault,
    fields::Fields,
    server_sync::operation::{Operation, write_result},
    time::DateTime,
};
use crate::soap::{Element, Writer};

/// Path of the service under the root of a server.
pub const REPORTING_PATH: &str = "ReportingWebService/ReportingWebService.asmx";

/// Most items in any list: memory is bounded by the bytes of a request before that.
const MAX_ITEMS: usize = 1_000_000;
/// The only cookie of these operations; nobody looks at it.
const EXPIRATION: &str = "9999-12-31T23:59:59.9999999Z";
/// "Never" as it is written. In samples of the specification it is the year 1.
const NEVER: &str = "1753-01-01T00:00:00Z";
const FIRST_YEAR: i16 = 1753;

/// How does the upstream want to be reported to? [MS-WSUSSS] 3.1.4.13
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GetRollupConfiguration;

/// The answer to it. All sizes are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupConfiguration {
    /// Whether computers and their states are wanted, or downstream servers only.
    pub detailed: bool,
    /// When it is another than last time, everything is to be reported again.
    pub reset: Uuid,
    /// Id of the upstream.
    pub server: Uuid,
    /// `ClientSummaries` of all servers in one RollupDownstreamServers.
    pub servers_batch: usize,
    /// Computers in one RollupComputers.
    pub computers_batch: usize,
    /// Computers in one GetOutOfSyncComputers.
    pub out_of_sync_batch: usize,
    /// Computers in one RollupComputerStatus.
    pub status_batch: usize,
}

impl Operation for GetRollupConfiguration {
    type Answer = RollupConfiguration;
    const NAME: &'static str = "GetRollupConfiguration";

    fn read(_: &Element) -> Result<Self, ProtocolFault> {
        Ok(Self)
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        write_cookie(w);
    }

    fn read_answer(answer: &Element) -> Result<RollupConfiguration, ProtocolFault> {
        let result = Fields::new(answer).within("GetRollupConfigurationResult")?;
        let size = |name| {
            let size: usize = result.get(name)?;
            if size == 0 { Err(ProtocolFault::invalid(name)) } else { Ok(size) }
        };
        Ok(RollupConfiguration {
            detailed: result.flag("DoDetailedRollup")?,
            reset: result.get("RollupResetGuid")?,
            server: result.get("ServerId")?,
            servers_batch: size("RollupDownstreamServersMaxBatchSize")?,
            computers_batch: size("RollupComputersMaxBatchSize")?,
            out_of_sync_batch: size("GetOutOfSyncComputersMaxBatchSize")?,
            status_batch: size("RollupComputerStatusMaxBatchSize")?,
        })
    }
}

impl RollupConfiguration {
    /// Writes the answer.
    pub fn write<F>(&self, w: &mut Writer<F>) {
        write_result::<GetRollupConfiguration, F>(w, |w| {
            w.value("DoDetailedRollup", self.detailed);
            w.value("RollupResetGuid", self.reset.hyphenated());
            w.value("ServerId", self.server.hyphenated());
            w.value("RollupDownstreamServersMaxBatchSize", self.servers_batch);
            w.value("RollupComputersMaxBatchSize", self.computers_batch);
            w.value("GetOutOfSyncComputersMaxBatchSize", self.out_of_sync_batch);
            w.value("RollupComputerStatusMaxBatchSize", self.status_batch);
        });
    }
}

fn write_cookie<F>(w: &mut Writer<F>) {
    w.element("cookie", |w| {
        w.value("Expiration", EXPIRATION);
        w.element("EncryptedData", |_| {});
    });
}

/// An instant as it is written; nothing is "never".
fn instant(at: Option<DateTime>) -> String {
    at.map_or_else(|| NEVER.to_owned(), |at| at.to_string())
}

/// The year 1 and the year 1753 both say "never".
fn reached(at: DateTime) -> Option<DateTime> {
    (Offset::UTC.to_datetime(at.0).date().year() > FIRST_YEAR).then_some(at)
}

/// A text, cut at so many characters.
fn short(text: Option<&str>, most: usize) -> String {
    text.unwrap_or_default().chars().take(most).collect()
}
