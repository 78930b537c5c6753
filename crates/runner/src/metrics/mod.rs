//! What Prometheus measured in the time of a job, as kube-burner's documents; and whether any of it is
//! cause for alarm.
//!
//! [`scrape`] asks the queries of [`MetricProfile`]s about a [`Window`] and hands their samples to a
//! [`DocumentSink`] as they come; [`alerts`] evaluates [`AlertProfile`]s. A query that fails is told of,
//! and the others go on.

mod alerts;
mod answer;
mod client;
mod credentials;
mod error;
mod fetch;
pub(crate) mod openshift;
mod options;
mod profile;
mod template;
mod window;

pub use alerts::{Alerted, alerts};
pub use client::Client;
pub use credentials::{Authorization, Token, TokenProvider};
pub use error::PrometheusError;
pub use options::{Authorities, Options};
pub use profile::{AlertProfile, MetricProfile, ProfileError};
pub use window::{Window, WindowError};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use guidellm_indexer::kube_burner::{Document, DocumentSink, Metadata, Metric};
use guidellm_results_model::Exit;
use serde::Serialize;
use serde_json::{Map, Value};

use self::answer::{Answer, Series};
use self::client::At;
use self::fetch::{Fetch, Request};
use self::template::Values;
use self::window::instant;

/// Documents that are made at once.
const DOCUMENTS: usize = 2000;

/// Whose time it is.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The run.
    pub uuid: Arc<str>,
    /// The job.
    pub job_name: Arc<str>,
    /// Kubernetes namespace of what is measured.
    pub namespace: String,
    /// The suite's variables.
    pub vars: Map<String, Value>,
    /// What a user says of the run, for each document.
    pub metadata: Arc<Metadata>,
    /// The server, if a run has several: documents of one do not take the place of another's.
    pub server: Arc<str>,
}

/// What came of scraping.
#[derive(Debug, Default, Serialize)]
pub struct Scraped {
    /// Queries that were answered, or failed.
    pub queries: u64,
    /// Samples that became documents.
    pub documents: u64,
    /// Samples that are no number, and became none.
    pub left_out: u64,
    /// Names of queries that were answered without a single sample.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub empty: BTreeSet<Arc<str>>,
    /// Queries that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedQuery>,
    /// What the server said beside its answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A query without an answer, or without a part of it.
#[derive(Debug, Clone, Serialize)]
pub struct FailedQuery {
    /// Its name in the profile; of an alert, its expression.
    pub name: String,
    /// As it was asked.
    pub query: String,
    /// Why.
    pub error: String,
    /// Whether the server was away, so that the same may work later.
    pub is_away: bool,
}

impl Scraped {
    /// How a command ends after it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        exit(&self.failed)
    }
}

fn exit(failed: &[FailedQuery]) -> Exit {
    match failed {
        [] => Exit::Done,
        failed if failed.iter().any(|it| it.is_away) => Exit::DeadlinePassed,
        _ => Exit::SomeFailed,
    }
}

/// What a request's answer becomes.
#[derive(Debug, Clone)]
struct Of {
    name: Arc<str>,
    origin: Arc<str>,
}

/// Asks all queries about a window, and hands their samples over as they come.
///
/// Waits first until the end of the window has been scraped. The sink is called on threads that may
/// wait.
///
/// # Errors
///
/// If the sink fails. Queries that fail are in the outcome.
pub async fn scrape<S: DocumentSink + ?Sized + 'static>(
    client: &Client,
    profiles: &[MetricProfile],
    window: &Window,
    context: &Context,
    sink: &Arc<S>,
) -> Result<Scraped> {
    let mut scraped = Scraped::default();
    let requests = requests(profiles, window, context, &mut scraped);
    let names = requests.iter().map(|request| Arc::clone(&request.of.name));
    scraped.empty = names.collect();
    client.wait_for_last_scrape(window.end()).await;
    let mut fetch = Fetch::new(client, requests);
    while let Some((request, answered)) = fetch.next().await {
        match answered {
            Ok(answer) => {
                let taken = scraped.take(answer, &request, window, context, sink);
                taken.await?;
            }
            Err(error) => {
                scraped.fail(&request.of.name, &request.query, &error);
                if error.is_general() {
                    for request in fetch.give_up() {
                        scraped.fail(&request.of.name, &request.query, &error);
                    }
                    break;
                }
            }
        }
    }
    Ok(scraped)
}

