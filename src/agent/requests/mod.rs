//! The requests of a Windows 11 agent, element for element.

pub(super) mod events;
pub(super) mod writer;

pub(crate) use events::{AgentEvent, events_request};
use uuid::Uuid;
pub(crate) use writer::EnvelopeWriter;

use super::{
    client_version::{CLIENT_PROTOCOL, CLIENT_VERSION},
    operation::Operation,
    profile::{Device, Profile},
    state::Cookie,
};

/// `GetConfig` ([MS-WUSP] 2.2.2.2.1).
pub(crate) fn get_config() -> String {
    EnvelopeWriter::envelope(Operation::GetConfig, |body| {
        body.text("protocolVersion", CLIENT_PROTOCOL)
    })
}

/// `GetAuthorizationCookie` ([MS-WUSP] 2.2.2.1.1).
pub(crate) fn get_authorization_cookie(
    client_id: &str,
    group: Option<&str>,
    dns_name: &str,
) -> String {
    EnvelopeWriter::envelope(Operation::GetAuthorizationCookie, |body| {
        body.text("clientId", client_id);
        if let Some(group) = group {
            body.text("targetGroupName", group);
        }
        body.text("dnsName", dns_name);
    })
}

/// `GetCookie` ([MS-WUSP] 2.2.2.2.2). Without an old cookie agents send one that has only a time.
pub(crate) fn get_cookie(
    plug_in: &str,
    authorization: &str,
    old: Option<&Cookie>,
    last_change: &str,
) -> String {
    let now = now_seconds();
    EnvelopeWriter::envelope(Operation::GetCookie, |body| {
        body.within("authCookies", |cookies| {
            cookies.within("AuthorizationCookie", |cookie| {
                cookie.text("PlugInId", plug_in);
                cookie.text("CookieData", authorization);
            });
        });
        match old {
            Some(_) => body.cookie("oldCookie", old),
            None => body.within("oldCookie", |cookie| cookie.text("Expiration", &now)),
        }
        body.text("lastChange", last_change);
        body.text("currentTime", &now);
        body.text("protocolVersion", CLIENT_PROTOCOL);
    })
}

/// `RegisterComputer` ([MS-WUSP] 2.2.2.2.3).
pub(crate) fn register_computer(
    cookie: Option<&Cookie>,
    dns_name: &str,
    profile: &Profile,
) -> String {
    let os = profile.os;
    let mut client = CLIENT_VERSION.split('.');
    EnvelopeWriter::envelope(Operation::RegisterComputer, |body| {
        body.cookie("cookie", cookie);
        body.within("computerInfo", |info| {
            info.text("DnsName", dns_name);
            info.value("OSMajorVersion", os.major);
            info.value("OSMinorVersion", os.minor);
            info.value("OSBuildNumber", os.build);
            info.value("OSServicePackMajorNumber", os.service_pack_major);
            info.value("OSServicePackMinorNumber", os.service_pack_minor);
            info.text("OSLocale", &profile.locale);
            info.text("ComputerManufacturer", &profile.manufacturer);
            info.text("ComputerModel", &profile.model);
            info.text("BiosVersion", &profile.bios_version);
            info.text("BiosName", "unknown");
            info.text("BiosReleaseDate", BIOS_DATE);
            info.text("ProcessorArchitecture", &profile.architecture);
            info.value("SuiteMask", profile.suite_mask);
            info.value("OldProductType", profile.product_type);
            info.value("NewProductType", profile.product_sku);
            info.text("SystemMetrics", "0");
            for part in ["Major", "Minor", "Build", "Qfe"] {
                let name = format!("ClientVersion{part}Number");
                info.text(&name, client.next().unwrap_or("0"));
            }
            info.text("OSDescription", &profile.os_description);
            info.text("OEM", &profile.manufacturer);
            info.text("DeviceType", &profile.model);
            info.text("FirmwareVersion", &profile.bios_version);
            info.text("MobileOperator", "Not Present");
        });
    })
}

