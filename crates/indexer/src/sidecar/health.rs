//! `/healthz` and `/metrics`, for Kubernetes and Prometheus.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::bulk::Shipped;

/// The form that Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How far the sidecar has come; whoever asks is told. A clone tells the same.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Stages>>);

struct Stages {
    /// Until the benchmark ends.
    waiting_since: Option<SystemTime>,
    /// Of the tries that are over.
    before: Shipped,
    /// Of the one that is under way.
    now: Option<Box<dyn Fn() -> Shipped + Send>>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Stages {
            waiting_since: Some(SystemTime::now()),
            before: Shipped::default(),
            now: None,
        })))
    }

    fn with<T>(&self, what: impl FnOnce(&mut Stages) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The benchmark has ended.
    pub(super) fn ended(&self) {
        self.with(|stages| stages.waiting_since = None);
    }

    /// Documents are on their way.
    pub(super) fn sending(&self, shipped: impl Fn() -> Shipped + Send + 'static) {
        self.with(|stages| stages.now = Some(Box::new(shipped)));
    }

    /// They are where they are, so far: all tries together.
    pub(super) fn sent(&self, shipped: Shipped) {
        self.with(|stages| (stages.before, stages.now) = (shipped, None));
    }

    fn shipped(&self) -> Shipped {
        self.with(|stages| match &stages.now {
            Some(now) => stages.before.clone().then(now()),
            None => stages.before.clone(),
        })
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.shipped())
    }
}

impl Collector for Progress {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shipped = self.shipped();
        let waiting_since = self.with(|stages| stages.waiting_since);
        let mut documents = encoder.encode_descriptor(
            "guidellm_indexer_documents",
            "Documents, by what became of them",
            None,
            MetricType::Counter,
        )?;
        for (kind, tally) in [
            ("summary", shipped.summaries),
            ("request", shipped.requests),
        ] {
            for (outcome, count) in tally.counts() {
                let labels = [("kind", kind), ("outcome", outcome)];
                let encoder = documents.encode_family(&labels)?;
                ConstCounter::new(count).encode(encoder)?;
            }
        }
        for (name, help, count) in [
            (
                "guidellm_indexer_retried_documents",
                "Documents sent again",
                shipped.retried,
            ),
            (
                "guidellm_indexer_sent_bytes",
                "Bytes of bulk requests, as sent",
                shipped.sent_bytes,
            ),
        ] {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(encoder)?;
        }
        let since = waiting_since.and_then(|since| since.duration_since(UNIX_EPOCH).ok());
        let encoder = encoder.encode_descriptor(
            "guidellm_indexer_waiting_since_timestamp_seconds",
            "Since when the benchmark is waited for; 0 once it has ended",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(since.map_or(0.0, |since| since.as_secs_f64())).encode(encoder)
    }
}

/// Answers on a port, as long as the runtime runs.
pub(super) fn serve(runtime: &Runtime, port: NonZero<u16>, progress: &Progress) -> Result<()> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(progress.clone()));
    let registry = Arc::new(registry);
    let metrics = move || async move {
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => Ok(([(CONTENT_TYPE, OPEN_METRICS)], text)),
            Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    };
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(metrics));
    let listener = runtime
        .block_on(listen(port.get()))
        .with_context(|| format!("cannot listen on port {port}"))?;
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// By IPv6 and IPv4, or by what there is.
async fn listen(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}
