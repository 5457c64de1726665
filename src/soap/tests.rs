use proptest::prelude::*;

use super::*;

const NS: &str = "http://example.org/service";

fn read_text(xml: &str) -> Result<Element, ReadError> {
    read(xml.as_bytes(), &MessageLimits::default())
}

fn wrong(xml: &str) -> String {
    read_text(xml).unwrap_err().to_string()
}

fn message(body: &str) -> String {
    format!("<s:Envelope xmlns:s=\"{ENVELOPE}\"><s:Body>{body}</s:Body></s:Envelope>")
}

#[test]
fn names_are_resolved_whatever_the_prefixes() {
    let xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?><E:Envelope xmlns:E='{ENVELOPE}'>\
         <E:Header><x xmlns='urn:unknown'/></E:Header><E:Body><!-- c --><q:Op xmlns:q='{NS}'>\
         <q:a>1</q:a><q:a>2</q:a><b xmlns='{NS}'> te&lt;xt<![CDATA[&amp;]]> </b><q:c/></q:Op>\
         </E:Body></E:Envelope>\n"
    );
    let op = body_of(read_text(&xml).unwrap()).unwrap();
    assert!(op.has_name(NS, "Op"));
    assert_eq!(op.value("b"), Some("te<xt&amp;"));
    assert_eq!(op.value("c"), None);
    assert_eq!(op.children("a").map(|a| a.text.as_str()).collect::<Vec<_>>(), ["1", "2"]);
}

/// Agents declare the prefix of `nil` on the spot, after using it.
#[test]
fn nil_empty_and_absent_are_alike() {
    for list in [
        "",
        "<list/>",
        "<list></list>",
        "<list a:nil=\"true\" xmlns:a=\"http://www.w3.org/2001/XMLSchema-instance\"/>",
        "<list a:nil=\"1\" xmlns:a=\"http://www.w3.org/2001/XMLSchema-instance\"><int>1</int></list>",
    ] {
        let op = read_text(&format!("<Op xmlns='{NS}'>{list}</Op>")).unwrap();
        assert_eq!(op.items("list", "int").count(), 0, "{list}");
        assert_eq!(op.value("list"), None, "{list}");
    }
    let other =
        format!("<Op xmlns='{NS}'><list a:nil='true' xmlns:a='urn:a'><int>1</int></list></Op>");
    assert_eq!(read_text(&other).unwrap().items("list", "int").count(), 1);
}

#[test]
fn old_array_types_do_not_disturb() {
    let op = read_text(&format!(
        "<Op xmlns='{NS}'><l soapenc:arrayType=\"xsd:int[1]\" \
         xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\"><int>7</int></l></Op>"
    ))
    .unwrap();
    assert_eq!(op.items("l", "int").map(|i| i.text.as_str()).collect::<Vec<_>>(), ["7"]);
}

#[test]
fn what_is_no_message_is_refused() {
    let body = |xml: &str| body_of(read_text(xml).unwrap());
    assert_eq!(body("<a/>"), Err(EnvelopeError::NoEnvelope));
    assert_eq!(
        body(
            "<Envelope xmlns='http://www.w3.org/2003/05/soap-envelope'><Body><a/></Body></Envelope>"
        ),
        Err(EnvelopeError::Version)
    );
    assert_eq!(body(&message("")), Err(EnvelopeError::NoOperation));
    assert_eq!(body(&message("<a/><b/>")), Err(EnvelopeError::NoOperation));
    assert_eq!(body(&format!("<Envelope xmlns='{ENVELOPE}'/>")), Err(EnvelopeError::NoOperation));
}

#[test]
fn hostile_xml_is_refused_by_name() {
    assert!(wrong("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>").contains("document types"));
    assert!(wrong("<a>&b;</a>").contains("entity \"b\""));
    assert!(wrong("<a b='&c;'/>").contains('c'));
    assert!(wrong("<a>&#0;</a>").starts_with("byte"));
    assert!(wrong("<a>&#1;</a>").contains("not allowed"));
    assert!(wrong("<a>\u{1}</a>").contains("not allowed"));
    assert!(wrong("<a><b></a></b>").starts_with("byte"));
    assert!(wrong("<a>").contains("ends before"));
    assert!(wrong("").contains("no element"));
    assert!(wrong("<a/><a/>").contains("second root"));
    assert!(wrong("<a/>x").contains("outside"));
    assert!(wrong("<x:a/>").contains("not declared"));
    assert!(wrong("<a b='1' b='2'/>").starts_with("byte"));
    assert!(wrong("<?xml version='1.0' encoding='utf-16'?><a/>").contains("UTF-8"));
    assert!(
        read(b"<a>\xff</a>", &MessageLimits::default()).unwrap_err().to_string().contains("UTF-8")
    );
}

