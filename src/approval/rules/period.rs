//! Lengths of time as people write them in rules: `36h`, `7d`, `2w`.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A length of time in whole hours. A day has 24 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    hours: u32,
}

/// Why a text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no length of time: write hours, days or weeks, as 36h, 7d or 2w, up to 100 years"
)]
pub struct NoPeriod(String);

const HOURS: [(char, u32); 3] = [('w', 24 * 7), ('d', 24), ('h', 1)];
const LONGEST: u32 = 24 * 36_525;

impl Period {
    /// That many days.
    pub fn days(days: u16) -> Self {
        Self { hours: u32::from(days) * 24 }
    }

    fn duration(self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.hours))
    }

    /// The moment that is so much after another, in whole seconds; the last one there is, if it lies
    /// beyond.
    pub fn after(self, from: Timestamp) -> Timestamp {
        let whole = Timestamp::from_second(from.as_second()).unwrap_or(from);
        whole.checked_add(self.duration()).unwrap_or(Timestamp::MAX)
    }

    /// Whether at least so much lies between two moments.
    pub fn has_passed(self, from: Timestamp, to: Timestamp) -> bool {
        to.duration_since(from) >= self.duration()
    }
}

impl FromStr for Period {
    type Err = NoPeriod;

    fn from_str(text: &str) -> Result<Self, NoPeriod> {
        let read = || {
            let text = text.trim().to_ascii_lowercase();
            let (unit, hours) = HOURS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
            let digits = text.strip_suffix(unit)?;
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let hours = digits.parse::<u32>().ok()?.checked_mul(hours)?;
            (hours <= LONGEST).then_some(Self { hours })
        };
        read().ok_or_else(|| NoPeriod(text.to_owned()))
    }
}

impl TryFrom<String> for Period {
    type Error = NoPeriod;

    fn try_from(text: String) -> Result<Self, NoPeriod> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hours {
            hours if hours % 24 == 0 => write!(f, "{}d", hours / 24),
            hours => write!(f, "{hours}h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Period>().map(|period| period.to_string());
        for (text, same) in
            [("7d", "7d"), ("36h", "36h"), ("48H", "2d"), (" 2w", "14d"), ("0d", "0d")]
        {
            assert_eq!(read(text).unwrap(), same);
        }
        for text in
            ["", "d", "7", "-1d", "+1d", "1.5d", "7 d", "99999999w", "4294967295w", "36526d", "ä"]
        {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ages_are_counted_to_the_second_and_never_overflow() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let week = Period::days(7);
        assert!(week.has_passed(at("2026-01-01T00:00:00Z"), at("2026-01-08T00:00:00Z")));
        assert!(!week.has_passed(at("2026-01-01T00:00:00Z"), at("2026-01-07T23:59:59Z")));
        assert!(!week.has_passed(Timestamp::MAX, Timestamp::MIN));
        assert_eq!(week.after(at("2026-01-01T00:00:00.5Z")), at("2026-01-08T00:00:00Z"));
        assert_eq!(week.after(Timestamp::MAX), Timestamp::MAX);
    }
}
