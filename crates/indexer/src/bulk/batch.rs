//! Documents that are sent together, encoded once.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use guidellm_results_model::documents::Timestamp;
use memchr::memchr_iter;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BulkOptions, Kind, Operation};
use crate::cluster::Body;

/// Documents that are being put together: for each its action and itself, a line each.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    kinds: Vec<Kind>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Action<'a> {
    Index(Target<'a>),
    Create(Target<'a>),
}

#[derive(Serialize)]
struct Target<'a> {
    #[serde(rename = "_index")]
    index: &'a str,
    #[serde(rename = "_id")]
    id: Uuid,
}

/// A document with the member that a data stream asks for.
#[derive(Serialize)]
pub(crate) struct Stamped<'a, T: ?Sized> {
    #[serde(rename = "@timestamp")]
    pub(crate) timestamp: Timestamp,
    #[serde(flatten)]
    pub(crate) document: &'a T,
}

impl Batch {
    /// Adds a document that has a time, which a data stream asks for.
    pub(super) fn add_at(
        &mut self,
        options: &BulkOptions,
        kind: Kind,
        id: Uuid,
        timestamp: Timestamp,
        document: &(impl Serialize + ?Sized),
    ) -> serde_json::Result<()> {
        let (operation, index) = (options.operation, options.index_of(kind));
        match operation {
            Operation::Index => self.add(operation, index, kind, id, document),
            Operation::Create => {
                let stamped = Stamped {
                    timestamp,
                    document,
                };
                self.add(operation, index, kind, id, &stamped)
            }
        }
    }

    /// Adds a document.
    pub(super) fn add(
        &mut self,
        operation: Operation,
        index: &str,
        kind: Kind,
        id: Uuid,
        document: &(impl Serialize + ?Sized),
    ) -> serde_json::Result<()> {
        let start = self.text.len();
        let target = Target { index, id };
        let action = match operation {
            Operation::Index => Action::Index(target),
            Operation::Create => Action::Create(target),
        };
        serde_json::to_writer(&mut self.text, &action)?;
        self.text.push(b'\n');
        if let Err(error) = serde_json::to_writer(&mut self.text, document) {
            self.text.truncate(start);
            return Err(error);
        }
        self.text.push(b'\n');
        self.kinds.push(kind);
        Ok(())
    }

