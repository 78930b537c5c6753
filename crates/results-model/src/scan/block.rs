//! Blocks of a report's text, filled once and then shared with the parsing threads.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes read at once: small enough for several to stay in cache between reading and parsing.
pub(super) const BLOCK_BYTES: usize = 512 << 10;

/// Blocks to fill again, so that steady reading allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct BlockPool {
    free: Mutex<Vec<Vec<u8>>>,
}

impl BlockPool {
    /// Spare blocks worth keeping; more than are ever in flight on a two-core machine.
    const SPARE: usize = 16;

    pub(super) fn take(&self, capacity: usize) -> Vec<u8> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut block = free.pop().unwrap_or_default();
        drop(free);
        block.clear();
        block.reserve(capacity);
        block
    }

    /// Takes back a block; its last user's call makes it free.
    pub(crate) fn give(&self, block: Arc<Vec<u8>>) {
        let Some(block) = Arc::into_inner(block) else {
            return;
        };
        // A block that grew for one huge record is not kept for small ones.
        if block.capacity() > 4 * BLOCK_BYTES {
            return;
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < Self::SPARE {
            free.push(block);
        }
    }
}

/// Whole records of one list, in a shared block.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    /// The text that they are in.
    pub(crate) block: Arc<Vec<u8>>,
    /// Offset of the block in the report.
    pub(crate) base: u64,
    /// Where each record is in the block.
    pub(crate) ranges: Vec<Range<usize>>,
    /// Position of the first of them in its list.
    pub(crate) first_index: u64,
}

impl Records {
    /// Each record's text, its position in its list, and its offset in the report.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64, u64)> {
        self.ranges
            .iter()
            .zip(self.first_index..)
            .map(|(range, index)| {
                let text = self.block.get(range.clone()).unwrap_or_default();
                (text, index, self.base + range.start as u64)
            })
    }
}
