//! GetConfig, GetAuthorizationCookie, GetCookie, RegisterComputer, StartCategoryScan,
//! ReportEventBatch.

use uuid::Uuid;

use crate::agent::{
    judge::{Judge, clip},
    rulebook as rules, schema,
    state::{Config, Cookie, PlugIn},
    tree::Element,
};

/// Path of SimpleAuth where the server does not say otherwise.
const AUTH_PATH: &str = "SimpleAuthWebService/SimpleAuth.asmx";

/// Most revisions that are asked for in one GetExtendedUpdateInfo, whatever the server says.
const MAX_EXTENDED: usize = 500;

/// The answer of GetConfig ([MS-WUSP] 2.2.2.2.1). `None` when an agent could not use it.
pub(crate) fn config(response: &Element, judge: &mut Judge<'_>) -> Option<Config> {
    judge.sequence(response, schema::GET_CONFIG_RESPONSE);
    let result = response.child("GetConfigResult")?;
    judge.sequence(result, schema::CONFIG);
    let last_change = result.child_text("LastChange")?.to_owned();
    judge.instant(&last_change, "LastChange");
    let (plug_in, service_url) = plug_in(result, judge);
    let mut properties = Vec::new();
    if let Some(list) = result.child("Properties") {
        judge.sequence(list, schema::PROPERTIES);
        for property in list.all("ConfigurationProperty") {
            judge.sequence(property, schema::PROPERTY);
            let text = |name| property.child_text(name).unwrap_or_default();
            properties.push((text("Name"), text("Value")));
        }
    }
    let property =
        |wanted| properties.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    let max_extended = property("MaxExtendedUpdatesPerRequest").and_then(|max| max.parse().ok());
    if max_extended.is_none_or(|max: usize| max == 0) {
        judge.broken(&rules::CONFIG_PROPERTY, "MaxExtendedUpdatesPerRequest");
    }
    let protocol = property("ProtocolVersion").and_then(pair).unwrap_or((0, 0));
    if protocol < (3, 2) {
        let what = format!("ProtocolVersion {:?}", property("ProtocolVersion").map(clip));
        judge.broken(&rules::CONFIG_PROTOCOL, what);
    }
    if property("IsInventoryRequired").is_some_and(|required| required != "0") {
        judge.broken(&rules::CONFIG_INVENTORY, "IsInventoryRequired");
    }
    Some(Config {
        last_change,
        registration: judge.boolean(result, "IsRegistrationRequired", false),
        service_url,
        plug_in,
        max_extended: max_extended.unwrap_or(50).clamp(1, MAX_EXTENDED),
        protocol,
    })
}

/// Id and path of the one plug-in.
fn plug_in(result: &Element, judge: &mut Judge<'_>) -> (PlugIn, String) {
    let fallback = (PlugIn::SimpleTargeting, AUTH_PATH.to_owned());
    let Some(list) = result.child("AuthInfo") else { return fallback };
    judge.sequence(list, schema::AUTH_INFO);
    let [plug_in] = list.children.as_slice() else {
        let what = format!("{} plug-ins", list.children.len());
        judge.broken(&rules::CONFIG_AUTH, what);
        return fallback;
    };
    judge.sequence(plug_in, schema::AUTH_PLUGIN);
    let id = plug_in.child_text("PlugInID").unwrap_or_default();
    let url = plug_in.child_text("ServiceUrl").unwrap_or_default();
    match id {
        "Anonymous" => (PlugIn::Anonymous, String::new()),
        "SimpleTargeting" => {
            let relative = !url.is_empty() && !url.starts_with('/') && !url.contains(':');
            if !relative || url.contains(['?', '#', '\\']) || url.contains("..") {
                judge.broken(&rules::CONFIG_AUTH, format!("ServiceUrl {:?}", clip(url)));
                return fallback;
            }
            (PlugIn::SimpleTargeting, url.to_owned())
        }
        other => {
            judge.broken(&rules::CONFIG_AUTH, format!("PlugInID {:?}", clip(other)));
            fallback
        }
    }
}

