//! Answers that hold less than was asked for: real servers cut them short, and Microsoft Update names
//! what it lacks.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bundle_format::digest::Sha1;
use tidegate::{soap::Element, update::UpdateIdentity};
use uuid::Uuid;

use super::{
    support::driver_sets::{driver_set_list, driver_sets, with_hardware},
    support::upstream_fake::{Pair, SYNC, Uss, answer, fault, plain, read_identity},
    upstream_depth::{config, document, identity, server, sha1, software},
};

const ITEM: &str = "<ServerSyncUpdateData>";

/// Of a list of items the first 80 percent, at least one.
fn most_of(body: &str) -> String {
    let (start, rest) = body.split_once(ITEM).unwrap();
    let (items, end) = rest.split_once("</updates>").unwrap();
    let items: Vec<&str> = items.split(ITEM).collect();
    let kept = (items.len() * 4 / 5).max(1);
    let items: String = items.iter().take(kept).map(|item| format!("{ITEM}{item}")).collect();
    format!("{start}{items}</updates>{end}")
}

fn large(number: u128) -> Uss {
    let updates: Vec<_> = (100..100 + number).map(software).collect();
    let mut uss = server(&updates);
    uss.limit = 100;
    uss
}

#[test]
fn the_rest_of_a_short_answer_is_asked_for_at_once() {
    let mut pair = Pair::new(large(250));
    pair.bend(|asked, _, mut reply| {
        if asked.operation() == "GetUpdateData" && reply.status == 200 {
            reply.body = most_of(std::str::from_utf8(&reply.body).unwrap()).into_bytes();
        }
        reply
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (252, 0), "{report:?}");
    let requests = pair.fetched(0).len();
    pair.sync().unwrap();
    assert_eq!(pair.fetched(0).len(), requests, "nothing is left for the next run");
}

#[test]
fn what_no_answer_gives_is_named_and_the_rest_comes() {
    let mut uss = large(20);
    let missing = identity(105);
    // It is given, but under another name: as if it were not there.
    let other = uss.documents.get(&identity(106)).cloned().unwrap();
    uss.documents.insert(missing, other);
    let mut pair = Pair::new(uss);
    pair.bend(move |asked, _, mut reply| {
        if asked.operation() == "GetUpdateData" && reply.status == 200 {
            let text = String::from_utf8(reply.body.clone()).unwrap();
            let kept: Vec<&str> =
                text.split(ITEM).filter(|item| !item.contains(&missing.id.to_string())).collect();
            let lost = text.split(ITEM).count() - kept.len();
            let mut body = kept.join(ITEM);
            if lost > 0 && !body.contains("</updates>") {
                body.push_str("</updates><fileUrls></fileUrls></GetUpdateDataResult></GetUpdateDataResponse></soap:Body></soap:Envelope>");
            }
            reply.body = body.into_bytes();
        }
        reply
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (21, 1), "{report:?}");
    assert!(report.problems[0].at.contains(&missing.id.to_string()), "{report:?}");
    pair.straight();
    pair.uss.lock().unwrap().documents.insert(missing, plain(&software(105).1));
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (1, 0), "{report:?}");
}

/// The code is not known from a recording: the words count, whatever it is.
#[test]
fn what_microsoft_update_names_as_missing_is_dropped_and_nothing_else() {
    for code in ["InternalServerError", "InvalidParameters", "ServerBusy", "InvalidCookie", "Odd"] {
        let mut uss = large(250);
        let missing: Vec<UpdateIdentity> = [110, 111, 305].map(identity).to_vec();
        for identity in &missing {
            uss.documents.remove(identity);
        }
        let mut pair = Pair::new(uss);
        let lacked = missing.clone();
        pair.bend(move |asked, _, reply| {
            if asked.operation() != "GetUpdateData" || reply.status == 200 {
                return reply;
            }
            let named: Vec<String> = lacked
                .iter()
                .filter(|one| asked.body.contains(&one.id.to_string()))
                .map(|one| format!("{}.{}", one.id, one.revision))
                .collect();
            let message = format!(
                "Requested 100 returned {}. Missing Revisions: {}",
                100 - named.len(),
                named.join(",")
            );
            fault(code, &message)
        });
        let report = pair.sync().unwrap();
        assert_eq!((report.new_revisions, report.problems.len()), (249, 3), "{code}: {report:?}");
        for (problem, identity) in report.problems.iter().zip(&missing) {
            assert!(problem.at.contains(&identity.id.to_string()), "{code}: {report:?}");
        }
        // Categories, three batches, and two of them once more.
        assert_eq!(pair.fetched(0).len(), 6, "{code}: nothing was halved");
    }
}

fn ids(operation: &Element) -> Vec<UpdateIdentity> {
    operation.items("updateIds", "UpdateIdentity").map(read_identity).collect()
}

fn encrypted(n: u128, digest: Sha1) -> (UpdateIdentity, String) {
    let files = format!(
        "<upd:Files><upd:File Digest=\"{}\" DigestAlgorithm=\"SHA1\" FileName=\"{n}.cab\" Size=\"5\" Modified=\"2026-01-01T00:00:00\"/></upd:Files>",
        digest.to_base64()
    );
    let secured = "<upd:SecuredFragment>FileURL</upd:SecuredFragment><upd:SecuredFragment>FileDecryption</upd:SecuredFragment>";
    (identity(n), document(identity(n), "Software", &format!("Update {n}"), secured, &files))
}

#[test]
fn keys_and_driver_sets_are_asked_for_again_too() {
    let updates: Vec<_> = (10_u8..20).map(|n| encrypted(n.into(), sha1(n))).collect();
    let mut uss = server(&updates);
    uss.config = Some(config(2, 1, 5, 10));
    let sets: Vec<Uuid> = (1..=4).map(Uuid::from_u128).collect();
    uss.other = Some(Box::new(move |name, operation| match name {
        "GetUpdateDecryptionData" => {
            let asked = ids(operation);
            let keys: String = asked.iter().take(asked.len().div_ceil(2)).map(|id| {
                let n = id.id.0.as_bytes()[15];
                format!(
                    "<ServerSyncUpdateFileDecryption><UpdateId><UpdateID>{}</UpdateID><RevisionNumber>100</RevisionNumber></UpdateId><FileDecryptionData><ServerSyncFileDecryption><FileDigest>{}</FileDigest><DecryptionKey>{}</DecryptionKey></ServerSyncFileDecryption></FileDecryptionData></ServerSyncUpdateFileDecryption>",
                    id.id, sha1(n).to_base64(), STANDARD.encode([n; 16])
                )
            }).collect();
            answer(
                name,
                SYNC,
                &format!("<UpdateFileDecryptionData>{keys}</UpdateFileDecryptionData>"),
            )
        }
        "GetDriverSetData" => {
            let set = operation.items("driverSets", "guid").next().unwrap();
            driver_sets(std::iter::once(set.text.as_str()))
        }
        _ => driver_set_list(name, &sets),
    }));
    let mut pair = with_hardware(Pair::new(uss));
    let report = pair.sync().unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.keys, report.driver_sets), (10, 4));
}
