//! A report's documents on their way to a server.

use std::io::{Read, Seek, Write};

use anyhow::{Context, Result};
use guidellm_results_model::Consumer;
use guidellm_results_model::documents::{Request, Summary, Timestamp};
use serde::Serialize;
use tempfile::SpooledTempFile;
use uuid::Uuid;

use super::batch::{Batch, Packed};
use super::{BulkSink, Kind};
use crate::sink::{SPILL_BYTES, SPILL_FAILURE, StagedReport};

/// Encodes documents on the thread that read them. Batches are kept until the report is known to
/// be whole; what is left at its end joins that of other reports.
pub(super) struct ReportOnItsWay<'a> {
    sink: &'a BulkSink,
    batch: Batch,
    full: SpooledTempFile,
    /// Length in `full`, and documents, of each.
    batches: Vec<(usize, Vec<Kind>)>,
}

impl<'a> ReportOnItsWay<'a> {
    pub(super) fn new(sink: &'a BulkSink) -> Self {
        Self {
            sink,
            batch: Batch::default(),
            full: tempfile::spooled_tempfile(SPILL_BYTES),
            batches: Vec::new(),
        }
    }

    fn add(
        &mut self,
        kind: Kind,
        id: Uuid,
        timestamp: Timestamp,
        document: &impl Serialize,
    ) -> Result<()> {
        let options = self.sink.options();
        let added = self.batch.add_at(options, kind, id, timestamp, document);
        added.context("cannot write a document as JSON")?;
        if self.batch.is_full(options) {
            let packed = self.batch.pack(options.gzip)?;
            self.full.write_all(packed.bytes()).context(SPILL_FAILURE)?;
            let length = packed.bytes().len();
            self.batches.push((length, packed.kinds));
        }
        Ok(())
    }
}

impl Consumer for ReportOnItsWay<'_> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        requests
            .iter()
            .try_for_each(|it| self.add(Kind::Request, it.document_id, it.timestamp, it))
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        let (id, timestamp) = (summary.document_id, summary.timestamp);
        self.add(Kind::Summary, id, timestamp, &summary)
    }
}

impl StagedReport for ReportOnItsWay<'_> {
    fn commit(mut self: Box<Self>) -> Result<()> {
        self.full.rewind().context(SPILL_FAILURE)?;
        for (length, kinds) in self.batches {
            let mut bytes = vec![0; length];
            self.full.read_exact(&mut bytes).context(SPILL_FAILURE)?;
            let gzip = self.sink.options().gzip;
            self.sink.send(Packed::new(bytes, kinds, gzip));
        }
        Ok(self.sink.append(&self.batch)?)
    }
}
