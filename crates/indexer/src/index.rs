//! `guidellm-indexer index`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, Exit, ReadOutcome, Verification};
use serde::Serialize;

use crate::bulk::{BulkSink, Shipped};
use crate::cli::IndexArguments;
use crate::files::Named;
use crate::journal::{self, Journal};
use crate::output::{Output, WaitingReport};
use crate::reading::Reading;
use crate::store::{StagedReport, Store};
use crate::{server, tell, verification};

/// Where the store is if the user does not say.
pub(crate) const DEFAULT_STORE: &str = "results";

/// What came of it, for machines.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    reports: u64,
    summaries: u64,
    requests: u64,
    /// Reports that the journal has.
    passed_over: usize,
    failed: Vec<Failure>,
    /// What a server took.
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<Shipped>,
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
    if arguments.journal.is_some() && arguments.output.is_some() {
        bail!("with --journal, the file of --output would lack the reports that are done");
    }
    let (mut reports, failures) = arguments.reports.find();
    reports.retain(|report| arguments.shard.is_none_or(|shard| shard.has(report)));
    let mut outcome = Outcome::default();
    failures.iter().for_each(|failure| outcome.fail(failure));
    let mut targets = Targets::open(arguments)?;
    let journal = arguments.journal.as_deref().filter(|_| !arguments.dry_run);
    let mut journal = journal.map(Journal::open).transpose()?;
    if let Some(journal) = &journal {
        let before = reports.len();
        reports.retain(|report| !journal.has(report));
        outcome.passed_over = before - reports.len();
    }
    let reading = Reading::new(&arguments.reports, &reports);
    for report in &reports {
        let entry = journal::entry(report);
        let indexed = index(report, &reading, &mut targets);
        let indexed = indexed.and_then(|read| {
            if let (Some(journal), Some(entry)) = (&mut journal, entry)
                && targets.is_delivered()
            {
                journal.note(&entry)?;
            }
            Ok(read)
        });
        reading.suspended(|| match indexed {
            Ok(read) => outcome.add(report, read, arguments),
            Err(error) => outcome.fail(&error),
        });
    }
    reading.clear_bar();
    outcome.documents = targets.finish(outcome.reports > 0)?;
    outcome.tell(arguments)?;
    Ok(outcome.exit())
}

/// Where documents go.
#[derive(Default)]
struct Targets {
    output: Option<Output>,
    store: Option<Store>,
    server: Option<BulkSink>,
    /// Documents that the server did not take.
    undelivered: u64,
}

impl Targets {
    fn open(arguments: &IndexArguments) -> Result<Self> {
        if arguments.dry_run {
            return Ok(Self::default());
        }
        let server = arguments.server.open(&[])?;
        let default = PathBuf::from(DEFAULT_STORE);
        let without_target = arguments.output.is_none() && server.is_none();
        let store = arguments
            .store
            .clone()
            .or_else(|| without_target.then_some(default))
            .map(Store::open)
            .transpose()?;
        let output = arguments.output.as_deref();
        let output = output
            .map(|path| Output::create(path, arguments.format))
            .transpose()?;
        Ok(Self {
            output,
            store,
            server,
            undelivered: 0,
        })
    }

    /// Waits until the server has all that it was sent; false if it did not take all of it.
    fn is_delivered(&mut self) -> bool {
        let undelivered = self.server.as_mut().map_or(0, BulkSink::flush);
        undelivered == std::mem::replace(&mut self.undelivered, undelivered)
    }

    fn stage(&mut self) -> Result<Staged<'_>> {
        Ok(Staged {
            output: self.output.as_ref().map(|_| WaitingReport::new()),
            store: self.store.as_ref().map(Store::stage).transpose()?,
            server: self.server.as_mut(),
        })
    }

    fn write(&mut self, report: Option<WaitingReport>) -> Result<()> {
        match (&mut self.output, report) {
            (Some(output), Some(report)) => {
                output.write(report).context("cannot write the documents")
            }
            _ => Ok(()),
        }
    }

    /// Without a single report there is no file. Waits for the server.
    fn finish(self, any: bool) -> Result<Option<Shipped>> {
        let shipped = self.server.map(BulkSink::finish);
        if let Some(output) = self.output.filter(|_| any) {
            output.finish()?;
        }
        Ok(shipped)
    }
}

/// A report's documents on their way to every target.
struct Staged<'a> {
    output: Option<WaitingReport>,
    store: Option<StagedReport>,
    server: Option<&'a mut BulkSink>,
}

impl Consumer for Staged<'_> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        if let Some(output) = &mut self.output {
            output.requests(&requests)?;
        }
        if let Some(sink) = &mut self.server {
            server::send_requests(sink, &requests)?;
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
        if let Some(sink) = &mut self.server {
            server::send_summary(sink, &summary)?;
        }
        if let Some(store) = &mut self.store {
            store.summary(summary);
        }
        Ok(())
    }
}

fn index(report: &Named, reading: &Reading, targets: &mut Targets) -> Result<ReadOutcome> {
    let name = report.name();
    // What is sent cannot be taken back: a broken report must be known before the first document.
    let settled;
    let report = if targets.server.is_some() {
        settled = report.settled().with_context(|| name.clone())?;
        reading.check(&settled.named)?;
        &settled.named
    } else {
        report
    };
    let mut staged = targets.stage()?;
    let outcome = reading.read(report, &mut staged)?;
    let Staged { output, store, .. } = staged;
    let committed = store.map_or(Ok(()), StagedReport::commit);
    committed
        .and_then(|()| targets.write(output))
        .with_context(|| name)?;
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
        let sent = self.documents.as_ref().map_or(Exit::Done, Shipped::exit);
        match (self.reports, self.failed.is_empty()) {
            (0, false) => Exit::Unusable,
            _ if sent == Exit::DeadlinePassed => Exit::DeadlinePassed,
            (_, false) => Exit::SomeFailed,
            (_, true) if contradicted => Exit::SomeFailed,
            (_, true) => sent,
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
            let noted = match self.passed_over {
                0 => String::new(),
                count => format!(", {count} done before"),
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
            tell(&format!(
                "{reports} read{failed}{noted}: {summaries}, {requests}"
            ));
        }
        if let Some(documents) = &self.documents {
            server::tell_of(documents, arguments.reports.quiet);
        }
        Ok(())
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
