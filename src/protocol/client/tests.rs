use proptest::prelude::*;

use super::*;
use crate::protocol::ErrorCode;
use crate::{
    protocol::{cookie::EncodedCookie, fault::ProtocolFault, version::ProtocolVersion},
    soap::{Element, MessageLimits, Piece, Style, envelope, read},
};

fn operation(name: &str, inner: &str) -> Element {
    let xml = format!("<{name} xmlns=\"{NAMESPACE}\">{inner}</{name}>");
    read(xml.as_bytes(), &MessageLimits::default()).unwrap()
}

fn path(fault: ProtocolFault) -> String {
    assert_eq!(fault.code, ErrorCode::InvalidParameters);
    fault.message
}

#[test]
fn actions_are_words() {
    assert_eq!("PreDeploymentCheck".parse(), Ok(Action::PreDeploymentCheck));
    assert!("install".parse::<Action>().is_err());
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let sync = |inner: &str| SyncUpdates::read(&operation("SyncUpdates", inner));
    assert_eq!(path(sync("").unwrap_err()), "parameters");
    let ids = "<parameters><OtherCachedUpdateIDs><int>1</int><int>x</int></OtherCachedUpdateIDs></parameters>";
    assert_eq!(path(sync(ids).unwrap_err()), "parameters.OtherCachedUpdateIDs");
    let flag = "<parameters><SkipSoftwareSync>maybe</SkipSoftwareSync></parameters>";
    assert_eq!(path(sync(flag).unwrap_err()), "parameters.SkipSoftwareSync");
    let spec = "<parameters><SystemSpec><Device/></SystemSpec></parameters>";
    assert_eq!(path(sync(spec).unwrap_err()), "parameters.SystemSpec");
    let id = "<parameters><FilterCategoryIds><CategoryIdentifier><Id>7</Id></CategoryIdentifier></FilterCategoryIds></parameters>";
    assert_eq!(path(sync(id).unwrap_err()), "parameters.FilterCategoryIds.Id");
    let empty = sync("<parameters/>").unwrap();
    assert!(!empty.skip_software && empty.other_cached.is_empty() && empty.cookie.is_none());
}

#[test]
fn the_first_old_cookie_is_none() {
    let first = GetCookie::read(&operation(
        "GetCookie",
        "<authCookies><AuthorizationCookie><PlugInId>SimpleTargeting</PlugInId>\
         <CookieData>AA\n ==</CookieData></AuthorizationCookie></authCookies>\
         <oldCookie><Expiration>2026-10-04T15:03:36Z</Expiration></oldCookie>\
         <lastChange>2026-10-04T13:17:07</lastChange><protocolVersion>1.8</protocolVersion>",
    ))
    .unwrap();
    assert_eq!(first.old_cookie, None);
    assert_eq!(first.authorization, [0]);
    let none = GetCookie::read(&operation("GetCookie", "")).unwrap_err();
    assert_eq!(none.code, ErrorCode::InvalidAuthorizationCookie);
    let foreign = GetExtendedUpdateInfo::read(&operation(
        "GetExtendedUpdateInfo",
        "<cookie><EncryptedData>not base64!</EncryptedData></cookie>",
    ));
    assert_eq!(foreign.unwrap_err().code, ErrorCode::InvalidCookie);
}

#[test]
fn extended_info_must_say_what_and_in_which_language() {
    let read =
        |inner: &str| GetExtendedUpdateInfo::read(&operation("GetExtendedUpdateInfo", inner));
    let types = |types: &[&str]| -> String {
        let items: String = types
            .iter()
            .map(|t| format!("<XmlUpdateFragmentType>{t}</XmlUpdateFragmentType>"))
            .collect();
        format!("<infoTypes>{items}</infoTypes>")
    };
    assert_eq!(path(read("").unwrap_err()), "infoTypes");
    assert_eq!(path(read(&types(&["Core", "Other"])).unwrap_err()), "infoTypes");
    assert_eq!(path(read(&types(&["Eula"])).unwrap_err()), "locales");
    assert_eq!(read(&types(&["Core", "Core"])).unwrap().info_types, [FragmentType::Core]);
    let ids = |n: usize| {
        format!("<revisionIDs>{}</revisionIDs>{}", "<int>1</int>".repeat(n), types(&["Core"]))
    };
    assert_eq!(read(&ids(50)).unwrap().revision_ids.len(), 50);
    assert_eq!(path(read(&ids(51)).unwrap_err()), "revisionIDs");
}

