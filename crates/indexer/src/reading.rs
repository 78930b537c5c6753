//! Reads the reports of one command, one after the other.

use anyhow::Result;
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, Interrupted, ReadOptions, ReadOutcome, RunContext, read};

use crate::cli::ReportArguments;
use crate::files::Named;
use crate::progress::ProgressBar;

/// How this command reads.
pub(crate) struct Reading {
    context: RunContext,
    options: ReadOptions,
    bar: ProgressBar,
}

impl Reading {
    pub(crate) fn new(arguments: &ReportArguments, reports: &[Named]) -> Self {
        let bar = ProgressBar::new(reports, arguments.quiet);
        Self {
            context: arguments.context(),
            options: ReadOptions {
                salvage: arguments.salvage,
                verify: arguments.verify,
                progress: bar.watch(),
                ..ReadOptions::default()
            },
            bar,
        }
    }

    /// Reads a report into `consumer`. Errors name it.
    pub(crate) fn read<C>(&self, report: &Named, consumer: &mut C) -> Result<ReadOutcome>
    where
        C: Consumer<Error = anyhow::Error>,
    {
        let read = self.try_read(report, &self.options, consumer);
        self.bar.end(report);
        read
    }

    /// Reads a report for its own sake: whether it can be read to its end.
    pub(crate) fn check(&self, report: &Named) -> Result<()> {
        let options = ReadOptions {
            verify: false,
            ..self.options.clone()
        };
        self.try_read(report, &options, &mut Nothing).map(drop)
    }

    fn try_read<C>(
        &self,
        report: &Named,
        options: &ReadOptions,
        consumer: &mut C,
    ) -> Result<ReadOutcome>
    where
        C: Consumer<Error = anyhow::Error>,
    {
        self.bar.begin(report);
        let error = match read(report.source(), &self.context, options, consumer) {
            Ok(outcome) => return Ok(outcome),
            Err(Interrupted::Read(error)) => anyhow::Error::new(error),
            Err(Interrupted::Consumer(error)) => error,
        };
        Err(error.context(report.name()))
    }

    /// Calls `print` while the progress bar is out of its way.
    pub(crate) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspended(print)
    }

    /// Takes the progress bar away.
    pub(crate) fn clear_bar(&self) {
        self.bar.clear();
    }
}

/// Takes documents and lets them go.
struct Nothing;

impl Consumer for Nothing {
    type Error = anyhow::Error;

    fn requests(&mut self, _: Vec<Request>) -> Result<()> {
        Ok(())
    }

    fn summary(&mut self, _: Summary) -> Result<()> {
        Ok(())
    }
}
