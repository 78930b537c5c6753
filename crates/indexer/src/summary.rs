//! `guidellm-indexer summary`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use guidellm_results_model::analysis::{Documents, Glance, still_failed};
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::frames::{objects, summaries_frame};
use guidellm_results_model::{Consumer, Exit, Verification};
use polars::frame::DataFrame;
use polars::prelude::SortMultipleOptions;
use serde_json::Value;

use crate::cli::SummaryArguments;
use crate::reading::Reading;
use crate::store::Store;
use crate::table::Drawn;
use crate::targets::DEFAULT_STORE;
use crate::{table, tell, verification};

/// Keeps summaries, and what is drawn of requests.
#[derive(Default)]
struct Summaries {
    summaries: Vec<Summary>,
    /// Of the present report, by the benchmark's position.
    glances: BTreeMap<u32, Glance>,
    /// By the summary's `document_id`.
    drawn: BTreeMap<String, Drawn>,
}

impl Consumer for Summaries {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
        if let Some(first) = requests.first() {
            let glance = self.glances.entry(first.origin.benchmark_index);
            let glance = glance.or_default();
            requests.iter().for_each(|request| glance.push(request));
        }
        Ok(())
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
        if let Some(glance) = self.glances.remove(&summary.origin.benchmark_index) {
            let id = summary.document_id.to_string();
            self.drawn.insert(id, Drawn::of(&glance));
        }
        self.summaries.push(summary);
        Ok(())
    }
}

/// What is said of reports that are read says nothing of a store's documents.
fn check(arguments: &SummaryArguments) -> Result<()> {
    let own = &arguments.reports;
    let of_reports = [
        ("--uuid", own.uuid.is_some()),
        ("--job-name", !own.job_name.is_empty()),
        ("--sample", own.sample != 0),
        ("--salvage", own.salvage),
        ("--verify", own.verify),
    ];
    match of_reports.iter().find(|(_, given)| *given) {
        Some((flag, _)) if !own.names_reports() => bail!(
            "{flag} is for reports that are read, and none is named; of a store, `scenarios RUN` \
             shows some"
        ),
        _ => Ok(()),
    }
}

pub(crate) fn run(arguments: &SummaryArguments) -> Result<Exit> {
    check(arguments)?;
    let (reports, failures) = arguments.reports.find();
    let mut failed = failures.len();
    failures
        .iter()
        .for_each(|failure| tell(&format!("error: {failure:#}")));
    let mut summaries = Summaries::default();
    let reading = Reading::new(&arguments.reports, &reports);
    for report in &reports {
        // One that broke off has left some.
        summaries.glances.clear();
        let read = reading.read(report, &mut summaries);
        reading.suspended(|| match read {
            Ok(outcome) => {
                let verifications = &outcome.verifications;
                verification::tell(&report.name(), verifications, arguments.reports.quiet);
                failed += usize::from(verifications.iter().any(Verification::is_contradicted));
            }
            Err(error) => {
                failed += 1;
                tell(&format!("error: {error:#}"));
            }
        });
    }
    reading.clear_bar();
    let Summaries {
        summaries,
        mut drawn,
        ..
    } = summaries;
    let mut frame = summaries_frame(&summaries)?;
    let default = (!arguments.reports.names_reports()).then(|| PathBuf::from(DEFAULT_STORE));
    if let Some(root) = arguments.store.clone().or(default) {
        let store = Store::existing(&root)?;
        let stored = store.summaries_frame()?;
        if !arguments.json {
            drawn.extend(drawn_of(&store, &stored)?);
        }
        tell_failed(&store, &stored)?;
        frame.vstack_mut(&stored)?;
    }
    let frame = frame.sort(["timestamp"], SortMultipleOptions::default())?;
    let text = if arguments.json {
        table::json(&frame)?
    } else {
        let terminal = terminal_size::terminal_size_of(std::io::stdout());
        let room = terminal.map(|(width, _)| usize::from(width.0));
        table::text(&frame, &drawn, room)?
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(match (frame.height(), failed) {
        (_, 0) => Exit::Done,
        (0, _) => Exit::Unusable,
        _ => Exit::SomeFailed,
    })
}

/// Names samples of a store that left no report, and so are in no row.
fn tell_failed(store: &Store, summaries: &DataFrame) -> Result<()> {
    let uuids = summaries.column("uuid")?.str()?;
    let jobs = summaries.column("job_name")?.str()?;
    let samples = summaries.column("sample")?.i64()?;
    let rows = uuids.iter().zip(jobs.iter()).zip(samples.iter());
    let measured = rows.filter_map(|((uuid, job), sample)| {
        let sample = u32::try_from(sample?).ok()?;
        Some((uuid?, job?, sample))
    });
    for run in still_failed(store.failed_runs()?, measured) {
        tell(&format!("warning: run {}: {run}", run.uuid));
    }
    Ok(())
}

/// What is drawn of a store's requests. Of a summary whose requests cannot be read, nothing is: its
/// figures do not depend on them.
fn drawn_of(store: &Store, summaries: &DataFrame) -> Result<BTreeMap<String, Drawn>> {
    let mut drawn = BTreeMap::new();
    for row in objects(summaries)? {
        let id = row.get("document_id").and_then(Value::as_str);
        let id = id.unwrap_or_default().to_owned();
        match glance(store, row) {
            Ok(glance) => {
                drawn.insert(id, Drawn::of(&glance));
            }
            Err(error) => tell(&format!(
                "warning: summary {id} has no sparklines: {error:#}"
            )),
        }
    }
    Ok(drawn)
}

fn glance(store: &Store, summary: serde_json::Map<String, Value>) -> Result<Glance> {
    let summary: Summary = serde_json::from_value(Value::Object(summary))
        .context("it is of an older release; index its report again")?;
    let mut glance = Glance::default();
    store.requests(&summary, Glance::COLUMNS, &mut |frame| {
        Ok(glance.push_frame(frame)?)
    })?;
    Ok(glance)
}
