//! Reads the reports of one command, one after the other.

use anyhow::Result;
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
        self.bar.begin(report);
        let error = match read(report.source(), &self.context, &self.options, consumer) {
            Ok(outcome) => {
                self.bar.end(report);
                return Ok(outcome);
            }
            Err(Interrupted::Read(error)) => anyhow::Error::new(error),
            Err(Interrupted::Consumer(error)) => error,
        };
        self.bar.end(report);
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