fn requests(
    profiles: &[MetricProfile],
    window: &Window,
    context: &Context,
    scraped: &mut Scraped,
) -> Vec<Request<Of>> {
    let env = environment();
    let values = context.values(window, &env);
    let mut named: BTreeMap<&str, u32> = BTreeMap::new();
    let mut requests = Vec::new();
    for metric in profiles.iter().flat_map(|profile| &profile.metrics) {
        scraped.queries += 1;
        let origin = context.origin(named.entry(&metric.name).or_default());
        let query: Arc<str> = match metric.query.render(&values) {
            Ok(query) => query.into(),
            Err(error) => {
                scraped.failed.push(FailedQuery {
                    name: metric.name.clone(),
                    query: String::new(),
                    error: format!("cannot be filled in: {error}"),
                    is_away: false,
                });
                continue;
            }
        };
        let mut ask = |name: &str, at: At| {
            let (name, origin) = (name.into(), Arc::clone(&origin));
            requests.push(Request {
                of: Of { name, origin },
                query: Arc::clone(&query),
                at,
            });
        };
        if metric.instant {
            if metric.capture_start {
                let name = format!("{}-start", metric.name);
                ask(&name, At::Instant(window.start()));
            }
            ask(&metric.name, At::Instant(window.end()));
        } else {
            let chunks = window.chunks();
            chunks.for_each(|chunk| ask(&metric.name, At::Range(chunk)));
            let rest = window.rest();
            rest.into_iter()
                .for_each(|end| ask(&metric.name, At::Instant(end)));
        }
    }
    requests
}

fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

impl Context {
    fn values<'a>(&'a self, window: &Window, env: &'a BTreeMap<String, String>) -> Values<'a> {
        Values {
            elapsed: format!("{}s", window.elapsed_seconds()),
            namespace: &self.namespace,
            uuid: &self.uuid,
            job_name: &self.job_name,
            vars: &self.vars,
            env,
        }
    }

    /// Of the n-th query under a name.
    fn origin(&self, before: &mut u32) -> Arc<str> {
        *before += 1;
        match (&*self.server, *before) {
            (_, 1) => Arc::clone(&self.server),
            ("", number) => number.to_string().into(),
            (server, number) => format!("{server} {number}").into(),
        }
    }
}

impl Scraped {
    /// Hands the samples of an answer over.
    async fn take<S: DocumentSink + ?Sized + 'static>(
        &mut self,
        answer: Answer,
        request: &Request<Of>,
        window: &Window,
        context: &Context,
        sink: &Arc<S>,
    ) -> Result<()> {
        self.left_out += answer.left_out;
        warn(&mut self.warnings, answer.warnings);
        if answer
            .series
            .iter()
            .any(|series| !series.samples.is_empty())
        {
            self.empty.remove(&request.of.name);
        }
        let mut documents = Vec::new();
        for series in &answer.series {
            for (time, value) in &series.samples {
                let document = sample(series, (*time, *value), request, window, context);
                documents.extend(document);
                if documents.len() == DOCUMENTS {
                    self.documents += hand_over(std::mem::take(&mut documents), sink).await?;
                }
            }
        }
        self.documents += hand_over(documents, sink).await?;
        Ok(())
    }

    /// One failure of a query is enough to know of.
    fn fail(&mut self, name: &str, query: &str, error: &PrometheusError) {
        self.empty.remove(name);
        if !self
            .failed
            .iter()
            .any(|it| it.name == name && it.query == query)
        {
            self.failed.push(FailedQuery::new(name, query, error));
        }
    }
}

impl FailedQuery {
    fn new(name: &str, query: &str, error: &PrometheusError) -> Self {
        Self {
            name: name.to_owned(),
            query: query.to_owned(),
            error: error.to_string(),
            is_away: matches!(error, PrometheusError::Away { .. }),
        }
    }
}

/// Each warning once: all answers tend to have the same.
fn warn(warnings: &mut Vec<String>, more: Vec<String>) {
    for warning in more {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

fn sample(
    series: &Series,
    (time, value): (i64, f64),
    request: &Request<Of>,
    window: &Window,
    context: &Context,
) -> Option<Document> {
    let Of { name, origin } = &request.of;
    let origin = match (&**origin, &*series.name) {
        (_, "") => Arc::clone(origin),
        (origin, name) => format!("{origin} {name}").into(),
    };
    Some(Document::Metric(Metric {
        timestamp: instant(time)?,
        labels: Arc::clone(&series.labels),
        value,
        uuid: Arc::clone(&context.uuid),
        query: Arc::clone(&request.query),
        churn_metric: false,
        metric_name: Arc::clone(name),
        job_name: Arc::clone(&context.job_name),
        metadata: Arc::clone(&context.metadata),
        during_load: window.is_during_load(time),
        origin,
    }))
}

/// On a thread that may wait; says how many there were.
async fn hand_over<S: DocumentSink + ?Sized + 'static>(
    documents: Vec<Document>,
    sink: &Arc<S>,
) -> Result<u64> {
    let count = documents.len() as u64;
    if count > 0 {
        let sink = Arc::clone(sink);
        let added = tokio::task::spawn_blocking(move || sink.add(documents)).await;
        added.context("the thread that takes documents died")??;
    }
    Ok(count)
}
