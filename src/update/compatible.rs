//! Which servers an update may be sent to.

use quick_xml::{Reader, XmlVersion, events::Event};

/// Elements before `Properties` in any document.
const BEFORE: usize = 100;

/// `CompatibleProtocolVersion` of a document (`Properties`): servers that speak an older protocol
/// between servers cannot use the update. Reads no further than the element: the rest may be long.
pub fn compatible_protocol(document: &[u8]) -> Option<String> {
    let mut reader = Reader::from_reader(document);
    for _ in 0..BEFORE {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                if tag.local_name().as_ref() == "Properties" {
                    let found = tag.try_get_attribute("CompatibleProtocolVersion").ok()??;
                    let value = found.normalized_value(XmlVersion::Implicit1_0).ok()?;
                    return Some(value.trim().to_owned());
                }
            }
            Ok(Event::Eof) | Err(_) => return None,
            Ok(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attribute_of_the_first_properties_counts() {
        let read = |xml: &str| compatible_protocol(xml.as_bytes());
        let xml = "<upd:Update xmlns:upd=\"u\"><upd:UpdateIdentity/><upd:Properties A=\"1\" \
                   CompatibleProtocolVersion=\" 1.20 \"><x CompatibleProtocolVersion=\"9.9\"/>";
        assert_eq!(read(xml).as_deref(), Some("1.20"), "without reading to the end");
        let without = "<u><Properties/><Properties CompatibleProtocolVersion=\"1.8\"/></u>";
        for none in [without, "<u/>", "", "no XML", "<u><Properties a a>"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
