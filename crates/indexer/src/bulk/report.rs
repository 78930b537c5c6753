//! A report's documents on their way to a server.

use std::collections::VecDeque;
use std::io::{Read, Seek, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use guidellm_results_model::Consumer;
use guidellm_results_model::documents::{Request, Summary};
use tempfile::SpooledTempFile;
use tokio::task::JoinHandle;

use super::batch::{Batch, Packed};
use super::{BulkOptions, BulkSink, Kind};
use crate::sink::{SPILL_BYTES, SPILL_FAILURE, StagedReport};

/// Batches of a report that are encoded at once: they are all in memory.
const ENCODING: usize = 2;

/// Encodes documents on threads of the sink, a batch on each. Batches are kept until the report is
/// known to be whole; what is left at its end joins that of other reports.
pub(super) struct ReportOnItsWay<'a> {
    sink: &'a BulkSink,
    options: Arc<BulkOptions>,
    /// Less than a batch.
    requests: Vec<Request>,
    /// In their order.
    encoding: VecDeque<JoinHandle<Result<Encoded>>>,
    /// Empty, with room that was used before.
    spare: Vec<Batch>,
    batch: Batch,
    full: SpooledTempFile,
    /// Length in `full`, and documents, of each.
    batches: Vec<(usize, Vec<Kind>)>,
}

impl<'a> ReportOnItsWay<'a> {
    pub(super) fn new(sink: &'a BulkSink) -> Self {
        Self {
            sink,
            options: Arc::new(sink.options().clone()),
            requests: Vec::new(),
            encoding: VecDeque::new(),
            spare: Vec::new(),
            batch: Batch::default(),
            full: tempfile::spooled_tempfile(SPILL_BYTES),
            batches: Vec::new(),
        }
    }

    /// Encodes as many requests as make a batch, elsewhere.
    fn start(&mut self, requests: Vec<Request>) -> Result<()> {
        self.keep_encoded(ENCODING - 1)?;
        let options = Arc::clone(&self.options);
        let batch = self.spare.pop().unwrap_or_default();
        let encode = move || Encoded::of(&options, &requests, batch);
        let encoding = self.sink.runtime().spawn_blocking(encode);
        self.encoding.push_back(encoding);
        Ok(())
    }

    /// Keeps what has been encoded, until no more than so many batches are left.
    fn keep_encoded(&mut self, left: usize) -> Result<()> {
        while self.encoding.len() > left {
            let Some(encoding) = self.encoding.pop_front() else {
                break;
            };
            let encoded = self.sink.runtime().block_on(encoding);
            let Encoded { packed, spare } = encoded.context("cannot encode documents")??;
            packed
                .into_iter()
                .try_for_each(|packed| self.keep(packed))?;
            self.spare.push(spare);
        }
        Ok(())
    }

    fn keep(&mut self, packed: Packed) -> Result<()> {
        self.full.write_all(packed.bytes()).context(SPILL_FAILURE)?;
        self.batches.push((packed.bytes().len(), packed.kinds));
        Ok(())
    }

    /// Encodes what is left, and keeps no room for more: reports that were read ahead wait.
    fn settle(&mut self) -> Result<()> {
        self.keep_encoded(0)?;
        self.spare = Vec::new();
        for request in std::mem::take(&mut self.requests) {
            add(&mut self.batch, &self.options, &request)?;
            if self.batch.is_full(&self.options) {
                let packed = self.batch.pack(self.options.gzip)?;
                self.keep(packed)?;
            }
        }
        Ok(())
    }
}

/// Requests, encoded.
struct Encoded {
    /// One batch, but where they are large.
    packed: Vec<Packed>,
    spare: Batch,
}

impl Encoded {
    fn of(options: &BulkOptions, requests: &[Request], mut batch: Batch) -> Result<Self> {
        let mut packed = Vec::new();
        for request in requests {
            add(&mut batch, options, request)?;
            if batch.is_full(options) {
                packed.push(batch.pack(options.gzip)?);
            }
        }
        if !batch.is_empty() {
            packed.push(batch.pack(options.gzip)?);
        }
        Ok(Self {
            packed,
            spare: batch,
        })
    }
}

fn add(batch: &mut Batch, options: &BulkOptions, request: &Request) -> Result<()> {
    let (id, timestamp) = (request.document_id, request.timestamp);
    let added = batch.add_at(options, Kind::Request, id, timestamp, request);
    added.context("cannot write a document as JSON")
}

impl Consumer for ReportOnItsWay<'_> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        self.requests.extend(requests);
        let most = self.options.batch_documents.max(1);
        while self.requests.len() >= most {
            let rest = self.requests.split_off(most);
            let batch = std::mem::replace(&mut self.requests, rest);
            self.start(batch)?;
        }
        Ok(())
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        let (id, timestamp) = (summary.document_id, summary.timestamp);
        let (options, batch) = (&self.options, &mut self.batch);
        let added = batch.add_at(options, Kind::Summary, id, timestamp, &summary);
        added.context("cannot write a document as JSON")
    }
}

impl StagedReport for ReportOnItsWay<'_> {
    fn prepare(&mut self) -> Result<()> {
        self.settle()
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.settle()?;
        self.full.rewind().context(SPILL_FAILURE)?;
        for (length, kinds) in self.batches {
            let mut bytes = vec![0; length];
            self.full.read_exact(&mut bytes).context(SPILL_FAILURE)?;
            self.sink.send(Packed::new(bytes, kinds, self.options.gzip));
        }
        Ok(self.sink.append(&self.batch)?)
    }
}
