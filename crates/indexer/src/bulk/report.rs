//! A report's documents on their way to a server.

use std::collections::VecDeque;
use std::io::{Read, Seek, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use guidellm_results_model::Consumer;
use guidellm_results_model::documents::{Compactor, Origins, Request, Summary};
use tempfile::SpooledTempFile;
use tokio::task::JoinHandle;

use super::batch::{Batch, Packed};
use super::{BulkOptions, BulkSink, Kind};
use crate::sink::{SPILL_BYTES, SPILL_FAILURE, StagedReport};

/// Batches of a report that are encoded at once: they are all in memory.
const ENCODING: usize = 2;

/// Keeps documents until the report is known to be whole. Requests are encoded only then: it takes
/// longer than reading them, and can be done while others are sent.
pub(super) struct ReportOnItsWay<'a> {
    sink: &'a BulkSink,
    compactor: Compactor,
    /// Less than a batch.
    requests: Vec<Request>,
    /// The requests of whole batches.
    kept: SpooledTempFile,
    batches: Vec<Kept>,
    /// The rest of the documents, which join those of other reports.
    rest: Batch,
    /// What of it makes batches: few documents, but large ones.
    large: Vec<Packed>,
}

/// The requests of a batch.
struct Kept {
    bytes: usize,
    origins: Origins,
}

impl<'a> ReportOnItsWay<'a> {
    pub(super) fn new(sink: &'a BulkSink) -> Self {
        Self {
            sink,
            compactor: Compactor::default(),
            requests: Vec::new(),
            kept: tempfile::spooled_tempfile(SPILL_BYTES),
            batches: Vec::new(),
            rest: Batch::default(),
            large: Vec::new(),
        }
    }

    /// Keeps the first requests, which make a batch.
    fn keep(&mut self, count: usize) -> Result<()> {
        let batch = self.requests.get(..count).unwrap_or_default();
        let (bytes, origins) = self.compactor.compact(batch);
        self.kept.write_all(bytes).context(SPILL_FAILURE)?;
        self.batches.push(Kept {
            bytes: bytes.len(),
            origins,
        });
        self.requests.drain(..count);
        Ok(())
    }

    /// Encodes the requests that make no batch, and keeps no room for more: reports that were read
    /// ahead wait.
    fn settle(&mut self) -> Result<()> {
        self.compactor = Compactor::default();
        let requests = std::mem::take(&mut self.requests);
        let options = self.sink.options();
        fill(&mut self.rest, &mut self.large, options, &requests)
    }
}

/// Encodes batches on threads of the sink, a batch on each, and sends them in their order.
struct Encoders<'a> {
    sink: &'a BulkSink,
    options: Arc<BulkOptions>,
    encoding: VecDeque<JoinHandle<Result<Encoded>>>,
    /// Empty, with room that was used before.
    spare: Vec<Batch>,
}