/// Release date of the simulated firmware.
pub(crate) const BIOS_DATE: &str = "2022-02-02T00:00:00Z";

/// `StartCategoryScan` ([MS-WUSP] 2.2.2.2.8): one group per category. It carries no cookie.
pub(crate) fn start_category_scan(categories: &[Uuid]) -> String {
    EnvelopeWriter::envelope(Operation::StartCategoryScan, |body| {
        body.within("requestedCategories", |requested| {
            for (group, category) in categories.iter().enumerate() {
                requested.within("CategoryRelationship", |entry| {
                    entry.value("IndexOfAndGroup", group);
                    entry.value("CategoryId", category);
                });
            }
        });
    })
}

/// What a SyncUpdates request says.
#[derive(Debug, Default)]
pub(crate) struct Sync<'a> {
    pub(crate) installed: Vec<i32>,
    pub(crate) others: Vec<i32>,
    pub(crate) drivers: Vec<i32>,
    /// The driver pass.
    pub(crate) driver_pass: bool,
    pub(crate) filter: &'a [Uuid],
    /// URL that the agent was told to use.
    pub(crate) server: &'a str,
}

/// `SyncUpdates` ([MS-WUSP] 2.2.2.2.4): a round of the software pass, or the driver pass.
pub(crate) fn sync_updates(cookie: Option<&Cookie>, sync: &Sync<'_>, profile: &Profile) -> String {
    EnvelopeWriter::envelope(Operation::SyncUpdates, |body| {
        body.cookie("cookie", cookie);
        body.within("parameters", |parameters| {
            parameters.text("ExpressQuery", "false");
            parameters.array("InstalledNonLeafUpdateIDs", "int", &sync.installed);
            parameters.array("OtherCachedUpdateIDs", "int", &sync.others);
            if sync.driver_pass {
                parameters.within("SystemSpec", |spec| {
                    profile.devices.iter().for_each(|device| write_device(spec, device));
                });
            }
            parameters.array("CachedDriverIDs", "int", &sync.drivers);
            parameters.value("SkipSoftwareSync", sync.driver_pass);
            if !sync.filter.is_empty() {
                parameters.within("FilterCategoryIds", |filter| {
                    for category in sync.filter {
                        filter.within("CategoryIdentifier", |entry| entry.value("Id", category));
                    }
                });
            }
            parameters.text("NeedTwoGroupOutOfScopeUpdates", "true");
            parameters.value("AlsoPerformRegularSync", sync.filter.is_empty());
            if sync.driver_pass {
                parameters.within("ComputerSpec", |spec| {
                    spec.array("HardwareIDs", "guid", &profile.computer_ids);
                });
                let key =
                    format!("{}.{}.{}", profile.architecture, profile.os.major, profile.os.minor);
                parameters.text("FeatureScoreMatchingKey", &key);
            } else {
                parameters.text("ComputerSpec", "");
            }
            parameters.within("ProductsParameters", |products| {
                products.text("SyncCurrentVersionOnly", "false");
                products.text("DeviceAttributes", &device_attributes(profile, sync.server));
                products.text("CallerAttributes", CALLER);
                products.text("Products", "");
            });
        });
    })
}

/// `RefreshCache` ([MS-WUSP] 2.2.2.2.5).
pub(crate) fn refresh_cache(cookie: Option<&Cookie>, identities: &[(Uuid, i32)]) -> String {
    EnvelopeWriter::envelope(Operation::RefreshCache, |body| {
        body.cookie("cookie", cookie);
        body.within("globalIDs", |ids| {
            for (id, revision) in identities {
                ids.within("UpdateIdentity", |identity| {
                    identity.value("UpdateID", id);
                    identity.value("RevisionNumber", revision);
                });
            }
        });
    })
}

