//! Recorded answers of a real WSUS, through the code that synchronizes from a live one.

use std::{collections::BTreeSet, fs, path::Path};

use bundle_format::digest::Sha1;
use tidegate::{soap::Element, update::UpdateIdentity, upstream::Selection};

use super::upstream_fake::{Pair, Uss, operation, plain, read_identity};
use crate::real_data::real_data;

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

#[test]
fn recorded_answers_become_the_exact_documents() {
    let Some(data) = real_data() else { return };
    let captures = data.join("captures");
    let mut pair = Pair::new(recorded_server(&captures));
    pair.options.upstream.selection = Selection {
        products: Some(vec![DEFENDER.to_owned()]),
        classifications: Some(vec![DEFINITIONS.to_owned()]),
        ..Selection::default()
    };
    // The cookie ends in the middle.
    let uss = std::sync::Arc::clone(&pair.uss);
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
    assert_eq!(shape_of(&requests[3].body), delta);
    assert!(requests[3].body.contains("<Anchor>9438,2026-10-04 16:33:26.750</Anchor>"));
}
