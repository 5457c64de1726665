//! Events, as agents report them ([MS-WUSP] 2.2.2.3.1).

use uuid::Uuid;

use super::super::operation::Operation;
use super::{now_millis, writer::EnvelopeWriter};
use crate::agent::{client_version::CLIENT_VERSION, profile::Profile, state::Cookie};

/// What an event reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// 147: detection succeeded.
    Detected {
        /// Updates found applicable.
        found: usize,
    },
    /// 156: the whole state.
    Status {
        /// Applicable and not installed.
        needed: Vec<Uuid>,
        /// Installed.
        installed: Vec<Uuid>,
    },
    /// 167: download started.
    DownloadStarted,
    /// 162: download succeeded.
    Downloaded {
        /// Bytes fetched.
        bytes: u64,
    },
    /// 161: download failed.
    DownloadFailed {
        /// HRESULT.
        code: u32,
    },
    /// 181: installation started.
    InstallStarted,
    /// 183: installation succeeded.
    Installed,
    /// 182: installation failed.
    InstallFailed {
        /// HRESULT.
        code: u32,
    },
}

/// An event, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentEvent {
    pub(crate) kind: EventKind,
    pub(crate) update: (Uuid, i32),
    pub(crate) title: String,
    pub(crate) bundle: bool,
}

impl AgentEvent {
    /// An event about the whole computer.
    pub(crate) fn of_computer(kind: EventKind) -> Self {
        Self { kind, update: (Uuid::nil(), 0), title: String::new(), bundle: false }
    }

    /// Its number in namespace 1.
    pub(crate) fn id(&self) -> u16 {
        match self.kind {
            EventKind::Detected { .. } => 147,
            EventKind::Status { .. } => 156,
            EventKind::DownloadFailed { .. } => 161,
            EventKind::Downloaded { .. } => 162,
            EventKind::DownloadStarted => 167,
            EventKind::InstallStarted => 181,
            EventKind::InstallFailed { .. } => 182,
            EventKind::Installed => 183,
        }
    }

    fn result(&self) -> i32 {
        match self.kind {
            EventKind::DownloadFailed { code } | EventKind::InstallFailed { code } => {
                code.cast_signed()
            }
            _ => 0,
        }
    }

    /// The strings that the event's message has places for.
    fn replacements(&self) -> Vec<String> {
        match &self.kind {
            EventKind::Detected { found } => vec![found.to_string()],
            EventKind::Status { .. } => Vec::new(),
            EventKind::InstallFailed { code } => {
                vec![format!("{code:#010x}"), self.title.clone()]
            }
            _ => vec![self.title.clone()],
        }
    }

    /// `MiscData` in the order of an agent.
    fn misc(&self, profile: &Profile, server: &str) -> Vec<String> {
        let mut misc = Vec::new();
        match &self.kind {
            EventKind::Downloaded { bytes } => misc.push(format!("B={bytes}")),
            EventKind::Detected { found } => misc.push(format!("B={found}")),
            EventKind::InstallFailed { .. } => misc.push("C=1".into()),
            EventKind::Installed => misc.push("D=1".into()),
            _ => {}
        }
        misc.push(format!("G={CLIENT_VERSION}"));
        misc.push("J=500".into());
        misc.push(format!("K={}", profile.bios_version));
        misc.push(format!("L={}", super::BIOS_DATE.trim_end_matches('Z')));
        misc.push(format!("Q={}", if self.bundle { 2 } else { 1 }));
        misc.push("T=Tidegate".into());
        if let EventKind::Status { needed, installed } = &self.kind {
            for (tag, list) in [("U", needed), ("V", installed)] {
                if !list.is_empty() {
                    let ids: Vec<_> = list.iter().map(|id| id.to_string().to_uppercase()).collect();
                    misc.push(format!("{tag}={}", ids.join(";")));
                }
            }
        }
        misc.push("AppName=<<PROCESS>>: tidegate".into());
        match self.kind {
            EventKind::DownloadFailed { .. } => {
                misc.push("CsiErrorType=1".into());
                misc.push(format!("csiComponent={server}"));
            }
            _ => misc.push("CsiErrorType=0".into()),
        }
        misc.push(format!("c={}", profile.product_sku));
        for item in ["m=0", "n=1", "o=0", "p=0", "q=0", "r=0", "w=0", "x=1", "cc=tidegate"] {
            misc.push(item.into());
        }
        for item in
            ["dd=0", "ff=0", "WUfBOn=0", "WUfBDS=0", "DisableDS=1", "PauseQU=0", "PauseFU=0"]
        {
            misc.push(item.into());
        }
        misc
    }
}

/// `ReportEventBatch`. Every event gets the time of the post, as agents do it.
pub(crate) fn events_request(
    cookie: Option<&Cookie>,
    client_id: &str,
    events: &[AgentEvent],
    profile: &Profile,
    server: &str,
) -> String {
    let now = now_millis();
    EnvelopeWriter::envelope(Operation::ReportEventBatch, |body| {
        body.cookie("cookie", cookie);
        body.text("clientTime", &now);
        body.within("eventBatch", |batch| {
            for event in events {
                batch.within("ReportingEvent", |out| {
                    write_event(out, event, client_id, &now, profile, server);
                });
            }
        });
    })
}

fn write_event(
    out: &mut EnvelopeWriter,
    event: &AgentEvent,
    client_id: &str,
    now: &str,
    profile: &Profile,
    server: &str,
) {
    out.within("BasicData", |basic| {
        basic.within("TargetID", |target| target.text("Sid", client_id));
        basic.text("SequenceNumber", "0");
        basic.text("TimeAtTarget", now);
        basic.value("EventInstanceID", Uuid::new_v4());
        basic.text("NamespaceID", "1");
        basic.value("EventID", event.id());
        basic.text("SourceID", "101");
        basic.within("UpdateID", |identity| {
            identity.value("UpdateID", event.update.0);
            identity.value("RevisionNumber", event.update.1);
        });
        basic.value("Win32HResult", event.result());
    });
    out.within("ExtendedData", |extended| {
        extended.array("ReplacementStrings", "string", event.replacements());
        extended.array("MiscData", "string", event.misc(profile, server));
        extended.text("ComputerBrand", &profile.manufacturer);
        extended.text("ComputerModel", &profile.model);
        extended.text("BiosRevision", &profile.bios_version);
        extended.text(
            "ProcessorArchitecture",
            match profile.architecture.as_str() {
                "AMD64" => "Amd64Compatible",
                "x86" => "X86Compatible",
                _ => "Unknown",
            },
        );
        extended.within("OSVersion", |version| {
            version.value("Major", profile.os.major);
            version.value("Minor", profile.os.minor);
            version.value("Build", profile.os.build);
            // Agents put the suite mask and the product type here, not the revision of the build.
            let kind = u32::from(profile.product_type);
            version.value("Revision", (kind << 16) | u32::from(profile.suite_mask));
            version.value("ServicePackMajor", profile.os.service_pack_major);
            version.value("ServicePackMinor", profile.os.service_pack_minor);
        });
        extended.text("OSLocaleID", "1033");
    });
    out.text("PrivateData", "");
}
