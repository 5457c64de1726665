//! What is asked of an upstream and what comes of it, when all goes well.

use std::collections::BTreeSet;

use tidegate::upstream::{CategoryKind, SyncSelection, categories, known_upstreams};

use super::{
    support::upstream_fake::{Pair, plain},
    support::upstream_small::{document, identity, revisions, server},
};

#[test]
fn all_of_a_server_once_and_then_only_changes() {
    let mut pair = Pair::new(server());
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (22, 0));
    for n in 10..30 {
        let expected = document(n, "Software", &format!("Update {n} é漢"), "");
        assert_eq!(pair.document(&identity(n)).unwrap(), expected.as_bytes());
    }
    assert!(pair.fetched(0).iter().all(|batch| batch.len() <= 4));
    // Without a choice, neither list is sent: everything.
    assert!(pair.lists()[1].child("Categories").is_none());

    let known = known_upstreams(&pair.catalog).unwrap();
    assert_eq!(known.len(), 1);
    assert!(pair.mock.url.starts_with(known[0].url.trim_end_matches('/')), "{}", known[0].url);
    assert_eq!(known[0].last_success, Some(pair.options.now));
    assert_eq!(known[0].anchor.as_deref(), Some("1,2026-10-04 12:00:00.000"));
    let facts = &known[0].facts;
    assert_eq!((facts.catalog_only, facts.lazy_sync, facts.max_updates), (false, true, 4));
    assert_eq!(facts.protocol_version.as_deref(), Some("1.20"));

    let before = pair.fetched(0).len();
    assert!(!pair.sync().unwrap().changed);
    assert_eq!(pair.fetched(before).len(), 0);

    let new = document(40, "Software", "New", "");
    {
        let mut uss = pair.uss.lock().unwrap();
        uss.updates.push(identity(40));
        uss.documents.insert(identity(40), plain(&new));
        uss.anchor = "2,2026-10-05 12:00:00.000".to_owned();
    }
    assert_eq!(pair.sync().unwrap().new_revisions, 1);
    assert_eq!(pair.fetched(before), [[identity(40)]]);
}

#[test]
fn names_choose_and_a_wider_choice_fetches_the_difference() {
    let mut pair = Pair::new(server());
    pair.options.upstream.selection.categories_only = true;
    pair.sync().unwrap();
    assert_eq!(revisions(&pair.catalog), 2);
    let products = categories(&pair.catalog, CategoryKind::Product).unwrap();
    assert_eq!(products[0].title, "Tide 11");

    let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    pair.options.upstream.selection =
        SyncSelection { products: names(&["tide 10"]), ..SyncSelection::default() };
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("no product \"tide 10\"") && error.contains("Tide 11"), "{error}");

    // One list alone would select nothing.
    pair.options.upstream.selection = SyncSelection {
        products: names(&["tide 11"]),
        languages: names(&["en"]),
        ..SyncSelection::default()
    };
    pair.sync().unwrap();
    let asked = |pair: &Pair| {
        let filter = pair.lists().pop().unwrap();
        let ids = |list| -> Vec<String> {
            let ids = filter.items(list, "IdAndDelta");
            ids.map(|id| {
                format!("{} {}", &id.value("Id").unwrap()[35..], id.value("Delta").unwrap())
            })
            .collect()
        };
        (ids("Categories"), ids("Classifications"), filter.value("Anchor").is_some())
    };
    let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    assert_eq!(asked(&pair), (list(&["1 false"]), list(&["2 false"]), false));
    let languages = pair.lists().pop().unwrap();
    let language = languages.items("Languages", "LanguageAndDelta").next().unwrap();
    assert_eq!(language.value("Id"), Some("1033"));

    // Nothing said: as the last time. A product more: it comes whole, with every classification.
    pair.options.upstream.selection = SyncSelection::default();
    pair.sync().unwrap();
    assert_eq!(asked(&pair), (list(&["1 true"]), list(&["2 true"]), true));
    let another = identity(9).id.to_string();
    pair.options.upstream.selection.products = names(&["Tide 11", &another]);
    pair.sync().unwrap();
    assert_eq!(asked(&pair), (list(&["1 true", "9 false"]), list(&["2 false"]), true));
    // All again: an unfiltered list cannot be asked for in part.
    pair.options.upstream.selection.products = names(&["all"]);
    pair.sync().unwrap();
    assert_eq!(asked(&pair), (Vec::new(), Vec::new(), false));
    assert_eq!(revisions(&pair.catalog), 22);
}

#[test]
fn members_that_are_not_listed_come_with_their_bundle() {
    let mut uss = server();
    let more = |n| {
        format!(
            "<upd:Relationships><upd:BundledUpdates><upd:UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"100\"/></upd:BundledUpdates></upd:Relationships>",
            identity(n).id
        )
    };
    uss.documents.insert(identity(20), plain(&document(20, "Software", "Bundle", &more(50))));
    uss.documents.insert(identity(50), plain(&document(50, "Software", "Inner", &more(51))));
    uss.documents.insert(identity(51), plain(&document(51, "Software", "Leaf", "")));
    let mut pair = Pair::new(uss);
    // Broken off between the bundle and its member.
    pair.bend(|asked, _, mut reply| {
        if asked.operation() == "GetUpdateData" && asked.body.contains(&identity(50).id.to_string())
        {
            reply.status = 503;
        }
        reply
    });
    pair.sync().unwrap_err();
    assert!(pair.document(&identity(20)).is_some() && pair.document(&identity(50)).is_none());
    pair.straight();
    pair.sync().unwrap();
    assert!(pair.document(&identity(50)).is_some() && pair.document(&identity(51)).is_some());
}

#[test]
fn an_answer_in_another_order_is_as_good() {
    let mut straight = Pair::new(server());
    straight.sync().unwrap();
    let mut pair = Pair::new(server());
    pair.bend(|asked, _, mut reply| {
        if asked.operation() == "GetUpdateData" {
            let text = String::from_utf8(reply.body).unwrap();
            let (head, rest) = text.split_once("<updates>").unwrap();
            let (items, tail) = rest.split_once("</updates>").unwrap();
            let mut items: Vec<_> = items.split_inclusive("</ServerSyncUpdateData>").collect();
            items.reverse();
            reply.body = format!("{head}<updates>{}</updates>{tail}", items.concat()).into_bytes();
        }
        reply
    });
    pair.sync().unwrap();
    let all: BTreeSet<_> = (10..30).map(identity).collect();
    assert!(all.iter().all(|id| pair.document(id) == straight.document(id)));
}
