//! `guidellm-indexer export`: documents out of a cluster, into the same sinks as those of reports.

use std::io::Write;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use guidellm_results_model::documents::{FailedRun, Origin, Request, Summary};
use guidellm_results_model::{Consumer, Exit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::bulk::Stop;
use crate::cli::{ExportArguments, ServerArguments};
use crate::cluster::{Cluster, ClusterError, Of, Search};
use crate::sink::Sinks;
use crate::tell;
use crate::unfinished::Registry;

/// What came of it, for machines.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    summaries: u64,
    requests: u64,
    /// Runs that left no report.
    failed_runs: u64,
    /// Benchmarks of which not as many requests came as their reports have records.
    not_whole: NotWhole,
    /// Those of them that the form of the file has no place for.
    #[serde(skip)]
    left_out: u64,
}

/// Benchmarks whose requests do not fit their summaries: documents that the server does not have, or
/// has in another index.
#[derive(Debug, Default, Serialize)]
struct NotWhole {
    benchmarks: u64,
    /// Requests that they should have.
    expected: u64,
    /// Requests that came.
    came: u64,
    /// How the first one is called.
    #[serde(skip)]
    first: Option<String>,
}

impl NotWhole {
    fn note(&mut self, summary: &Summary, came: u64) {
        let expected = summary.counts.records();
        if came == expected {
            return;
        }
        self.benchmarks += 1;
        self.expected += expected;
        self.came += came;
        self.first.get_or_insert_with(|| {
            let Origin {
                uuid,
                job_name,
                sample,
                benchmark_index,
                ..
            } = &*summary.origin;
            format!("benchmark {benchmark_index} of run {uuid}, job `{job_name}`, sample {sample}")
        });
    }

    /// What is to be told, if there is something.
    fn line(&self, server: &ServerArguments) -> Option<String> {
        let first = self.first.as_ref()?;
        let Self {
            benchmarks,
            expected,
            came,
            ..
        } = self;
        let benchmarks = match benchmarks {
            1 => first.clone(),
            count => format!("{count} benchmarks ({first}, first)"),
        };
        let cause = match server.es_requests_index {
            _ if came > expected => "was a report of the same ids indexed that had other requests?",
            None => "is --es-requests-index missing, or were some rejected or deleted?",
            Some(_) => "were some rejected or deleted, or are they in another index?",
        };
        Some(format!(
            "{benchmarks}: {came} requests came, of {expected}: {cause}"
        ))
    }
}

pub(crate) fn run(arguments: &ExportArguments, unfinished: &Registry) -> Result<Exit> {
    let server = &arguments.server;
    let Some(connection) = server.connection()? else {
        bail!("export needs --es-server URL (or ES_SERVER)");
    };
    let indices = server.indices()?;
    arguments.targets.check()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let reached = server.wait(&Stop::default(), || {
        runtime.block_on(Cluster::connect(&connection))
    })?;
    let Some(cluster) = reached else {
        return Ok(Exit::DeadlinePassed);
    };
    let sinks = arguments.targets.open(Vec::new(), unfinished)?;
    let exported = export(arguments, &runtime, &cluster, &indices, &sinks);
    let outcome = match exported {
        Ok(outcome) => outcome,
        Err(error) => return Ok(failed(&error)),
    };
    if let (_, failures) = sinks.finish()
        && let Some(error) = failures.into_iter().next()
    {
        return Err(error);
    }
    if outcome.summaries + outcome.failed_runs == 0 {
        bail!("{}: no benchmark of ours fits", indices.join(", "));
    }
    if outcome.left_out > 0 {
        let form = arguments.targets.format.to_possible_value();
        let form = form.as_ref().map_or("this form", |it| it.get_name());
        let count = outcome.left_out;
        tell(&format!(
            "warning: {form} has no place for runs that left no report; {count} are left out"
        ));
    }
    if arguments.targets.json {
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer(&mut stdout, &outcome)?;
        writeln!(stdout)?;
    } else if !arguments.quiet {
        let Outcome {
            summaries,
            requests,
            failed_runs,
            ..
        } = outcome;
        let failed_runs = match failed_runs {
            0 => String::new(),
            count => format!(", {count} of runs that left no report"),
        };
        tell(&format!(
            "documents: {summaries} of benchmarks, {requests} of requests{failed_runs}"
        ));
    }
    if let Some(line) = outcome.not_whole.line(server) {
        tell(&format!("error: {line}"));
        return Ok(Exit::SomeFailed);
    }
    Ok(Exit::Done)
}

/// A server that went away is no wrong usage.
fn failed(error: &anyhow::Error) -> Exit {
    tell(&format!("error: {error:#}"));
    match error.downcast_ref::<ClusterError>() {
        Some(error) if error.is_retryable() => Exit::DeadlinePassed,
        _ => Exit::SomeFailed,
    }
}

