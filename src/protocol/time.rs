//! `xs:dateTime` on the wire: compared as instants, never as text.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil, tz::Offset};

/// An instant as messages carry it. Read with any number of fractional digits, with or without a
/// zone (then UTC); written in UTC with `Z` and at most seven fractional digits, as WSUS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(pub Timestamp);

/// A text that is no `xs:dateTime`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no date and time")]
pub struct BadTime {
    text: String,
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = Offset::UTC.to_datetime(self.0);
        let (date, time) = (utc.date(), utc.time());
        write!(f, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())?;
        write!(f, "T{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())?;
        let ticks = time.subsec_nanosecond() / 100;
        if ticks != 0 {
            write!(f, ".{}", format!("{ticks:07}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl FromStr for DateTime {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let bad = || BadTime { text: text.chars().take(100).collect() };
        let text = text.trim();
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(Self(instant));
        }
        // Without a zone, or beyond what an instant can hold (the year 9999 is "never").
        let plain = text.strip_suffix(['Z', 'z']).unwrap_or(text);
        let civil: civil::DateTime = plain.parse().map_err(|_| bad())?;
        Ok(Self(Offset::UTC.to_timestamp(civil).unwrap_or(if civil.year() > 0 {
            Timestamp::MAX
        } else {
            Timestamp::MIN
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    #[test]
    fn fractions_are_read_and_trailing_zeros_dropped() {
        for text in [
            "2026-10-04T15:03:36Z",
            "2026-10-04T13:17:07.59Z",
            "2026-10-04T16:03:35.9967236Z",
            "0001-01-01T00:00:00Z",
            "2026-01-01T00:00:00.0000001Z",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read("2026-10-04T15:03:36.1200000Z").to_string(), "2026-10-04T15:03:36.12Z");
    }

    #[test]
    fn instants_are_compared() {
        let noon = read("2026-10-04T12:00:00Z");
        for same in [
            "2026-10-04T12:00:00",
            "2026-10-04T12:00:00.0000000Z",
            " 2026-10-04T14:00:00+02:00\n",
            "2026-10-04T12:00:00.000",
        ] {
            assert_eq!(read(same), noon, "{same}");
        }
    }

    #[test]
    fn the_end_of_time_is_read() {
        assert_eq!(read("9999-12-31T23:59:59.9999999Z").0, Timestamp::MAX);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-10-04T25:00:00Z", "Z"] {
            assert!(text.parse::<DateTime>().is_err(), "{text}");
        }
    }
}
