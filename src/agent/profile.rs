//! The machine that the stand-in pretends to be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A simulated machine: what rules are evaluated against, and what it tells of itself. Every field
/// has a default, so a profile file states only what differs from a plain Windows 11 25H2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Windows version.
    pub os: OsVersion,
    /// `1` workstation, `2` domain controller, `3` server.
    pub product_type: u8,
    /// SKU, as in `GetProductInfo`: 48 is Professional.
    pub product_sku: u32,
    /// Product suites of the installation, as bits.
    pub suite_mask: u16,
    /// `OSDescription` of RegisterComputer.
    pub os_description: String,
    /// `AMD64`, `x86` or `ARM64`.
    pub architecture: String,
    /// User interface language.
    pub locale: String,
    /// Number of logical processors.
    pub processors: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Computer and firmware maker.
    pub manufacturer: String,
    /// Computer model.
    pub model: String,
    /// Firmware version.
    pub bios_version: String,
    /// Registry: path with hive (`HKEY_LOCAL_MACHINE\SOFTWARE\…`) to values.
    pub registry: BTreeMap<String, BTreeMap<String, RegistryValue>>,
    /// Files by full path.
    pub files: BTreeMap<String, SimulatedFile>,
    /// Installed MSI products: product code to version.
    pub msi_products: BTreeMap<Uuid, String>,
    /// Installed MSI patches, by patch code.
    pub msi_patches: Vec<Uuid>,
    /// Installed component packages, by package identity.
    pub packages: Vec<String>,
    /// `GetSystemMetrics` values that are not zero.
    pub system_metrics: BTreeMap<i32, i64>,
    /// What a rule that this program cannot evaluate says, by its name (`b.WmiQuery`).
    pub rules: BTreeMap<String, bool>,
    /// Whether an update is installed, whatever its rules say.
    pub installed: BTreeMap<Uuid, bool>,
    /// Devices of the driver pass.
    pub devices: Vec<Device>,
    /// Computer hardware ids of the driver pass, most specific first.
    pub computer_ids: Vec<Uuid>,
}

/// A Windows version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OsVersion {
    /// Major version.
    pub major: u32,
    /// Minor version.
    pub minor: u32,
    /// Build number.
    pub build: u32,
    /// Revision of the build, the last part of `winver`.
    pub revision: u32,
    /// Service pack, major.
    pub service_pack_major: u32,
    /// Service pack, minor.
    pub service_pack_minor: u32,
}

/// A registry value: a number is REG_DWORD, a text REG_SZ, a list REG_MULTI_SZ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RegistryValue {
    /// REG_DWORD.
    Dword(u32),
    /// REG_SZ or REG_EXPAND_SZ.
    Text(String),
    /// REG_MULTI_SZ.
    List(Vec<String>),
}

/// A file of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedFile {
    /// File version, as `a.b.c.d`; empty when it has none.
    pub version: String,
    /// Size in bytes.
    pub size: u64,
    /// Time of last change.
    pub modified: Option<jiff::Timestamp>,
    /// Time of creation.
    pub created: Option<jiff::Timestamp>,
}

/// A device, as the driver pass describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// Hardware ids, most specific first.
    pub hardware_ids: Vec<String>,
    /// Compatible ids, most specific first.
    pub compatible_ids: Vec<String>,
    /// The driver that runs it.
    pub driver: Option<Driver>,
}

/// An installed driver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Driver {
    /// The id by which it was matched.
    pub matching_id: String,
    /// `DriverVerDate`.
    pub date: Option<jiff::Timestamp>,
    /// Version, packed as `a<<48 | b<<32 | c<<16 | d`.
    pub version: u64,
    /// Device class: a GUID in braces, or a name.
    pub class: String,
    /// Rank of the match.
    pub rank: i32,
}

