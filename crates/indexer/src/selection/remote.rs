//! What a server has of what is asked for, brought into a store.

use anyhow::Result;
use guidellm_results_model::documents::{FailedRun, Summary};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use super::Selector;
use crate::bulk::Stop;
use crate::cli::SourceArguments;
use crate::cluster::{Cluster, ClusterError, Connection, Of, Search};
use crate::export::{export_benchmark, failed_runs_of, parsed, summaries_of, term};
use crate::kube_burner::{Alert, Document, JobSummary, Metric};
use crate::sink::Sinks;
use crate::store::{Store, Tables};

/// The run of a document of any kind.
#[derive(Deserialize)]
struct OfRun {
    uuid: String,
}

pub(super) fn fetch(
    source: &SourceArguments,
    connection: &Connection,
    selectors: &[Selector],
    store: &Store,
) -> Result<()> {
    let server = &source.server;
    let indices = server.indices()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let reached = server.wait(&Stop::default(), || {
        runtime.block_on(Cluster::connect(connection))
    })?;
    let Some(cluster) = reached else {
        let gone = ClusterError::Unreachable {
            nodes: "the server".to_owned(),
            reason: "it was given up; --give-up-after says when".to_owned(),
        };
        return Err(gone.into());
    };
    runtime.block_on(async {
        let mut search = Search::open(&cluster, &indices, server.patience()).await?;
        let fetched = fetch_from(&mut search, source, selectors, store).await;
        search.close().await;
        fetched
    })
}

async fn fetch_from(
    search: &mut Search<'_>,
    source: &SourceArguments,
    selectors: &[Selector],
    store: &Store,
) -> Result<()> {
    let mut alternatives = Vec::new();
    for selector in selectors {
        alternatives.extend(alternative(selector));
        if let Selector::Labels(labels) = selector {
            // What is known of a run is in the summaries of its jobs.
            let runs = runs_of_jobs(search, labels).await?;
            alternatives.extend(runs.iter().map(|uuid| term("uuid.keyword", uuid.as_str())));
        }
    }
    let job = source.job_name.as_deref();
    let job = job.map(|job| term("job_name.keyword", job));
    let asked = |alternatives: &[Value]| {
        let named = (!selectors.is_empty()).then(|| any_of(alternatives));
        named.into_iter().chain(job.clone()).collect()
    };
    let mut summaries: Vec<Summary> = Vec::new();
    search
        .for_each(Of::Ours, &summaries_of(asked(&alternatives)), |page| {
            summaries.extend(parsed::<Summary>(page)?);
            anyhow::Ok(())
        })
        .await?;
    let mut jobs: Vec<(String, String)> = summaries
        .iter()
        .map(|it| (it.origin.uuid.to_string(), it.origin.job_name.to_string()))
        .collect();
    jobs.sort();
    jobs.dedup();
    let sinks = Sinks(vec![Box::new(store.clone())]);
    for summary in summaries {
        export_benchmark(search, summary, &sinks).await?;
    }
    let tables = store.tables()?;
    for (uuid, job_name) in &jobs {
        fetch_tables(search, uuid, job_name, &tables).await?;
    }
    let mut runs: Vec<String> = jobs.into_iter().map(|(uuid, _)| uuid).collect();
    runs.dedup();
    for uuid in &runs {
        fetch_alerts(search, uuid, &tables).await?;
    }
    tables.commit()?;
    // They have no labels of their own: it is their run that is meant.
    alternatives.push(json!({ "terms": { "uuid.keyword": runs } }));
    let failed_runs = failed_runs_of(asked(&alternatives));
    search
        .for_each(Of::Ours, &failed_runs, |page| {
            let runs = parsed::<FailedRun>(page)?;
            runs.iter().try_for_each(|run| store.keep_failed_run(run))
        })
        .await?;
    Ok(())
}

fn alternative(selector: &Selector) -> Option<Value> {
    match selector {
        Selector::Run(uuid) => Some(json!({ "prefix": { "uuid.keyword": uuid } })),
        Selector::Labels(labels) => Some(of_labels(labels)),
        Selector::Reports(_) | Selector::Store(_) => None,
    }
}

/// Labels as they are in documents: below `labels`, or fields of their own.
fn of_labels(labels: &[(String, String)]) -> Value {
    let all = labels.iter().map(|(name, value)| {
        let name = name.strip_prefix("labels.").unwrap_or(name);
        let label = term(&format!("labels.{name}"), value.as_str());
        any_of(&[label, of_field(name, value)])
    });
    all_of(&all.collect::<Vec<_>>())
}

/// A field that is a keyword, or that the server made a text with a keyword.
fn of_field(name: &str, value: &str) -> Value {
    let keyword = term(&format!("{name}.keyword"), value);
    // As a number's field takes no other text, a mismatch is no error here.
    let plain =
        json!({ "match": { (name): { "query": value, "lenient": true, "operator": "and" } } });
    any_of(&[keyword, plain])
}

fn any_of(alternatives: &[Value]) -> Value {
    json!({ "bool": { "should": alternatives, "minimum_should_match": 1 } })
}

fn all_of(filters: &[Value]) -> Value {
    json!({ "bool": { "filter": filters } })
}

async fn runs_of_jobs(search: &mut Search<'_>, labels: &[(String, String)]) -> Result<Vec<String>> {
    let mut filters = vec![term("metricName.keyword", "jobSummary")];
    filters.extend(labels.iter().map(|(name, value)| of_field(name, value)));
    let mut runs = Vec::new();
    search
        .for_each(Of::Anybody, &all_of(&filters), |page| {
            runs.extend(parsed::<OfRun>(page)?.into_iter().map(|it| it.uuid));
            anyhow::Ok(())
        })
        .await?;
    runs.sort();
    runs.dedup();
    Ok(runs)
}

/// kube-burner's documents of a job.
async fn fetch_tables(
    search: &mut Search<'_>,
    uuid: &str,
    job_name: &str,
    tables: &Tables,
) -> Result<()> {
    let run = term("uuid.keyword", uuid);
    let of_job = any_of(&[
        term("jobName.keyword", job_name),
        term("jobConfig.name.keyword", job_name),
        term("jobConfig.name", job_name),
    ]);
    let not_ours = json!({ "bool": { "must_not": [
        { "terms": { "metricName.keyword": ["guidellmSummary", "guidellmRequest"] } }
    ] } });
    search
        .for_each(Of::Anybody, &all_of(&[run, of_job, not_ours]), |page| {
            let documents: Vec<Document> = page.iter().filter_map(|it| document(it)).collect();
            tables.add(documents)
        })
        .await?;
    Ok(())
}

/// Alerts of a run: kube-burner's documents of them name no job.
async fn fetch_alerts(search: &mut Search<'_>, uuid: &str, tables: &Tables) -> Result<()> {
    let of_run = [
        term("uuid.keyword", uuid),
        term("metricName.keyword", "alert"),
    ];
    search
        .for_each(Of::Anybody, &all_of(&of_run), |page| {
            let alerts = page
                .iter()
                .filter_map(|it| serde_json::from_str::<Alert>(it.get()).ok());
            tables.add(alerts.map(Document::Alert).collect())
        })
        .await?;
    Ok(())
}

/// What is pooled of kube-burner's documents: its measurements of pods and nodes are not.
fn document(text: &RawValue) -> Option<Document> {
    let text = text.get();
    if let Ok(summary) = serde_json::from_str::<JobSummary>(text) {
        return Some(Document::JobSummary(Box::new(summary)));
    }
    serde_json::from_str::<Metric>(text)
        .ok()
        .map(Document::Metric)
}
