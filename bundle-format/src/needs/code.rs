//! The short form of needs: numbered rows of letters and digits, each with check letters, so that a
//! misheard row is named. The letters are Crockford's: none is mistaken for a digit.
//!
//! The bytes: version (1), number of rows (2), the mirror's id (4), length of the site's name (1), the
//! name, the snapshot (8), number of segments (2), the first 6 bytes of the name of each, number of
//! payloads (2), the first 6 bytes of each. Numbers are big-endian. A row is 15 bytes of these, the last
//! one less, as 24 letters, and two check letters: the first 10 bits of the SHA-256 of the row's number
//! (2 bytes) and its bytes.

use std::collections::BTreeMap;

use super::{Needs, NeedsError, NeedsRequest, ObjectPrefix};
use crate::{
    digest::Sha256,
    index::{MAX_SNAPSHOT, is_site},
};

const VERSION: u8 = 1;
/// Bytes of a row.
const ROW: usize = 15;
/// Letters of a group in a row.
const GROUP: usize = 4;
/// More is no code, but something else.
const LONGEST: usize = 4 * 1024 * 1024;
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The rows: `1: ABCD EFGH … XY`.
pub(super) fn write(needs: &Needs) -> Vec<String> {
    let mut bytes = vec![VERSION, 0, 0];
    bytes.extend(needs.mirror_id.as_bytes().iter().take(4));
    bytes.push(u8::try_from(needs.site.len()).unwrap_or(u8::MAX));
    bytes.extend(needs.site.as_bytes());
    bytes.extend(needs.snapshot.to_be_bytes());
    put_names(&mut bytes, needs.segments.iter().map(|segment| segment.sha256));
    put_names(&mut bytes, needs.payloads.iter().map(|payload| payload.sha256));
    let rows = u16::try_from(bytes.len().div_ceil(ROW)).unwrap_or(u16::MAX);
    for (place, byte) in bytes.iter_mut().skip(1).zip(rows.to_be_bytes()) {
        *place = byte;
    }
    (1_usize..).zip(bytes.chunks(ROW)).map(|(row, bytes)| write_row(row, bytes)).collect()
}

/// What does not fit the count is left out: who lacks so much sends the file.
fn put_names(bytes: &mut Vec<u8>, names: impl ExactSizeIterator<Item = Sha256>) {
    let count = u16::try_from(names.len()).unwrap_or(u16::MAX);
    bytes.extend(count.to_be_bytes());
    for name in names.take(usize::from(count)) {
        bytes.extend(name.as_bytes().iter().take(ObjectPrefix::SHORT));
    }
}

/// A row with its number and check letters.
pub(super) fn write_row(row: usize, bytes: &[u8]) -> String {
    let letters = to_letters(bytes);
    let groups: Vec<&str> = (0..letters.len())
        .step_by(GROUP)
        .filter_map(|at| letters.get(at..letters.len().min(at + GROUP)))
        .collect();
    format!("{row}: {} {}", groups.join(" "), check_letters(row, bytes))
}

/// Reads rows that are divided by line ends or `/`.
pub(super) fn read(bytes: &[u8]) -> Result<NeedsRequest, NeedsError> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.len() <= LONGEST)
        .ok_or_else(|| malformed("it is neither the file nor the code"))?;
    let mut rows: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for line in text.split(['\n', '/']).map(str::trim).filter(|line| !line.is_empty()) {
        let (row, bytes) = read_row(line)?;
        if rows.insert(row, bytes.clone()).is_some_and(|before| before != bytes) {
            return Err(malformed(&format!("row {row} is there twice, and differs")));
        }
    }
    require_all(&rows)?;
    decode(&rows.into_values().flatten().collect::<Vec<u8>>())
}

fn read_row(line: &str) -> Result<(usize, Vec<u8>), NeedsError> {
    let (row, letters) = line
        .split_once(':')
        .ok_or_else(|| malformed("a row of the code begins with its number and a colon"))?;
    let row: u16 =
        row.trim().parse().map_err(|_| malformed("a row of the code begins with its number"))?;
    let row = usize::from(row);
    let wrong = || NeedsError::Row { row };
    let letters: Vec<u8> = letters.bytes().filter(|b| !b" -\t\r".contains(b)).collect();
    let (data, check) =
        letters.split_at_checked(letters.len().saturating_sub(2)).ok_or_else(wrong)?;
    let bytes = from_letters(data).filter(|bytes| (1..=ROW).contains(&bytes.len()));
    let bytes = bytes.ok_or_else(wrong)?;
    let same =
        check_letters(row, &bytes).bytes().map(value_of).eq(check.iter().map(|b| value_of(*b)));
    if row == 0 || !same {
        return Err(wrong());
    }
    Ok((row, bytes))
}

