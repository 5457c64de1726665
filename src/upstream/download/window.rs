//! When downloading is allowed: a part of the day, by local time.

use std::{str::FromStr, time::Duration};

use jiff::{Zoned, civil::Time};

/// From a time of day to another, over midnight if the end is not after the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Time,
    to: Time,
}

/// A text that is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time window; write it as 22:00-06:00, with two different times")]
pub struct BadWindow(String);

impl FromStr for Window {
    type Err = BadWindow;

    fn from_str(text: &str) -> Result<Self, BadWindow> {
        let bad = || BadWindow(text.chars().take(100).collect());
        let (from, to) = text.split_once('-').ok_or_else(bad)?;
        let window = Self { from: time(from).ok_or_else(bad)?, to: time(to).ok_or_else(bad)? };
        if window.from == window.to { Err(bad()) } else { Ok(window) }
    }
}

/// `22:00`, or `24:00` for the end of the day.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    match (hour.parse::<i8>().ok()?, minute.parse::<i8>().ok()?) {
        (24, 0) => Some(Time::midnight()),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
    }
}

impl Window {
    /// Whether a moment lies in it; its first moment does, its last does not.
    pub fn contains(&self, now: &Zoned) -> bool {
        let now = now.time();
        if self.from < self.to {
            self.from <= now && now < self.to
        } else {
            self.from <= now || now < self.to
        }
    }

    /// How long until it opens; zero within it. Days on which clocks are changed count as they are.
    pub fn opens_in(&self, now: &Zoned) -> Duration {
        if self.contains(now) {
            return Duration::ZERO;
        }
        let mut date = now.date();
        for _ in 0..3 {
            // A time that a change of clocks leaves out becomes the one after the gap.
            let opening = date.to_datetime(self.from).to_zoned(now.time_zone().clone());
            match opening.map(|opening| Duration::try_from(opening.duration_since(now))) {
                Ok(Ok(wait)) if !wait.is_zero() => return wait,
                _ => {}
            }
            date = date.tomorrow().unwrap_or(date);
        }
        // At the end of the calendar. The caller looks again after each wait.
        Duration::from_secs(3600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    fn hours(n: u64) -> Duration {
        Duration::from_secs(n * 3600)
    }

    #[test]
    fn within_a_day() {
        let window: Window = "01:00-05:30".parse().unwrap();
        let day = |time: &str| at(&format!("2026-03-10T{time}[UTC]"));
        assert!(!window.contains(&day("00:59:59")));
        assert!(window.contains(&day("01:00:00")));
        assert!(window.contains(&day("05:29:59")));
        assert!(!window.contains(&day("05:30:00")));
        assert_eq!(window.opens_in(&day("00:00:00")), hours(1));
        assert_eq!(window.opens_in(&day("03:00:00")), Duration::ZERO);
        assert_eq!(window.opens_in(&day("06:00:00")), hours(19));
    }

    #[test]
    fn over_midnight() {
        let window: Window = "22:00-06:00".parse().unwrap();
        let day = |time: &str| at(&format!("2026-12-31T{time}[UTC]"));
        for (time, inside) in [
            ("21:59:59", false),
            ("22:00:00", true),
            ("00:00:00", true),
            ("05:59:59", true),
            ("06:00:00", false),
            ("12:00:00", false),
        ] {
            assert_eq!(window.contains(&day(time)), inside, "{time}");
        }
        assert_eq!(window.opens_in(&day("06:00:00")), hours(16));
        assert_eq!(window.opens_in(&day("23:00:00")), Duration::ZERO);
    }

    #[test]
    fn the_end_of_the_day_may_be_written_as_24() {
        let window: Window = "20:00-24:00".parse().unwrap();
        assert!(window.contains(&at("2026-03-10T23:59:59[UTC]")));
        assert!(!window.contains(&at("2026-03-10T00:00:00[UTC]")));
        let window: Window = "00:00-06:00".parse().unwrap();
        assert!(window.contains(&at("2026-03-10T00:00:00[UTC]")));
    }

    /// By the clock on the wall: in the night to summer time 22:00 comes an hour sooner.
    #[test]
    fn clocks_that_are_changed() {
        let window: Window = "04:00-06:00".parse().unwrap();
        let evening = at("2026-03-28T22:00:00[Europe/Berlin]");
        assert_eq!(window.opens_in(&evening), hours(5));
        let evening = at("2026-10-24T22:00:00[Europe/Berlin]");
        assert_eq!(window.opens_in(&evening), hours(7));
        // 02:30 does not exist in that night: the window opens after the gap.
        let window: Window = "02:30-06:00".parse().unwrap();
        let wait = window.opens_in(&at("2026-03-29T01:30:00[Europe/Berlin]"));
        assert_eq!(wait, hours(1));
    }

    #[test]
    fn what_is_no_window() {
        for text in [
            "",
            "22:00",
            "22:00-22:00",
            "22-06",
            "25:00-06:00",
            "24:01-06:00",
            "2:0-6:00",
            "22:00-06:00-07:00",
            "+1:00-06:00",
            "00:00-24:00",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }
}
