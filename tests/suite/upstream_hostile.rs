//! Answers of an upstream that want to do harm: what is in them is named and left out, the rest is in.

use super::{
    support::cabinets::{blob, claiming, lzx, mszip, utf16},
    support::upstream_fake::{Pair, Uss, identity as written, plain},
    support::upstream_small::{compressed, document, identity, revisions, server},
};

/// Updates 10 to 29 and two categories, with one of them replaced; its document may have 1 MB.
fn with(n: u128, item: &str) -> Pair {
    let mut uss: Uss = server();
    uss.documents.insert(identity(n), item.to_owned());
    let mut pair = Pair::new(uss);
    pair.options.limits.bytes = 1_000_000;
    pair
}

/// What is said of an update that does not come in, while all others do; and the next run, when the
/// server has come to its senses, brings it.
fn named(what: &str, item: &str) -> String {
    let mut pair = with(14, item);
    let report = pair.sync().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(report.new_revisions, 21, "{what}");
    assert_eq!(report.problems.len(), 1, "{what}: {:?}", report.problems);
    let problem = &report.problems[0];
    assert!(problem.at.contains(&identity(14).id.to_string()), "{what}: {}", problem.at);
    assert!(pair.document(&identity(14)).is_none(), "{what}");
    let good = document(14, "Software", "Good again", "");
    pair.uss.lock().unwrap().documents.insert(identity(14), plain(&good));
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (1, 0), "{what}");
    assert_eq!(pair.document(&identity(14)).unwrap(), good.as_bytes(), "{what}");
    problem.what.clone()
}

fn of_14(more: &str) -> String {
    document(14, "Software", "Update 14", more)
}

#[test]
fn hostile_documents_are_named_and_the_rest_is_in() {
    let mut uss = server();
    let other = plain(&document(99, "Software", "Another", ""));
    uss.documents.insert(identity(10), other);
    uss.documents.insert(identity(11), compressed(&"x".repeat(3_000_000)));
    uss.documents.insert(identity(12), plain("<upd:Update"));
    let half = "<XmlUpdateBlobCompressed>TVNDRg==</XmlUpdateBlobCompressed>";
    uss.documents.insert(identity(13), half.to_owned());
    let mut pair = Pair::new(uss);
    pair.options.limits.bytes = 1_000_000;
    let report = pair.sync().unwrap();
    assert_eq!(report.new_revisions, 18);
    assert_eq!(report.problems.len(), 4);
    let said = |n| {
        let id = identity(n).id.to_string();
        &report.problems.iter().find(|p| p.at.contains(&id)).unwrap().what
    };
    assert!(said(10).contains("announced as"), "{}", said(10));
    assert!(said(11).contains("1000000 bytes"), "{}", said(11));
    assert!(said(13).contains("cannot be unpacked"), "{}", said(13));
    assert!(!said(12).is_empty());
}

/// What the catalogue cannot keep is one document's fault: it is named at every run, and nothing that
/// it bundles is asked for.
#[test]
fn documents_that_cannot_be_kept_are_named_and_the_rest_is_in() {
    let clauses = |name: &str, clauses: &str| {
        format!("<upd:Relationships><upd:{name}>{clauses}</upd:{name}></upd:Relationships>")
    };
    let absent = identity(77);
    let member = format!(
        "<upd:UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"100\"/><upd:AtLeastOne/>",
        absent.id
    );
    let item = plain(&of_14(&clauses("BundledUpdates", &member)));
    let said = named("a bundle of nothing", &item);
    assert!(said.contains("bundles one of no updates"), "{said}");
    let large = member.replace("100", "2147483648").replace("<upd:AtLeastOne/>", "");
    let said = named("a large number", &plain(&of_14(&clauses("BundledUpdates", &large))));
    assert!(said.contains("2147483648"), "{said}");

    let mut pair = with(14, &item);
    for new in [21, 0] {
        let report = pair.sync().unwrap();
        assert_eq!((report.new_revisions, report.problems.len()), (new, 1), "{report:?}");
    }
    assert!(!pair.fetched(0).concat().contains(&absent), "a member of what was set aside");

    // One that requires one of no updates is kept.
    let kept = of_14(&clauses("Prerequisites", "<upd:AtLeastOne IsCategory=\"true\"/>"));
    let mut pair = with(14, &plain(&kept));
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (22, 0), "{report:?}");
    assert_eq!(report.notes.len(), 1, "{report:?}");
    assert_eq!(pair.document(&identity(14)).unwrap(), kept.as_bytes());
}

