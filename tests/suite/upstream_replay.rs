//! Recorded answers of a real WSUS, through the code that synchronizes from a live one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bundle_format::digest::Sha1;
use tidegate::{soap::Element, update::UpdateIdentity, upstream::SyncSelection};

use super::support::upstream_fake::{Pair, Uss, fault, operation, plain, read_identity};
use crate::support::real_data::real_data;

const DEFENDER: &str = "8c3fcc84-7410-4a95-8b89-a166a0190486";
const DEFINITIONS: &str = "e0789628-ce08-4437-be74-2495b842f43b";

fn recorded(captures: &Path, number: u32, operation: &str, kind: &str) -> String {
    let name = format!("{number:06}-{operation}.{kind}.xml");
    fs::read_to_string(captures.join("upstream-wsus-2025").join(name)).unwrap()
}

fn listed(captures: &Path, number: u32) -> Vec<UpdateIdentity> {
    let answer = operation(&recorded(captures, number, "GetRevisionIdList", "response"));
    let result = answer.child("GetRevisionIdListResult").unwrap();
    result.items("NewRevisions", "UpdateIdentity").map(read_identity).collect()
}

fn documents(captures: &Path) -> Vec<(UpdateIdentity, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(captures.join("metadata/documents")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (id, revision) = name.split_once("-r").unwrap();
        let identity =
            UpdateIdentity { id: id.parse().unwrap(), revision: revision.parse().unwrap() };
        found.push((identity, fs::read_to_string(&path).unwrap()));
    }
    assert_eq!(found.len(), 9);
    found
}

/// What the recorded server had in its lists; of its documents the recorded ones in the recorded
/// blobs, and those of the same server that came without one.
fn recorded_server(captures: &Path) -> Uss {
    let mut uss = Uss {
        categories: listed(captures, 6),
        updates: listed(captures, 9),
        anchor: "9438,2026-10-04 16:33:26.750".to_owned(),
        limit: 100,
        ..Uss::default()
    };
    for (identity, document) in documents(captures) {
        uss.documents.insert(identity, plain(&document));
    }
    for number in 13..=16 {
        let text = recorded(captures, number, "GetUpdateData", "response");
        let inside = |open: &str, close: &str| {
            let start = text.find(open)? + open.len();
            Some(&text[start..start + text[start..].find(close)?])
        };
        let identity = operation(&text);
        let identity = identity.child("GetUpdateDataResult").unwrap();
        let identity = identity.items("updates", "ServerSyncUpdateData").next().unwrap();
        let identity = read_identity(identity.child("Id").unwrap());
        let data = inside("</Id>", "</ServerSyncUpdateData>").unwrap();
        uss.documents.insert(identity, data.to_owned());
        uss.urls.push_str(inside("<fileUrls>", "</fileUrls>").unwrap_or_default());
    }
    // The bundle comes with the list; its members are found through it.
    let bundle = "a2fef9b0-7951-4c2c-a42b-9e351dd1c1fe".parse().unwrap();
    uss.updates.push(UpdateIdentity { id: bundle, revision: 200 });
    uss
}

/// Names and texts of an element, without what stands for the recorder.
fn shape(element: &Element, path: &str, out: &mut Vec<String>) {
    let path = format!("{path}/{}", element.name);
    let text = match &*element.name {
        "Expiration" | "EncryptedData" | "CookieData" | "accountName" | "accountGuid"
        | "Anchor" => "",
        _ => element.text.trim(),
    };
    // The recorder left this out, which the specification does not allow.
    if &*element.name != "Get63LanguageOnly" {
        out.push(format!("{}{path}={text}", element.namespace));
        element.children.iter().for_each(|child| shape(child, &path, out));
    }
}

fn shape_of(body: &str) -> Vec<String> {
    let mut out = Vec::new();
    shape(&operation(body), "", &mut out);
    out
}

fn defender() -> SyncSelection {
    SyncSelection {
        products: Some(vec![DEFENDER.to_owned()]),
        classifications: Some(vec![DEFINITIONS.to_owned()]),
        ..SyncSelection::default()
    }
}

/// The recorded server without what only its lists know: every call brings something.
fn what_was_recorded_whole(captures: &Path) -> Uss {
    let mut uss = recorded_server(captures);
    let held: BTreeSet<_> = uss.documents.keys().copied().collect();
    uss.categories.retain(|id| held.contains(id));
    let bundle = uss.updates.pop().unwrap();
    uss.updates.retain(|id| held.contains(id));
    // Its members but a few were not recorded: halving would take hundreds of calls.
    uss.updates.extend(held.iter().filter(|id| !uss.categories.contains(id) && **id != bundle));
    uss.updates.sort_unstable();
    uss.updates.dedup();
    uss.limit = 2;
    uss
}

