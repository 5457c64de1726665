//! `Range`: ranges of bytes. RFC 9110, 14.2

use axum::http::{HeaderMap, header::RANGE};

/// More ranges in one request are not a download: the whole file is sent (RFC 9110, 14.2).
const MOST: usize = 256;

/// From one byte to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// What a request wants of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Range {
    /// All of it: there is no range, there are too many, or one is not understood.
    Whole,
    /// One part.
    Part(Part),
    /// Two parts or more, none of which overlap: in the order of the request, or by position where
    /// some overlapped and became one.
    Several(Vec<Part>),
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

    /// `None` when it is not understood.
    fn read(text: &str, size: u64) -> Option<Self> {
        let (unit, ranges) = text.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        // Lists may have empty places. RFC 9110, 5.6.1.2
        let ranges = ranges.split(',').map(str::trim).filter(|range| !range.is_empty());
        let (mut parts, mut count) = (Vec::new(), 0);
        for range in ranges {
            count += 1;
            if count > MOST {
                return None;
            }
            parts.extend(Part::read(range, size)?);
        }
        Some(match merged(parts).as_slice() {
            [] if count == 0 => return None,
            [] => Self::Unsatisfiable,
            [one] => Self::Part(*one),
            several => Self::Several(several.to_vec()),
        })
    }
}

impl Part {
    pub(super) fn length(self) -> u64 {
        self.last - self.first + 1
    }

    /// Outer `None`: not understood; inner: nothing of it lies in the file.
    fn read(range: &str, size: u64) -> Option<Option<Self>> {
        let (first, last) = range.split_once('-')?;
        if first.is_empty() {
            let length = number(last)?;
            let empty = length == 0 || size == 0;
            return Some(
                (!empty).then(|| Self { first: size.saturating_sub(length), last: size - 1 }),
            );
        }
        let first = number(first)?;
        let last = if last.is_empty() { u64::MAX } else { number(last)? };
        if last < first {
            return None;
        }
        Some((first < size).then(|| Self { first, last: last.min(size - 1) }))
    }
}

/// No byte twice: else a short request would make an endless answer.
fn merged(parts: Vec<Part>) -> Vec<Part> {
    let mut sorted = parts.clone();
    sorted.sort_by_key(|part| part.first);
    let mut apart: Vec<Part> = Vec::with_capacity(sorted.len());
    for part in sorted {
        match apart.last_mut() {
            Some(before) if part.first <= before.last => before.last = before.last.max(part.last),
            _ => apart.push(part),
        }
    }
    if apart.len() == parts.len() { parts } else { apart }
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
        Range::Part(Part { first, last })
    }

    #[test]
    fn several_ranges_keep_their_order_and_no_byte_comes_twice() {
        let several = |text: &str| -> Vec<(u64, u64)> {
            match requested(text, 100) {
                Range::Several(parts) => parts.iter().map(|part| (part.first, part.last)).collect(),
                other => panic!("{text}: {other:?}"),
            }
        };
        let expected: Vec<(u64, u64)> = vec![(50, 59), (0, 9), (99, 99)];
        assert_eq!(several("bytes=50-59, 0-9,,-1"), expected);
        assert_eq!(several("bytes=20-29,0-9,25-40,300-"), [(0, 9), (20, 40)]);
        assert_eq!(requested("bytes=0-9,300-", 100), part(0, 9));
        assert_eq!(requested("bytes=0-,0-,0-", 100), part(0, 99));
        assert_eq!(requested("bytes=300-,200-", 100), Range::Unsatisfiable);
        assert_eq!(requested("bytes=0-9,5", 100), Range::Whole);
        let many: Vec<String> = (0..=MOST).map(|at| format!("{0}-{0}", at * 2)).collect();
        let text = |count: usize| format!("bytes={}", many[..count].join(","));
        assert!(matches!(requested(&text(MOST), 10_000), Range::Several(_)));
        assert_eq!(requested(&text(MOST + 1), 10_000), Range::Whole);
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
    fn what_is_no_range_is_ignored() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=,",
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
