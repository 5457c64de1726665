use std::convert::Infallible;

use proptest::prelude::*;
use uuid::uuid;

use super::*;
use crate::protocol::ErrorCode;
use crate::{
    protocol::{cookie::EncodedCookie, fault::ProtocolFault},
    soap::{MessageLimits, Style, Writer, body_of, read, whole},
    update::{UpdateId, UpdateIdentity},
};

fn identity(n: u128, revision: u32) -> UpdateIdentity {
    UpdateIdentity { id: UpdateId(uuid::Uuid::from_u128(n)), revision }
}

fn cookie() -> SyncCookie {
    SyncCookie { expiration: "2026-10-04T20:33:26.65455Z".to_owned(), data: vec![1, 2, 3] }
}

/// The upstream reads what the downstream wrote.
fn read_request<O: Operation>(request: &O) -> O {
    let message = request.message();
    let body = body_of(read(message.as_bytes(), &MessageLimits::default()).unwrap()).unwrap();
    assert_eq!((&*body.name, &*body.namespace), (O::NAME, O::NAMESPACE));
    O::read(&body).unwrap()
}

/// A written answer as bytes.
fn sent(content: impl FnOnce(&mut Writer<Infallible>)) -> Vec<u8> {
    whole(Style::Asmx, content).into_bytes()
}

/// The downstream reads what the upstream wrote.
fn back<O: Operation>(content: impl FnOnce(&mut Writer<Infallible>)) -> O::Answer {
    O::answer(&sent(content), &MessageLimits::default()).unwrap()
}

#[test]
fn the_handshake_goes_there_and_back() {
    assert_eq!(read_request(&GetAuthConfig), GetAuthConfig);
    let config = AuthConfig {
        last_change: "2026-10-04T13:16:35.433Z".parse().unwrap(),
        service_url: SERVICE_URL.to_owned(),
    };
    assert_eq!(back::<GetAuthConfig>(|w| config.write(w)), config);

    let who = GetAuthorizationCookie {
        account_name: "dss.example".to_owned(),
        account_guid: uuid!("6f1c2f6e-3f0b-4d3a-9b1e-0d2f6a1c5e12"),
    };
    assert_eq!(read_request(&who), who);
    assert!(
        GetAuthorizationCookie::action().ends_with("/DssAuthWebService/GetAuthorizationCookie")
    );
    let authorization = DssAuthorization { plug_in: PLUG_IN.to_owned(), data: vec![0; 40] };
    assert_eq!(back::<GetAuthorizationCookie>(|w| authorization.write(w)), authorization);

    let request =
        GetCookie { authorization, old_cookie: Some(cookie()), version: "1.20".parse().unwrap() };
    assert_eq!(read_request(&request), request);
    let expiration = cookie().expires().unwrap().0;
    let sealed = EncodedCookie { expiration, data: vec![1, 2, 3] };
    let kept = back::<GetCookie>(|w| SyncCookie::write_answer(&sealed, w));
    assert_eq!(kept, cookie(), "the text of the expiration is kept");
}

#[test]
fn bad_handshakes_are_refused_as_specified() {
    let code = |body: &str| {
        let message = format!(
            "<s:Envelope xmlns:s=\"{}\"><s:Body><GetCookie xmlns=\"{NAMESPACE}\">{body}</GetCookie>\
             </s:Body></s:Envelope>",
            crate::soap::ENVELOPE
        );
        let body = body_of(read(message.as_bytes(), &MessageLimits::default()).unwrap()).unwrap();
        GetCookie::read(&body).unwrap_err().code
    };
    let one = "<AuthorizationCookie><CookieData>AAAA</CookieData></AuthorizationCookie>";
    let version = "<protocolVersion>1.20</protocolVersion>";
    for (body, expected) in [
        (version.to_owned(), ErrorCode::InvalidParameters),
        (format!("<authCookies>{one}{one}</authCookies>{version}"), ErrorCode::InvalidParameters),
        (format!("<authCookies>{one}</authCookies>"), ErrorCode::InvalidParameters),
        (
            format!("<authCookies>{one}</authCookies><protocolVersion>1</protocolVersion>"),
            ErrorCode::InvalidParameters,
        ),
        (
            format!("<authCookies><AuthorizationCookie/></authCookies>{version}"),
            ErrorCode::InvalidAuthorizationCookie,
        ),
    ] {
        assert_eq!(code(&body), expected, "{body}");
    }
}

