//! The Client web service. [MS-WUSP] 2.2.2.2

mod action;
mod categories;
mod deployment;
mod extended;
mod files;
mod handshake;
mod refresh;
mod register;
mod sync;
#[cfg(test)]
mod tests;

pub use action::{Action, UnknownAction};
pub use categories::{
    CategoryRelationship, MAX_REQUESTED_CATEGORIES, StartCategoryScan, StartedCategoryScan,
};
pub use deployment::Deployment;
pub use extended::{
    ExtendedInfo, FragmentType, FragmentUpdate, GetExtendedUpdateInfo, GetExtendedUpdateInfo2,
    MAX_EXTENDED_UPDATES,
};
pub use files::{FileLocation, FileLocations, GetFileLocations};
pub use handshake::{Config, GetConfig, GetCookie, write_cookie};
pub use refresh::{RefreshCache, RefreshedRevision, write_refreshed};
pub use register::{ComputerInfo, RegisterComputer, write_registered};
pub use sync::{SyncInfo, SyncPrinterCatalog, SyncUpdates, UpdateInfo};

/// Namespace of the service, and of the SOAPAction before `/` and the operation.
pub const NAMESPACE: &str = "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService";
