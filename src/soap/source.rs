//! A message that comes piece by piece, as UTF-8 whichever of the two encodings it is in.

use std::io::{self, BufRead, Chain, Cursor, Read};

use crate::encoding::{CUT, HALF, UnitReader, utf16};

/// Bytes of UTF-16 that are turned into UTF-8 at one time.
const AT_ONCE: usize = 8192;

/// Passes UTF-8 on as it is, and turns UTF-16 into UTF-8.
pub(super) struct MessageSource<R> {
    source: Chain<Cursor<Vec<u8>>, R>,
    /// `None` for UTF-8.
    unit: Option<UnitReader>,
    text: String,
    /// How much of the text was taken.
    taken: usize,
    /// The first byte of a unit whose second has not come.
    odd: Option<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    wrong: Option<&'static str>,
}

impl<R: BufRead> MessageSource<R> {
    /// Looks at the first two bytes.
    pub(super) fn new(mut source: R) -> io::Result<Self> {
        let mut first = Vec::with_capacity(2);
        source.by_ref().take(2).read_to_end(&mut first)?;
        let found = utf16(&first);
        if let Some((_, mark)) = found {
            first.drain(..mark);
        }
        Ok(Self {
            source: Cursor::new(first).chain(source),
            unit: found.map(|(unit, _)| unit),
            text: String::new(),
            taken: 0,
            odd: None,
            high: None,
            wrong: None,
        })
    }

    pub(super) fn is_utf16(&self) -> bool {
        self.unit.is_some()
    }

    /// What is wrong with the UTF-16, after reading has failed for that.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        self.wrong
    }

    /// Decodes until there is text, or the source ends.
    fn decode(&mut self, unit: UnitReader) -> io::Result<()> {
        self.text.clear();
        self.taken = 0;
        while self.text.is_empty() {
            let bytes = self.source.fill_buf()?;
            if bytes.is_empty() {
                return match (self.odd, self.high) {
                    (None, None) => Ok(()),
                    _ => Err(self.fail(CUT)),
                };
            }
            let bytes: Vec<u8> = bytes.iter().take(AT_ONCE).copied().collect();
            self.source.consume(bytes.len());
            for byte in bytes {
                let Some(first) = self.odd.take() else {
                    self.odd = Some(byte);
                    continue;
                };
                self.push(unit([first, byte]))?;
            }
        }
        Ok(())
    }

    fn push(&mut self, unit: u16) -> io::Result<()> {
        let is_high = (0xd800..0xdc00).contains(&unit);
        let units = match self.high.take() {
            None if is_high => {
                self.high = Some(unit);
                return Ok(());
            }
            high => high.into_iter().chain([unit]),
        };
        for character in char::decode_utf16(units) {
            match character {
                Ok(character) => self.text.push(character),
                Err(_) => return Err(self.fail(HALF)),
            }
        }
        Ok(())
    }

    fn fail(&mut self, what: &'static str) -> io::Error {
        self.wrong = Some(what);
        io::Error::new(io::ErrorKind::InvalidData, what)
    }
}

impl<R: BufRead> Read for MessageSource<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for MessageSource<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let Some(unit) = self.unit else { return self.source.fill_buf() };
        if self.taken >= self.text.len() {
            self.decode(unit)?;
        }
        Ok(self.text.as_bytes().get(self.taken..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        match self.unit {
            Some(_) => self.taken = self.taken.saturating_add(amount),
            None => self.source.consume(amount),
        }
    }
}
