//! Reading values out of an answer while judging them.

use base64::{Engine, engine::general_purpose::STANDARD};
use uuid::Uuid;

use super::{
    findings::Findings,
    rulebook::{self as rules, Rule},
    schema::{Field, Occurrence},
    tree::Element,
};

/// Whose answer is read, and where findings go.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    findings: &'a mut Findings,
    /// The operation that is being judged.
    pub(crate) operation: &'static str,
}

impl<'a> Judge<'a> {
    /// Judges answers to `operation`.
    pub(crate) fn new(findings: &'a mut Findings, operation: &'static str) -> Self {
        Self { findings, operation }
    }

    /// `rule` is broken.
    pub(crate) fn broken(&mut self, rule: &Rule, what: impl Into<String>) {
        self.findings.add(rule, self.operation, what);
    }

    /// The children of `parent` are those of `fields`, in that order, in the namespace of `parent`.
    pub(crate) fn sequence(&mut self, parent: &Element, fields: &[Field]) {
        let mut place = 0;
        let mut previous: Option<&str> = None;
        for child in &parent.children {
            if child.namespace != parent.namespace {
                self.broken(
                    &rules::NAMESPACE,
                    format!("{} inside {} is in {:?}", child.name, parent.name, child.namespace),
                );
            }
            if child.attributes.iter().any(|(name, _)| name.ends_with(":nil")) {
                self.broken(&rules::NIL_SENT, format!("{} in {} is nil", child.name, parent.name));
            }
            let Some(index) = fields.iter().position(|field| field.name == child.name) else {
                let what = format!("{} inside {}", child.name, parent.name);
                self.broken(&rules::ELEMENT_UNKNOWN, what);
                continue;
            };
            if index < place {
                let after = previous.unwrap_or_default();
                self.broken(
                    &rules::ELEMENT_ORDER,
                    format!("{} comes after {after} in {}", child.name, parent.name),
                );
            }
            let many = fields.get(index).is_some_and(|field| field.need == Occurrence::Many);
            if !many && previous == Some(&child.name) {
                let what = format!("{} twice in {}", child.name, parent.name);
                self.broken(&rules::ELEMENT_REPEATED, what);
            }
            place = place.max(index);
            previous = Some(&child.name);
        }
        for field in fields.iter().filter(|field| field.need == Occurrence::Required) {
            if parent.child(field.name).is_none() {
                let what = format!("{} has no {}", parent.name, field.name);
                self.broken(&rules::ELEMENT_MISSING, what);
            }
        }
    }

    /// A 32-bit integer.
    pub(crate) fn int32(&mut self, element: &Element, name: &str) -> Option<i32> {
        let value = element.text.trim().parse().ok();
        if value.is_none() {
            self.broken(&rules::ID_NOT_INT32, format!("{name}: {:?}", clip(&element.text)));
        }
        value
    }

    /// All integers of an `int` array.
    pub(crate) fn ints(&mut self, array: Option<&Element>) -> Vec<i32> {
        let Some(array) = array else { return Vec::new() };
        array.children.iter().filter_map(|item| self.int32(item, &array.name)).collect()
    }

    /// The boolean child `name`, `default` when it is not there or no boolean.
    pub(crate) fn boolean(&mut self, parent: &Element, name: &str, default: bool) -> bool {
        match parent.child_text(name) {
            Some("true" | "1") => true,
            Some("false" | "0") => false,
            Some(other) => {
                let what = format!("{name} is {:?}", clip(other));
                self.broken(&rules::VALUE_BAD, what);
                default
            }
            None => default,
        }
    }

    /// A GUID.
    pub(crate) fn guid(&mut self, text: &str, name: &str) -> Option<Uuid> {
        let value = (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten();
        if value.is_none() {
            self.broken(&rules::VALUE_BAD, format!("{name} is no GUID: {:?}", clip(text)));
        }
        value
    }

    /// Base64; white space inside is allowed.
    pub(crate) fn base64(&mut self, text: &str, name: &str) -> Option<Vec<u8>> {
        let value = decode_base64(text);
        if value.is_none() {
            self.broken(&rules::VALUE_BAD, format!("{name} is not base64: {:?}", clip(text)));
        }
        value
    }

    /// An instant; without zone it is UTC.
    pub(crate) fn instant(&mut self, text: &str, name: &str) -> Option<jiff::Timestamp> {
        let value = parse_instant(text);
        if value.is_none() {
            self.broken(&rules::VALUE_BAD, format!("{name} is no time: {:?}", clip(text)));
        }
        value
    }
}

/// Decodes base64, ignoring white space.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.split_whitespace().collect();
    STANDARD.decode(packed).ok()
}

/// Reads an XML Schema dateTime; without zone it is UTC.
pub(crate) fn parse_instant(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok().or_else(|| format!("{text}Z").parse().ok())
}

/// The beginning of a text from a server, fit for a message.
pub(crate) fn clip(text: &str) -> String {
    let mut short: String = text.trim().chars().take(60).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    short
}