/// The elements of a request, one after the other, without values that are another in each request;
/// of items that look alike the first.
fn form(body: &str) -> Vec<String> {
    let mut form = shape_of(body);
    for line in &mut form {
        let changing = ["UpdateID", "RevisionNumber", "Id"];
        if let Some((path, _)) = line.rsplit_once('=')
            && changing.contains(&path.rsplit('/').next().unwrap())
        {
            *line = path.to_owned();
        }
    }
    let mut seen = BTreeSet::new();
    form.retain(|line| seen.insert(line.clone()));
    form
}

/// Whatever order answers and their items have, and wherever the cookie ends: the same documents,
/// and nothing is asked that was not recorded in that form.
#[test]
fn recorded_answers_in_other_orders_and_with_other_cookies_are_the_same_documents() {
    let Some(data) = real_data() else { return };
    let captures = data.join("captures");
    let forms: BTreeSet<_> = [
        (1, "GetAuthConfig"),
        (2, "GetAuthorizationCookie"),
        (3, "GetCookie"),
        (5, "GetConfigData"),
        (6, "GetRevisionIdList"),
        (9, "GetRevisionIdList"),
        (13, "GetUpdateData"),
    ]
    .into_iter()
    .map(|(number, operation)| form(&recorded(&captures, number, operation, "request")))
    .collect();
    assert_eq!(forms.len(), 7);
    let expected: BTreeMap<_, _> = documents(&captures).into_iter().collect();
    let calls = replayed(&captures, None, &forms, &expected);
    assert!(calls >= 7, "{calls}");
    for at in 0..calls {
        replayed(&captures, Some(at), &forms, &expected);
    }
}

/// Replays with items turned round and lists rotated by `expires`, where the cookie ends at that
/// call; gives how many calls carried a cookie.
fn replayed(
    captures: &Path,
    expires: Option<usize>,
    forms: &BTreeSet<Vec<String>>,
    expected: &BTreeMap<UpdateIdentity, String>,
) -> usize {
    let mut uss = what_was_recorded_whole(captures);
    // Batches of other updates, in another order.
    let by = expires.unwrap_or(0);
    let (categories, updates) = (uss.categories.len(), uss.updates.len());
    uss.categories.rotate_left(by % categories);
    uss.updates.rotate_left(by % updates);
    if by % 2 == 1 {
        uss.updates.reverse();
    }
    let mut pair = Pair::new(uss);
    pair.options.upstream.selection = defender();
    let uss = Arc::clone(&pair.uss);
    let (seen, turned) = (Arc::new(AtomicUsize::new(0)), expires.is_some());
    let count = Arc::clone(&seen);
    pair.bend(move |asked, _, mut reply| {
        if !asked.body.contains("<cookie>") {
            return reply;
        }
        if Some(count.fetch_add(1, Ordering::SeqCst)) == expires {
            uss.lock().unwrap().expired = 2;
            return fault("InvalidCookie", "");
        }
        if turned && asked.operation() == "GetUpdateData" && reply.status == 200 {
            let text = String::from_utf8(reply.body).unwrap();
            let (head, rest) = text.split_once("<updates>").unwrap();
            let (items, tail) = rest.split_once("</updates>").unwrap();
            let items: Vec<_> = items.split_inclusive("</ServerSyncUpdateData>").collect();
            let turned: String = items.into_iter().rev().collect();
            reply.body = format!("{head}<updates>{turned}</updates>{tail}").into_bytes();
        }
        reply
    });
    pair.sync().unwrap();
    assert_eq!(pair.uss.lock().unwrap().refused, 0, "{expires:?}: an old cookie was sent");
    let authorized = 1 + usize::from(expires.is_some());
    assert_eq!(pair.mock.requests("GetCookie").len(), authorized, "{expires:?}");
    let (mut found, listed) = (0, pair.uss.lock().unwrap());
    for (identity, document) in expected {
        let wanted = listed.categories.contains(identity) || listed.updates.contains(identity);
        let here = pair.document(identity);
        assert_eq!(here.is_some(), wanted, "{expires:?}: {identity}");
        assert!(here.is_none_or(|here| here == document.as_bytes()), "{expires:?}: {identity}");
        found += usize::from(wanted);
    }
    assert!(found >= 6, "{found}");
    for asked in pair.mock.asked() {
        // Not recorded: asked for what prerequisites name, of which most was not recorded either.
        if asked.operation() == "GetRelatedRevisionsForUpdates" {
            continue;
        }
        // Lists of what changed meanwhile have the form of whole ones, with an anchor.
        let form: Vec<String> = form(&asked.body)
            .into_iter()
            .filter(|line| !line.ends_with("/filter/Anchor="))
            .map(|line| line.replace("Delta=true", "Delta=false"))
            .collect();
        assert!(forms.contains(&form), "{}: {form:#?}", asked.operation());
    }
    seen.load(Ordering::SeqCst)
}

