//! Which Prometheus is asked, and how one proves to it who one is: named by the user or the suite, or
//! found in `OpenShift`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use guidellm_indexer::cluster::Secret;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::RunCommand;
use super::check::Check;
use super::indexing::Source;
use super::narrator::Narrator;
use crate::cluster::Cluster;
use crate::metrics::{AlertProfile, Authorization, Client, MetricProfile};
use crate::suite::{MetricsEndpoint, Suite};

/// `OpenShift`'s monitoring, as kube-burner-ocp asks it.
const MONITORING: &str = "openshift-monitoring";
const ROUTE: &str = "thanos-querier";
const ACCOUNT: &str = "prometheus-k8s";
/// Tokens live so long, and are renewed before.
const LIFE: Duration = Duration::from_hours(1);
const BEFORE: Duration = Duration::from_mins(10);
const STEP: Duration = Duration::from_secs(30);

/// The sources of a suite's metrics; none, which is told, if there is no Prometheus.
pub(super) async fn sources(
    command: &RunCommand,
    suite: &Suite,
    cluster: &Cluster,
    narrator: &Narrator,
) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for endpoint in &suite.metrics_endpoints {
        let Some((url, client)) = client(command, endpoint, cluster).await? else {
            narrator.warn("warning: no Prometheus is known, so no metrics are collected: give --prometheus-url");
            continue;
        };
        client
            .check()
            .await
            .with_context(|| format!("Prometheus {url}"))?;
        let mut metrics = Vec::new();
        for path in &endpoint.metrics {
            metrics.push(MetricProfile::from_yaml(
                &path.display().to_string(),
                &command.profile(path)?,
            )?);
        }
        let mut alerts = Vec::new();
        for path in &endpoint.alerts {
            alerts.push(AlertProfile::from_yaml(
                &path.display().to_string(),
                &command.profile(path)?,
            )?);
        }
        let name = if suite.metrics_endpoints.len() > 1 {
            url
        } else {
            String::new()
        };
        sources.push(Source {
            client,
            metrics,
            alerts,
            step: endpoint.step.map_or(STEP, |step| step.0),
            name: name.into(),
        });
    }
    Ok(sources)
}

/// Whether each Prometheus answers.
pub(super) async fn check(command: &RunCommand, suite: &Suite, cluster: &Cluster) -> Vec<Check> {
    let mut checks = Vec::new();
    for endpoint in &suite.metrics_endpoints {
        let found = match client(command, endpoint, cluster).await {
            Ok(None) => Err(
                "none is known, so no metrics would be collected; give --prometheus-url".to_owned(),
            ),
            Ok(Some((url, client))) => match client.check().await {
                Ok(()) => Ok(url),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(format!("{error:#}")),
        };
        checks.push(Check::of("Prometheus", found));
    }
    checks
}

async fn client(
    command: &RunCommand,
    endpoint: &MetricsEndpoint,
    cluster: &Cluster,
) -> Result<Option<(String, Client)>> {
    let mut arguments = command.prometheus.clone();
    arguments.skip_tls_verify |= endpoint.skip_tls_verify;
    if arguments.token_file.is_none() {
        arguments.token_file.clone_from(&endpoint.token_file);
    }
    let named = endpoint
        .endpoint
        .clone()
        .or_else(|| arguments.prometheus_url.clone());
    if let Some(url) = named.filter(|url| !url.is_empty()) {
        let client = arguments.client(&url, None)?;
        return Ok(Some((url, client)));
    }
    let Some(url) = route(cluster).await else {
        return Ok(None);
    };
    let tokens = Arc::new(Tokens {
        cluster: cluster.clone(),
        known: Mutex::new(None),
    });
    let provider = move |refused| {
        let tokens = Arc::clone(&tokens);
        async move { tokens.token(refused).await }
    };
    let authorization = Authorization::Provider(Arc::new(provider));
    let client = arguments.client(&url, Some(authorization))?;
    Ok(Some((url, client)))
}

/// `OpenShift`'s way to its metrics, from outside.
async fn route(cluster: &Cluster) -> Option<String> {
    let kind = cluster.kind("route.openshift.io/v1", "Route").await.ok()?;
    let route = cluster.api(&kind, MONITORING).get(ROUTE).await.ok()?;
    let host = route.data.pointer("/spec/host").and_then(Value::as_str)?;
    Some(format!("https://{host}"))
}

/// Tokens of the account that `OpenShift`'s Prometheus has, each for a short time.
struct Tokens {
    cluster: Cluster,
    known: Mutex<Option<(Secret, Instant)>>,
}

impl Tokens {
    async fn token(&self, refused: bool) -> Result<Secret> {
        let mut known = self.known.lock().await;
        match &*known {
            Some((token, until)) if !refused && Instant::now() < *until => return Ok(token.clone()),
            _ => {}
        }
        let api: Api<ServiceAccount> = Api::namespaced(self.cluster.client().clone(), MONITORING);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: i64::try_from(LIFE.as_secs()).ok(),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let made = api
            .create_token_request(ACCOUNT, &PostParams::default(), &request)
            .await;
        let made = made.with_context(|| {
            format!("no token of {MONITORING}/{ACCOUNT}; give --token-file FILE")
        })?;
        let token = made
            .status
            .map(|it| it.token)
            .ok_or_else(|| anyhow!("the API server gave no token"))?;
        let token = Secret::new(token);
        *known = Some((token.clone(), Instant::now() + LIFE - BEFORE));
        Ok(token)
    }
}
