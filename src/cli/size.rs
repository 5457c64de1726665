//! Sizes as people write them, and media by name.

/// Media and the largest volume that surely fits each with its file system.
const MEDIA: [(&str, u64); 4] = [
    // 80 minutes: 360,000 sectors of 2048 bytes.
    ("cd", 735_000_000),
    // DVD+R has a little less room than DVD-R.
    ("dvd", 4_690_000_000),
    // BD-R with spare areas.
    ("bd", 24_200_000_000),
    // The largest file on a stick that every system reads.
    ("fat32", 4_294_967_295),
];

/// Reads `4.7GB`, `700M`, `1GiB`, `5000000` or a medium: `cd`, `dvd`, `bd`, `fat32`. As on the label
/// of media, K, M, G and T are powers of 1000; Ki, Mi, Gi and Ti of 1024.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    if let Some((_, size)) = MEDIA.iter().find(|(name, _)| *name == lower) {
        return Ok(*size);
    }
    let unit_at = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(unit_at);
    let unit = match unit.trim_start().trim_end_matches('b') {
        "" => 1,
        "k" => 1000,
        "m" => 1000_u64.pow(2),
        "g" => 1000_u64.pow(3),
        "t" => 1000_u64.pow(4),
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1 << 40,
        _ => return Err(wrong(text)),
    };
    scaled(number, unit).ok_or_else(|| wrong(text))
}

/// A decimal number times a unit, in whole bytes.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 || number.ends_with('.') {
        return None;
    }
    let mut bytes = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        let digits = u32::try_from(fraction.len()).ok()?;
        let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit);
        bytes = bytes.checked_add(u64::try_from(part / 10_u128.pow(digits)).ok()?)?;
    }
    Some(bytes)
}

fn wrong(text: &str) -> String {
    format!(
        "{text:?} is no size: write it as 4.7GB, 700M, 1GiB, or name a medium: cd, dvd, bd, fat32"
    )
}

/// Reads `10MiB`, `500K`, `1048576`: here K, M, G and T are powers of 1024, as of what a disk holds or
/// a line carries; KB, MB, GB and TB of 1000.
pub(super) fn binary(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.get(digits.len()..).unwrap_or_default().trim();
    let unit = unit.strip_suffix("/s").unwrap_or(unit);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(format!("{unit:?} is no unit; write for example 10MiB")),
    };
    let number = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
    number.ok_or_else(|| "it is no size; write for example 10MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, size) in [
            ("4.7GB", 4_700_000_000),
            ("4.7g", 4_700_000_000),
            ("700 MB", 700_000_000),
            ("17M", 17_000_000),
            ("0.5k", 500),
            ("1GiB", 1 << 30),
            ("1.5Ki", 1536),
            ("2TB", 2_000_000_000_000),
            ("20000000", 20_000_000),
            ("CD", 735_000_000),
            ("dvd", 4_690_000_000),
            ("bd", 24_200_000_000),
            ("fat32", u64::from(u32::MAX)),
        ] {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
        for text in [
            "",
            "GB",
            "-1",
            "1.G",
            ".5G",
            "1.2.3",
            "4,7GB",
            "1X",
            "1GG",
            "99999999999999T",
            "floppy",
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.contains("is no size"), "{text}: {wrong}");
        }
    }

    #[cfg(feature = "upstream")]
    #[test]
    fn sizes_of_disks_and_lines() {
        for (text, bytes) in [
            ("0", 0),
            ("10MiB", 10 << 20),
            ("10M", 10 << 20),
            ("10 MB/s", 10_000_000),
            ("500k", 500 << 10),
            ("3GiB", 3 << 30),
        ] {
            assert_eq!(super::binary(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "10 apples", "-1", "99999999999TiB"] {
            assert!(super::binary(text).is_err(), "{text}");
        }
    }
}
