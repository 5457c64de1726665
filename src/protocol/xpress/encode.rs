//! Packing: greedy, longest match within the window, found through chains of equal hashes.

use super::{BLOCK_SIZE, WINDOW};

const MIN_MATCH: usize = 3;
const HASH_BITS: u32 = 13;
/// Candidates that are tried for one match.
const CHAIN: usize = 48;
/// A match of this length is good enough to stop looking.
const GOOD: usize = 160;
const NONE: u16 = u16::MAX;

/// Packs `bytes` into framed blocks. A block that does not become smaller is stored.
pub fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 3 + 64);
    let mut matcher = Matcher::new();
    let mut packed = Vec::with_capacity(BLOCK_SIZE);
    for block in bytes.chunks(BLOCK_SIZE) {
        packed.clear();
        direct2(block, &mut matcher, &mut packed);
        let payload = if packed.len() < block.len() { &packed[..] } else { block };
        // Both are at most BLOCK_SIZE.
        out.extend_from_slice(&u32::try_from(block.len()).unwrap_or_default().to_le_bytes());
        out.extend_from_slice(&u32::try_from(payload.len()).unwrap_or_default().to_le_bytes());
        out.extend_from_slice(payload);
    }
    out
}

/// [MS-WUSP] 2.1.1.1. Always ends in an end mark.
fn direct2(block: &[u8], matcher: &mut Matcher, out: &mut Vec<u8>) {
    matcher.reset(block.len());
    let mut stream = Stream::new(out);
    let mut at = 0;
    while let Some(&literal) = block.get(at) {
        let step = match matcher.longest(block, at) {
            Some((offset, length)) => {
                stream.matched(offset, length);
                length
            }
            None => {
                stream.literal(literal);
                1
            }
        };
        for position in at..at + step {
            matcher.insert(block, position);
        }
        at += step;
    }
    stream.finish();
}

/// Writes elements behind their mask words.
struct Stream<'a> {
    out: &'a mut Vec<u8>,
    mask: u32,
    bits: u32,
    mask_at: usize,
    /// Where a byte waits for its high half.
    half: Option<usize>,
}

impl<'a> Stream<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        let mut stream = Self { out, mask: 0, bits: 0, mask_at: 0, half: None };
        stream.next_mask();
        stream
    }

    fn next_mask(&mut self) {
        self.mask_at = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        self.mask = 0;
        self.bits = 0;
    }

    fn put_mask(&mut self) {
        if let Some(place) = self.out.get_mut(self.mask_at..self.mask_at + 4) {
            place.copy_from_slice(&self.mask.to_le_bytes());
        }
    }

    /// The mask runs from its highest bit down, and the next one follows the 32nd element.
    fn element_done(&mut self, is_match: bool) {
        if is_match {
            self.mask |= 1 << (31 - self.bits);
        }
        self.bits += 1;
        if self.bits == 32 {
            self.put_mask();
            self.next_mask();
        }
    }

    fn literal(&mut self, byte: u8) {
        self.out.push(byte);
        self.element_done(false);
    }

    fn matched(&mut self, offset: usize, length: usize) {
        let short = (length - MIN_MATCH).min(7);
        self.u16(((offset - 1) << 3) | short);
        if short == 7 {
            let nibble = (length - 10).min(15);
            self.nibble(nibble);
            if nibble == 15 {
                match u8::try_from(length - 25) {
                    Ok(byte) if byte < 255 => self.out.push(byte),
                    _ => {
                        self.out.push(255);
                        self.u16(length - MIN_MATCH);
                    }
                }
            }
        }
        self.element_done(true);
    }

    fn nibble(&mut self, nibble: usize) {
        let nibble = u8::try_from(nibble).unwrap_or(15);
        match self.half.take().and_then(|at| self.out.get_mut(at)) {
            Some(byte) => *byte |= nibble << 4,
            None => {
                self.half = Some(self.out.len());
                self.out.push(nibble);
            }
        }
    }

    fn u16(&mut self, value: usize) {
        // Offsets have 13 bits and lengths are below the block size.
        self.out.extend_from_slice(&u16::try_from(value).unwrap_or_default().to_le_bytes());
    }

    fn finish(mut self) {
        self.mask |= u32::MAX >> self.bits;
        self.put_mask();
    }
}

/// For each hash of three bytes the last position that has it, and for each position the one before.
struct Matcher {
    head: Vec<u16>,
    before: Vec<u16>,
}

impl Matcher {
    fn new() -> Self {
        Self { head: vec![NONE; 1 << HASH_BITS], before: Vec::new() }
    }

    fn reset(&mut self, length: usize) {
        self.head.fill(NONE);
        self.before.clear();
        self.before.resize(length, NONE);
    }

    fn hash(block: &[u8], at: usize) -> Option<usize> {
        let three: &[u8; 3] = block.get(at..)?.first_chunk()?;
        let [a, b, c] = *three;
        let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9E37_79B1);
        usize::try_from(hash >> (32 - HASH_BITS)).ok()
    }

    fn insert(&mut self, block: &[u8], at: usize) {
        let Some(head) = Self::hash(block, at).and_then(|hash| self.head.get_mut(hash)) else {
            return;
        };
        if let Some(before) = self.before.get_mut(at) {
            *before = *head;
            *head = u16::try_from(at).unwrap_or(NONE);
        }
    }

    /// Offset and length of the longest earlier text that also stands at `at`.
    fn longest(&self, block: &[u8], at: usize) -> Option<(usize, usize)> {
        let here = block.get(at..)?;
        let mut candidate = *self.head.get(Self::hash(block, at)?)?;
        let mut best = (0, MIN_MATCH - 1);
        for _ in 0..CHAIN {
            if candidate == NONE {
                break;
            }
            let position = usize::from(candidate);
            let offset = at - position;
            if offset > WINDOW {
                break;
            }
            let there = block.get(position..)?;
            // Only a candidate that goes on equal where the best one ends can be longer.
            if there.get(best.1) == here.get(best.1) {
                let length = equal(there, here);
                if length > best.1 {
                    best = (offset, length);
                    if length >= GOOD || length == here.len() {
                        break;
                    }
                }
            }
            candidate = self.before.get(position).copied().unwrap_or(NONE);
        }
        (best.1 >= MIN_MATCH).then_some(best)
    }
}

/// How many bytes are equal from the start.
fn equal(a: &[u8], b: &[u8]) -> usize {
    let words =
        a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0).take_while(|(a, b)| a == b).count()
            * 8;
    let tail = |bytes| <[u8]>::get(bytes, words..).unwrap_or_default().iter();
    words + tail(a).zip(tail(b)).take_while(|(a, b)| a == b).count()
}
