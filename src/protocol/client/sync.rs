//! SyncUpdates and SyncPrinterCatalog.

use super::{NAMESPACE, deployment::Deployment};
use crate::{
    protocol::{
        cookie::{EncodedCookie, read_cookie},
        fault::ProtocolFault,
        fields::Fields,
        version::ProtocolVersion,
    },
    soap::{Element, Writer},
    update::UpdateId,
};

/// Most ids in one list: more than any catalogue has revisions. [MS-WUSP] sets no limit.
const MOST_IDS: usize = 150_000;

/// A client asks what is new for it. [MS-WUSP] 2.2.2.2.4
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncUpdates {
    /// `EncryptedData` of its cookie.
    pub cookie: Option<Vec<u8>>,
    /// Cached, not leaves, and installed as far as the client can see.
    pub installed_non_leaf: Vec<i32>,
    /// Everything else that is cached, drivers apart.
    pub other_cached: Vec<i32>,
    /// Cached drivers.
    pub cached_drivers: Vec<i32>,
    /// The driver pass.
    pub skip_software: bool,
    /// A category scan: only updates of these.
    pub filter: Vec<UpdateId>,
    /// Whether ids that are out of this scan but still deployed shall be listed apart.
    pub two_groups: bool,
}

impl SyncUpdates {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` with the path, `InvalidCookie`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let cookie = read_cookie(&fields, "cookie")?;
        let fields = fields.within("parameters")?;
        let skip_software = fields.flag("SkipSoftwareSync")?;
        if !skip_software && fields.has("SystemSpec") {
            return Err(ProtocolFault::invalid("parameters.SystemSpec"));
        }
        Ok(Self {
            cookie,
            installed_non_leaf: fields.list("InstalledNonLeafUpdateIDs", "int", MOST_IDS)?,
            other_cached: fields.list("OtherCachedUpdateIDs", "int", MOST_IDS)?,
            cached_drivers: fields.list("CachedDriverIDs", "int", MOST_IDS)?,
            skip_software,
            filter: fields
                .each_within("FilterCategoryIds", "CategoryIdentifier", 1000)?
                .iter()
                .map(|category| category.update_id("Id"))
                .collect::<Result<_, _>>()?,
            two_groups: fields.flag("NeedTwoGroupOutOfScopeUpdates")?,
        })
    }
}

/// The Add Printer wizard asks. [MS-WUSP] 2.2.2.2.9
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncPrinterCatalog {
    /// `EncryptedData` of the cookie.
    pub cookie: Option<Vec<u8>>,
    /// Cached printer drivers.
    pub cached: Vec<i32>,
}

impl SyncPrinterCatalog {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` with the path, `InvalidCookie`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        Ok(Self {
            cookie: read_cookie(&fields, "cookie")?,
            cached: fields.list("printerUpdateIDs", "int", MOST_IDS)?,
        })
    }
}

/// A revision in an answer; `X` holds the Core fragment, escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateInfo<X> {
    /// Number of the revision.
    pub id: i32,
    /// Its deployment.
    pub deployment: Deployment,
    /// No revision's prerequisites name its update.
    pub is_leaf: bool,
    /// The Core fragment; none in `ChangedUpdates`.
    pub xml: Option<X>,
}

/// The answer to SyncUpdates and SyncPrinterCatalog. [MS-WUSP] 2.2.2.2.4
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncInfo<X> {
    /// To add.
    pub new: Vec<UpdateInfo<X>>,
    /// To drop.
    pub out_of_scope: Vec<i32>,
    /// Cached ones whose deployment or leaf state changed.
    pub changed: Vec<UpdateInfo<X>>,
    /// There is more for the same request.
    pub truncated: bool,
    /// What the client carries from now on.
    pub cookie: EncodedCookie,
    /// Out of this category scan, but deployed.
    pub deployed_out_of_scope: Vec<i32>,
    /// The driver pass would bring nothing.
    pub driver_sync_not_needed: bool,
}

impl<X> SyncInfo<X> {
    /// Writes the answer to `SyncUpdates` or `SyncPrinterCatalog` for a client of this version.
    pub fn write(self, operation: &str, version: ProtocolVersion, w: &mut Writer<X>) {
        let category_scans = version >= ProtocolVersion::CATEGORY_SCANS;
        w.element_in(NAMESPACE, &format!("{operation}Response"), |w| {
            w.element(&format!("{operation}Result"), |w| {
                write_updates("NewUpdates", self.new, version, w);
                write_ids("OutOfScopeRevisionIDs", &self.out_of_scope, w);
                write_updates("ChangedUpdates", self.changed, version, w);
                w.value("Truncated", self.truncated);
                self.cookie.write("NewCookie", w);
                if category_scans {
                    write_ids("DeployedOutOfScopeRevisionIds", &self.deployed_out_of_scope, w);
                    w.value("DriverSyncNotNeeded", self.driver_sync_not_needed);
                }
            });
        });
    }
}

fn write_updates<X>(
    name: &str,
    updates: Vec<UpdateInfo<X>>,
    version: ProtocolVersion,
    w: &mut Writer<X>,
) {
    if updates.is_empty() {
        return;
    }
    w.element(name, |w| {
        for update in updates {
            w.element("UpdateInfo", |w| {
                w.value("ID", update.id);
                update.deployment.write(version, w);
                w.value("IsLeaf", update.is_leaf);
                if let Some(xml) = update.xml {
                    w.foreign("Xml", xml);
                }
            });
        }
    });
}

pub(super) fn write_ids<X>(name: &str, ids: &[i32], w: &mut Writer<X>) {
    if !ids.is_empty() {
        w.element(name, |w| ids.iter().for_each(|id| w.value("int", id)));
    }
}
