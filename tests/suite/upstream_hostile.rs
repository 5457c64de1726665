//! Answers of an upstream that want to do harm: what is in them is named and left out, the rest is in.

use super::{
    upstream_fake::{Pair, plain},
    upstream_small::{compressed, document, identity, server},
};

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
