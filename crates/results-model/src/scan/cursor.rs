//! Moves through a report's text once, from front to back, in bounded memory.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use super::block::{BLOCK_BYTES, Block, BlockPool, Records};
use super::list::ListScan;
use super::skeleton::Skeleton;
use super::structure::{StringState, end_of_container};
use crate::error::ReadError;

/// Largest record read: some hundred times a request with a long prompt, and still a quarter of
/// the memory that reading may take.
const MAX_RECORD_BYTES: usize = 32 << 20;

/// A position in a report's text.
pub(crate) struct Cursor<'a> {
    input: &'a mut dyn Read,
    pool: &'a BlockPool,
    block: Arc<Block>,
    position: usize,
    /// Offset of `block` in the text.
    base: u64,
    ended: bool,
    /// The input ended where its compression did not.
    cut: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a mut dyn Read, pool: &'a BlockPool) -> Self {
        Self {
            input,
            pool,
            block: Arc::default(),
            position: 0,
            base: 0,
            ended: false,
            cut: false,
        }
    }

    /// Offset of the next byte in the text.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.position as u64
    }

    /// The next byte that is not white space, without taking it; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            let rest = self.block.get(self.position..).unwrap_or_default();
            if let Some(index) = rest.iter().position(|byte| !is_blank(*byte)) {
                self.position += index;
                return Ok(rest.get(index).copied());
            }
            self.position = self.block.len();
            if !self.fill(self.position)? {
                return Ok(None);
            }
        }
    }

    /// Skips a UTF-8 byte order mark at the very front.
    pub(crate) fn skip_byte_order_mark(&mut self) -> Result<(), ReadError> {
        self.fill(0)?;
        if self.block.starts_with(b"\xEF\xBB\xBF") {
            self.position = 3;
        }
        Ok(())
    }

    /// Takes `byte`, or fails.
    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), ReadError> {
        if self.peek()? == Some(byte) {
            self.position += 1;
            return Ok(());
        }
        Err(self.unexpected(expected))
    }

    /// Takes `byte` if it is next.
    pub(crate) fn take(&mut self, byte: u8) -> Result<bool, ReadError> {
        let found = self.peek()? == Some(byte);
        self.position += usize::from(found);
        Ok(found)
    }

    /// Nothing but white space may follow.
    pub(crate) fn expect_end(&mut self) -> Result<(), ReadError> {
        match self.peek()? {
            None if self.cut => Err(self.truncated("the compressed stream")),
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end of the file")),
        }
    }

    /// The next token is not what the grammar wants.
    pub(crate) fn unexpected(&self, expected: &'static str) -> ReadError {
        let Some(&byte) = self.block.get(self.position) else {
            return self.truncated(expected);
        };
        let found = if byte.is_ascii_graphic() {
            format!("`{}`", char::from(byte))
        } else {
            format!("byte 0x{byte:02x}")
        };
        ReadError::Syntax {
            byte: self.offset(),
            expected,
            found,
        }
    }

    /// The text ends here, but the report does not.
    pub(crate) fn truncated(&self, inside: &str) -> ReadError {
        ReadError::Truncated {
            byte: self.base + self.block.len() as u64,
            inside: inside.to_owned(),
        }
    }

    /// The text ends before it begins: of a compressed one, the first block may be cut.
    pub(crate) fn nothing(&self) -> ReadError {
        if self.cut {
            self.truncated("the compressed stream")
        } else {
            ReadError::Empty
        }
    }

    /// Takes a member's key and its colon; returns the key's JSON text, quotes included.
    pub(crate) fn key(&mut self) -> Result<Vec<u8>, ReadError> {
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected("a key"));
        }
        let mut key = Skeleton::default();
        self.string(&mut key)?;
        self.expect(b':', "`:`")?;
        Ok(key.into_raw())
    }

    /// Takes one value and copies its text.
    pub(crate) fn value(&mut self, copy: &mut Skeleton) -> Result<(), ReadError> {
        let first = self.peek()?;
        copy.piece(self.offset());
        match first {
            None => Err(self.truncated("a member")),
            Some(b'{' | b'[') => self.container(copy),
            Some(b'"') => self.string(copy),
            Some(_) => self.scalar(copy),
        }
    }

    fn container(&mut self, copy: &mut Skeleton) -> Result<(), ReadError> {
        let mut state = StringState::default();
        let mut depth = 0;
        loop {
            let rest = self.block.get(self.position..).unwrap_or_default();
            let (used, closed) = end_of_container(rest, self.ended, &mut state, &mut depth);
            copy.push(rest.get(..used).unwrap_or_default())?;
            self.position += used;
            if closed {
                return Ok(());
            }
            if !self.fill(self.position)? && self.position == self.block.len() {
                return Err(self.truncated("an object or a list"));
            }
        }
    }

    fn string(&mut self, copy: &mut Skeleton) -> Result<(), ReadError> {
        copy.push(b"\"")?;
        self.position += 1;
        let mut escaped = false;
        loop {
            let rest = self.block.get(self.position..).unwrap_or_default();
            let end = if escaped {
                Some(0)
            } else {
                memchr::memchr2(b'"', b'\\', rest)
            };
            let Some(end) = end.filter(|end| *end < rest.len()) else {
                copy.push(rest)?;
                self.position = self.block.len();
                if !self.fill(self.position)? {
                    return Err(self.truncated("a string"));
                }
                continue;
            };
            copy.push(rest.get(..=end).unwrap_or_default())?;
            let closing = !escaped && rest.get(end) == Some(&b'"');
            escaped = !escaped && rest.get(end) == Some(&b'\\');
            self.position += end + 1;
            if closing {
                return Ok(());
            }
        }
    }

    fn scalar(&mut self, copy: &mut Skeleton) -> Result<(), ReadError> {
        let start = self.offset();
        loop {
            let rest = self.block.get(self.position..).unwrap_or_default();
            let length = rest.iter().position(|byte| ends_scalar(*byte));
            copy.push(rest.get(..length.unwrap_or(rest.len())).unwrap_or_default())?;
            self.position += length.unwrap_or(rest.len());
            if length.is_some() {
                break;
            }
            if !self.fill(self.position)? {
                return Err(self.truncated("a number or a literal"));
            }
        }
        if self.offset() == start {
            Err(self.unexpected("a value"))
        } else {
            Ok(())
        }
    }

    /// Takes the rest of a list whose `[` is taken, and hands out its elements, all objects, a
    /// block at a time.
    pub(crate) fn records(
        &mut self,
        emit: &mut dyn FnMut(Records) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut list = ListScan::after(self.position);
        loop {
            let found = list.scan(&self.block, self.ended, self.base);
            if !list.ranges.is_empty() {
                let ranges = std::mem::take(&mut list.ranges);
                ranges
                    .iter()
                    .try_for_each(|range| self.check_record(range.clone()))?;
                let first_index = list.count - ranges.len() as u64;
                let block = Arc::clone(&self.block);
                emit(Records {
                    block,
                    base: self.base,
                    ranges,
                    first_index,
                })?;
            }
            if let Some(end) = found? {
                self.position = end;
                return Ok(());
            }
            let keep = list.start.unwrap_or(list.gap);
            self.check_record(keep..self.block.len())?;
            let grown = self.fill(keep)?;
            list.moved(keep);
            if !grown && list.scanned >= self.block.len() {
                return Err(self.truncated("a list of requests"));
            }
        }
    }

    fn check_record(&self, record: std::ops::Range<usize>) -> Result<(), ReadError> {
        if record.len() <= MAX_RECORD_BYTES {
            return Ok(());
        }
        Err(ReadError::TooLarge {
            what: "a record",
            byte: self.base + record.start as u64,
            limit: MAX_RECORD_BYTES >> 20,
        })
    }

    /// Reads on, keeping the block's bytes from `keep` on. False if the input has ended.
    fn fill(&mut self, keep: usize) -> Result<bool, ReadError> {
        let kept = self.block.get(keep..).unwrap_or_default();
        // Twice as much each time, up to the largest record and a little.
        let most = (MAX_RECORD_BYTES + BLOCK_BYTES).saturating_sub(kept.len());
        let want = kept.len().min(most).max(BLOCK_BYTES);
        let mut next = self.pool.take(kept.len() + want);
        next.push(kept);
        let before = next.len();
        if !self.ended {
            match next.read(self.input, want) {
                Ok(count) => self.ended = count < want,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    (self.ended, self.cut) = (true, true);
                }
                Err(error) => return Err(read_error(error)),
            }
        }
        let grown = next.len() > before;
        self.base += keep as u64;
        self.position = 0;
        self.pool
            .give(std::mem::replace(&mut self.block, Arc::new(next)));
        Ok(grown)
    }
}

