//! Finds the records of a list in blocks of text.

use super::cursor::is_blank;
use super::structure::{StringState, bits, step_at};
use crate::error::ReadError;

/// The scan of one list of records. Offsets are in the current block.
#[derive(Default)]
pub(super) struct ListScan {
    state: StringState,
    /// 0 between records.
    depth: u64,
    /// Up to where brackets were looked for.
    pub(super) scanned: usize,
    /// Start of the record that is open.
    pub(super) start: Option<usize>,
    /// End of the last record, or of the list's `[`.
    pub(super) gap: usize,
    pub(super) ranges: Vec<std::ops::Range<usize>>,
    /// Whole records found so far in the list.
    pub(super) count: u64,
}

impl ListScan {
    /// Of a list whose `[` ends at `start`.
    pub(super) fn after(start: usize) -> Self {
        Self {
            scanned: start,
            gap: start,
            ..Self::default()
        }
    }

    /// Looks through the block from where the last call stopped. Returns the offset after the
    /// list's `]`, or `None` if it is not in this block.
    pub(super) fn scan(
        &mut self,
        block: &[u8],
        ended: bool,
        base: u64,
    ) -> Result<Option<usize>, ReadError> {
        while let Some((step, length)) = step_at(block, self.scanned, ended) {
            let at = self.scanned;
            let brackets = self.state.brackets(&step);
            self.scanned += length;
            if brackets.is_empty() {
                continue;
            }
            let closes = u64::from(brackets.close.count_ones());
            if self.depth > closes {
                self.depth = self.depth + u64::from(brackets.open.count_ones()) - closes;
                continue;
            }
            for (bit, opens) in bits(brackets) {
                if let Some(end) = self.bracket(block, at + bit, opens, base)? {
                    return Ok(Some(end));
                }
            }
        }
        Ok(None)
    }

    fn bracket(
        &mut self,
        block: &[u8],
        index: usize,
        opens: bool,
        base: u64,
    ) -> Result<Option<usize>, ReadError> {
        match (opens, self.depth) {
            (true, 0) => {
                let wanted = if self.count == 0 {
                    Gap::First
                } else {
                    Gap::Between
                };
                self.check_gap(block, index, wanted, base)?;
                self.start = Some(index);
                self.depth = 1;
            }
            (true, _) => self.depth += 1,
            (false, 0) => {
                self.check_gap(block, index, Gap::Last, base)?;
                return Ok(Some(index + 1));
            }
            (false, 1) => {
                self.depth = 0;
                self.count += 1;
                self.gap = index + 1;
                let start = self.start.take().unwrap_or(index);
                self.ranges.push(start..self.gap);
            }
            (false, _) => self.depth -= 1,
        }
        Ok(None)
    }

    /// What stands between two records must be one comma and blanks; and the bracket after it
    /// must be the right one.
    fn check_gap(
        &self,
        block: &[u8],
        index: usize,
        wanted: Gap,
        base: u64,
    ) -> Result<(), ReadError> {
        let mut commas = 0;
        for (offset, &byte) in block.iter().enumerate().take(index).skip(self.gap) {
            match byte {
                b',' if commas == 0 && wanted == Gap::Between => commas = 1,
                byte if is_blank(byte) => {}
                byte => return Err(stray(base + offset as u64, byte, wanted)),
            }
        }
        let byte = block.get(index).copied().unwrap_or_default();
        let fits = byte == if wanted == Gap::Last { b']' } else { b'{' };
        if fits && (commas == 1) == (wanted == Gap::Between) {
            return Ok(());
        }
        Err(stray(base + index as u64, byte, wanted))
    }

    /// The block now begins at what was `keep`.
    pub(super) fn moved(&mut self, keep: usize) {
        self.scanned -= keep;
        self.gap = self.gap.saturating_sub(keep);
        self.start = self.start.map(|start| start - keep);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    First,
    Between,
    Last,
}

fn stray(byte: u64, found: u8, wanted: Gap) -> ReadError {
    let expected = match wanted {
        Gap::First => "a record (an object) or the end of the list",
        Gap::Between => "`,` and a record (an object)",
        Gap::Last => "`,` and a record (an object), or the end of the list",
    };
    ReadError::Syntax {
        byte,
        expected,
        found: format!("`{}`", found.escape_ascii()),
    }
}