fn config() -> ConfigData {
    ConfigData {
        catalog_only_sync: false,
        lazy_sync: true,
        server_hosts_psf_files: false,
        max_updates: 1,
        max_driver_sets: 2,
        max_computer_ids: 3,
        max_pnp_hardware_ids: 4,
        anchor: "9438,2026-10-04 16:09:27.167".to_owned(),
        version: Some("1.20".to_owned()),
        languages: vec![LanguageData {
            id: 66577,
            short: "ja-nec".to_owned(),
            long: "Japanese (NEC)".to_owned(),
            enabled: true,
        }],
        max_decryption_updates: 5,
    }
}

#[test]
fn both_element_orders_of_the_configuration_are_read() {
    let request = GetConfigData { cookie: Some(cookie()), anchor: Some("1,x".to_owned()) };
    assert_eq!(read_request(&request), request);
    assert_eq!(back::<GetConfigData>(|w| config().write(w)), config());
    let ours = String::from_utf8(sent(|w| config().write(w))).unwrap();
    let other =
        ours.replace("<MaxNumberOfUpdatesPerRequest>1</MaxNumberOfUpdatesPerRequest>", "").replace(
            "<NewConfigAnchor>",
            "<MaxNumberOfUpdatesPerRequest>1</MaxNumberOfUpdatesPerRequest><NewConfigAnchor>",
        );
    assert_ne!(ours, other);
    let read = GetConfigData::answer(other.as_bytes(), &MessageLimits::default()).unwrap();
    assert_eq!(read, config());
    // Servers of 2006 say less.
    let old = other
        .replace("<ProtocolVersion>1.20</ProtocolVersion>", "")
        .replace("<MaxNumberOfComputerIdsInRequest>3</MaxNumberOfComputerIdsInRequest>", "");
    let read = GetConfigData::answer(old.as_bytes(), &MessageLimits::default()).unwrap();
    assert_eq!((read.version, read.max_computer_ids, read.max_updates), (None, 0, 1));
}

#[test]
fn revision_lists_go_there_and_back() {
    let pair = |n, delta| IdAndDelta { id: identity(n, 0).id, delta };
    let request = GetRevisionIdList {
        cookie: Some(cookie()),
        filter: ServerSyncFilter {
            anchor: Some("1,2026-10-04 16:09:27.167".to_owned()),
            languages: vec![LanguageAndDelta { id: 1033, delta: true }],
            ..ServerSyncFilter::matching(vec![pair(1, true), pair(2, false)], vec![])
        },
    };
    assert_eq!(read_request(&request), request);
    assert!(read_request(&request).filter.has_classifications, "an empty list is not none");
    let plain = GetRevisionIdList { cookie: None, filter: ServerSyncFilter::default() };
    assert!(!read_request(&plain).filter.has_classifications);

    let ids: Vec<_> = (0..2000).map(|n| identity(n / 2, u32::try_from(n % 2).unwrap())).collect();
    let bytes = sent(|w| write_revision_ids("7,x", ids.clone(), w));
    let mut read = Vec::new();
    let anchor = GetRevisionIdList::read_list(bytes.as_slice(), &mut |id| read.push(id)).unwrap();
    assert_eq!((anchor.as_str(), &read), ("7,x", &ids));
    let cut = &bytes[..bytes.len() - 20];
    assert!(GetRevisionIdList::read_list(cut, &mut |_| ()).is_err());
    let empty = sent(|w| write_revision_ids("7,x", [], w));
    assert!(String::from_utf8_lossy(&empty).contains("<NewRevisions />"));
}

