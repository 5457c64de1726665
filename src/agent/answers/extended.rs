//! GetExtendedUpdateInfo and GetFileLocations.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;

use super::{handshake::read_cookie, sync::int_array};
use crate::agent::{
    fragments::{Extended, ExtendedFragment},
    judge::{Judge, clip, decode_base64},
    rulebook as rules, schema,
    state::Cookie,
    tree::Element,
};

/// Where a file is.
pub(crate) type Location = ([u8; 20], Url);

/// What an agent takes from GetExtendedUpdateInfo.
#[derive(Debug, Default)]
pub(crate) struct ExtendedInfo {
    pub(crate) extended: BTreeMap<i32, Extended>,
    /// Revision to titles with their language.
    pub(crate) titles: BTreeMap<i32, Vec<(String, String)>>,
    pub(crate) locations: Vec<Location>,
    pub(crate) out_of_scope: Vec<i32>,
}

/// The answer of GetExtendedUpdateInfo ([MS-WUSP] 2.2.2.2.6) for the revisions `requested`, from `server`.
pub(crate) fn extended_info(
    response: &Element,
    requested: &[i32],
    server: &Url,
    judge: &mut Judge<'_>,
) -> ExtendedInfo {
    judge.sequence(response, schema::GET_EXTENDED_UPDATE_INFO_RESPONSE);
    let mut info = ExtendedInfo::default();
    let Some(result) = response.child("GetExtendedUpdateInfoResult") else { return info };
    judge.sequence(result, schema::EXTENDED_INFO);
    if let Some(list) = result.child("Updates") {
        judge.sequence(list, schema::UPDATES);
        for update in list.all("Update") {
            read_update(update, requested, &mut info, judge);
        }
    }
    info.out_of_scope = int_array(result, "OutOfScopeRevisionIDs", judge);
    for id in requested {
        if info.out_of_scope.contains(id) {
            continue;
        }
        if !info.extended.contains_key(id) {
            judge.broken(&rules::EXTENDED_MISSING, format!("revision {id}"));
        }
        if !info.titles.contains_key(id) {
            let what = format!("revision {id} has no LocalizedProperties");
            judge.broken(&rules::TITLE_MISSING, what);
        }
    }
    info.locations = locations(result.child("FileLocations"), server, judge);
    info
}

fn read_update(
    update: &Element,
    requested: &[i32],
    info: &mut ExtendedInfo,
    judge: &mut Judge<'_>,
) {
    judge.sequence(update, schema::UPDATE);
    let (Some(id), Some(xml)) = (update.child("ID"), update.child("Xml")) else { return };
    let Some(id) = judge.int32(id, "Update/ID") else { return };
    if !requested.contains(&id) {
        judge.broken(&rules::EXTENDED_UNASKED, format!("revision {id}"));
        return;
    }
    if !xml.children.is_empty() {
        judge.broken(&rules::CORE_NOT_TEXT, format!("revision {id}"));
        return;
    }
    match ExtendedFragment::read(&xml.text, id, judge) {
        ExtendedFragment::Extended(extended) => {
            if !info.titles.is_empty() {
                let what = format!("Extended of revision {id} after LocalizedProperties");
                judge.broken(&rules::FRAGMENT_ORDER, what);
            }
            if info.extended.insert(id, extended).is_some() {
                let what = format!("two Extended fragments of revision {id}");
                judge.broken(&rules::EXTENDED_SHAPE, what);
            }
        }
        ExtendedFragment::Localized { title, language } => {
            info.titles.entry(id).or_default().push((language, title));
        }
        ExtendedFragment::Other => {}
    }
}

/// The answer of GetFileLocations ([MS-WUSP] 2.2.2.2.7).
pub(crate) fn file_locations(
    response: &Element,
    server: &Url,
    judge: &mut Judge<'_>,
) -> (Vec<Location>, Option<Cookie>) {
    judge.sequence(response, schema::GET_FILE_LOCATIONS_RESPONSE);
    let Some(result) = response.child("GetFileLocationsResult") else { return Default::default() };
    judge.sequence(result, schema::LOCATIONS_INFO);
    let cookie = result.child("NewCookie").and_then(|cookie| read_cookie(cookie, judge));
    (locations(result.child("FileLocations"), server, judge), cookie)
}

fn locations(list: Option<&Element>, server: &Url, judge: &mut Judge<'_>) -> Vec<Location> {
    let Some(list) = list else { return Vec::new() };
    judge.sequence(list, schema::FILE_LOCATIONS);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for entry in list.all("FileLocation") {
        judge.sequence(entry, schema::FILE_LOCATION);
        let text = |name| entry.child_text(name).unwrap_or_default();
        let digest =
            decode_base64(text("FileDigest")).and_then(|digest| <[u8; 20]>::try_from(digest).ok());
        let url = Url::parse(text("Url"))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
        let (Some(digest), Some(url)) = (digest, url) else {
            let what = format!("{:?} at {:?}", clip(text("FileDigest")), clip(text("Url")));
            judge.broken(&rules::LOCATION_BAD, what);
            continue;
        };
        if !seen.insert(digest) {
            let what = format!("SHA-1 {}", hex::encode_upper(digest));
            judge.broken(&rules::LOCATION_DUPLICATE, what);
            continue;
        }
        if url.host_str() != server.host_str() {
            judge.broken(&rules::LOCATION_HOST, format!("{:?}", clip(url.as_str())));
        }
        let name = hex::encode_upper(digest);
        let path = format!("/Content/{}/{name}", name.get(38..).unwrap_or_default());
        if !url.path().starts_with(&path) {
            judge.broken(&rules::LOCATION_PATH, format!("{:?}", clip(url.path())));
        }
        found.push((digest, url));
    }
    found
}