/// Versions are pairs of integers: 2.32 is newer than 2.4.
fn pair(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// What GetAuthorizationCookie gives.
#[derive(Debug)]
pub(crate) struct AuthorizationCookie {
    pub(crate) plug_in: String,
    pub(crate) data: String,
}

/// The answer of GetAuthorizationCookie ([MS-WUSP] 2.2.2.1.1).
pub(crate) fn authorization_cookie(
    response: &Element,
    judge: &mut Judge<'_>,
) -> Option<AuthorizationCookie> {
    judge.sequence(response, schema::GET_AUTHORIZATION_COOKIE_RESPONSE);
    let result = response.child("GetAuthorizationCookieResult")?;
    judge.sequence(result, schema::AUTHORIZATION_COOKIE);
    let data = result.child_text("CookieData")?;
    judge.base64(data, "CookieData");
    if data.is_empty() {
        judge.broken(&rules::COOKIE_EMPTY, "CookieData");
    }
    Some(AuthorizationCookie {
        plug_in: result.child_text("PlugInId")?.to_owned(),
        data: data.to_owned(),
    })
}

/// The answer of GetCookie ([MS-WUSP] 2.2.2.2.2).
pub(crate) fn cookie(response: &Element, judge: &mut Judge<'_>) -> Option<Cookie> {
    judge.sequence(response, schema::GET_COOKIE_RESPONSE);
    let cookie = read_cookie(response.child("GetCookieResult")?, judge)?;
    let expiration = judge.instant(&cookie.expiration, "Expiration");
    if expiration.is_some_and(|expiration| expiration <= jiff::Timestamp::now()) {
        judge.broken(&rules::COOKIE_PAST, format!("Expiration {}", clip(&cookie.expiration)));
    }
    Some(cookie)
}

/// A cookie in any answer.
pub(super) fn read_cookie(element: &Element, judge: &mut Judge<'_>) -> Option<Cookie> {
    judge.sequence(element, schema::COOKIE);
    let expiration = element.child_text("Expiration")?.to_owned();
    let data = element.child_text("EncryptedData")?.to_owned();
    judge.base64(&data, "EncryptedData");
    if data.is_empty() {
        judge.broken(&rules::COOKIE_EMPTY, "EncryptedData");
    }
    Some(Cookie { expiration, data })
}

/// The answer of RegisterComputer: an empty element.
pub(crate) fn registered(response: &Element, judge: &mut Judge<'_>) {
    judge.sequence(response, schema::REGISTER_COMPUTER_RESPONSE);
}

/// The answer of StartCategoryScan ([MS-WUSP] 2.2.2.2.8): the categories to filter by.
pub(crate) fn preferred_categories(
    response: &Element,
    requested: &[Uuid],
    judge: &mut Judge<'_>,
) -> Vec<Uuid> {
    judge.sequence(response, schema::START_CATEGORY_SCAN_RESPONSE);
    let mut guids = |name| {
        let Some(list) = response.child(name) else { return Vec::new() };
        judge.sequence(list, schema::GUIDS);
        list.children.iter().filter_map(|guid| judge.guid(guid.text.trim(), name)).collect()
    };
    let preferred: Vec<Uuid> = guids("preferredCategoryIds");
    let in_error: Vec<Uuid> = guids("requestedCategoryIdsInError");
    for category in requested {
        if !preferred.contains(category) && !in_error.contains(category) {
            judge.broken(&rules::CATEGORY_LOST, format!("category {category}"));
        }
    }
    preferred
}

/// The answer of ReportEventBatch: whether the events were taken.
pub(crate) fn reported(response: &Element, judge: &mut Judge<'_>) -> bool {
    judge.sequence(response, schema::REPORT_EVENT_BATCH_RESPONSE);
    let taken = judge.boolean(response, "ReportEventBatchResult", false);
    if !taken {
        judge.broken(&rules::REPORT_REFUSED, "ReportEventBatchResult is not true");
    }
    taken
}
