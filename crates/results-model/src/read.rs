//! Reading a report, as its users see it.

use std::num::NonZero;

use crate::documents::{Request, Summary};
use crate::error::ReadError;
use crate::generation::Generation;
use crate::identity::RunContext;
use crate::report::Report;
use crate::source::{Input, Progress, Source};
use crate::verify::Verification;

/// Who gets the documents of a report.
///
/// Requests come first, in batches, in the order of the report; then the summaries of all its
/// benchmarks. Until [`read`] has returned `Ok`, the report may turn out to be broken: keep what
/// must not survive that apart until then.
pub trait Consumer {
    /// Why it cannot take them.
    type Error;

    /// Takes some requests of one benchmark, at least one.
    ///
    /// # Errors
    ///
    /// Whatever keeps the consumer from going on; reading then stops.
    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error>;

    /// Takes the summary of a benchmark.
    ///
    /// # Errors
    ///
    /// Whatever keeps the consumer from going on; reading then stops.
    fn summary(&mut self, summary: Summary) -> Result<(), Self::Error>;
}

impl<C: Consumer + ?Sized> Consumer for Box<C> {
    type Error = C::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
        (**self).requests(requests)
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
        (**self).summary(summary)
    }
}

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Keep the whole records of a truncated report, and mark its documents as salvaged.
    pub salvage: bool,
    /// Recompute each benchmark's statistics from its records, and compare: see
    /// [`ReadOutcome::verifications`]. Takes a second pass.
    pub verify: bool,
    /// Threads that parse; by default as many as there are processors, up to four.
    pub threads: Option<NonZero<usize>>,
    /// Who is told how far reading has come.
    pub progress: Progress,
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOutcome {
    /// The report's layout.
    pub generation: Generation,
    /// Benchmarks, and so summaries.
    pub benchmarks: usize,
    /// Requests of all benchmarks.
    pub requests: u64,
    /// Whether it was cut off, and salvaged.
    pub salvaged: bool,
    /// With [`ReadOptions::verify`], what came of it for each benchmark.
    pub verifications: Vec<Verification>,
}

/// Why a report's documents did not all arrive.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted<E> {
    /// The report cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The consumer failed.
    #[error("cannot pass on the documents")]
    Consumer(#[source] E),
}

/// Reads a report and hands its documents to `consumer`.
///
/// Memory stays bounded whatever the report's size, unless it is YAML, which is read whole.
///
/// # Errors
///
/// [`Interrupted::Read`] if the report cannot be read: then it has given no summary, but maybe
/// requests. [`Interrupted::Consumer`] if the consumer fails.
pub fn read<C: Consumer>(
    source: Source,
    context: &RunContext,
    options: &ReadOptions,
    consumer: &mut C,
) -> Result<ReadOutcome, Interrupted<C::Error>> {
    let input = Input::open(source, options.progress.clone())?;
    let mut report = Report::new(input, context, options);
    report.first_pass(consumer)?;
    report.later_passes(consumer)?;
    report.check_unchanged()?;
    report.summaries(consumer)
}