#[test]
fn cabinets_of_both_kinds_come_out_and_bombs_of_both_kinds_do_not() {
    let long = of_14(&format!("<upd:More>{}</upd:More>", "é漢".repeat(60_000)));
    let bytes = utf16(&long);
    for good in [mszip(&["blob"], &bytes), lzx(&bytes)] {
        let mut pair = with(14, &blob(&good));
        assert_eq!(pair.sync().unwrap().problems, []);
        assert_eq!(pair.document(&identity(14)).unwrap(), long.as_bytes());
    }

    // 64 MB in 65 KB; and 8 MB as they are.
    let (bomb, large) = (mszip(&["blob"], &vec![b' '; 64 << 20]), lzx(&vec![b' '; 8 << 20]));
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    for (what, bomb) in [("MSZIP", bomb), ("LZX", large)] {
        let said = named(what, &blob(&bomb));
        assert!(said.contains("1000000 bytes"), "{what}: {said}");
        // The same, but the member is said to be small: only so much is unpacked.
        let said = named(what, &blob(&claiming(bomb, 3000)));
        assert!(!said.is_empty());
    }
    // Larger than what is there.
    for short in [mszip(&["blob"], &bytes), lzx(&bytes)] {
        for size in [600_000, 1_999_999, u32::MAX] {
            let said = named("claims more", &blob(&claiming(short.clone(), size)));
            let limit = size > 2_000_000;
            assert!(said.contains("ends at byte") || limit && said.contains("1000000"), "{said}");
        }
        // Cut after each header, and in the middle of the data.
        for length in [0, 4, 36, 44, 60, 70, short.len() / 2, short.len() - 1] {
            let said = named("cut", &blob(&short[..length]));
            assert!(length == 0 || said.contains("cannot be unpacked"), "{length}: {said}");
        }
        // A byte of the data is another one.
        let mut changed = short.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 0x55;
        let mut pair = with(14, &blob(&changed));
        let report = pair.sync().unwrap();
        assert_eq!(revisions(&pair.catalog), report.new_revisions);
        // Without check sums a change within a text is not seen here; it is no crash.
        assert!(report.new_revisions >= 21, "{}", report.new_revisions);
    }
    let said = named("two members", &blob(&mszip(&["blob", "more"], &utf16(&of_14("")))));
    assert!(said.contains("blob"), "{said}");
    named("half a character", &blob(&mszip(&["blob"], &[0x3c])));
    named("half a pair", &blob(&mszip(&["blob"], &[0x3c, 0, 0x00, 0xd8])));
    named("UTF-8 in it", &blob(&mszip(&["blob"], of_14("").as_bytes())));
}

#[test]
fn documents_that_are_bombs_of_xml_are_named() {
    let laughs: String = (1..10)
        .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
        .collect();
    let root = of_14("<upd:More>&l9;</upd:More>");
    let entities = format!("<!DOCTYPE upd:Update [<!ENTITY l0 \"ha\">{laughs}]>{root}");
    let outside = format!("<!DOCTYPE upd:Update SYSTEM \"file:///etc/passwd\">{}", of_14(""));
    let depth = 20_000;
    let deep = of_14(&format!("{}{}", "<upd:a>".repeat(depth), "</upd:a>".repeat(depth)));
    let attributes: String = (0..5000).map(|n| format!(" a{n}=\"\"")).collect();
    let many = of_14(&format!("<upd:a{attributes}/>"));
    let unknown = of_14("<upd:More>&nobody;</upd:More>");
    let long = of_14(&"<upd:a/>".repeat(200_000));
    for (what, document) in [
        ("entities", entities),
        ("a file", outside),
        ("depth", deep),
        ("attributes", many),
        ("an unknown entity", unknown),
        ("length", long),
        ("nothing", String::new()),
    ] {
        let said = named(what, &plain(&document));
        assert!(!said.is_empty(), "{what}");
        named(what, &compressed(&document));
    }
}

