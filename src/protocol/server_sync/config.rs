//! GetConfigData: limits, flags and languages. [MS-WSUSSS] 3.1.4.4

use std::convert::Infallible;

use super::{
    auth::SyncCookie,
    operation::{Operation, write_result},
};
use crate::{
    protocol::{fault::ProtocolFault, fields::Fields},
    soap::{Element, Writer},
};

/// A downstream asks how the upstream is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetConfigData {
    /// Its cookie.
    pub cookie: Option<SyncCookie>,
    /// The last `NewConfigAnchor`.
    pub anchor: Option<String>,
}

/// The answer to it. Numbers that an old server does not send are 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigData {
    /// The upstream has no files: fetch them from Microsoft.
    pub catalog_only_sync: bool,
    /// The upstream fetches files when they are approved.
    pub lazy_sync: bool,
    /// The upstream holds express files too.
    pub server_hosts_psf_files: bool,
    /// Limit of GetUpdateData.
    pub max_updates: usize,
    /// Limit of GetDriverSetData.
    pub max_driver_sets: usize,
    /// Limit of GetDriverIdList.
    pub max_computer_ids: usize,
    /// Limit of GetDriverIdList.
    pub max_pnp_hardware_ids: usize,
    /// For the next call.
    pub anchor: String,
    /// Of the upstream; servers of 2006 do not say.
    pub version: Option<String>,
    /// Those that changed since the anchor: none means unchanged, not that there are none.
    pub languages: Vec<LanguageData>,
    /// Limit of GetUpdateDecryptionData.
    pub max_decryption_updates: usize,
}

/// A language of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguageData {
    /// LCID; 0 stands for all. Does not fit 16 bits.
    pub id: i32,
    /// Such as `pt-br`.
    pub short: String,
    /// In English.
    pub long: String,
    /// Whether the upstream has what exists in this language.
    pub enabled: bool,
}

impl Operation for GetConfigData {
    type Answer = ConfigData;
    const NAME: &'static str = "GetConfigData";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        Ok(Self {
            cookie: SyncCookie::read(&fields, "cookie")?,
            anchor: fields.maybe_text("configAnchor").map(str::to_owned),
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        if let Some(cookie) = &self.cookie {
            cookie.write("cookie", w);
        }
        w.optional("configAnchor", self.anchor.as_ref());
    }

    fn read_answer(answer: &Element) -> Result<ConfigData, ProtocolFault> {
        let result = Fields::new(answer).within("GetConfigDataResult")?;
        let number = |name| Ok::<usize, ProtocolFault>(result.maybe(name)?.unwrap_or(0));
        let languages =
            result.each_within("LanguageUpdateList", "ServerSyncLanguageData", 10_000)?;
        Ok(ConfigData {
            catalog_only_sync: result.flag("CatalogOnlySync")?,
            lazy_sync: result.flag("LazySync")?,
            server_hosts_psf_files: result.flag("ServerHostsPsfFiles")?,
            max_updates: number("MaxNumberOfUpdatesPerRequest")?,
            max_driver_sets: number("MaxNumberOfDriverSetsPerRequest")?,
            max_computer_ids: number("MaxNumberOfComputerIdsInRequest")?,
            max_pnp_hardware_ids: number("MaxNumberOfPnpHardwareIdsInRequest")?,
            anchor: result.text("NewConfigAnchor")?.to_owned(),
            version: result.maybe_text("ProtocolVersion").map(str::to_owned),
            languages: languages
                .iter()
                .map(|language| {
                    Ok(LanguageData {
                        id: language.get("LanguageID")?,
                        short: language.text("ShortLanguage")?.to_owned(),
                        long: language.maybe_text("LongLanguage").unwrap_or_default().to_owned(),
                        enabled: language.flag("Enabled")?,
                    })
                })
                .collect::<Result<_, ProtocolFault>>()?,
            max_decryption_updates: number("MaxUpdatesPerRequestInGetUpdateDecryptionData")?,
        })
    }
}

impl ConfigData {
    /// Writes the answer. The limits stand in the order of Microsoft Update: a WSUS has another one
    /// (and reads by name), but Microsoft's generated proxy reads this one only.
    pub fn write<F>(&self, w: &mut Writer<F>) {
        write_result::<GetConfigData, F>(w, |w| {
            w.value("CatalogOnlySync", self.catalog_only_sync);
            w.value("LazySync", self.lazy_sync);
            w.value("ServerHostsPsfFiles", self.server_hosts_psf_files);
            w.value("MaxNumberOfUpdatesPerRequest", self.max_updates);
            w.value("MaxNumberOfDriverSetsPerRequest", self.max_driver_sets);
            w.value("MaxNumberOfComputerIdsInRequest", self.max_computer_ids);
            w.value("MaxNumberOfPnpHardwareIdsInRequest", self.max_pnp_hardware_ids);
            w.value("NewConfigAnchor", &self.anchor);
            w.optional("ProtocolVersion", self.version.as_ref());
            w.element("LanguageUpdateList", |w| {
                for language in &self.languages {
                    w.element("ServerSyncLanguageData", |w| {
                        w.value("LanguageID", language.id);
                        w.value("ShortLanguage", &language.short);
                        w.value("LongLanguage", &language.long);
                        w.value("Enabled", language.enabled);
                    });
                }
            });
            let most = self.max_decryption_updates;
            w.value("MaxUpdatesPerRequestInGetUpdateDecryptionData", most);
        });
    }
}
