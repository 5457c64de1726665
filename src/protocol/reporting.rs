//! The Reporting web service. [MS-WUSP] 2.2.2.3

use serde::Serialize;
use uuid::Uuid;

use super::{cookie::read_cookie, fault::ProtocolFault, fields::Fields};
use crate::{
    soap::{Element, Writer},
    update::UpdateId,
};

/// Namespace of the service, and of the SOAPAction before `/` and the operation.
pub const NAMESPACE: &str = "http://www.microsoft.com/SoftwareDistribution";

/// Most events in one batch; agents send some ten.
const MOST_EVENTS: usize = 10_000;

/// A client reports. [MS-WUSP] 2.2.2.3.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportEventBatch {
    /// `EncryptedData` of its cookie.
    pub cookie: Option<Vec<u8>>,
    /// In the order of the batch, which is the order of the events.
    pub events: Vec<ReportingEvent>,
}

impl ReportEventBatch {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` with the path, `InvalidCookie`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        Ok(Self { cookie: read_cookie(&fields, "cookie")?, events: events(&fields)? })
    }
}

/// As [`ReportEventBatch`], without cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportEventBatch2 {
    /// `clientId`, in lower case.
    pub computer: String,
    /// In the order of the batch.
    pub events: Vec<ReportingEvent>,
}

impl ReportEventBatch2 {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` with the path.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let computer = fields.text("computerId")?;
        if computer.len() > 255 {
            return Err(ProtocolFault::invalid("computerId"));
        }
        Ok(Self { computer: computer.to_ascii_lowercase(), events: events(&fields)? })
    }
}

/// One event. All of it is a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportingEvent {
    /// Unique per occurrence.
    pub instance: Uuid,
    /// As written; agents put the time of the post.
    pub time_at_target: String,
    /// 1.
    pub namespace_id: i32,
    /// What happened.
    pub event_id: i32,
    /// Which part of the agent.
    pub source_id: i32,
    /// The update with its revision number; none for the zero GUID.
    pub update: Option<(UpdateId, i32)>,
    /// Only negative values are failures.
    pub hresult: i32,
    /// The program that requested it.
    pub app_name: Option<String>,
    /// Texts for the placeholders of the message.
    pub replacement_strings: Vec<String>,
    /// `tag=value`; letter case matters.
    pub misc_data: Vec<String>,
    /// The rest.
    pub extended: ExtendedData,
}

/// What is left of `ExtendedData`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExtendedData {
    /// Manufacturer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer_brand: Option<String>,
    /// Model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer_model: Option<String>,
    /// BIOS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bios_revision: Option<String>,
    /// Such as `Amd64Compatible`; values outside the enumeration occur.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_architecture: Option<String>,
    /// `major.minor.build.revision`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Service pack, `major.minor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_pack: Option<String>,
    /// LCID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_locale_id: Option<String>,
    /// Of drivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
}

fn events(fields: &Fields<'_>) -> Result<Vec<ReportingEvent>, ProtocolFault> {
    fields.each_within("eventBatch", "ReportingEvent", MOST_EVENTS)?.iter().map(event).collect()
}

fn event(fields: &Fields<'_>) -> Result<ReportingEvent, ProtocolFault> {
    const ANY: usize = usize::MAX;
    let basic = fields.within("BasicData")?;
    let update = match basic.maybe_within("UpdateID") {
        Some(update) => {
            let id = update.update_id("UpdateID")?;
            let revision = update.maybe("RevisionNumber")?.unwrap_or_default();
            (!id.0.is_nil()).then_some((id, revision))
        }
        None => None,
    };
    let extended = fields.maybe_within("ExtendedData");
    let (mut replacement_strings, mut misc_data) = (Vec::new(), Vec::new());
    if let Some(extended) = &extended {
        replacement_strings = extended.list("ReplacementStrings", "string", ANY)?;
        misc_data = extended.list("MiscData", "string", ANY)?;
    }
    Ok(ReportingEvent {
        instance: basic.get("EventInstanceID")?,
        time_at_target: basic.text("TimeAtTarget")?.chars().take(64).collect(),
        namespace_id: basic.maybe("NamespaceID")?.unwrap_or(1),
        event_id: basic.get("EventID")?,
        source_id: basic.maybe("SourceID")?.unwrap_or_default(),
        update,
        hresult: basic.maybe("Win32HResult")?.unwrap_or_default(),
        app_name: basic.maybe_text("AppName").map(str::to_owned),
        replacement_strings,
        misc_data,
        extended: extended.as_ref().map(extended_data).unwrap_or_default(),
    })
}

fn extended_data(fields: &Fields<'_>) -> ExtendedData {
    let text = |name| fields.maybe_text(name).map(str::to_owned);
    let version = |names: &[&str]| {
        let os = fields.maybe_within("OSVersion")?;
        let parts: Vec<_> = names.iter().filter_map(|name| os.maybe_text(name)).collect();
        (parts.len() == names.len()).then(|| parts.join("."))
    };
    ExtendedData {
        computer_brand: text("ComputerBrand"),
        computer_model: text("ComputerModel"),
        bios_revision: text("BiosRevision"),
        processor_architecture: text("ProcessorArchitecture"),
        os_version: version(&["Major", "Minor", "Build", "Revision"]),
        service_pack: version(&["ServicePackMajor", "ServicePackMinor"]),
        os_locale_id: text("OSLocaleID"),
        device_id: text("DeviceID"),
    }
}

/// Writes the answer to `ReportEventBatch`, `ReportEventBatch2`, `ReportInventory` (`true`) or
/// `GetRequiredInventoryType` (`0`: none).
pub fn write_result<F>(operation: &str, result: &str, w: &mut Writer<F>) {
    w.element_in(NAMESPACE, &format!("{operation}Response"), |w| {
        w.value(&format!("{operation}Result"), result);
    });
}
