//! A part of a report with its records left out: small, valid JSON at any moment.

use crate::error::{Place, ReadError};

/// Larger than any real header by a factor of a hundred; a bound for hostile ones.
pub(super) const MAX_SKELETON_BYTES: usize = 16 << 20;

/// JSON text copied from a report, without its records, and where each piece came from.
///
/// [`Skeleton::text`] can be taken before the part was read to its end: what is still open is
/// closed, so that a typed parser sees what is known so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Skeleton {
    text: Vec<u8>,
    /// Brackets that would close it, innermost last.
    open: Vec<u8>,
    /// (offset here, offset in the report) of each copied piece, ascending.
    pieces: Vec<(usize, u64)>,
}

impl Skeleton {
    /// The JSON text so far, closed.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = self.text.clone();
        text.extend(self.open.iter().rev());
        if text.is_empty() {
            text.extend_from_slice(b"{}");
        }
        text
    }

    /// The copied text alone, nothing closed.
    pub(super) fn into_raw(self) -> Vec<u8> {
        self.text
    }

    /// Turns an offset in [`Self::text`] into one in the report.
    pub(crate) fn offset_in_report(&self, offset: usize) -> Option<u64> {
        let index = self.pieces.partition_point(|&(here, _)| here <= offset);
        let &(here, there) = self.pieces.get(index.checked_sub(1)?)?;
        Some(there + (offset - here) as u64)
    }

    /// Opens `{` or `[`.
    pub(super) fn open(&mut self, bracket: u8) {
        self.text.push(bracket);
        self.open.push(if bracket == b'{' { b'}' } else { b']' });
    }

    /// Closes what was opened last.
    pub(super) fn close(&mut self) {
        if let Some(bracket) = self.open.pop() {
            self.text.push(bracket);
        }
    }

    /// Starts a member; `key` is the key's JSON text, quotes included.
    pub(super) fn key(&mut self, key: &[u8], offset: u64) {
        self.separate();
        self.pieces.push((self.text.len(), offset));
        self.text.extend_from_slice(key);
        self.text.push(b':');
    }

    /// Takes back what was added since `mark`, a value that turned out not to be whole.
    pub(super) fn rewind(&mut self, mark: (usize, usize)) {
        self.text.truncate(mark.0);
        self.open.truncate(mark.1);
        self.pieces.retain(|&(here, _)| here < mark.0);
    }

    /// A point to [`rewind`](Self::rewind) to.
    pub(super) fn mark(&self) -> (usize, usize) {
        (self.text.len(), self.open.len())
    }

    /// Notes that the next bytes come from `offset`.
    pub(super) fn piece(&mut self, offset: u64) {
        self.pieces.push((self.text.len(), offset));
    }

    /// Appends value text.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        if self.text.len() + bytes.len() > MAX_SKELETON_BYTES {
            let byte = self.pieces.first().map_or(0, |&(_, there)| there);
            let limit = MAX_SKELETON_BYTES >> 20;
            return Err(ReadError::TooLarge {
                what: "a benchmark's header",
                byte,
                limit,
            });
        }
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    /// Parses it as `T`, with path and offset in the report on failure. `path` is the part's own.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, ReadError> {
        let text = self.text();
        if let Err(error) = std::str::from_utf8(&text) {
            let byte = self
                .offset_in_report(error.valid_up_to())
                .unwrap_or_default();
            return Err(ReadError::InvalidUtf8 { byte });
        }
        super::typed::parse(&text, path).map_err(|failure| ReadError::Value {
            place: Place {
                byte: self.offset_in_report(failure.offset),
                path: failure.path,
            },
            message: failure.message,
        })
    }

    fn separate(&mut self) {
        if !matches!(self.text.last(), None | Some(b'{' | b'[')) {
            self.text.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_valid_json_at_any_moment() {
        let mut skeleton = Skeleton::default();
        let mut texts = vec![skeleton.text()];
        skeleton.open(b'{');
        texts.push(skeleton.text());
        skeleton.key(b"\"a\"", 10);
        skeleton.push(b"1").unwrap();
        texts.push(skeleton.text());
        skeleton.key(b"\"b\"", 20);
        skeleton.open(b'{');
        texts.push(skeleton.text());
        for text in texts {
            serde_json::from_slice::<serde_json::Value>(&text).unwrap();
        }
    }

    #[test]
    fn offsets_lead_back_to_the_report() {
        let mut skeleton = Skeleton::default();
        skeleton.open(b'{');
        skeleton.key(b"\"a\"", 100);
        skeleton.piece(200);
        skeleton.push(b"true").unwrap();
        assert_eq!(skeleton.text(), br#"{"a":true}"#);
        assert_eq!(skeleton.offset_in_report(1), Some(100));
        assert_eq!(skeleton.offset_in_report(7), Some(202));
        assert_eq!(skeleton.offset_in_report(0), None);
    }
}