#[test]
fn a_category_scan_asks_for_something() {
    let read = |inner: &str| StartCategoryScan::read(&operation("StartCategoryScan", inner));
    assert_eq!(path(read("").unwrap_err()), "requestedCategories");
    let one = "<CategoryRelationship><IndexOfAndGroup>0</IndexOfAndGroup>\
               <CategoryId>DD78B8A1-0B20-45C1-ADD6-4DA72E9364CF</CategoryId></CategoryRelationship>";
    let many = |n: usize| format!("<requestedCategories>{}</requestedCategories>", one.repeat(n));
    assert_eq!(read(&many(199)).unwrap().requested.len(), 199);
    assert_eq!(path(read(&many(200)).unwrap_err()), "requestedCategories");
}

#[test]
fn digests_have_twenty_bytes() {
    let read = |digest: &str| {
        GetFileLocations::read(&operation(
            "GetFileLocations",
            &format!("<fileDigests><base64Binary>{digest}</base64Binary></fileDigests>"),
        ))
    };
    assert_eq!(read("D2zdslftJ5kG/B9a2zSqQu83qTs=").unwrap().digests.len(), 1);
    assert_eq!(path(read("AAAA").unwrap_err()), "fileDigests");
}

fn cookie() -> EncodedCookie {
    EncodedCookie { expiration: jiff::Timestamp::UNIX_EPOCH, data: vec![1, 2, 3] }
}

fn written(version: &str, info: SyncInfo<&'static str>) -> String {
    let version: ProtocolVersion = version.parse().unwrap();
    envelope(Style::Client, |w| info.write("SyncUpdates", version, w))
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Foreign(text) => text.to_owned(),
        })
        .collect()
}

/// Elements that older clients do not know are not sent to them.
#[test]
fn old_clients_get_what_they_know() {
    let deployment = Deployment {
        id: 9,
        action: Action::Install,
        deadline: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        changed: "2026-10-04T23:59:59Z".parse().unwrap(),
    };
    let info = SyncInfo {
        new: vec![UpdateInfo { id: 1, deployment, is_leaf: true, xml: Some("&lt;x /&gt;") }],
        out_of_scope: vec![4, 5],
        changed: vec![UpdateInfo { id: 2, deployment, is_leaf: false, xml: None }],
        truncated: true,
        cookie: cookie(),
        deployed_out_of_scope: vec![6],
        driver_sync_not_needed: true,
    };
    let deployed = "<Deployment><ID>9</ID><Action>Install</Action><Deadline>2026-01-02T03:04:05Z</Deadline>\
         <IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime>";
    let auto = "<AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload>\
         <SupersedenceBehavior>0</SupersedenceBehavior>";
    let inner = |auto: &str, tail: &str| {
        format!(
            "<SyncUpdatesResult><NewUpdates><UpdateInfo><ID>1</ID>{deployed}{auto}</Deployment>\
             <IsLeaf>true</IsLeaf><Xml>&lt;x /&gt;</Xml></UpdateInfo></NewUpdates>\
             <OutOfScopeRevisionIDs><int>4</int><int>5</int></OutOfScopeRevisionIDs>\
             <ChangedUpdates><UpdateInfo><ID>2</ID>{deployed}{auto}</Deployment>\
             <IsLeaf>false</IsLeaf></UpdateInfo></ChangedUpdates><Truncated>true</Truncated>\
             <NewCookie><Expiration>1970-01-01T00:00:00Z</Expiration>\
             <EncryptedData>AQID</EncryptedData></NewCookie>{tail}</SyncUpdatesResult>"
        )
    };
    let tail = "<DeployedOutOfScopeRevisionIds><int>6</int></DeployedOutOfScopeRevisionIds>\
         <DriverSyncNotNeeded>true</DriverSyncNotNeeded>";
    for (version, auto, tail) in [
        ("2.90", auto, tail),
        ("1.8", auto, tail),
        ("1.7", "", tail),
        ("1.6", "", ""),
        ("1.0", "", ""),
    ] {
        let xml = written(version, info.clone());
        assert!(xml.contains(&inner(auto, tail)), "{version}: {xml}");
    }
}

