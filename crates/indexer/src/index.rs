//! `guidellm-indexer index`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, Exit, ReadOutcome, Verification};
use serde::Serialize;

use crate::cli::IndexArguments;
use crate::files::Named;
use crate::output::{Output, WaitingReport};
use crate::reading::Reading;
use crate::store::{StagedReport, Store};
use crate::{tell, verification};

/// Where the store is if the user does not say.
pub(crate) const DEFAULT_STORE: &str = "results";

/// What came of it, for machines.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    reports: u64,
    summaries: u64,
    requests: u64,
    failed: Vec<Failure>,
    /// Of each benchmark, if it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    verifications: Vec<Verified>,
}

#[derive(Debug, Serialize)]
struct Failure {
    error: String,
}

#[derive(Debug, Serialize)]
struct Verified {
    report: String,
    #[serde(flatten)]
    verification: Verification,
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
    let reading = Reading::new(&arguments.reports, &reports);
    for report in &reports {
        let indexed = index(report, &reading, &mut targets);
        reading.suspended(|| match indexed {
            Ok(read) => outcome.add(report, read, arguments),
            Err(error) => outcome.fail(&error),
        });
    }
    reading.clear_bar();
    targets.finish(outcome.reports > 0)?;
    outcome.tell(arguments)?;
    Ok(outcome.exit())
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

fn index(report: &Named, reading: &Reading, targets: &mut Targets) -> Result<ReadOutcome> {
    let mut staged = targets.stage()?;
    let outcome = reading.read(report, &mut staged)?;
    targets.commit(staged).with_context(|| report.name())?;
    Ok(outcome)
}

impl Outcome {
    fn add(&mut self, report: &Named, read: ReadOutcome, arguments: &IndexArguments) {
        self.reports += 1;
        self.summaries += read.benchmarks as u64;
        self.requests += read.requests;
        let name = report.name();
        verification::tell(&name, &read.verifications, arguments.reports.quiet);
        let verified = read.verifications.into_iter().map(|verification| Verified {
            report: name.clone(),
            verification,
        });
        self.verifications.extend(verified);
    }

    fn exit(&self) -> Exit {
        let contradicted = self
            .verifications
            .iter()
            .any(|it| it.verification.is_contradicted());
        match (self.reports, self.failed.is_empty()) {
            (0, false) => Exit::Unusable,
            (_, false) => Exit::SomeFailed,
            (_, true) if contradicted => Exit::SomeFailed,
            (_, true) => Exit::Done,
        }
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
        } else if !arguments.reports.quiet {
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
            let reports = counted(*reports, "report", "reports");
            let summaries = counted(*summaries, "summary", "summaries");
            let requests = counted(*requests, "request", "requests");
            tell(&format!("{reports} read{failed}: {summaries}, {requests}"));
        }
        Ok(())
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
