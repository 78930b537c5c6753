//! Reads the reports of one command, one after the other.

use anyhow::{Result, bail};
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, Interrupted, ReadOptions, ReadOutcome, RunContext, read};

use crate::cli::ReportArguments;
use crate::files::Named;
use crate::interruption::Interruption;
use crate::progress::ProgressBar;

/// How this command reads.
pub(crate) struct Reading {
    context: RunContext,
    options: ReadOptions,
    bar: ProgressBar,
    interruption: Interruption,
}

impl Reading {
    pub(crate) fn new(arguments: &ReportArguments, reports: &[Named]) -> Result<Self> {
        let bar = ProgressBar::new(reports, arguments.quiet);
        Ok(Self {
            context: arguments.context(),
            options: ReadOptions {
                salvage: arguments.salvage,
                verify: arguments.verify,
                progress: bar.watch(),
                ..ReadOptions::default()
            },
            bar,
            interruption: Interruption::watch()?,
        })
    }

    /// Reads a report into `consumer`. Errors name it.
    pub(crate) fn read<C>(&self, report: &Named, consumer: &mut C) -> Result<ReadOutcome>
    where
        C: Consumer<Error = anyhow::Error>,
    {
        self.bar.begin(report);
        let mut consumer = Stoppable {
            consumer,
            interruption: &self.interruption,
        };
        let error = match read(report.source(), &self.context, &self.options, &mut consumer) {
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

    /// Whether the user wants no more reports read.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interruption.requested()
    }
}

/// Fails once the user wants to stop, so that what was begun is cleared up.
struct Stoppable<'a, C> {
    consumer: &'a mut C,
    interruption: &'a Interruption,
}

impl<C: Consumer<Error = anyhow::Error>> Consumer for Stoppable<'_, C> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        if self.interruption.requested() {
            bail!("interrupted; nothing of it was kept");
        }
        self.consumer.requests(requests)
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        self.consumer.summary(summary)
    }
}
