//! Where documents go, as one small trait: [`Store`](crate::Store), [`Output`](crate::Output) and
//! [`BulkSink`](crate::bulk::BulkSink) are sinks, and so may be what a program brings along.

use anyhow::Result;
use guidellm_results_model::documents::{FailedRun, Request, Summary};
use guidellm_results_model::{
    Consumer, Interrupted, ReadError, ReadOptions, ReadOutcome, RunContext, Source, read,
};
use uuid::Uuid;

use crate::bulk::Shipped;
use crate::cluster::ClusterError;

/// What a report that waits may take of memory; the rest is in a temporary file.
pub(crate) const SPILL_BYTES: usize = 8 << 20;

/// What is wrong when a report that waits cannot be kept.
pub(crate) const SPILL_FAILURE: &str =
    "cannot keep a report in a temporary file; is the disk of TMPDIR full?";

/// Somewhere that documents go. Several reports may be on their way at once.
pub trait Sink: Send + Sync {
    /// Starts to take a report.
    ///
    /// # Errors
    ///
    /// If there is no room for it.
    fn stage(&self) -> Result<Box<dyn StagedReport + '_>>;

    /// Takes what stands for a run that left no report; says whether it has a place for it.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    fn failed_run(&self, run: &FailedRun) -> Result<bool>;

    /// Whether it will take no report any more, after one that it could write in part alone.
    fn is_broken(&self) -> bool {
        false
    }

    /// Waits until everything that was committed has arrived; says how many documents did not,
    /// since the sink was opened.
    fn settle(&self) -> u64 {
        0
    }

    /// Ends it, and says what became of the documents where that is not a matter of course.
    ///
    /// # Errors
    ///
    /// If something that was committed cannot be put in its place.
    fn finish(self: Box<Self>) -> Result<Option<Shipped>> {
        Ok(None)
    }
}

/// A report on its way: it takes the documents of [`read`](guidellm_results_model::read), and is
/// dropped if the report turns out to be broken: until it is committed, nobody sees any of it.
pub trait StagedReport: Consumer<Error = anyhow::Error> + Send {
    /// Does all that can be done before it is known whether every sink has the report.
    ///
    /// # Errors
    ///
    /// If the documents cannot be kept.
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// Makes the documents count. Reports are committed one after the other, in the order in which
    /// they were named.
    ///
    /// # Errors
    ///
    /// If the documents cannot be put in their place.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// Why a report's documents are not all in a sink.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The report cannot be read; the sink has nothing of it.
    #[error(transparent)]
    Report(#[from] ReadError),
    /// The sink failed.
    #[error("{0:#}")]
    Sink(anyhow::Error),
}

impl IndexError {
    /// Whether the same may work later: the server was away.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        let Self::Sink(error) = self else {
            return false;
        };
        let cluster = error.downcast_ref::<ClusterError>();
        cluster.is_some_and(ClusterError::is_retryable)
    }
}

impl From<Interrupted<anyhow::Error>> for IndexError {
    fn from(error: Interrupted<anyhow::Error>) -> Self {
        match error {
            Interrupted::Read(error) => Self::Report(error),
            Interrupted::Consumer(error) => Self::Sink(error),
        }
    }
}

/// Reads a report into a sink, and commits it.
///
/// # Errors
///
/// If it cannot be read, or the sink fails.
pub fn index_report(
    source: Source,
    context: &RunContext,
    options: &ReadOptions,
    sink: &dyn Sink,
) -> Result<ReadOutcome, IndexError> {
    let mut staged = sink.stage().map_err(IndexError::Sink)?;
    let outcome = read(source, context, options, &mut staged)?;
    let committed = staged.prepare().and_then(|()| staged.commit());
    committed.map_err(IndexError::Sink)?;
    Ok(outcome)
}

/// [`read`], with one kind of error.
pub(crate) fn read_into<C: Consumer<Error = anyhow::Error>>(
    source: Source,
    context: &RunContext,
    options: &ReadOptions,
    consumer: &mut C,
) -> Result<ReadOutcome> {
    read(source, context, options, consumer).map_err(|error| match error.into() {
        IndexError::Report(error) => error.into(),
        IndexError::Sink(error) => error,
    })
}

/// The sinks of one command.
pub(crate) struct Sinks(pub(crate) Vec<Box<dyn Sink>>);

impl Sinks {
    pub(crate) fn stage(&self) -> Result<StagedReports<'_>> {
        let staged = self.0.iter().map(|sink| sink.stage());
        Ok(StagedReports {
            sinks: staged.collect::<Result<_>>()?,
            benchmarks: Vec::new(),
        })
    }

    /// Whether all of them have a place for it.
    pub(crate) fn failed_run(&self, run: &FailedRun) -> Result<bool> {
        let mut sinks = self.0.iter();
        sinks.try_fold(true, |all, sink| Ok(sink.failed_run(run)? && all))
    }

    /// Whether one of them takes nothing any more: no other one gets what it would lack.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.iter().any(|sink| sink.is_broken())
    }

    pub(crate) fn settle(&self) -> u64 {
        self.0.iter().map(|sink| sink.settle()).sum()
    }

    /// What became of the documents, by the sink that can tell. All sinks are ended, also when one
    /// fails.
    pub(crate) fn finish(self) -> (Option<Shipped>, Vec<anyhow::Error>) {
        let (mut shipped, mut failures) = (None, Vec::new());
        for sink in self.0 {
            match sink.finish() {
                Ok(told) => shipped = told.or(shipped),
                Err(error) => failures.push(error),
            }
        }
        (shipped, failures)
    }
}

/// A report on its way to every sink.
pub(crate) struct StagedReports<'a> {
    sinks: Vec<Box<dyn StagedReport + 'a>>,
    /// The ids of its summaries.
    pub(crate) benchmarks: Vec<Uuid>,
}

impl StagedReports<'_> {
    pub(crate) fn prepare(&mut self) -> Result<()> {
        self.sinks
            .iter_mut()
            .try_for_each(|staged| staged.prepare())
    }

    pub(crate) fn commit(self) -> Result<()> {
        self.sinks.into_iter().try_for_each(StagedReport::commit)
    }
}

impl Consumer for StagedReports<'_> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        let Some((last, others)) = self.sinks.split_last_mut() else {
            return Ok(());
        };
        for sink in others {
            sink.requests(requests.clone())?;
        }
        last.requests(requests)
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        self.benchmarks.push(summary.document_id);
        let mut sinks = self.sinks.iter_mut();
        sinks.try_for_each(|sink| sink.summary(summary.clone()))
    }
}
