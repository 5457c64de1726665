//! The sequences of the answers, as the WSDL of [MS-WUSP] section 6 has them.

/// How often an element occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occurrence {
    /// Exactly once.
    Required,
    /// Once or not at all.
    Optional,
    /// Any number, next to each other.
    Many,
}

/// An element of a sequence.
#[derive(Debug)]
pub(crate) struct Field {
    /// Local name.
    pub(crate) name: &'static str,
    /// How often.
    pub(crate) need: Occurrence,
}

const fn one(name: &'static str) -> Field {
    Field { name, need: Occurrence::Required }
}

const fn maybe(name: &'static str) -> Field {
    Field { name, need: Occurrence::Optional }
}

const fn many(name: &'static str) -> Field {
    Field { name, need: Occurrence::Many }
}

macro_rules! sequences {
    ($($name:ident: $($field:expr),*;)*) => {
        $(pub(crate) const $name: &[Field] = &[$($field),*];)*
    };
}

sequences! {
    GET_CONFIG_RESPONSE: one("GetConfigResult");
    CONFIG: one("LastChange"), one("IsRegistrationRequired"), one("AuthInfo"), maybe("AllowedEventIds"), one("Properties");
    AUTH_INFO: many("AuthPlugInInfo");
    AUTH_PLUGIN: one("PlugInID"), one("ServiceUrl"), maybe("Parameter");
    PROPERTIES: many("ConfigurationProperty");
    PROPERTY: one("Name"), one("Value");

    GET_AUTHORIZATION_COOKIE_RESPONSE: one("GetAuthorizationCookieResult");
    AUTHORIZATION_COOKIE: one("PlugInId"), one("CookieData");
    GET_COOKIE_RESPONSE: one("GetCookieResult");
    COOKIE: one("Expiration"), one("EncryptedData");
    REGISTER_COMPUTER_RESPONSE: ;

    START_CATEGORY_SCAN_RESPONSE: maybe("preferredCategoryIds"), maybe("requestedCategoryIdsInError");
    GUIDS: many("guid");

    SYNC_UPDATES_RESPONSE: one("SyncUpdatesResult");
    SYNC_INFO: maybe("NewUpdates"), maybe("OutOfScopeRevisionIDs"), maybe("ChangedUpdates"), one("Truncated"),
        maybe("NewCookie"), maybe("DeployedOutOfScopeRevisionIds"), maybe("DriverSyncNotNeeded");
    UPDATE_INFOS: many("UpdateInfo");
    UPDATE_INFO: one("ID"), maybe("Deployment"), one("IsLeaf"), maybe("Xml");
    DEPLOYMENT: one("ID"), one("Action"), maybe("Deadline"), one("IsAssigned"), one("LastChangeTime"),
        maybe("DownloadPriority"), maybe("HardwareIds"), maybe("AutoSelect"), maybe("AutoDownload"),
        maybe("SupersedenceBehavior"), maybe("FlagBitmask"), maybe("ClientBehaviors");
    INTS: many("int");

    REFRESH_CACHE_RESPONSE: maybe("RefreshCacheResult");
    REFRESHED: many("RefreshCacheResult");
    REFRESH: one("RevisionID"), one("GlobalID"), one("IsLeaf"), maybe("Deployment");
    IDENTITY: one("UpdateID"), one("RevisionNumber");

    GET_EXTENDED_UPDATE_INFO_RESPONSE: one("GetExtendedUpdateInfoResult");
    EXTENDED_INFO: maybe("Updates"), maybe("FileLocations"), maybe("OutOfScopeRevisionIDs");
    UPDATES: many("Update");
    UPDATE: one("ID"), one("Xml");
    FILE_LOCATIONS: many("FileLocation");
    FILE_LOCATION: one("FileDigest"), one("Url");
    GET_FILE_LOCATIONS_RESPONSE: one("GetFileLocationsResult");
    LOCATIONS_INFO: maybe("FileLocations"), one("NewCookie");

    REPORT_EVENT_BATCH_RESPONSE: one("ReportEventBatchResult");

    CORE: one("UpdateIdentity"), one("Properties"), maybe("Relationships"), maybe("ApplicabilityRules");
    EXTENDED: one("ExtendedProperties"), maybe("Files"), maybe("HandlerSpecificData");
}
