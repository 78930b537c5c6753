//! A report's documents on their way to a server.

use anyhow::{Context, Result};
use guidellm_results_model::Consumer;
use guidellm_results_model::documents::{Request, Summary, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::batch::Batch;
use super::{BulkSink, Kind, Operation};
use crate::sink::StagedReport;

/// Encodes documents on the thread that read them. Full batches are sent at once; what is left at
/// the end joins that of other reports.
pub(super) struct ReportOnItsWay<'a> {
    sink: &'a BulkSink,
    batch: Batch,
}

/// A document with the member that a data stream asks for.
#[derive(Serialize)]
struct Stamped<'a, T> {
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    #[serde(flatten)]
    document: &'a T,
}

impl<'a> ReportOnItsWay<'a> {
    pub(super) fn new(sink: &'a BulkSink) -> Self {
        Self {
            sink,
            batch: Batch::default(),
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
        let (operation, index) = (options.operation, options.index_of(kind));
        let added = match operation {
            Operation::Index => self.batch.add(operation, index, kind, id, document),
            Operation::Create => {
                let stamped = Stamped {
                    timestamp,
                    document,
                };
                self.batch.add(operation, index, kind, id, &stamped)
            }
        };
        added.context("cannot write a document as JSON")?;
        if self.batch.is_full(options) {
            self.sink.send(std::mem::take(&mut self.batch));
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
    fn commit(self: Box<Self>) -> Result<()> {
        self.sink.append(&self.batch);
        Ok(())
    }
}
