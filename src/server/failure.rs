//! Why a request fails, for the client and for the log.

use std::error::Error;

use super::pack::error::PackError;
use crate::{
    catalog::CatalogError,
    fleet::FleetError,
    protocol::{ErrorCode, ProtocolFault},
    soap::{EnvelopeError, ReadError},
};

/// Why a request fails.
#[derive(Debug)]
pub(super) enum Failure {
    /// As the protocol has it.
    Fault(ProtocolFault),
    /// A message of another SOAP version.
    Version,
    /// Something here; the client learns no more than that.
    Internal(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// What the client gets, if it is a fault with an error code.
    pub(super) fn fault(&self) -> Option<ProtocolFault> {
        match self {
            Self::Fault(fault) => Some(fault.clone()),
            Self::Version => None,
            Self::Internal(_) => Some(ProtocolFault::new(
                ErrorCode::InternalServerError,
                "the server's log has more under this ID",
            )),
        }
    }

    pub(super) fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }
}

impl From<ProtocolFault> for Failure {
    fn from(fault: ProtocolFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        Self::internal(error)
    }
}

impl From<FleetError> for Failure {
    fn from(error: FleetError) -> Self {
        match error {
            // The client may come again: room may be made meanwhile.
            FleetError::NoRoom => {
                ProtocolFault::new(ErrorCode::ServerBusy, "there is no room for one more computer")
                    .into()
            }
            error => Self::internal(error),
        }
    }
}

impl From<PackError> for Failure {
    fn from(error: PackError) -> Self {
        Self::internal(error)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Fault(ProtocolFault::invalid(error.to_string()))
    }
}

impl From<EnvelopeError> for Failure {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Version => Self::Version,
            error => Self::Fault(ProtocolFault::invalid(error.to_string())),
        }
    }
}

/// A sealed cookie; `None` when the system has no randomness.
pub(super) fn sealed<T>(cookie: Option<T>) -> Result<T, Failure> {
    cookie.ok_or_else(|| Failure::internal("cannot seal a cookie"))
}
