//! Ping. No downstream calls it; administrators do. [MS-WSUSSS] 3.1.4.12

use std::convert::Infallible;

use super::operation::{Operation, write_result};
use crate::{
    protocol::{fault::ProtocolFault, fields::Fields, time::DateTime},
    soap::{Element, Writer},
};

/// Is anybody there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// Means nothing to us.
    pub level: i32,
}

/// The answer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pong {
    /// All is well.
    pub success: bool,
    /// Of the server's clock.
    pub time: DateTime,
}

impl Operation for Ping {
    type Answer = Pong;
    const NAME: &'static str = "Ping";
    const NAMESPACE: &'static str =
        "http://www.microsoft.com/SoftwareDistribution/Server/IMonitorable";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        Ok(Self { level: Fields::new(operation).maybe("pingLevel")?.unwrap_or_default() })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        w.value("pingLevel", self.level);
    }

    fn read_answer(answer: &Element) -> Result<Pong, ProtocolFault> {
        let result = Fields::new(answer).within("PingResult")?;
        Ok(Pong { success: result.flag("SuccessFlag")?, time: result.get("ServicesTime")? })
    }
}

impl Pong {
    /// Writes the answer. We have no configuration file whose times it could state.
    pub fn write<F>(&self, service: &str, w: &mut Writer<F>) {
        write_result::<Ping, F>(w, |w| {
            w.value("SuccessFlag", self.success);
            w.value("ServicesTime", self.time);
            w.value("ServicesName", service);
            w.value("IsHttps", false);
            w.value("ConfigFileLastModifiedTime", self.time);
            w.value("ConfigFileNextExpirationTime", self.time);
            w.value("ConfigFileExpirationModuloInMinutes", 0);
        });
    }
}