    /// Adds all documents of another batch.
    pub(super) fn append(&mut self, other: &Self) {
        self.text.extend_from_slice(&other.text);
        self.kinds.extend_from_slice(&other.kinds);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    pub(super) fn is_full(&self, options: &BulkOptions) -> bool {
        self.kinds.len() >= options.batch_documents || self.text.len() >= options.batch_bytes
    }

    /// What its documents are of.
    pub(super) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Makes it ready to be sent, and is empty then.
    pub(super) fn pack(&mut self, gzip: bool) -> io::Result<Packed> {
        let packed = Packed::new(
            encode(&self.text, gzip)?,
            std::mem::take(&mut self.kinds),
            gzip,
        );
        self.text.clear();
        Ok(packed)
    }
}

fn encode(text: &[u8], gzip: bool) -> io::Result<Vec<u8>> {
    if !gzip {
        return Ok(text.to_vec());
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
}

/// Documents on their way.
#[derive(Debug)]
pub(super) struct Packed {
    bytes: Body,
    /// Of each document.
    pub(super) kinds: Vec<Kind>,
    /// What is in it, once somebody had to know.
    lines: OnceLock<Lines>,
}

#[derive(Debug)]
struct Lines {
    text: Vec<u8>,
    /// Of each document its action and itself, without the line feeds.
    places: Vec<(Range<usize>, Range<usize>)>,
}

/// A document of a batch.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Where it goes.
    pub(super) index: String,
    pub(super) operation: Operation,
    pub(super) id: Uuid,
    pub(super) kind: Kind,
    pub(super) document: &'a [u8],
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sent {
    Index(SentTo),
    Create(SentTo),
}

#[derive(Deserialize)]
struct SentTo {
    #[serde(rename = "_index")]
    index: String,
    #[serde(rename = "_id")]
    id: Uuid,
}

impl Packed {
    /// From what [`Self::bytes`] of another one gave.
    pub(super) fn new(bytes: Vec<u8>, kinds: Vec<Kind>, gzip: bool) -> Self {
        Self {
            bytes: Body {
                bytes: bytes.into(),
                content_type: "application/x-ndjson",
                gzip,
            },
            kinds,
            lines: OnceLock::new(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes.bytes
    }

    /// The body that sends some of its documents.
    pub(super) fn body(&self, pending: &[usize]) -> io::Result<Body> {
        if pending.len() == self.kinds.len() {
            return Ok(self.bytes.clone());
        }
        let Lines { text, places } = self.lines()?;
        let mut some = Vec::new();
        for (action, document) in pending.iter().filter_map(|index| places.get(*index)) {
            // Both lines, and their line feeds.
            some.extend_from_slice(text.get(action.start..=document.end).unwrap_or_default());
        }
        Ok(Body {
            bytes: encode(&some, self.bytes.gzip)?.into(),
            ..self.bytes.clone()
        })
    }

    /// A document of it.
    pub(super) fn entry(&self, index: usize) -> io::Result<Entry<'_>> {
        let Lines { text, places } = self.lines()?;
        let part = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let place = places.get(index).zip(self.kinds.get(index));
        let ((action, document), kind) = place.ok_or(io::ErrorKind::InvalidData)?;
        let (operation, to) = match serde_json::from_slice(part(action))? {
            Sent::Index(to) => (Operation::Index, to),
            Sent::Create(to) => (Operation::Create, to),
        };
        Ok(Entry {
            index: to.index,
            operation,
            id: to.id,
            kind: *kind,
            document: part(document),
        })
    }

    fn lines(&self) -> io::Result<&Lines> {
        if let Some(lines) = self.lines.get() {
            return Ok(lines);
        }
        let mut text = Vec::new();
        if self.bytes.gzip {
            GzDecoder::new(self.bytes()).read_to_end(&mut text)?;
        } else {
            text.extend_from_slice(self.bytes());
        }
        let mut places = Vec::with_capacity(self.kinds.len());
        let (mut start, mut action) = (0, None);
        // JSON text has no line feed in it as it is written here.
        for end in memchr_iter(b'\n', &text) {
            match action.take() {
                None => action = Some(start..end),
                Some(action) => places.push((action, start..end)),
            }
            start = end + 1;
        }
        Ok(self.lines.get_or_init(|| Lines { text, places }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_packed_can_be_told_apart_again() {
        let documents: Vec<_> = (0..50)
            .map(|n| json!({ "n": n, "text": "a\nb \"c\"" }))
            .collect();
        for (operation, gzip) in [(Operation::Index, true), (Operation::Create, false)] {
            let mut batch = Batch::default();
            for (n, document) in (0..).zip(&documents) {
                let kind = if n == 0 { Kind::Summary } else { Kind::Request };
                let id = Uuid::from_u128(n);
                batch
                    .add(operation, "an \"index\"", kind, id, document)
                    .unwrap();
            }
            let packed = batch.pack(gzip).unwrap();
            assert!(batch.is_empty());
            for (n, document) in documents.iter().enumerate() {
                let entry = packed.entry(n).unwrap();
                assert_eq!(
                    (entry.index.as_str(), entry.id.as_u128()),
                    ("an \"index\"", n as u128)
                );
                assert_eq!(entry.kind == Kind::Summary, n == 0);
                let read: serde_json::Value = serde_json::from_slice(entry.document).unwrap();
                assert_eq!(&read, document);
            }
            let some = packed.body(&[3, 7]).unwrap();
            let kinds = vec![Kind::Request; 2];
            let some = Packed::new(some.bytes.to_vec(), kinds, gzip);
            let ids = [0, 1].map(|n| some.entry(n).unwrap().id.as_u128());
            assert_eq!(ids, [3, 7]);
            assert!(some.entry(2).is_err());
        }
    }
}
