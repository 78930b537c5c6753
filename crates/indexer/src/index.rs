//! `guidellm-indexer index`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, Exit, Interrupted, ReadOptions, ReadOutcome, read};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::IndexArguments;
use crate::files::Named;
use crate::output::{Output, WaitingReport};
use crate::store::{StagedReport, Store};
use crate::tell;

/// Where the store is if the user does not say.
pub(crate) const DEFAULT_STORE: &str = "results";

/// What came of it, for machines.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    reports: u64,
    summaries: u64,
    requests: u64,
    failed: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    error: String,
}

pub(crate) fn run(arguments: &IndexArguments) -> Result<Exit> {
    if !arguments.reports.names_reports() {
        bail!("no report is named; give files, folders, globs or `-` (see --help)");
    }
    if arguments.json && arguments.output.as_deref() == Some(Path::new("-")) {
        bail!("--json and `--output -` both want standard output; leave one of them out");
    }
    let (reports, failures) = arguments.reports.find();
    let mut outcome = Outcome::default();
    failures.iter().for_each(|failure| outcome.fail(failure));
    let mut targets = Targets::open(arguments)?;
    let bar = progress_bar(arguments, &reports);
    for report in &reports {
        match index(report, arguments, &mut targets, bar.as_ref()) {
            Ok(read) => outcome.add(&read),
            Err(error) => outcome.fail(&error),
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    targets.finish(outcome.reports > 0)?;
    outcome.tell(arguments)?;
    Ok(match (outcome.reports, outcome.failed.is_empty()) {
        (_, true) => Exit::Done,
        (0, false) => Exit::Unusable,
        (_, false) => Exit::SomeFailed,
    })
}

/// Where documents go.
struct Targets {
    output: Option<Output>,
    store: Option<Store>,
}

impl Targets {
    fn open(arguments: &IndexArguments) -> Result<Self> {
        let default = PathBuf::from(DEFAULT_STORE);
        let store = arguments
            .store
            .clone()
            .or_else(|| arguments.output.is_none().then_some(default))
            .map(Store::open)
            .transpose()?;
        let output = arguments.output.as_deref();
        let output = output
            .map(|path| Output::create(path, arguments.format))
            .transpose()?;
        Ok(Self { output, store })
    }

    fn stage(&self) -> Result<Staged> {
        Ok(Staged {
            output: self.output.as_ref().map(|_| WaitingReport::new()),
            store: self.store.as_ref().map(Store::stage).transpose()?,
        })
    }

    fn commit(&mut self, staged: Staged) -> Result<()> {
        if let Some(report) = staged.store {
            report.commit()?;
        }
        if let (Some(output), Some(report)) = (&mut self.output, staged.output) {
            output.write(report).context("cannot write the documents")?;
        }
        Ok(())
    }

    /// Without a single report there is no file.
    fn finish(self, any: bool) -> Result<()> {
        match self.output.filter(|_| any) {
            Some(output) => output.finish(),
            None => Ok(()),
        }
    }
}

/// A report's documents on their way to every target.
struct Staged {
    output: Option<WaitingReport>,
    store: Option<StagedReport>,
}

impl Consumer for Staged {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        if let Some(output) = &mut self.output {
            output.requests(&requests)?;
        }
        match &mut self.store {
            Some(store) => store.requests(requests),
            None => Ok(()),
        }
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        if let Some(output) = &mut self.output {
            output.summary(summary.clone());
        }
        if let Some(store) = &mut self.store {
            store.summary(summary);
        }
        Ok(())
    }
}

fn index(
    report: &Named,
    arguments: &IndexArguments,
    targets: &mut Targets,
    bar: Option<&ProgressBar>,
) -> Result<ReadOutcome> {
    let context = arguments.reports.context();
    let options = ReadOptions {
        salvage: arguments.reports.salvage,
        ..ReadOptions::default()
    };
    let mut staged = targets.stage()?;
    let read = read(
        report.source(),
        &context,
        &options,
        &mut Watched {
            staged: &mut staged,
            bar,
        },
    );
    let outcome = match read {
        Ok(outcome) => outcome,
        Err(Interrupted::Read(error)) => {
            return Err(anyhow::Error::new(error).context(report.name()));
        }
        Err(Interrupted::Consumer(error)) => return Err(error.context(report.name())),
    };
    targets.commit(staged).with_context(|| report.name())?;
    if let (Some(bar), Named::File(path)) = (bar, report) {
        bar.inc(path.metadata().map_or(0, |file| file.len()));
    }
    Ok(outcome)
}

/// Counts documents for the progress bar.
struct Watched<'a> {
    staged: &'a mut Staged,
    bar: Option<&'a ProgressBar>,
}

impl Consumer for Watched<'_> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        if let Some(bar) = self.bar {
            bar.tick();
        }
        self.staged.requests(requests)
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        self.staged.summary(summary)
    }
}

fn progress_bar(arguments: &IndexArguments, reports: &[Named]) -> Option<ProgressBar> {
    if arguments.quiet || !std::io::stderr().is_terminal() {
        return None;
    }
    let size = |report: &Named| match report {
        Named::File(path) => path.metadata().map_or(0, |file| file.len()),
        Named::StandardInput => 0,
    };
    let bar = ProgressBar::new(reports.iter().map(size).sum());
    let style = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
    bar.set_style(ProgressStyle::with_template(style).ok()?);
    Some(bar)
}

impl Outcome {
    fn add(&mut self, read: &ReadOutcome) {
        self.reports += 1;
        self.summaries += read.benchmarks as u64;
        self.requests += read.requests;
    }

    fn fail(&mut self, error: &anyhow::Error) {
        let error = format!("{error:#}");
        tell(&format!("error: {error}"));
        self.failed.push(Failure { error });
    }

    fn tell(&self, arguments: &IndexArguments) -> Result<()> {
        if arguments.json {
            let mut stdout = std::io::stdout().lock();
            serde_json::to_writer(&mut stdout, self)?;
            writeln!(stdout)?;
        } else if !arguments.quiet {
            let failed = match self.failed.len() {
                0 => String::new(),
                count => format!(", {count} failed"),
            };
            let Self {
                reports,
                summaries,
                requests,
                ..
            } = self;
            tell(&format!(
                "{reports} reports read{failed}: {summaries} summaries, {requests} requests"
            ));
        }
        Ok(())
    }
}
