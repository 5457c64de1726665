//! What stands in the blocks of a Deflate stream: which codes they define. [RFC 1951]

/// Reads bits, least significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> usize {
        let bit = self.bytes[self.at / 8] >> (self.at % 8) & 1;
        self.at += 1;
        bit.into()
    }

    fn number(&mut self, bits: usize) -> usize {
        (0..bits).map(|place| self.bit() << place).sum()
    }

    /// The symbol of a canonical code with these lengths.
    fn symbol(&mut self, lengths: &[usize]) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for length in 1..16 {
            code |= self.bit();
            let of_length = lengths.iter().filter(|one| **one == length).count();
            if code < first + of_length {
                let mut symbols = (0..lengths.len()).filter(|at| lengths[*at] == length);
                return symbols.nth(code - first).unwrap();
            }
            index += of_length;
            first = (first + of_length) << 1;
            code <<= 1;
        }
        panic!("no code after {index} symbols");
    }
}

/// How many codes for distances each block with codes of its own defines.
pub(crate) fn distance_codes(stream: &[u8]) -> Vec<usize> {
    let mut bits = Bits { bytes: stream, at: 0 };
    let mut found = Vec::new();
    loop {
        let last = bits.bit() == 1;
        match bits.number(2) {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let length = bits.number(16);
                bits.at += 16 + length * 8;
            }
            1 => {
                let fixed = |at| match at {
                    0..144 => 8,
                    144..256 => 9,
                    256..280 => 7,
                    _ => 8,
                };
                let literals: Vec<usize> = (0..288).map(fixed).collect();
                pass_over(&mut bits, &literals, &[5; 30]);
            }
            2 => {
                let (literals, distances) = codes(&mut bits);
                found.push(distances.iter().filter(|length| **length > 0).count());
                pass_over(&mut bits, &literals, &distances);
            }
            _ => panic!("no kind of block"),
        }
        if last {
            return found;
        }
    }
}

/// The lengths of the codes that a block defines: for literals and lengths, and for distances.
fn codes(bits: &mut Bits<'_>) -> (Vec<usize>, Vec<usize>) {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.number(5) + 257, bits.number(5) + 1);
    let given = bits.number(4) + 4;
    let mut outer = [0; 19];
    for place in &ORDER[..given] {
        outer[*place] = bits.number(3);
    }
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        match bits.symbol(&outer) {
            16 => {
                let (times, last) = (3 + bits.number(2), *lengths.last().unwrap());
                lengths.resize(lengths.len() + times, last);
            }
            17 => {
                let times = 3 + bits.number(3);
                lengths.resize(lengths.len() + times, 0);
            }
            18 => {
                let times = 11 + bits.number(7);
                lengths.resize(lengths.len() + times, 0);
            }
            length => lengths.push(length),
        }
    }
    let distances = lengths.split_off(literals);
    (lengths, distances)
}

/// To the end of a block.
fn pass_over(bits: &mut Bits<'_>, literals: &[usize], distances: &[usize]) {
    loop {
        match bits.symbol(literals) {
            256 => return,
            symbol @ 257.. => {
                let extra = match symbol {
                    257..265 | 285 => 0,
                    _ => (symbol - 261) / 4,
                };
                bits.at += extra;
                let distance = bits.symbol(distances);
                bits.at += (distance / 2).saturating_sub(1);
            }
            _ => {}
        }
    }
}
