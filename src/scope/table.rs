//! Rows of integers in one allocation.

/// For each row a list of integers; rows are added in order.
#[derive(Debug, Clone)]
pub(super) struct Table {
    starts: Vec<u32>,
    values: Vec<u32>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { starts: vec![0], values: Vec::new() }
    }

    /// Turns `(row, value)` pairs into a table of `rows` rows.
    pub(super) fn from_pairs(rows: usize, mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let mut table = Self::new();
        let mut pairs = pairs.into_iter().peekable();
        for row in 0..index(rows) {
            let mut values = Vec::new();
            while let Some((_, value)) = pairs.next_if(|(r, _)| *r == row) {
                values.push(value);
            }
            table.push(&values);
        }
        table
    }

    pub(super) fn push(&mut self, values: &[u32]) {
        self.values.extend_from_slice(values);
        self.starts.push(index(self.values.len()));
    }

    /// A row; one that does not exist is empty.
    pub(super) fn row(&self, row: u32) -> &[u32] {
        let at = row as usize;
        let (Some(start), Some(end)) = (self.starts.get(at), self.starts.get(at + 1)) else {
            return &[];
        };
        self.values.get(*start as usize..*end as usize).unwrap_or_default()
    }

    pub(super) fn rows(&self) -> usize {
        self.starts.len() - 1
    }
}

/// A position as our tables keep it. More than four thousand million of anything do not exist: the
/// revision ids themselves have 32 bits.
pub(super) fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
