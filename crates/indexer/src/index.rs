//! `guidellm-indexer index`.

use std::collections::HashMap;
use std::io::Write;
use std::num::NonZero;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use guidellm_results_model::{Exit, ReadOutcome, Verification};
use serde::Serialize;
use uuid::Uuid;

use crate::bulk::{Shipped, Stop};
use crate::cli::IndexArguments;
use crate::files::Named;
use crate::in_order::in_order;
use crate::journal::{self, Journal, Purpose};
use crate::reading::Reading;
use crate::sink::{Sink, Sinks, StagedReports};
use crate::unfinished::Registry;
use crate::{server, tell, verification};

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

/// Of this size on, a report keeps all processors busy by itself.
const LARGE_BYTES: u64 = 32 << 20;

pub(crate) fn run(arguments: &IndexArguments, unfinished: &Registry) -> Result<Exit> {
    let (mut reports, failures) = arguments.reports.find();
    check(arguments, &reports)?;
    reports.retain(|report| arguments.shard.is_none_or(|shard| shard.has(report)));
    let mut outcome = Outcome::default();
    failures.iter().for_each(|failure| outcome.fail(failure));
    let sinks = open_sinks(arguments, unfinished)?;
    let journal = arguments.journal.as_deref().filter(|_| !arguments.dry_run);
    let purpose = purpose(arguments);
    let journal = journal.map(|path| Journal::open(path, purpose));
    let mut journal = journal.transpose()?;
    if let Some(journal) = &journal {
        let before = reports.len();
        reports.retain(|report| !journal.has(report));
        outcome.passed_over = before - reports.len();
    }
    let reading = Reading::new(&arguments.reports, &reports);
    let threads = arguments.parallel.unwrap_or_else(processors).get();
    let (mut left_out, mut seen) = (0, Seen::default());
    in_order(
        &reports,
        threads,
        |report| report.size() >= LARGE_BYTES,
        |report| (!sinks.is_broken()).then(|| read(report, purpose, &reading, &sinks)),
        |report, read| {
            let Some(read) = read.filter(|_| !sinks.is_broken()) else {
                left_out += 1;
                return;
            };
            let indexed = read.and_then(|read| {
                if arguments.targets.output.is_some() {
                    seen.note(report, &read.staged.benchmarks);
                }
                let committed = read.staged.commit();
                committed.with_context(|| report.name())?;
                let mut verified = read.outcome.verifications.iter();
                if let Some(journal) = &mut journal
                    && !verified.any(Verification::is_contradicted)
                {
                    journal.done(read.entry, || sinks.settle())?;
                }
                Ok(read.outcome)
            });
            reading.suspended(|| match indexed {
                Ok(read) => outcome.add(report, read, arguments),
                Err(error) => outcome.fail(&error),
            });
        },
    );
    reading.clear_bar();
    if left_out > 0 {
        let reports = counted(left_out, "report", "reports");
        outcome.fail(&anyhow!(
            "{reports} left out: nothing more can be written after that"
        ));
    }
    // Whatever becomes of the journal, the documents are to arrive.
    let noted = journal.map_or(Ok(()), |mut journal| journal.settle(|| sinks.settle()));
    noted.unwrap_or_else(|error| outcome.fail(&error));
    let (documents, failures) = sinks.finish();
    outcome.documents = documents;
    failures.iter().for_each(|failure| outcome.fail(failure));
    outcome.tell(arguments)?;
    Ok(outcome.exit())
}

fn check(arguments: &IndexArguments, reports: &[Named]) -> Result<()> {
    if !arguments.reports.names_reports() {
        bail!("no report is named; give files, folders, globs or `-` (see --help)");
    }
    arguments.targets.check()?;
    if !arguments.dry_run {
        arguments.sending.check_files()?;
    }
    if let Some(output) = &arguments.targets.output
        && let Ok(output) = output.canonicalize()
        && output.is_file()
        && reports.iter().any(|report| report.is(&output))
    {
        bail!(
            "{}: --output would replace a report that is read",
            output.display()
        );
    }
    if arguments.journal.is_some() && arguments.targets.output.is_some() {
        bail!("with --journal, the file of --output would lack the reports that are done");
    }
    Ok(())
}

