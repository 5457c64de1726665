//! Anchors in the form of a WSUS: `<counter>,<time>`. Only the counter counts; the time is for
//! people. [MS-WSUSSS] 3.1.4.5, note 31

use jiff::{Timestamp, civil, tz::Offset};

/// The length of `yyyy-MM-dd HH:mm:ss.fff`.
const TIME_LEN: usize = 23;

/// Writes an anchor.
pub(super) fn write(counter: u64, now: Timestamp) -> String {
    let utc = Offset::UTC.to_datetime(now);
    let (date, time) = (utc.date(), utc.time());
    format!(
        "{counter},{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

/// Reads the counter of an anchor; `None` if it is none.
pub(super) fn read(text: &str) -> Option<u64> {
    let (counter, time) = text.split_once(',')?;
    let plain = counter.bytes().all(|b| b.is_ascii_digit());
    let counter: u64 = plain.then(|| counter.parse().ok()).flatten()?;
    (time.len() == TIME_LEN && time.parse::<civil::DateTime>().is_ok()).then_some(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_have_the_form_of_a_wsus() {
        let now = "2026-10-04T16:33:26.6714Z".parse().unwrap();
        assert_eq!(write(9438, now), "9438,2026-10-04 16:33:26.671");
        assert_eq!(read("9438,2026-10-04 16:33:26.671"), Some(9438));
        for bad in [
            "garbage",
            "",
            "1",
            "1,",
            ",2026-10-04 16:33:26.671",
            "+1,2026-10-04 16:33:26.671",
            "1,2026-10-04 16:33:26",
            "1,2026-13-04 16:33:26.671",
            "99999999999999999999,2026-10-04 16:33:26.671",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
