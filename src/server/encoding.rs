//! How answers are encoded: as they are, or with Xpress compression. [MS-WUSP] 2.1

use axum::http::{HeaderMap, header::ACCEPT_ENCODING};

/// How an answer is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Xpress,
}
/// What the client takes besides plain text.
pub(super) fn encoding(headers: &HeaderMap) -> Encoding {
    let takes_xpress = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused = parts.any(|p| {
                p.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
            });
            name.eq_ignore_ascii_case("xpress") && !refused
        });
    if takes_xpress { Encoding::Xpress } else { Encoding::Plain }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn xpress_is_sent_to_those_who_take_it() {
        let takes = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            encoding(&headers) == Encoding::Xpress
        };
        for value in ["xpress", "XPRESS", "gzip, xpress", "xpress;q=0.5"] {
            assert!(takes(value), "{value}");
        }
        for value in ["", "gzip", "xpress;q=0", "xpressed", "*"] {
            assert!(!takes(value), "{value}");
        }
        assert!(encoding(&HeaderMap::new()) == Encoding::Plain);
    }
}