impl<'a> Encoders<'a> {
    fn new(sink: &'a BulkSink) -> Self {
        Self {
            sink,
            options: Arc::new(sink.options().clone()),
            encoding: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// Encodes the requests of a batch, elsewhere.
    fn start(&mut self, origins: Origins, bytes: Vec<u8>) -> Result<()> {
        self.send(ENCODING - 1)?;
        let options = Arc::clone(&self.options);
        let batch = self.spare.pop().unwrap_or_default();
        let encode = move || Encoded::of(&options, &origins.requests(&bytes)?, batch);
        let encoding = self.sink.runtime().spawn_blocking(encode);
        self.encoding.push_back(encoding);
        Ok(())
    }

    /// Sends what has been encoded, until no more than so many batches are left.
    fn send(&mut self, left: usize) -> Result<()> {
        while self.encoding.len() > left {
            let Some(encoding) = self.encoding.pop_front() else {
                break;
            };
            let encoded = self.sink.runtime().block_on(encoding);
            let Encoded { packed, spare } = encoded.context("cannot encode documents")??;
            packed.into_iter().for_each(|packed| self.sink.send(packed));
            self.spare.push(spare);
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
        fill(&mut batch, &mut packed, options, requests)?;
        if !batch.is_empty() {
            packed.push(batch.pack(options.gzip)?);
        }
        Ok(Self {
            packed,
            spare: batch,
        })
    }
}

/// Adds requests to a batch, and packs it whenever it is full.
fn fill(
    batch: &mut Batch,
    packed: &mut Vec<Packed>,
    options: &BulkOptions,
    requests: &[Request],
) -> Result<()> {
    for request in requests {
        let (id, timestamp) = (request.document_id, request.timestamp);
        let added = batch.add_at(options, Kind::Request, id, timestamp, request);
        added.context("cannot write a document as JSON")?;
        if batch.is_full(options) {
            packed.push(batch.pack(options.gzip)?);
        }
    }
    Ok(())
}

impl Consumer for ReportOnItsWay<'_> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        self.requests.extend(requests);
        let batch = self.sink.options().batch_documents.max(1);
        while self.requests.len() >= batch {
            self.keep(batch)?;
        }
        Ok(())
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        let (id, timestamp) = (summary.document_id, summary.timestamp);
        let (options, rest) = (self.sink.options(), &mut self.rest);
        let added = rest.add_at(options, Kind::Summary, id, timestamp, &summary);
        added.context("cannot write a document as JSON")
    }
}

impl StagedReport for ReportOnItsWay<'_> {
    fn prepare(&mut self) -> Result<()> {
        self.settle()
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.settle()?;
        self.kept.rewind().context(SPILL_FAILURE)?;
        let mut encoders = Encoders::new(self.sink);
        for Kept { bytes, origins } in self.batches {
            let mut batch = vec![0; bytes];
            self.kept.read_exact(&mut batch).context(SPILL_FAILURE)?;
            encoders.start(origins, batch)?;
        }
        encoders.send(0)?;
        self.large
            .into_iter()
            .for_each(|batch| self.sink.send(batch));
        Ok(self.sink.append(&self.rest)?)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use guidellm_results_model::{ReadOptions, RunContext, Source, read};

    use super::*;

    /// What a report becomes, with so much in a batch: how large batches of few documents are that
    /// it keeps once it is read, and how many documents of each kind leave in the end.
    fn sent(batch_documents: usize, batch_bytes: usize) -> (usize, Vec<usize>, u64, u64) {
        let folder = tempfile::tempdir().unwrap();
        let sink = BulkSink::unreached(BulkOptions {
            batch_documents,
            batch_bytes,
            gzip: false,
            unsent: folder.path().join("unsent.ndjson"),
            ..BulkOptions::new("documents")
        })
        .unwrap();
        let report = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fixtures/reports/0.5.4/constant_mixed.json");
        let mut staged = Box::new(ReportOnItsWay::new(&sink));
        let (context, options) = (RunContext::default(), ReadOptions::default());
        let read = read(Source::path(&report), &context, &options, &mut staged).unwrap();
        assert!(read.requests > 20, "{}", read.requests);
        staged.prepare().unwrap();
        let batches = staged.batches.len();
        let large = staged.large.iter().map(|it| it.bytes().len()).collect();
        staged.commit().unwrap();
        let shipped = sink.finish();
        let [requests, summaries] =
            [Kind::Request, Kind::Summary].map(|kind| shipped.of(kind).unsent);
        assert_eq!(requests, read.requests);
        (batches, large, requests, summaries)
    }

    #[test]
    fn everything_leaves_however_much_a_batch_takes() {
        let (batches, large, requests, summaries) = sent(2000, 4 << 20);
        assert_eq!((batches, large.len(), summaries), (0, 0, 1));
        let (batches, large, same, summaries) = sent(7, 4 << 20);
        assert_eq!((batches as u64, same), (requests / 7, requests));
        assert_eq!((large.len(), summaries), (0, 1));
    }

    #[test]
    fn few_but_large_documents_make_batches_of_their_own() {
        let (batches, large, ..) = sent(2000, 20_000);
        assert_eq!(batches, 0);
        assert!(large.len() > 1, "{large:?}");
        assert!(
            large.iter().all(|bytes| (20_000..25_000).contains(bytes)),
            "{large:?}"
        );
    }
}
