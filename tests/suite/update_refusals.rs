//! What is refused, and where the message points.

use tidegate::update::{DocumentError, DocumentLimits, UpdateDocument, fragments};

const NS: &str = "xmlns='http://schemas.microsoft.com/msus/2002/12/Update'";

/// A whole document with `inside` before its end, on line 2 from column 1.
fn with(inside: &str) -> String {
    format!(
        "<Update {NS}><UpdateIdentity UpdateID='1d000000-0000-4000-8000-000000000001' \
         RevisionNumber='1'/><Properties UpdateType='Software'/>\n{inside}\n</Update>"
    )
}

fn both(xml: &[u8]) -> DocumentError {
    let limits = DocumentLimits { bytes: 100_000, depth: 8 };
    let parsed = UpdateDocument::parse(xml, &limits).unwrap_err();
    assert_eq!(fragments(xml, &limits).unwrap_err(), parsed);
    parsed
}

#[track_caller]
fn malformed(xml: impl AsRef<[u8]>, line: u64, column: u64, what: &str) {
    match both(xml.as_ref()) {
        DocumentError::Xml { line: l, column: c, what: w } => {
            assert!(w.contains(what), "{w}");
            assert_eq!((l, c), (line, column), "{w}");
        }
        other => panic!("{other}"),
    }
}