/// The inputs below wrap their own [`ReadError`]s to pass through [`Read`].
fn read_error(error: io::Error) -> ReadError {
    error.downcast::<ReadError>().unwrap_or_else(ReadError::Io)
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn ends_scalar(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a list, whose `[` is left out, and what follows it.
    fn records(text: &[u8]) -> Result<(Vec<String>, Option<u8>), ReadError> {
        let pool = BlockPool::default();
        let mut input = text;
        let mut cursor = Cursor::new(&mut input, &pool);
        let mut found: Vec<String> = Vec::new();
        cursor.records(&mut |records| {
            for (record, index, offset) in records.iter() {
                assert_eq!(index, found.len() as u64);
                assert!(text[usize::try_from(offset).unwrap()..].starts_with(record));
                found.push(String::from_utf8(record.to_vec()).unwrap());
            }
            Ok(())
        })?;
        let next = cursor.peek()?;
        Ok((found, next))
    }

    #[test]
    fn records_come_whole_whatever_is_in_them() {
        let text = br#" {"a": "]}"} ,{"b": [{}, "\""]}, {} ] ,"#;
        let (found, next) = records(text).unwrap();
        assert_eq!(found, [r#"{"a": "]}"}"#, r#"{"b": [{}, "\""]}"#, "{}"]);
        assert_eq!(next, Some(b','));
        assert_eq!(records(b"]").unwrap(), (Vec::new(), None));
    }

    #[test]
    fn a_record_may_span_several_blocks() {
        let long = format!(r#"{{"prompt": "{}"}}"#, "x".repeat(3 * BLOCK_BYTES));
        let text = format!("{{}}, {long}, {long}, {{}}]");
        let (found, _) = records(text.as_bytes()).unwrap();
        assert_eq!(found.len(), 4);
        assert!(found[1] == long && found[2] == long);
    }

    #[test]
    fn a_record_beyond_any_sense_is_refused() {
        let text = format!(r#"{{}}, {{"prompt": "{}"}}]"#, "x".repeat(MAX_RECORD_BYTES));
        let error = records(text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ReadError::TooLarge { byte: 4, .. }),
            "{error}"
        );
    }

    #[test]
    fn what_stands_between_records_is_told_with_its_place() {
        for (text, byte) in [
            ("{} {}]", 3),
            ("{},, {}]", 3),
            ("{}, ]", 2),
            ("1, {}]", 0),
            ("{}, [1]]", 4),
            ("{} x]", 3),
        ] {
            match records(text.as_bytes()) {
                Err(ReadError::Syntax { byte: found, .. }) => assert_eq!(found, byte, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        for text in ["", "{", "{}", "{},", r#"{"a": "]"#] {
            let error = records(text.as_bytes()).unwrap_err();
            assert!(error.is_truncation(), "{text}: {error}");
        }
    }

    #[test]
    fn values_and_keys_are_copied_as_they_are() {
        let pool = BlockPool::default();
        let text = br#" "k\"ey" : {"a": [1, "}"]} , -1.5e3,"s" "#;
        let mut input = &text[..];
        let mut cursor = Cursor::new(&mut input, &pool);
        assert_eq!(cursor.key().unwrap(), br#""k\"ey""#);
        for expected in [&br#"{"a": [1, "}"]}"#[..], b"-1.5e3", br#""s""#] {
            let mut copy = Skeleton::default();
            cursor.value(&mut copy).unwrap();
            assert_eq!(copy.into_raw(), expected);
            cursor.take(b',').unwrap();
        }
        cursor.expect_end().unwrap();
    }
}
