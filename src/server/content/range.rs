//! `Range`: one range of bytes. RFC 9110, 14.2

use axum::http::{HeaderMap, header::RANGE};

/// What a request wants of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// All of it: there is no range, there are several, or the one is not understood.
    Whole,
    /// From one byte to another, both included.
    Part { first: u64, last: u64 },
    /// Nothing of it lies in the file.
    Unsatisfiable,
}

impl Range {
    /// Reads the header for a file of `size` bytes.
    pub(super) fn requested(headers: &HeaderMap, size: u64) -> Self {
        let mut values = headers.get_all(RANGE).iter();
        match (values.next().map(|value| value.to_str()), values.next()) {
            (Some(Ok(text)), None) => Self::read(text, size).unwrap_or(Self::Whole),
            _ => Self::Whole,
        }
    }

    fn read(text: &str, size: u64) -> Option<Self> {
        let (unit, range) = text.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        Some(match (first, last) {
            ("", suffix) => match number(suffix)? {
                0 => Self::Unsatisfiable,
                _ if size == 0 => Self::Unsatisfiable,
                length => Self::Part { first: size.saturating_sub(length), last: size - 1 },
            },
            (first, last) => {
                let first = number(first)?;
                let last = if last.is_empty() { u64::MAX } else { number(last)? };
                if last < first {
                    return None;
                }
                if first >= size {
                    return Some(Self::Unsatisfiable);
                }
                Self::Part { first, last: last.min(size - 1) }
            }
        })
    }
}

/// Digits only; more than fit are as good as endless.
fn number(digits: &str) -> Option<u64> {
    let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    good.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn requested(text: &str, size: u64) -> Range {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_str(text).unwrap());
        Range::requested(&headers, size)
    }

    fn part(first: u64, last: u64) -> Range {
        Range::Part { first, last }
    }

    #[test]
    fn ranges_are_cut_to_the_file() {
        assert_eq!(requested("bytes=0-0", 10), part(0, 0));
        assert_eq!(requested("bytes=0-9", 10), part(0, 9));
        assert_eq!(requested("bytes=2-99", 10), part(2, 9));
        assert_eq!(requested("bytes=2-99999999999999999999999", 10), part(2, 9));
        assert_eq!(requested("bytes=9-", 10), part(9, 9));
        assert_eq!(requested("bytes=-1", 10), part(9, 9));
        assert_eq!(requested("bytes=-99", 10), part(0, 9));
        assert_eq!(requested("Bytes= 1-2", 10), part(1, 2));
    }

    #[test]
    fn what_lies_outside_is_unsatisfiable() {
        for (text, size) in [
            ("bytes=10-", 10),
            ("bytes=10-12", 10),
            ("bytes=-0", 10),
            ("bytes=0-", 0),
            ("bytes=-5", 0),
        ] {
            assert_eq!(requested(text, size), Range::Unsatisfiable, "{text}");
        }
    }

    #[test]
    fn what_is_no_single_range_is_ignored() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=1--2",
            "1-2",
        ] {
            assert_eq!(requested(text, 10), Range::Whole, "{text}");
        }
        assert_eq!(Range::requested(&HeaderMap::new(), 10), Range::Whole);
    }
}