#[track_caller]
fn invalid(xml: impl AsRef<[u8]>, line: u64, column: u64, what: &str) {
    match UpdateDocument::parse(xml.as_ref(), &DocumentLimits::default()).unwrap_err() {
        DocumentError::Invalid { line: l, column: c, what: w } => {
            assert!(w.contains(what), "{w}");
            assert_eq!((l, c), (line, column), "{w}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_document_is_accepted_before_it_is_broken() {
    let xml = with("<Files/>");
    assert!(
        UpdateDocument::parse(xml.as_bytes(), &DocumentLimits { bytes: 100_000, depth: 8 }).is_ok()
    );
}

#[test]
fn document_types_and_entities() {
    malformed("<!DOCTYPE Update>\n<Update/>", 1, 1, "document type");
    malformed(
        format!("<!DOCTYPE a [<!ENTITY b 'c'>]>{}", with("<Files>&b;</Files>")),
        1,
        1,
        "document type",
    );
    malformed(with("<Files>&b;</Files>"), 2, 8, "entity `b`");
    malformed(with("<Files a='é&b;'/>"), 2, 8, "attribute value");
    malformed(with("<Files>a & b</Files>"), 2, 10, "reference");
    malformed(with("<Files>&#1;</Files>"), 2, 8, "does not allow");
    malformed(with("<Files>&#xFFFF;</Files>"), 2, 8, "does not allow");
    malformed(with("<Files>&#xD800;</Files>"), 2, 8, "reference");
    malformed(with("<Files>&#+65;</Files>"), 2, 8, "reference");
    malformed(with("<Files a='&#8;'/>"), 2, 8, "does not allow");
}

#[test]
fn size_and_depth() {
    let xml = with(&" ".repeat(100_000));
    assert!(matches!(both(xml.as_bytes()), DocumentError::TooLarge { limit: 100_000, .. }));
    assert!(both(xml.as_bytes()).to_string().contains("100000"));

    let nested = |levels: usize| with(&("<a>".repeat(levels) + &"</a>".repeat(levels)));
    let limits = DocumentLimits { bytes: 100_000, depth: 8 };
    assert!(fragments(nested(7).as_bytes(), &limits).is_ok());
    malformed(nested(8), 2, 22, "deeper than 8");

    let many: String = (0..300).map(|n| format!(" a{n}=''")).collect();
    malformed(with(&format!("<Files{many}/>")), 2, 1946, "attributes on one element");
    let few: String = (0..250).map(|n| format!(" xmlns:a{n}='b'")).collect();
    let deep = format!("<a{few}>").repeat(5);
    let at = u64::try_from(format!("<a{few}>").len()).unwrap();
    match both(with(&deep).as_bytes()) {
        DocumentError::Xml { line: 2, column, what } => {
            assert!(what.contains("1024 namespace declarations"), "{what}");
            assert!(column > 4 * at);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn tags() {
    malformed(with("<Files></File>"), 2, 8, "another name");
    malformed(with("</Files>"), 2, 1, "another name");
    malformed(with("<Files>"), 3, 1, "another name");
    malformed("<Update", 1, 1, "a tag has no end");
    malformed(format!("<Update {NS}><a>"), 1, 69, "still open");
    malformed(with("<Files a='1' a='2'/>"), 2, 14, "twice");
    malformed(with("<Files a='1'b='2'/>"), 2, 13, "white space");
    malformed(with("<Files a=1/>"), 2, 10, "quotes");
    malformed(with("<Files a/>"), 2, 9, "`=`");
    malformed(with("<Files a='<'/>"), 2, 8, "`<`");
    malformed(with("< Files/>"), 2, 2, "not a name");
    malformed(with("<1/>"), 2, 2, "not a name");
    malformed(with("<a:b:c/>"), 2, 2, "not a name");
    malformed(with("<Files a\u{1}='1'/>"), 2, 9, "does not allow");
    malformed(with("<Files\u{FFFF}/>"), 2, 7, "does not allow");
    malformed(with("<!-- a -- b -->"), 2, 8, "two hyphens");
    malformed(with("<![CDATA[ a"), 2, 1, "CDATA");
    malformed(with("<Files>a ]]> b</Files>"), 2, 10, "]]>");
    malformed(with("<?xml version='1.0'?>"), 2, 1, "XML declaration");
    malformed(with("<?XML a?>"), 2, 1, "processing instruction");
}

#[test]
fn namespaces() {
    malformed(with("<a:Files/>"), 2, 2, "prefix `a` is not bound");
    malformed(with("<Files a:b=''/>"), 2, 8, "prefix `a` is not bound");
    malformed(with("<a><b xmlns:c='d'/><c:e/></a>"), 2, 21, "prefix `c` is not bound");
    malformed(with("<Files xmlns:a=''/>"), 2, 8, "namespace declaration");
    malformed(with("<Files xmlns:xmlns='a'/>"), 2, 8, "namespace declaration");
    malformed(with("<Files xmlns:xml='a'/>"), 2, 8, "namespace declaration");
    malformed(
        with("<a xmlns:b='c' xmlns:d='c' b:e='' d:e=''/>"),
        2,
        35,
        "two attributes named `e`",
    );
    malformed(with("<a xmlns:b='c' b:e='' e=''/>"), 2, 23, "two attributes named `e`");
}

#[test]
fn outside_the_root() {
    malformed("", 1, 1, "no element");
    malformed("<!-- only -->\n", 2, 1, "no element");
    malformed("words", 1, 1, "text outside");
    malformed(with("") + "\n  words", 4, 3, "text outside");
    malformed(with("") + "<a/>", 3, 10, "second root");
    malformed(with("") + "&#32;", 3, 10, "outside the root");
    malformed(with("") + "<![CDATA[ ]]>", 3, 10, "outside the root");
    malformed(" <?xml version='1.0'?>".to_owned() + &with(""), 1, 2, "XML declaration");
}

#[test]
fn encodings() {
    let mut bytes = with("<Files>é</Files>").into_bytes();
    let at = bytes.windows(2).position(|pair| pair == "é".as_bytes()).unwrap();
    bytes[at] = b'\xFF';
    malformed(&bytes, 2, 8, "not UTF-8");
    let utf16: Vec<u8> = with("").encode_utf16().flat_map(u16::to_le_bytes).collect();
    malformed([b"\xFF\xFE".to_vec(), utf16].concat(), 1, 1, "UTF-16");
    let declared = |name: &str| format!("<?xml version='1.0' encoding='{name}'?>{}", with(""));
    assert!(fragments(declared("UTF-8").as_bytes(), &DocumentLimits::default()).is_ok());
    malformed(declared("iso-8859-1"), 1, 1, "iso-8859-1");
    malformed(declared("utf-8").replace("1.0", "1.1"), 1, 1, "other than 1.0");
    let marked = format!("\u{FEFF}{}", with("<a:b/>"));
    malformed(marked, 2, 2, "prefix `a`");
}

#[test]
fn not_an_update_document() {
    for root in
        ["<Update/>".to_owned(), format!("<Updates {NS}/>"), "<u:Update xmlns:u='a'/>".into()]
    {
        match both(root.as_bytes()) {
            DocumentError::Invalid { line: 1, column: 1, what } => {
                assert!(what.contains("root"), "{what}");
            }
            other => panic!("{other}"),
        }
    }
    invalid(format!("<Update {NS}>\n</Update>"), 2, 1, "no `UpdateIdentity`");
    invalid(with("<Properties/>"), 2, 1, "second `Properties`");
    let broken = |from: &str, to: &str| with("").replace(from, to);
    invalid(broken("RevisionNumber='1'", "RevisionNumber='-1'"), 1, 66, "`-1`");
    invalid(broken("1d000000-", "1g000000-"), 1, 66, "`UpdateID` is");
    invalid(broken("UpdateID", "UpdateId"), 1, 66, "without `UpdateID`");
    invalid(broken("'Software'", "'Hardware'"), 1, 150, "`Hardware`");
    invalid(broken("'Software'", "'Software' MaxDownloadSize='x'"), 1, 150, "`x`");
    invalid(broken("'Software'", "'Software' IsPublic='x'"), 1, 150, "true or false");
    let list = |inside: &str| with(&format!("<Relationships>{inside}</Relationships>"));
    invalid(list("<Prerequisites><UpdateIdentity/></Prerequisites>"), 2, 31, "`UpdateID`");
    invalid(
        list(
            "<BundledUpdates><AtLeastOne><UpdateIdentity UpdateID='1d000000-0000-4000-8000-000000000002'/></AtLeastOne></BundledUpdates>",
        ),
        2,
        44,
        "`RevisionNumber`",
    );
    invalid(with("<Files><File/></Files>"), 2, 8, "`File` without `Digest`");
    invalid(with("<Files><File Digest='AAAA'/></Files>"), 2, 8, "`Digest` of a `File`");
    let file = "Digest='AAECAwQFBgcICQoLDA0ODxAREhM=' FileName='a'";
    invalid(with(&format!("<Files><File {file}/></Files>")), 2, 8, "`Size`");
    let unnamed = file.replace("FileName", "Name");
    invalid(with(&format!("<Files><File {unnamed}/></Files>")), 2, 8, "`FileName`");
    invalid(with(&format!("<Files><File {file} Size='-1'/></Files>")), 2, 8, "`-1`");
    invalid(with(&format!("<Files><File {file} DigestAlgorithm='MD5'/></Files>")), 2, 8, "`MD5`");
    let localized = |inside: &str| {
        with(&format!("<LocalizedPropertiesCollection>{inside}</LocalizedPropertiesCollection>"))
    };
    invalid(localized("<LocalizedProperties/>"), 2, 32, "without `Language`");
    invalid(localized("<EulaFile/>"), 2, 32, "without `Language`");
    let message = both(localized("<EulaFile/>").as_bytes()).to_string();
    assert!(message.starts_with("line 2, column 32: not an update document: "), "{message}");
}

#[test]
fn what_agents_cannot_read_is_noted() {
    let good = crate::support::documents::file("a.cab", b"a");
    let whole = |id: &str, revision: &str, files: &str, order: bool| {
        let head = format!(r#"<UpdateIdentity UpdateID="{id}" RevisionNumber="{revision}" />"#);
        let properties = r#"<Properties UpdateType="Software" />"#;
        let (first, second) = if order { (&*head, properties) } else { (properties, &*head) };
        let xml = format!(
            r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update">{first}{second}<Files>{files}</Files></Update>"#
        );
        UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default()).unwrap().oddity
    };
    let id = "10000000-0000-4000-8000-00000000000a";
    assert_eq!(whole(id, "200", &good, true), None);
    assert_eq!(whole(&id.to_uppercase(), "200", &good, true), None);
    let odd = [
        whole(&format!("{{{id}}}"), "200", &good, true),
        whole(&id.replace('-', ""), "200", &good, true),
        whole(id, "+200", &good, true),
        whole(id, " 200 ", &good, true),
        whole(id, "200", &good, false),
        whole(id, "200", &good.replace(r#"DigestAlgorithm="SHA1""#, ""), true),
        whole(id, "200", &good.replace("2026-01-01T00:00:00Z", "yesterday"), true),
        whole(id, "200", &good.replace(r#"FileName="a.cab""#, r#"FileName="""#), true),
        whole(id, "200", &good.replace(r#"Size="1""#, r#"Size="+1""#), true),
    ];
    for (number, what) in odd.iter().enumerate() {
        assert!(what.is_some(), "{number}");
    }
}