#[test]
fn documents_go_there_and_back_item_by_item() {
    let request = GetUpdateData { cookie: Some(cookie()), updates: vec![identity(1, 2)] };
    assert_eq!(read_request(&request), request);
    let many = GetUpdateData { cookie: Some(cookie()), updates: vec![identity(1, 2); 101] };
    let body =
        body_of(read(many.message().as_bytes(), &MessageLimits::default()).unwrap()).unwrap();
    assert_eq!(GetUpdateData::read(&body), Err(ProtocolFault::invalid("updateIds")));

    let digest = bundle_format::digest::Sha1::hash(b"x");
    let large = format!("<u>{}\u{1f600}</u>", "é\r\n".repeat(40_000));
    let documents = ["<u>\r\n <a b=\"&amp;\"/> </u> ".to_owned(), large];
    let updates: Vec<_> = documents
        .iter()
        .map(|document| UpdateData {
            identity: identity(1, 2),
            digests: vec![digest],
            blob: Blob::new(document.clone()).unwrap(),
        })
        .collect();
    assert!(matches!(updates[0].blob, Blob::Plain(_)));
    assert!(matches!(updates[1].blob, Blob::Compressed(_)));
    let url = FileUrl {
        digest,
        mu_url: Some("http://u/x".to_owned()),
        uss_url: None,
        decryption_key: Some(vec![9]),
    };
    let bytes = sent(|w| write_update_data(updates.clone(), std::slice::from_ref(&url), w));
    let mut items = Vec::new();
    GetUpdateData::read_items::<AnswerError>(bytes.as_slice(), 1 << 20, &mut |item| {
        items.push(item);
        Ok(())
    })
    .unwrap();
    let Some(UpdateItem::Url(found)) = items.pop() else { panic!("the address comes last") };
    assert_eq!(found, url);
    for (item, document) in items.into_iter().zip(documents) {
        let UpdateItem::Update(update) = item else { panic!("documents come first") };
        assert_eq!((update.identity, update.digests), (identity(1, 2), vec![digest]));
        assert_eq!(update.blob.into_document(1 << 20).unwrap(), document);
    }
    let none = sent(|w| write_update_data([], &[], w));
    assert!(String::from_utf8_lossy(&none).contains("<updates /><fileUrls />"));
}

#[test]
fn a_document_is_never_unpacked_beyond_its_limit() {
    let document = "é".repeat(10_000);
    for blob in [Blob::new(document.clone()).unwrap(), Blob::Plain(document.clone())] {
        assert_eq!(blob.clone().into_document(20_000).unwrap(), document);
        assert!(matches!(blob.into_document(19_999), Err(BlobError::TooLong { limit: 19_999 })));
    }
    let Blob::Compressed(cabinet) = Blob::new("a".repeat(100_000)).unwrap() else { panic!() };
    assert!(matches!(
        Blob::Compressed(cabinet.clone()).into_document(1000),
        Err(BlobError::TooLong { .. })
    ));
    assert_eq!(Blob::new("a".repeat(100_000)).unwrap(), Blob::Compressed(cabinet), "no date");
}

#[test]
fn deployments_and_drivers_go_there_and_back() {
    let request = GetDeployments {
        cookie: Some(cookie()),
        deployment_anchor: Some("1,a".to_owned()),
        sync_anchor: "1,b".to_owned(),
    };
    assert_eq!(read_request(&request), request);
    let id = uuid::Uuid::from_u128;
    let answer = Deployments {
        anchor: "2,c".to_owned(),
        groups: vec![SyncGroup {
            id: id(1),
            parent: id(0),
            name: "All Computers".to_owned(),
            builtin: true,
        }],
        deployments: vec![SyncDeployment {
            identity: identity(4, 200),
            action: DeploymentAction::Scan,
            admin: "them & us".to_owned(),
            deadline: None,
            assigned: true,
            go_live: "2026-10-04T20:33:26Z".parse().unwrap(),
            id: id(5),
            group: id(1),
            priority: 3,
        }],
        dead: vec![id(6)],
        hidden: vec![id(7), id(8)],
        accepted_eulas: vec![],
    };
    assert_eq!(back::<GetDeployments>(|w| answer.write(w)), answer);
    let written = String::from_utf8(sent(|w| answer.write(w))).unwrap();
    let never = "<Deadline>9999-12-31T23:59:59.9999999Z</Deadline>";
    let soon = written.replace(never, "<Deadline>2026-11-01T00:00:00</Deadline>");
    assert_ne!(written, soon);
    let soon = GetDeployments::answer(soon.as_bytes(), &MessageLimits::default()).unwrap();
    assert_eq!(soon.deployments[0].deadline, Some("2026-11-01T00:00:00Z".parse().unwrap()));

    let request = GetDriverIdList {
        cookie: Some(cookie()),
        anchor: None,
        categories: vec![IdAndDelta { id: identity(1, 0).id, delta: true }],
        computers: vec![],
        hardware: vec![HardwareIdAndDelta { id: r"pci\ven_8086&x".to_owned(), delta: false }],
    };
    assert_eq!(read_request(&request), request);
    let list = DriverIdList {
        anchor: "3,d".to_owned(),
        revisions: vec![identity(1, 1)],
        new_sets: vec![id(9)],
        removed_sets: vec![],
    };
    assert_eq!(back::<GetDriverIdList>(|w| list.write(w)), list);
    let request = GetDriverSetData { cookie: None, sets: vec![id(1), id(2)] };
    assert_eq!(read_request(&request), request);
}

