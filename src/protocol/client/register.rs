//! RegisterComputer: what a computer says of itself.

use serde::Serialize;

use super::NAMESPACE;
use crate::{
    protocol::{cookie::read_cookie, fault::ProtocolFault, fields::Fields},
    soap::{Element, Writer},
};

/// Characters of a text that are stored; nothing that an agent sends is longer.
const LONGEST_TEXT: usize = 1024;

/// A computer presents itself. [MS-WUSP] 2.2.2.2.3
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterComputer {
    /// `EncryptedData` of its cookie.
    pub cookie: Option<Vec<u8>>,
    /// What it says.
    pub info: ComputerInfo,
}

macro_rules! computer_info {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $name:literal via $read:ident,)*) => {
        /// `computerInfo`: claims, shown to administrators. A value that is absent or cannot be
        /// read is `None`; nothing depends on it.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
        pub struct ComputerInfo {
            $($(#[$doc])* pub $field: Option<$type>,)*
        }

        impl ComputerInfo {
            fn read(fields: &Fields<'_>) -> Self {
                Self { $($field: $read(fields, $name),)* }
            }
        }
    };
}

computer_info! {
    /// DNS name.
    dns_name: String = "DnsName" via text,
    /// 10 since Windows 10.
    os_major_version: i32 = "OSMajorVersion" via number,
    /// 0 since Windows 10.
    os_minor_version: i32 = "OSMinorVersion" via number,
    /// Tells Windows 11 from 10.
    os_build_number: i32 = "OSBuildNumber" via number,
    /// Service pack.
    os_service_pack_major: i32 = "OSServicePackMajorNumber" via number,
    /// Service pack.
    os_service_pack_minor: i32 = "OSServicePackMinorNumber" via number,
    /// Such as `en-US`.
    os_locale: String = "OSLocale" via text,
    /// Manufacturer.
    manufacturer: String = "ComputerManufacturer" via text,
    /// Model.
    model: String = "ComputerModel" via text,
    /// BIOS version.
    bios_version: String = "BiosVersion" via text,
    /// BIOS name.
    bios_name: String = "BiosName" via text,
    /// BIOS release date, as written.
    bios_release_date: String = "BiosReleaseDate" via text,
    /// Free text, such as `AMD64`.
    processor_architecture: String = "ProcessorArchitecture" via text,
    /// Suite mask of the operating system.
    suite_mask: i32 = "SuiteMask" via number,
    /// 1 workstation, 2 domain controller, 3 server.
    old_product_type: i32 = "OldProductType" via number,
    /// The edition.
    new_product_type: i32 = "NewProductType" via number,
    /// 86 tablet, 87 media centre, 88 starter, 89 R2.
    system_metrics: i32 = "SystemMetrics" via number,
    /// Of the update agent.
    client_version_major: i32 = "ClientVersionMajorNumber" via number,
    /// Of the update agent.
    client_version_minor: i32 = "ClientVersionMinorNumber" via number,
    /// Of the update agent.
    client_version_build: i32 = "ClientVersionBuildNumber" via number,
    /// Of the update agent.
    client_version_qfe: i32 = "ClientVersionQfeNumber" via number,
    /// Says `Windows 10` on Windows 11 too.
    os_description: String = "OSDescription" via text,
    /// OEM.
    oem: String = "OEM" via text,
    /// Type of device.
    device_type: String = "DeviceType" via text,
    /// Firmware version.
    firmware_version: String = "FirmwareVersion" via text,
    /// Mobile operator.
    mobile_operator: String = "MobileOperator" via text,
}

fn text(fields: &Fields<'_>, name: &str) -> Option<String> {
    fields.maybe_text(name).map(|text| text.chars().take(LONGEST_TEXT).collect())
}

fn number(fields: &Fields<'_>, name: &str) -> Option<i32> {
    fields.maybe(name).ok().flatten()
}

impl RegisterComputer {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` when there is no `computerInfo` with a `DnsName`; `InvalidCookie`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let cookie = read_cookie(&fields, "cookie")?;
        let info = fields.within("computerInfo")?;
        info.text("DnsName")?;
        Ok(Self { cookie, info: ComputerInfo::read(&info) })
    }
}

/// Writes the answer to RegisterComputer: nothing.
pub fn write_registered<F>(w: &mut Writer<F>) {
    w.element_in(NAMESPACE, "RegisterComputerResponse", |_| {});
}