/// The first row says how many there are.
fn require_all(rows: &BTreeMap<usize, Vec<u8>>) -> Result<(), NeedsError> {
    let Some([version, high, low, ..]) = rows.get(&1).map(Vec::as_slice) else {
        return Err(malformed("the first row of the code is missing"));
    };
    if *version != VERSION {
        return Err(NeedsError::Version { version: u64::from(*version), known: VERSION.into() });
    }
    let of = usize::from(u16::from_be_bytes([*high, *low]));
    let missing: Vec<String> =
        (1..=of).filter(|row| !rows.contains_key(row)).map(|row| row.to_string()).collect();
    if !missing.is_empty() {
        return Err(NeedsError::Rows { missing: missing.join(", "), of });
    }
    if rows.len() > of {
        return Err(malformed("it has more rows than its first row says"));
    }
    Ok(())
}

fn decode(bytes: &[u8]) -> Result<NeedsRequest, NeedsError> {
    let short = || malformed("the code ends in the middle");
    let mut rest = bytes.get(3..).ok_or_else(short)?;
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at_checked(length).ok_or_else(short)?;
        rest = left;
        Ok::<&[u8], NeedsError>(taken)
    };
    let mirror = <[u8; 4]>::try_from(take(4)?).map_err(|_| short())?;
    let length = take(1)?.first().copied().unwrap_or_default();
    let site = std::str::from_utf8(take(usize::from(length))?)
        .ok()
        .filter(|site| is_site(site))
        .ok_or_else(|| malformed("the name of its site cannot be one"))?
        .to_owned();
    let snapshot = u64::from_be_bytes(<[u8; 8]>::try_from(take(8)?).map_err(|_| short())?);
    if snapshot > MAX_SNAPSHOT {
        return Err(malformed("the number of its snapshot is out of range"));
    }
    let mut names = || {
        let count = <[u8; 2]>::try_from(take(2)?).map_err(|_| short())?;
        (0..u16::from_be_bytes(count))
            .map(|_| ObjectPrefix::short(take(ObjectPrefix::SHORT)?).ok_or_else(short))
            .collect::<Result<Vec<ObjectPrefix>, NeedsError>>()
    };
    let (segments, payloads) = (names()?, names()?);
    if !rest.is_empty() {
        return Err(malformed("something follows its end"));
    }
    Ok(NeedsRequest { site, mirror, snapshot, segments, payloads })
}

fn check_letters(row: usize, bytes: &[u8]) -> String {
    let mut hashed = u16::try_from(row).unwrap_or_default().to_be_bytes().to_vec();
    hashed.extend(bytes);
    to_letters(Sha256::hash(&hashed).as_bytes()).chars().take(2).collect()
}

/// Five bits each; the last ones are filled with zeros.
fn to_letters(bytes: &[u8]) -> String {
    let (mut letters, mut bits, mut buffer) = (String::new(), 0, 0_u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            letters.push(letter(buffer >> bits));
        }
    }
    if bits > 0 {
        letters.push(letter(buffer << (5 - bits)));
    }
    letters
}

fn letter(value: u32) -> char {
    LETTERS.get((value & 31) as usize).map_or('0', |letter| char::from(*letter))
}

/// `None` if a letter is no letter of ours, or the bits that fill the last one are not zero.
fn from_letters(letters: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut buffer) = (Vec::new(), 0, 0_u32);
    for letter in letters {
        buffer = (buffer << 5) | value_of(*letter)?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
        }
    }
    (bits < 5 && buffer & ((1 << bits) - 1) == 0).then_some(bytes)
}

/// What people hear or write wrongly counts as what was meant.
fn value_of(letter: u8) -> Option<u32> {
    let letter = match letter.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    LETTERS.iter().position(|l| *l == letter).and_then(|at| u32::try_from(at).ok())
}

fn malformed(what: &str) -> NeedsError {
    NeedsError::Malformed { what: what.to_owned() }
}
