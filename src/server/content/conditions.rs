//! Conditional requests. RFC 9110, 13

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE},
};
use jiff::{Timestamp, fmt::rfc2822};

/// Which version of a file is here.
pub(super) struct Version<'a> {
    etag: &'a str,
    /// In whole seconds, as dates in headers are.
    modified: Option<Timestamp>,
}

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// The request goes on.
    Holds,
    /// The client has this version.
    NotModified,
    /// The client wants another version.
    Failed,
}

impl<'a> Version<'a> {
    pub(super) fn new(etag: &'a str, modified: Option<Timestamp>) -> Self {
        let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).ok();
        Self { etag, modified: modified.and_then(whole) }
    }

    /// `Last-Modified`.
    pub(super) fn last_modified(&self) -> Option<HeaderValue> {
        let text =
            rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&self.modified?).ok()?;
        HeaderValue::from_str(&text).ok()
    }

    /// In the order of RFC 9110, 13.2.2, for GET and HEAD.
    pub(super) fn check(&self, headers: &HeaderMap) -> Condition {
        if headers.contains_key(IF_MATCH) {
            if !self.is_among(headers, &IF_MATCH, false) {
                return Condition::Failed;
            }
        } else if let (Some(limit), Some(modified)) =
            (date(headers, &IF_UNMODIFIED_SINCE), self.modified)
            && modified > limit
        {
            return Condition::Failed;
        }
        if headers.contains_key(IF_NONE_MATCH) {
            if self.is_among(headers, &IF_NONE_MATCH, true) {
                return Condition::NotModified;
            }
        } else if let (Some(held), Some(modified)) =
            (date(headers, &IF_MODIFIED_SINCE), self.modified)
            && modified <= held
        {
            return Condition::NotModified;
        }
        Condition::Holds
    }

    /// Whether `If-Range`, if there is one, names this version.
    pub(super) fn range_applies(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(IF_RANGE) else { return true };
        if value.as_bytes().starts_with(b"\"") {
            return value.as_bytes() == self.etag.as_bytes();
        }
        self.modified.is_some() && date(headers, &IF_RANGE) == self.modified
    }

    fn is_among(&self, headers: &HeaderMap, name: &HeaderName, weakly: bool) -> bool {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| {
                let strong = if weakly { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
                tag == "*" || strong == self.etag
            })
    }
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Wed, 02 Sep 2026 08:30:52 GMT";
    const THEN: &str = "Wed, 02 Sep 2026 08:30:53 GMT";
    const AFTER: &str = "Wed, 02 Sep 2026 08:30:54 GMT";

    fn version() -> Version<'static> {
        Version::new("\"abc\"", Some("2026-09-02T08:30:53.9Z".parse().unwrap()))
    }

    fn check(headers: &[(HeaderName, &str)]) -> Condition {
        version().check(&map(headers))
    }

    fn map(headers: &[(HeaderName, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn dates_are_written_as_http_has_them() {
        assert_eq!(version().last_modified().unwrap(), THEN);
        assert_eq!(Version::new("\"a\"", None).last_modified(), None);
    }

    #[test]
    fn a_client_that_has_it_is_told_so() {
        for held in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(check(&[(IF_NONE_MATCH, held)]), Condition::NotModified, "{held}");
        }
        assert_eq!(check(&[(IF_NONE_MATCH, "\"x\"")]), Condition::Holds);
        assert_eq!(check(&[(IF_MODIFIED_SINCE, THEN)]), Condition::NotModified);
        assert_eq!(check(&[(IF_MODIFIED_SINCE, AFTER)]), Condition::NotModified);
        assert_eq!(check(&[(IF_MODIFIED_SINCE, BEFORE)]), Condition::Holds);
        assert_eq!(check(&[(IF_MODIFIED_SINCE, "yesterday")]), Condition::Holds);
        // The tag decides when both are there.
        let both = [(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, AFTER)];
        assert_eq!(check(&both), Condition::Holds);
    }

    #[test]
    fn a_client_that_wants_another_version_is_refused() {
        assert_eq!(check(&[(IF_MATCH, "\"x\"")]), Condition::Failed);
        assert_eq!(check(&[(IF_MATCH, "W/\"abc\"")]), Condition::Failed);
        assert_eq!(check(&[(IF_MATCH, "\"abc\"")]), Condition::Holds);
        assert_eq!(check(&[(IF_UNMODIFIED_SINCE, BEFORE)]), Condition::Failed);
        assert_eq!(check(&[(IF_UNMODIFIED_SINCE, THEN)]), Condition::Holds);
        let both = [(IF_MATCH, "\"abc\""), (IF_UNMODIFIED_SINCE, BEFORE)];
        assert_eq!(check(&both), Condition::Holds);
    }

    #[test]
    fn a_range_of_another_version_is_none() {
        let applies = |value| version().range_applies(&map(&[(IF_RANGE, value)]));
        assert!(applies("\"abc\""));
        assert!(applies(THEN));
        for other in ["\"x\"", "W/\"abc\"", BEFORE, AFTER, "abc"] {
            assert!(!applies(other), "{other}");
        }
        assert!(version().range_applies(&HeaderMap::new()));
    }
}
