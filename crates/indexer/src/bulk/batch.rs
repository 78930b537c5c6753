//! Documents on their way, encoded once.

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use uuid::Uuid;

use super::{BulkOptions, Kind, Operation};
use crate::cluster::Body;

/// A document of a batch.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Where it goes.
    pub(super) index: Arc<str>,
    pub(super) kind: Kind,
    pub(super) id: Uuid,
    /// Its action and itself, two lines.
    lines: Range<usize>,
    /// Itself alone.
    document: Range<usize>,
}

/// Documents that are sent together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    pub(super) entries: Vec<Entry>,
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

impl Batch {
    /// Adds a document.
    pub(super) fn add(
        &mut self,
        operation: Operation,
        index: &Arc<str>,
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
        let document_start = self.text.len();
        if let Err(error) = serde_json::to_writer(&mut self.text, document) {
            self.text.truncate(start);
            return Err(error);
        }
        let document = document_start..self.text.len();
        self.text.push(b'\n');
        self.entries.push(Entry {
            index: Arc::clone(index),
            kind,
            id,
            lines: start..self.text.len(),
            document,
        });
        Ok(())
    }

    /// Adds all documents of another batch.
    pub(super) fn append(&mut self, other: &Self) {
        let start = self.text.len();
        let moved = |range: &Range<usize>| start + range.start..start + range.end;
        self.text.extend_from_slice(&other.text);
        self.entries.extend(other.entries.iter().map(|entry| Entry {
            lines: moved(&entry.lines),
            document: moved(&entry.document),
            ..entry.clone()
        }));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_full(&self, options: &BulkOptions) -> bool {
        self.entries.len() >= options.batch_documents || self.text.len() >= options.batch_bytes
    }

    /// The body that sends some of its documents.
    pub(super) fn body(&self, pending: &[usize], gzip: bool) -> std::io::Result<Body> {
        let lines = |index: &usize| {
            let entry = self.entries.get(*index);
            entry.and_then(|entry| self.text.get(entry.lines.clone()))
        };
        let all = pending.len() == self.entries.len();
        let text = if all {
            Cow::Borrowed(self.text.as_slice())
        } else {
            Cow::Owned(
                pending
                    .iter()
                    .filter_map(lines)
                    .collect::<Vec<_>>()
                    .concat(),
            )
        };
        let bytes = if gzip {
            let mut encoder =
                GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
            encoder.write_all(&text)?;
            encoder.finish()?
        } else {
            text.into_owned()
        };
        Ok(Body {
            bytes: bytes.into(),
            content_type: "application/x-ndjson",
            gzip,
        })
    }

    /// A document as JSON text.
    pub(super) fn document(&self, entry: &Entry) -> &[u8] {
        self.text.get(entry.document.clone()).unwrap_or_default()
    }
}