/// `GetExtendedUpdateInfo` ([MS-WUSP] 2.2.2.2.6). File locations come without being asked for.
pub(crate) fn get_extended_update_info(
    cookie: Option<&Cookie>,
    revisions: &[i32],
    profile: &Profile,
    server: &str,
) -> String {
    EnvelopeWriter::envelope(Operation::GetExtendedUpdateInfo, |body| {
        body.cookie("cookie", cookie);
        body.array("revisionIDs", "int", revisions);
        body.array("infoTypes", "XmlUpdateFragmentType", ["Extended", "LocalizedProperties"]);
        body.array("locales", "string", [profile.locale.as_str(), profile.language()]);
        body.text("deviceAttributes", &device_attributes(profile, server));
        body.text("GeoId", "USA");
        body.text("callerAttributes", CALLER);
    })
}

/// `GetFileLocations` ([MS-WUSP] 2.2.2.2.7).
pub(crate) fn get_file_locations(cookie: Option<&Cookie>, digests: &[String]) -> String {
    EnvelopeWriter::envelope(Operation::GetFileLocations, |body| {
        body.cookie("cookie", cookie);
        body.array("fileDigests", "base64Binary", digests);
    })
}

/// Now, to the second, as agents tell the time in a handshake.
pub(crate) fn now_seconds() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// Now, to the millisecond, as agents tell the time in a report.
pub(crate) fn now_millis() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now).to_string()
}

const CALLER: &str = "Interactive=1;SheddingAware=1;Id=<<PROCESS>>: tidegate;";

/// The `Key=Value;` list that agents describe their device with; what they say that this machine has
/// no counterpart for is left out.
fn device_attributes(profile: &Profile, server: &str) -> String {
    let version = profile.version_text();
    let kind = if profile.product_type == 1 { ("Client", "WinNT") } else { ("Server", "ServerNT") };
    [
        ("ActivationChannel", "Retail"),
        ("App", "WU_OS"),
        ("AppVer", CLIENT_VERSION),
        ("BranchReadinessLevel", "CB"),
        (
            "DeviceFamily",
            if profile.product_type == 1 { "Windows.Desktop" } else { "Windows.Server" },
        ),
        ("DL_OSVersion", &version),
        ("FirmwareVersion", &profile.bios_version),
        ("FlightingBranchName", ""),
        ("FlightRing", "Retail"),
        ("InstallationType", kind.0),
        ("InstallLanguage", &profile.locale),
        ("IsFlightingEnabled", "0"),
        ("OEMModel", &profile.model),
        ("OEMName_Uncleaned", &profile.manufacturer),
        ("OSArchitecture", &profile.architecture),
        ("OSSkuId", &profile.product_sku.to_string()),
        ("OSUILocale", &profile.locale),
        ("OSVersion", &version),
        ("ProcessorCores", &profile.processors.to_string()),
        ("ProductType", kind.1),
        ("TotalPhysicalRAM", &profile.memory_mib.to_string()),
        ("UpdateManagementGroup", "2"),
        ("UpdateServiceUrl", server),
        ("WuClientVer", CLIENT_VERSION),
    ]
    .map(|(key, value)| format!("{key}={value};"))
    .concat()
}

fn write_device(spec: &mut EnvelopeWriter, device: &Device) {
    let nowhen = "0001-01-01T00:00:00Z".to_owned();
    spec.within("Device", |out| {
        out.array("HardwareIDs", "string", &device.hardware_ids);
        out.array("CompatibleIDs", "string", &device.compatible_ids);
        out.within("installedDriver", |out| match &device.driver {
            Some(driver) => {
                out.text("MatchingID", &driver.matching_id);
                out.text("DriverVerDate", &driver.date.map_or(nowhen, |date| date.to_string()));
                out.value("DriverVerVersion", driver.version);
                if !driver.class.is_empty() {
                    out.text("Class", &driver.class);
                }
                out.nil("MatchingComputerHWID");
                out.value("DriverRank", driver.rank);
            }
            None => {
                out.text("DriverVerDate", &nowhen);
                out.text("DriverVerVersion", "0");
                out.nil("MatchingComputerHWID");
                out.text("DriverRank", "-1");
            }
        });
    });
}
