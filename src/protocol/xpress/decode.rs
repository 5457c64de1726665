//! Unpacking.

use super::{HEADER_SIZE, MAX_BLOCK_SIZE, WINDOW, XpressError};

/// One block of a framed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    original_size: usize,
    payload: &'a [u8],
}

impl Block<'_> {
    /// Bytes after unpacking.
    pub fn original_size(&self) -> usize {
        self.original_size
    }

    /// Bytes in the framed body, header included.
    pub fn framed_size(&self) -> usize {
        HEADER_SIZE + self.payload.len()
    }

    /// Unpacks the block to the end of `out`.
    ///
    /// # Errors
    /// [`XpressError::Damaged`].
    pub fn unpack(&self, out: &mut Vec<u8>) -> Result<(), XpressError> {
        if self.payload.len() == self.original_size {
            out.extend_from_slice(self.payload);
            return Ok(());
        }
        direct2(self.payload, self.original_size, out).ok_or(XpressError::Damaged)
    }
}

/// The blocks of a framed body; ends after the first error.
pub fn blocks(framed: &[u8]) -> impl Iterator<Item = Result<Block<'_>, XpressError>> {
    let mut rest = framed;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let block = split_block(rest);
        rest = block.as_ref().map_or(&[][..], |(_, rest)| rest);
        Some(block.map(|(block, _)| block))
    })
}

fn split_block(bytes: &[u8]) -> Result<(Block<'_>, &[u8]), XpressError> {
    let mut input = Input(bytes);
    let original_size = input.u32().ok_or(XpressError::Truncated)?;
    let size = input.u32().ok_or(XpressError::Truncated)?;
    let allowed = 1..=MAX_BLOCK_SIZE;
    if !allowed.contains(&original_size) || !allowed.contains(&size) {
        return Err(XpressError::BadSizes);
    }
    let (payload, rest) = input.0.split_at_checked(size).ok_or(XpressError::Truncated)?;
    Ok((Block { original_size, payload }, rest))
}

/// Unpacks a whole framed body of at most `limit` bytes.
///
/// # Errors
/// When it is damaged or would become larger.
pub fn decompress(framed: &[u8], limit: usize) -> Result<Vec<u8>, XpressError> {
    let mut out = Vec::new();
    for block in blocks(framed) {
        let block = block?;
        if block.original_size() > limit.saturating_sub(out.len()) {
            return Err(XpressError::TooLarge { limit });
        }
        block.unpack(&mut out)?;
    }
    Ok(out)
}

/// Unpacks a framed body that arrives in pieces, cut anywhere.
#[derive(Debug, Default)]
pub struct Unpacker {
    rest: Vec<u8>,
}

impl Unpacker {
    /// Takes the next piece and unpacks the blocks that are complete to the end of `out`.
    ///
    /// # Errors
    /// When a block is damaged.
    pub fn push(&mut self, framed: &[u8], out: &mut Vec<u8>) -> Result<(), XpressError> {
        self.rest.extend_from_slice(framed);
        let mut used = 0;
        loop {
            match split_block(self.rest.get(used..).unwrap_or_default()) {
                Ok((block, _)) => {
                    block.unpack(out)?;
                    used += block.framed_size();
                }
                Err(XpressError::Truncated) => break,
                Err(error) => return Err(error),
            }
        }
        self.rest.drain(..used);
        Ok(())
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// [`XpressError::Truncated`] when that is in the middle of a block.
    pub fn finish(self) -> Result<(), XpressError> {
        if self.rest.is_empty() { Ok(()) } else { Err(XpressError::Truncated) }
    }
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn u16(&mut self) -> Option<usize> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(usize::from(u16::from_le_bytes(*bytes)))
    }

    fn mask(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*bytes))
    }

    fn u32(&mut self) -> Option<usize> {
        self.mask().and_then(|n| usize::try_from(n).ok())
    }
}

/// [MS-WUSP] 2.1.1.1; `None` when the block is damaged.
fn direct2(payload: &[u8], original_size: usize, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let end = start + original_size;
    out.reserve(original_size);
    let mut input = Input(payload);
    let mut mask = 0;
    let mut bits = 0;
    // Two long matches share a byte: the second takes its high half.
    let mut half: Option<u8> = None;
    loop {
        if bits == 0 {
            mask = input.mask()?;
            bits = 32;
        }
        bits -= 1;
        let is_match = mask & (1 << bits) != 0;
        if is_match && input.0.is_empty() {
            return (out.len() == end).then_some(());
        }
        if !is_match {
            if out.len() == end {
                return None;
            }
            out.push(input.byte()?);
            continue;
        }
        let word = input.u16()?;
        let offset = (word >> 3) + 1;
        let length = match word & 7 {
            7 => long_length(&mut input, &mut half)?,
            short => short + 3,
        };
        debug_assert!(offset <= WINDOW, "13 bits");
        let from = out.len().checked_sub(offset).filter(|from| *from >= start)?;
        if length > end - out.len() {
            return None;
        }
        copy_back(out, from, length)?;
    }
}

fn long_length(input: &mut Input<'_>, half: &mut Option<u8>) -> Option<usize> {
    let nibble = match half.take() {
        Some(high) => high,
        None => {
            let byte = input.byte()?;
            *half = Some(byte >> 4);
            byte & 15
        }
    };
    if nibble < 15 {
        return Some(usize::from(nibble) + 10);
    }
    match input.byte()? {
        255 => input.u16().filter(|word| *word >= 22).map(|word| word + 3),
        byte => Some(usize::from(byte) + 25),
    }
}

/// Copies `length` bytes that begin at `from` to the end; they may overlap what is written.
fn copy_back(out: &mut Vec<u8>, from: usize, length: usize) -> Option<()> {
    let mut left = length;
    while left > 0 {
        // What is there repeats, so each round may copy all of it.
        let step = left.min(out.len().checked_sub(from)?);
        out.extend_from_within(from..from + step);
        left -= step;
    }
    Some(())
}