#[test]
fn limits_hold() {
    let limits = MessageLimits { bytes: 400, depth: 4, elements: 20, attributes: 3 };
    let over = |xml: String| match read(xml.as_bytes(), &limits) {
        Err(ReadError::TooLarge { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(over(format!("<a>{}</a>", " ".repeat(394))), "bytes");
    assert_eq!(over("<a>".repeat(5)), "levels");
    assert_eq!(over(format!("<a>{}</a>", "<b/>".repeat(20))), "elements");
    assert_eq!(over("<a b='' c='' d='' e=''/>".to_owned()), "attributes");
    assert_eq!(over("<a b='' c='' d='' xmlns:e='f'/>".to_owned()), "attributes");
    assert!(read(format!("<a>{}</a>", "<b/>".repeat(19)).as_bytes(), &limits).is_ok());
}

#[test]
fn the_two_families_write_as_wsus_does() {
    let content = |w: &mut Writer<&'static str>| {
        w.element_in(NS, "Answer", |w| {
            w.value("A", "x & <y> \"z\"");
            w.optional("B", None::<i32>);
            w.element("C", |_| {});
            w.foreign("D", "&lt;E /&gt;");
            w.value("F", 1);
        });
    };
    let joined = |style| -> String {
        envelope(style, content)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Foreign(text) => text.to_owned(),
            })
            .collect()
    };
    assert_eq!(
        joined(Style::Client),
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <s:Body xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"><Answer xmlns=\"http://example.org/service\">\
         <A>x &amp; &lt;y&gt; \"z\"</A><C/><D>&lt;E /&gt;</D><F>1</F></Answer></s:Body></s:Envelope>"
    );
    assert_eq!(
        joined(Style::Asmx),
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"><soap:Body>\
         <Answer xmlns=\"http://example.org/service\"><A>x &amp; &lt;y&gt; \"z\"</A><C />\
         <D>&lt;E /&gt;</D><F>1</F></Answer></soap:Body></soap:Envelope>"
    );
}

#[test]
fn faults_come_back_as_they_went() {
    let fault = Fault {
        code: FaultCode::Client,
        string: "Fault occurred".to_owned(),
        actor: Some("http://u/x.asmx".to_owned()),
        detail: vec![
            ("ErrorCode".to_owned(), "InvalidCookie".to_owned()),
            ("Message".to_owned(), String::new()),
        ],
    };
    for style in [Style::Client, Style::Asmx] {
        let body = body_of(read_text(&fault.write(style)).unwrap()).unwrap();
        assert_eq!(Fault::read(&body), Some(fault.clone()));
    }
    assert!(fault.write(Style::Client).ends_with(
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>Fault occurred</faultstring>\
         <faultactor>http://u/x.asmx</faultactor>\
         <detail><ErrorCode>InvalidCookie</ErrorCode><Message/></detail></s:Fault></s:Body></s:Envelope>"
    ));
    assert_eq!(fault.detail("ErrorCode"), Some("InvalidCookie"));
    assert_eq!(Fault::read(&read_text("<a/>").unwrap()), None);
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, &MessageLimits::default());
    }

    #[test]
    fn markup_soup_never_panics(words in proptest::collection::vec(0_usize..16, 0..60)) {
        let soup: String = words.iter().map(|n| [
            "<a>", "</a>", "<b xmlns='u'/>", "&lt;", "&#x41;", "&z;", "<![CDATA[", "]]>", "<!--",
            "-->", "<?p?>", " c='d'", "x", "<a:b xmlns:a='v'>", "</a:b>", "<!DOCTYPE",
        ][*n]).collect();
        let _ = read_text(&soup);
    }

    #[test]
    fn any_text_comes_back(text in "\\PC*") {
        let xml = format!("<a>{}</a>", escape_text(&text));
        prop_assert_eq!(read_text(&xml).unwrap().text, text);
    }
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn utf16_of_both_orders_is_read_with_mark_and_without() {
    for text in ["<a>Tür 𝄞</a>", "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>Tür 𝄞</a>"]
    {
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            for mark in ["", "\u{feff}"] {
                let bytes = utf16(&format!("{mark}{text}"), unit);
                let root = read(&bytes, &MessageLimits::default()).unwrap();
                assert_eq!(root.text, "Tür 𝄞");
            }
        }
    }
}

#[test]
fn damaged_utf16_is_refused_in_words() {
    for (bytes, why) in [
        (&[0xff, 0xfe, b'<'][..], "ends within a character"),
        (&[b'<', 0, 0, 0xd8, b'>', 0], "surrogate"),
        (&[b'<', 0xff], "neither UTF-8 nor UTF-16"),
    ] {
        let error = read(bytes, &MessageLimits::default()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn no_library_speaks() {
    let names: String =
        (0..40).map(|at| format!("<a xmlns:p{at}=\"u\" xmlns:q{at}=\"u\">")).collect();
    for xml in [
        names.as_str(),
        "<a></b>",
        "</a>",
        "<a",
        "<a b='1' b='2'/>",
        "<a>&#xzz;</a>",
        "<xml:a xmlns:xml='u'/>",
    ] {
        let error = read(xml.as_bytes(), &MessageLimits { depth: 99, ..Default::default() });
        let error = error.unwrap_err().to_string();
        assert!(!error.contains("::") && !error.contains('`') && !error.contains('_'), "{error}");
    }
    let many: String = (0..31).map(|at| format!(" xmlns:p{at}=\"u\"")).collect();
    let many = format!("<a{many}>").repeat(20);
    let error = read(many.as_bytes(), &MessageLimits::default()).unwrap_err().to_string();
    assert!(error.contains("too many namespace declarations"), "{error}");
}