#[test]
fn recorded_answers_become_the_exact_documents() {
    let Some(data) = real_data() else { return };
    let captures = data.join("captures");
    let mut pair = Pair::new(recorded_server(&captures));
    pair.options.upstream.selection = defender();
    // The cookie ends in the middle.
    let uss = Arc::clone(&pair.uss);
    pair.bend(move |asked, count, reply| {
        if asked.operation() == "GetUpdateData" && count == 20 {
            uss.lock().unwrap().expired = 2;
        }
        reply
    });
    let report = pair.sync().unwrap();
    pair.straight();
    assert_eq!(pair.uss.lock().unwrap().refused, 1);
    assert_eq!(pair.mock.requests("GetCookie").len(), 2);

    // Everything reachable is here, byte for byte; the rest is named.
    let reachable = [
        "56309036-4c77-4dd9-951a-99ee9c246a94",
        "6964aab4-c5b5-43bd-a17d-ffb4346a8e1d",
        "a2fef9b0-7951-4c2c-a42b-9e351dd1c1fe",
        "266f6222-c89d-43f2-9f8a-69340271e677",
        "ccb78947-6453-4ecc-9de8-bc0305c98f2d",
        "1f9bd9bb-7390-4aa3-bbdb-ded99fac2583",
        "ff36f0b5-dded-4780-8664-cd78af8b62c1",
    ];
    let listed: BTreeSet<_> = listed(&captures, 6).into_iter().collect();
    let mut taken = 0;
    for (identity, document) in documents(&captures) {
        let expected = listed.contains(&identity)
            || reachable[2..].contains(&identity.id.to_string().as_str());
        let found = pair.document(&identity);
        assert_eq!(found.is_some(), expected, "{identity}");
        if let Some(found) = found {
            assert!(found == document.as_bytes(), "{identity} differs");
            taken += 1;
        }
    }
    assert_eq!(report.new_revisions, taken);
    assert!(taken >= 6, "{taken}");
    assert!(report.problems.len() > 100, "members that were not recorded");
    assert!(report.problems.iter().all(|p| p.what.contains("listed, but not given")));
    let sha1 = Sha1::from_slice(&hex::decode("87f5bd0469585006aa5d3a77d1c662fd2895ddcd").unwrap());
    let url = pair.catalog.file_url(&sha1.unwrap()).unwrap().unwrap();
    assert!(url.ends_with("am_delta_87f5bd0469585006aa5d3a77d1c662fd2895ddcd.exe"));

    // Requests have the recorded shape.
    let ours = |operation: &str, n: usize| shape_of(&pair.mock.requests(operation)[n].body);
    for (number, operation, n) in [
        (1, "GetAuthConfig", 0),
        (2, "GetAuthorizationCookie", 0),
        (3, "GetCookie", 0),
        (5, "GetConfigData", 0),
        (6, "GetRevisionIdList", 0),
        (9, "GetRevisionIdList", 1),
    ] {
        let recorded = shape_of(&recorded(&captures, number, operation, "request"));
        assert_eq!(ours(operation, n), recorded, "{operation}");
    }
    let single = shape_of(&recorded(&captures, 13, "GetUpdateData", "request"));
    let requests = pair.mock.requests("GetUpdateData");
    assert!(requests.iter().any(|asked| shape_of(&asked.body) == single));

    // The second run: changes only, and what failed is tried again.
    let before = requests.len();
    let second = pair.sync().unwrap();
    assert!(!second.changed);
    assert_eq!(second.documents, 0);
    let fetched: BTreeSet<_> = pair.fetched(before).into_iter().flatten().collect();
    assert!(fetched.iter().all(|identity| pair.document(identity).is_none()));
    let delta = shape_of(&recorded(&captures, 11, "GetRevisionIdList", "request"));
    let requests = pair.mock.requests("GetRevisionIdList");
    let is_of_updates =
        |asked: &&super::support::mock::Asked| asked.body.contains("<GetConfig>false");
    let last = &requests.iter().rfind(is_of_updates).unwrap().body;
    assert_eq!(shape_of(last), delta);
    assert!(last.contains("<Anchor>9438,2026-10-04 16:33:26.750</Anchor>"));
}
