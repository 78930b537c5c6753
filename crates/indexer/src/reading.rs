//! Reads the reports of one command.

use anyhow::{Context, Result};
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, ReadOptions, ReadOutcome, RunContext};

use crate::cli::ReportArguments;
use crate::files::Named;
use crate::progress::ProgressBar;
use crate::sink::read_into;

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
        let watch = self.bar.watch(report);
        let options = ReadOptions {
            progress: watch.progress(),
            ..self.options.clone()
        };
        let bar = &self.bar;
        let mut counted = Counted { bar, consumer };
        read_into(report.source(), &self.context, &options, &mut counted)
            .with_context(|| report.name())
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

/// Counts documents on their way.
struct Counted<'a, C> {
    bar: &'a ProgressBar,
    consumer: &'a mut C,
}

impl<C: Consumer> Consumer for Counted<'_, C> {
    type Error = C::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
        self.bar.add_documents(requests.len());
        self.consumer.requests(requests)
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
        self.bar.add_documents(1);
        self.consumer.summary(summary)
    }
}