#[test]
fn files_and_keys_go_there_and_back() {
    let digest = bundle_format::digest::Sha1::hash(b"x");
    let request = DownloadFiles { cookie: Some(cookie()), digests: vec![digest] };
    assert_eq!(read_request(&request), request);
    back::<DownloadFiles>(write_downloading);
    let request = GetUpdateDecryptionData { cookie: Some(cookie()), updates: vec![identity(1, 2)] };
    assert_eq!(read_request(&request), request);
    let keys = vec![UpdateKeys {
        identity: identity(1, 2),
        files: vec![FileKey { digest, key: Some(vec![1]) }, FileKey { digest, key: None }],
    }];
    assert_eq!(back::<GetUpdateDecryptionData>(|w| write_keys(&keys, w)), keys);
    let request = GetRelatedRevisionsForUpdates { cookie: None, updates: vec![uuid::Uuid::max()] };
    assert_eq!(read_request(&request), request);
    let related = vec![identity(3, 4)];
    assert_eq!(back::<GetRelatedRevisionsForUpdates>(|w| write_related(&related, w)), related);
    let pong = Pong { success: true, time: "2026-10-04T20:33:26Z".parse().unwrap() };
    assert_eq!(read_request(&Ping { level: 1 }), Ping { level: 1 });
    assert_eq!(back::<Ping>(|w| pong.write("ServerSync", w)), pong);
}

#[test]
fn faults_say_how_to_go_on() {
    let fault =
        ProtocolFault::invalid("filter").to_soap(uuid::Uuid::nil(), None).write(Style::Asmx);
    let error = GetRevisionIdList::read_list(fault.as_bytes(), &mut |_| ()).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::InvalidParameters));
    assert_eq!(
        error.to_string(),
        "the upstream answers InvalidParameters to GetRevisionIdList: filter"
    );
    let strange = fault.replace("InvalidParameters", "NotOfThisWorld");
    let error = GetCookie::answer(strange.as_bytes(), &MessageLimits::default()).unwrap_err();
    assert_eq!(error.code(), None);
    let other = sent(write_downloading);
    let error = GetCookie::answer(&other, &MessageLimits::default()).unwrap_err();
    assert!(matches!(error, AnswerError::Other { .. }), "{error}");
    let page = b"<html><body>Welcome</body></html>";
    let error = GetCookie::answer(page, &MessageLimits::default()).unwrap_err();
    assert!(matches!(error, AnswerError::Envelope(_)), "{error}");
}

proptest! {
    #[test]
    fn every_document_comes_out_as_it_went_in(document in "[\\PC\r\n\t]{0,4000}") {
        prop_assume!(!document.is_empty() && !document.starts_with('\u{feff}'));
        let blob = Blob::new(document.clone()).unwrap();
        prop_assert_eq!(blob.into_document(1 << 20).unwrap(), document);
    }

    #[test]
    fn changed_cabinets_never_panic(at in 0_usize..600, byte: u8) {
        let Blob::Compressed(mut cabinet) = Blob::new("abc def ".repeat(2000)).unwrap() else {
            return Err(TestCaseError::fail("not compressed"));
        };
        let at = at % cabinet.len();
        cabinet[at] = byte;
        let _ = Blob::Compressed(cabinet).into_document(1 << 20);
    }
}