fn export(
    arguments: &ExportArguments,
    runtime: &Runtime,
    cluster: &Cluster,
    indices: &[&str],
    sinks: &Sinks,
) -> Result<Outcome> {
    let patience = arguments.server.patience();
    runtime.block_on(async {
        let mut search = Search::open(cluster, indices, patience).await?;
        let exported = export_from(&mut search, arguments, sinks).await;
        search.close().await;
        exported
    })
}

async fn export_from(
    search: &mut Search<'_>,
    arguments: &ExportArguments,
    sinks: &Sinks,
) -> Result<Outcome> {
    let mut summaries: Vec<Summary> = Vec::new();
    search
        .for_each(Of::Ours, &summaries_of(wanted(arguments)), |page| {
            summaries.extend(parsed::<Summary>(page)?);
            anyhow::Ok(())
        })
        .await?;
    // As in the reports that they came from.
    summaries.sort_by_key(|summary| summary.timestamp);
    let mut outcome = Outcome::default();
    for summary in summaries {
        let requests = export_benchmark(search, summary.clone(), sinks).await?;
        outcome.not_whole.note(&summary, requests);
        outcome.requests += requests;
        outcome.summaries += 1;
    }
    search
        .for_each(Of::Ours, &failed_runs_of(wanted(arguments)), |page| {
            let runs = parsed::<FailedRun>(page)?;
            for run in &runs {
                outcome.failed_runs += 1;
                outcome.left_out += u64::from(!sinks.failed_run(run)?);
            }
            anyhow::Ok(())
        })
        .await?;
    Ok(outcome)
}

/// Brings one benchmark back whole; returns how many requests it has.
pub(crate) async fn export_benchmark(
    search: &mut Search<'_>,
    summary: Summary,
    sinks: &Sinks,
) -> Result<u64> {
    let mut staged = sinks.stage()?;
    let requests = search
        .for_each(Of::Ours, &requests_of(&summary), |page| {
            staged.requests(parsed::<Request>(page)?)
        })
        .await?;
    staged.summary(summary)?;
    staged.prepare()?;
    staged.commit()?;
    Ok(requests)
}

pub(crate) fn parsed<T: DeserializeOwned>(page: &[&RawValue]) -> Result<Vec<T>> {
    let parsed = page.iter().map(|document| {
        let parsed = serde_json::from_str(document.get());
        parsed.with_context(|| {
            let id: Option<Value> = serde_json::from_str(document.get()).ok();
            let id = id
                .and_then(|it| it.get("document_id").cloned())
                .unwrap_or_default();
            format!("document {id} is none of this release's; index its report again")
        })
    });
    parsed.collect()
}

pub(crate) fn term(field: &str, value: impl Into<Value>) -> Value {
    json!({ "term": { (field): value.into() } })
}

/// What is asked for.
fn wanted(arguments: &ExportArguments) -> Vec<Value> {
    let keyword = |field: &str, value: &String| term(&format!("{field}.keyword"), value.as_str());
    let filters = [
        arguments.uuid.as_ref().map(|uuid| keyword("uuid", uuid)),
        arguments
            .job_name
            .as_ref()
            .map(|name| keyword("job_name", name)),
        arguments.sample.map(|sample| term("sample", sample)),
    ];
    filters.into_iter().flatten().collect()
}

/// The query for summaries among what is asked for.
pub(crate) fn summaries_of(mut wanted: Vec<Value>) -> Value {
    wanted.push(term("metricName.keyword", "guidellmSummary"));
    wanted.push(json!({ "exists": { "field": "benchmark_id" } }));
    json!({ "bool": { "filter": wanted } })
}

/// The same for what stands for runs that left no report: it is of no benchmark.
pub(crate) fn failed_runs_of(mut wanted: Vec<Value>) -> Value {
    wanted.push(term("metricName.keyword", "guidellmSummary"));
    json!({ "bool": {
        "filter": wanted,
        "must_not": [{ "exists": { "field": "benchmark_id" } }],
    } })
}

/// The query for a benchmark's requests.
fn requests_of(summary: &Summary) -> Value {
    let origin = &summary.origin;
    let keyword = |field: &str, value: &str| term(&format!("{field}.keyword"), value);
    let mut filters = vec![
        term("metricName.keyword", "guidellmRequest"),
        keyword("uuid", &origin.uuid),
        keyword("job_name", &origin.job_name),
        keyword("benchmark_id", &origin.benchmark_id),
        term("sample", origin.sample),
    ];
    filters.extend(origin.run_id.as_ref().map(|id| keyword("run_id", id)));
    json!({ "bool": { "filter": filters } })
}