/// Where documents go, whose they are, and whether their figures are verified: what is done for one of
/// these is not done for another.
fn purpose(arguments: &IndexArguments) -> Purpose {
    let server = &arguments.sending.server;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let nodes = server.es_server.as_deref().unwrap_or_default().split(',');
    // Who sends them makes no difference, and is nobody's business.
    let node = |node: &str| node.rsplit('@').next().unwrap_or_default().to_owned();
    let mut nodes: Vec<String> = nodes.map(node).collect();
    nodes.sort();
    let mut parts = vec![
        nodes.join(","),
        text(&server.es_index),
        text(&server.es_requests_index),
        arguments.targets.store_name(!server.is_named()),
        text(&arguments.reports.uuid),
        arguments.reports.job_name.clone(),
        arguments.reports.sample.to_string(),
    ];
    parts.extend(arguments.reports.verify.then(|| "verified".to_owned()));
    Purpose::new(&parts)
}

/// As many as there are processors, up to four: beyond it, the disk or the server is in the way.
fn processors() -> NonZero<usize> {
    let most = NonZero::<usize>::MIN.saturating_add(3);
    std::thread::available_parallelism().map_or(NonZero::<usize>::MIN, |count| count.min(most))
}

fn open_sinks(arguments: &IndexArguments, unfinished: &Registry) -> Result<Sinks> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if arguments.dry_run {
        return Ok(Sinks(sinks));
    }
    if let Some(server) = arguments.sending.open(&[], &Stop::default())? {
        sinks.push(Box::new(server));
    }
    arguments.targets.open(sinks, unfinished)
}

/// A report that was read to its end.
struct Read<'a> {
    staged: StagedReports<'a>,
    outcome: ReadOutcome,
    /// Its line in the journal.
    entry: Option<String>,
}

fn read<'a>(
    report: &Named,
    purpose: Purpose,
    reading: &Reading,
    sinks: &'a Sinks,
) -> Result<Read<'a>> {
    // Before it is read: if it is written again meanwhile, it is done again.
    let entry = journal::entry(report, purpose);
    let mut staged = sinks.stage()?;
    let outcome = reading.read(report, &mut staged)?;
    staged.prepare().with_context(|| report.name())?;
    Ok(Read {
        staged,
        outcome,
        entry,
    })
}

/// The benchmarks of a command, each with the first report that it is in.
#[derive(Default)]
struct Seen(HashMap<Uuid, Arc<str>>);

impl Seen {
    /// Tells of a report that is there in another form: a file has each document once.
    fn note(&mut self, report: &Named, benchmarks: &[Uuid]) {
        let first = benchmarks.iter().find_map(|id| self.0.get(id));
        if let Some(first) = first {
            let name = report.name();
            tell(&format!(
                "warning: {name}: has benchmarks of {first}; the output has these once"
            ));
        }
        let name: Arc<str> = report.name().into();
        for id in benchmarks {
            self.0.entry(*id).or_insert_with(|| Arc::clone(&name));
        }
    }
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
            (0, false) if self.passed_over == 0 => Exit::Unusable,
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
        if arguments.targets.json {
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
            let place = match arguments.default_store() {
                Some(store) if self.reports > 0 => format!(", in the store {store}"),
                _ => String::new(),
            };
            tell(&format!(
                "{reports} read{failed}{noted}: {summaries}, {requests}{place}"
            ));
        }
        if let Some(documents) = &self.documents {
            server::tell_of(documents, arguments.reports.quiet);
        }
        Ok(())
    }
}

impl IndexArguments {
    /// The store that documents are in as nobody said where they go.
    fn default_store(&self) -> Option<&'static str> {
        let is_default = !self.dry_run && !self.sending.server.is_named();
        self.targets.default_store().filter(|_| is_default)
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