impl Default for OsVersion {
    fn default() -> Self {
        Self {
            major: 10,
            minor: 0,
            build: 26200,
            revision: 8037,
            service_pack_major: 0,
            service_pack_minor: 0,
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            os: OsVersion::default(),
            product_type: 1,
            product_sku: 48,
            suite_mask: 256,
            os_description: "Windows 10 Pro".into(),
            architecture: "AMD64".into(),
            locale: "en-US".into(),
            processors: 4,
            memory_mib: 8192,
            manufacturer: "Tidegate".into(),
            model: "Simulated computer".into(),
            bios_version: "1.0".into(),
            registry: windows_registry(),
            files: BTreeMap::new(),
            msi_products: BTreeMap::new(),
            msi_patches: Vec::new(),
            packages: Vec::new(),
            system_metrics: BTreeMap::new(),
            rules: BTreeMap::new(),
            installed: BTreeMap::new(),
            devices: sample_devices(),
            computer_ids: vec![
                Uuid::from_u128(0x7d1f_8e6a_52b0_5c3e_9a41_0c2f_64d8_1b01),
                Uuid::from_u128(0x7d1f_8e6a_52b0_5c3e_9a41_0c2f_64d8_1b02),
            ],
        }
    }
}

impl Profile {
    /// Language, country left out: `en`.
    pub(crate) fn language(&self) -> &str {
        self.locale.split('-').next().unwrap_or("en")
    }

    /// The version as agents write it: `10.0.26200.8037`.
    pub(crate) fn version_text(&self) -> String {
        format!("{}.{}.{}.{}", self.os.major, self.os.minor, self.os.build, self.os.revision)
    }
}

/// The few values of a plain Windows that rules ask for most.
fn windows_registry() -> BTreeMap<String, BTreeMap<String, RegistryValue>> {
    use RegistryValue::{Dword, Text};
    let text = |text: &str| Text(text.into());
    let key = |path: &str, values: Vec<(&str, RegistryValue)>| {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value));
        (format!("HKEY_LOCAL_MACHINE\\{path}"), values.collect())
    };
    BTreeMap::from([
        key(
            r"SOFTWARE\Microsoft\Windows NT\CurrentVersion",
            vec![
                ("CurrentBuild", text("26200")),
                ("CurrentBuildNumber", text("26200")),
                ("CurrentMajorVersionNumber", Dword(10)),
                ("CurrentMinorVersionNumber", Dword(0)),
                ("CurrentVersion", text("6.3")),
                ("EditionID", text("Professional")),
                ("InstallationType", text("Client")),
                ("ProductName", text("Windows 10 Pro")),
                ("UBR", Dword(8037)),
            ],
        ),
        key(
            r"SOFTWARE\Microsoft\Windows\CurrentVersion",
            vec![
                ("CommonFilesDir", text(r"C:\Program Files\Common Files")),
                ("ProgramFilesDir", text(r"C:\Program Files")),
                ("ProgramFilesDir (x86)", text(r"C:\Program Files (x86)")),
            ],
        ),
        key(
            r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment",
            vec![("PROCESSOR_ARCHITECTURE", text("AMD64"))],
        ),
        key(
            r"SYSTEM\CurrentControlSet\Control\ProductOptions",
            vec![("ProductType", text("WinNT"))],
        ),
    ])
}

/// Devices of the kinds that a driver pass has: with a driver, without one, with compatible ids, and
/// a printer.
fn sample_devices() -> Vec<Device> {
    let date = jiff::Timestamp::from_second(1_150_848_000).ok();
    let driver = |matching_id: &str, class: &str, rank| {
        Some(Driver {
            matching_id: matching_id.into(),
            date,
            version: 0x000a_0000_6658_0001,
            class: class.into(),
            rank,
        })
    };
    let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
    vec![
        Device {
            hardware_ids: ids(&[
                r"PCI\VEN_8086&DEV_2922&SUBSYS_11001AF4&REV_02",
                r"PCI\VEN_8086&DEV_2922",
            ]),
            compatible_ids: ids(&[r"PCI\VEN_8086&CC_0106", r"PCI\CC_0106"]),
            driver: driver(r"PCI\CC_0106", "{4D36E96A-E325-11CE-BFC1-08002BE10318}", 16_719_878),
        },
        Device {
            hardware_ids: ids(&[
                r"PCI\VEN_1AF4&DEV_1041&SUBSYS_11001AF4&REV_01",
                r"PCI\VEN_1AF4&DEV_1041",
            ]),
            compatible_ids: ids(&[r"PCI\VEN_1AF4&CC_020000"]),
            driver: None,
        },
        Device {
            hardware_ids: ids(&[r"PRINTENUM\LocalPrintQueue"]),
            compatible_ids: Vec::new(),
            driver: driver(r"PRINTENUM\LocalPrintQueue", "Printer", 0),
        },
    ]
}
