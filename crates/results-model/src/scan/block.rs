//! Blocks of a report's text, filled once and then shared with the parsing threads.

use std::io::{self, ErrorKind, Read};
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes read at once: small enough for several to stay in cache between reading and parsing.
pub(super) const BLOCK_BYTES: usize = 512 << 10;

/// Some of a report's text, in a buffer that may be larger.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Initialised once; a block that is filled again need not be cleared.
    buffer: Vec<u8>,
    filled: usize,
}

impl Block {
    /// Appends `bytes`; there must be room for them.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        if let Some(room) = self.buffer.get_mut(self.filled..end) {
            room.copy_from_slice(bytes);
            self.filled = end;
        }
    }

    /// Appends up to `want` bytes of `input`; fewer only if it ends.
    pub(super) fn read(&mut self, input: &mut dyn Read, want: usize) -> io::Result<usize> {
        let before = self.filled;
        while self.filled - before < want {
            let room = self.buffer.get_mut(self.filled..before + want);
            match input.read(room.unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.filled - before)
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }
}

/// Blocks to fill again, so that steady reading allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct BlockPool {
    free: Mutex<Vec<Block>>,
}

impl BlockPool {
    /// Spare blocks worth keeping; more than are ever in flight on a two-core machine.
    const SPARE: usize = 16;

    /// An empty block with room for `capacity` bytes.
    pub(super) fn take(&self, capacity: usize) -> Block {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut block = free.pop().unwrap_or_default();
        drop(free);
        block.filled = 0;
        if block.buffer.len() < capacity {
            // A new one comes zeroed from the kernel; resizing would write each zero.
            block.buffer = vec![0; capacity.next_multiple_of(BLOCK_BYTES)];
        }
        block
    }

    /// Takes back a block; its last user's call makes it free.
    pub(crate) fn give(&self, block: Arc<Block>) {
        let Some(block) = Arc::into_inner(block) else {
            return;
        };
        // A block that grew for one huge record is not kept for small ones.
        if block.buffer.len() > 4 * BLOCK_BYTES {
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
    pub(crate) block: Arc<Block>,
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