#[test]
fn messages_that_are_bombs_of_xml_cost_their_batch_and_nothing_else() {
    let depth = 10_000;
    for (what, item) in [
        ("depth", format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth))),
        ("wrong base64", "<XmlUpdateBlobCompressed>T*==</XmlUpdateBlobCompressed>".to_owned()),
        ("elements", "<a/>".repeat(300_000)),
        ("an entity", "<XmlUpdateBlob>&nobody;</XmlUpdateBlob>".to_owned()),
        ("no character", "<XmlUpdateBlob>&#0;</XmlUpdateBlob>".to_owned()),
        ("not closed", "<XmlUpdateBlob>".to_owned()),
        ("no document", String::new()),
    ] {
        let said = named(what, &item);
        assert!(!said.is_empty(), "{what}");
    }
    // A document type in front of the envelope, for each operation in turn.
    for operation in [
        "GetAuthConfig",
        "GetAuthorizationCookie",
        "GetCookie",
        "GetConfigData",
        "GetRevisionIdList",
    ] {
        let mut pair = Pair::new(server());
        pair.bend(move |asked, _, mut reply| {
            if asked.operation() == operation {
                let text = String::from_utf8(reply.body).unwrap();
                let envelope = &text[text.find("<soap:Envelope").unwrap()..];
                reply.body = format!("<!DOCTYPE x [<!ENTITY e \"e\">]>{envelope}").into_bytes();
            }
            reply
        });
        let error = pair.sync().unwrap_err().to_string();
        assert!(error.contains(operation) && error.contains("document type"), "{error}");
        assert_eq!(revisions(&pair.catalog), 0);
        pair.straight();
        assert_eq!(pair.sync().unwrap().new_revisions, 22);
    }
}

#[test]
fn what_was_not_asked_for_is_left_out_and_what_comes_twice_is_taken_once() {
    let mut pair = Pair::new(server());
    let stranger = identity(77);
    pair.bend(move |asked, _, mut reply| {
        if asked.operation() == "GetUpdateData" {
            let text = String::from_utf8(reply.body).unwrap();
            let (head, rest) = text.split_once("<updates>").unwrap();
            let (items, tail) = rest.split_once("</updates>").unwrap();
            let more = format!(
                "<ServerSyncUpdateData>{}{}</ServerSyncUpdateData>",
                written("Id", &stranger),
                plain(&document(77, "Software", "Nobody asked", ""))
            );
            let text = format!("{head}<updates>{more}{items}{items}</updates>{tail}");
            reply.body = text.into_bytes();
        }
        reply
    });
    let report = pair.sync().unwrap();
    assert_eq!(report.new_revisions, 22);
    assert!(pair.document(&stranger).is_none());
    assert!(report.problems.iter().all(|p| p.what.contains("without having been asked")));
    assert_eq!(report.problems.len(), pair.fetched(0).len());

    // In the list: a revision twice, and one that is listed among categories and updates.
    let mut uss = server();
    let twice: Vec<_> = uss.updates.iter().flat_map(|id| [*id, *id]).collect();
    uss.updates = [uss.categories.clone(), twice].concat();
    let mut pair = Pair::new(uss);
    assert_eq!(pair.sync().unwrap().new_revisions, 22);
    assert_eq!(pair.fetched(0).concat().len(), 22, "each is fetched once");

    // An answer that lacks one, and one that is empty.
    let mut pair = Pair::new(server());
    pair.bend(|asked, count, mut reply| {
        if asked.operation() == "GetUpdateData" && count == 2 {
            let text = String::from_utf8(reply.body).unwrap();
            let (head, rest) = text.split_once("<updates>").unwrap();
            let (_, tail) = rest.split_once("</updates>").unwrap();
            reply.body = format!("{head}<updates />{tail}").into_bytes();
        }
        reply
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (18, 4));
    pair.straight();
    assert_eq!(pair.sync().unwrap().new_revisions, 4);
}