/// Names that the operations know, nested and repeated at random, with plausible and absurd texts.
fn soup() -> impl Strategy<Value = String> {
    let names = [
        "cookie",
        "EncryptedData",
        "Expiration",
        "parameters",
        "InstalledNonLeafUpdateIDs",
        "OtherCachedUpdateIDs",
        "int",
        "SkipSoftwareSync",
        "FilterCategoryIds",
        "CategoryIdentifier",
        "Id",
        "globalIDs",
        "UpdateIdentity",
        "UpdateID",
        "RevisionNumber",
        "revisionIDs",
        "infoTypes",
        "XmlUpdateFragmentType",
        "locales",
        "string",
        "fileDigests",
        "base64Binary",
        "authCookies",
        "AuthorizationCookie",
        "CookieData",
        "lastChange",
        "protocolVersion",
        "computerInfo",
        "DnsName",
        "OSMajorVersion",
        "requestedCategories",
        "CategoryRelationship",
        "IndexOfAndGroup",
        "CategoryId",
        "eventBatch",
        "ReportingEvent",
        "BasicData",
        "EventInstanceID",
        "EventID",
        "TimeAtTarget",
        "ExtendedData",
        "MiscData",
        "OSVersion",
        "clientId",
        "dnsName",
        "computerId",
    ];
    let texts = [
        "",
        "1",
        "-1",
        "99999999999",
        "true",
        "x",
        "AAAA",
        "2.90",
        "Extended",
        "en",
        "2026-01-01T00:00:00Z",
        "a0000000-0000-4000-8000-000000000001",
    ];
    let leaf = (proptest::sample::select(names.to_vec()), proptest::sample::select(texts.to_vec()))
        .prop_map(|(name, text)| format!("<{name}>{text}</{name}>"));
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let inside = proptest::collection::vec(inner, 0..6);
        (proptest::sample::select(names.to_vec()), inside)
            .prop_map(|(name, inside)| format!("<{name}>{}</{name}>", inside.concat()))
    })
}

proptest! {
    /// Whatever is in a request, reading it ends in a value or a fault that a client understands.
    #[test]
    fn any_request_is_read_or_refused(parts in proptest::collection::vec(soup(), 0..6)) {
        use crate::protocol::{reporting, simple_auth};
        let request = operation("Any", &parts.concat());
        let faults = [
            GetConfig::read(&request).err(),
            GetCookie::read(&request).err(),
            RegisterComputer::read(&request).err(),
            StartCategoryScan::read(&request).err(),
            SyncUpdates::read(&request).err(),
            SyncPrinterCatalog::read(&request).err(),
            RefreshCache::read(&request).err(),
            GetExtendedUpdateInfo::read(&request).err(),
            GetExtendedUpdateInfo2::read(&request).err(),
            GetFileLocations::read(&request).err(),
            simple_auth::GetAuthorizationCookie::read(&request).err(),
            reporting::ReportEventBatch::read(&request).err(),
            reporting::ReportEventBatch2::read(&request).err(),
        ];
        for fault in faults.into_iter().flatten() {
            let codes = [
                ErrorCode::InvalidParameters,
                ErrorCode::InvalidCookie,
                ErrorCode::InvalidAuthorizationCookie,
            ];
            prop_assert!(codes.contains(&fault.code), "{}", fault);
        }
    }
}
