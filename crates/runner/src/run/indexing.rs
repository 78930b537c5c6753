//! A job's documents: its summary, and what Prometheus measured in its time. They are made while the
//! next job runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use guidellm_indexer::bulk::Stop;
use guidellm_indexer::cli::{SendingArguments, TargetArguments};
use guidellm_indexer::kube_burner::{Destinations, Document, DocumentSink, JobSummary, Metadata};
use guidellm_results_model::Exit;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::engine::lock;
use super::narrator::Narrator;
use super::state::{Book, JobRecord};
use crate::metrics::{AlertProfile, Client, Context, MetricProfile, Window, alerts, scrape};
use crate::plan::PlannedJob;
use crate::suite::Job;

/// What is asked of a Prometheus.
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) metrics: Vec<MetricProfile>,
    pub(super) alerts: Vec<AlertProfile>,
    pub(super) step: Duration,
    /// Its name, if there are several.
    pub(super) name: Arc<str>,
}

/// All that making documents needs.
pub(super) struct Indexing {
    pub(super) jobs: Vec<PlannedJob>,
    pub(super) uuid: Arc<str>,
    pub(super) namespace: String,
    pub(super) vars: Map<String, Value>,
    /// What the user says of the run.
    pub(super) metadata: Arc<Metadata>,
    pub(super) sources: Vec<Source>,
    pub(super) targets: TargetArguments,
    pub(super) sending: SendingArguments,
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) narrator: Narrator,
}

impl Indexing {
    /// Takes jobs that have ended until there are no more; how it went, all together.
    pub(super) async fn take(self, mut ended: mpsc::UnboundedReceiver<JobRecord>) -> Exit {
        let mut exit = Exit::Done;
        while let Some(record) = ended.recv().await {
            match self.index(&record).await {
                Ok(one) => {
                    exit = exit.max(one);
                    // What was not sent, or not asked, may be the next time.
                    let indexed = one != Exit::DeadlinePassed;
                    let record = JobRecord { indexed, ..record };
                    if let Err(error) = lock(&self.book).note(&record) {
                        self.narrator.warn(&format!("warning: {error:#}"));
                    }
                }
                Err(error) => {
                    self.narrator
                        .warn(&format!("error: documents of {}: {error:#}", record.name));
                    exit = exit.max(Exit::SomeFailed);
                }
            }
        }
        exit
    }

    async fn index(&self, record: &JobRecord) -> Result<Exit> {
        let (targets, sending) = (self.targets.clone(), self.sending.clone());
        // Opening and ending may wait for a server.
        let opened = tokio::task::spawn_blocking(move || {
            Destinations::open(&targets, &sending, &Stop::default())
        });
        let sink = Arc::new(opened.await.context("the thread that opens died")??);
        let mut exit = Exit::Done;
        let mut errors: Vec<String> = record.failures.iter().map(ToString::to_string).collect();
        for source in &self.sources {
            exit = exit.max(self.measure(source, record, &sink, &mut errors).await?);
        }
        if let Some(summary) = self.summary(record, exit, &errors) {
            let sink = Arc::clone(&sink);
            let added = tokio::task::spawn_blocking(move || {
                sink.add(vec![Document::JobSummary(Box::new(summary))])
            });
            added.await.context("the thread that adds died")??;
        }
        let sink = Arc::into_inner(sink).context("documents are still being written")?;
        let (shipped, failures) = tokio::task::spawn_blocking(|| sink.end()).await?;
        if let Some(shipped) = shipped {
            shipped
                .lines(true)
                .iter()
                .for_each(|line| self.narrator.warn(line));
            exit = exit.max(shipped.exit());
        }
        match failures.into_iter().next() {
            Some(failure) => Err(failure),
            None => Ok(exit),
        }
    }

    async fn measure(
        &self,
        source: &Source,
        record: &JobRecord,
        sink: &Arc<Destinations>,
        errors: &mut Vec<String>,
    ) -> Result<Exit> {
        let Some(end) = record.end else {
            return Ok(Exit::Done);
        };
        let mut window = Window::new(record.start, end, source.step)?;
        if let Some((start, end)) = record.load {
            window = window.with_load(start, end);
        }
        let context = Context {
            uuid: Arc::clone(&self.uuid),
            job_name: record.name.as_str().into(),
            namespace: self.namespace.clone(),
            vars: self.vars.clone(),
            metadata: Arc::clone(&self.metadata),
            server: Arc::clone(&source.name),
        };
        let scraped = scrape(&source.client, &source.metrics, &window, &context, sink).await?;
        let alerted = alerts(&source.client, &source.alerts, &window, &context, sink).await?;
        for failed in scraped.failed.iter().chain(&alerted.failed) {
            self.narrator.warn(&format!(
                "warning: {}: {}: {}",
                record.name, failed.name, failed.error
            ));
        }
        for alert in &alerted.alerts {
            let told = format!(
                "{} alert at {}: {}",
                alert.severity, alert.timestamp, alert.description
            );
            self.narrator.warn(&format!("{}: {told}", record.name));
            errors.push(told);
        }
        Ok(scraped.exit().max(alerted.exit()))
    }

    fn summary(&self, record: &JobRecord, exit: Exit, errors: &[String]) -> Option<JobSummary> {
        let job = self.jobs.iter().find(|it| it.job.name == record.name)?;
        let end = record.end?;
        let elapsed = (end.epoch_micros() - record.start.epoch_micros()) / 1_000_000;
        let mut metadata = lock(&self.book).state.facts.clone();
        metadata.extend((*self.metadata).clone());
        if let Some((start, end)) = record.load {
            metadata.insert("loadStartTimestamp".into(), json!(start));
            metadata.insert("loadEndTimestamp".into(), json!(end));
        }
        Some(JobSummary {
            timestamp: record.start,
            end_timestamp: end,
            churn_start_timestamp: None,
            churn_end_timestamp: None,
            #[expect(clippy::cast_precision_loss, reason = "seconds of a run")]
            elapsed_time: elapsed as f64,
            achieved_qps: None,
            uuid: self.uuid.to_string(),
            incremental_load_uuid: None,
            metric_name: guidellm_indexer::kube_burner::JobSummaryMetricName::default(),
            job_config: config(&job.job),
            version: format!("v{}", env!("CARGO_PKG_VERSION")),
            passed: record.failures.is_empty() && exit != Exit::ThresholdCrossed,
            execution_errors: (!errors.is_empty()).then(|| errors.join("; ")),
            metadata,
        })
    }
}

/// The job's settings, as kube-burner writes them: times in nanoseconds, without its objects.
fn config(job: &Job) -> Map<String, Value> {
    let nanos = |time: Duration| json!(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let config = json!({
        "name": job.name,
        "namespace": job.namespace,
        "jobIterations": job.job_iterations,
        "namespacedIterations": job.namespaced_iterations,
        "qps": job.qps,
        "burst": job.burst,
        "cleanup": job.cleanup,
        "waitWhenFinished": job.wait_when_finished,
        "maxWaitTimeout": nanos(job.max_wait_timeout.unwrap_or_default().0),
        "jobPause": nanos(job.job_pause.0),
        "jobType": "create",
    });
    config.as_object().cloned().unwrap_or_default()
}
