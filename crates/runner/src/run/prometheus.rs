//! Which Prometheus is asked: named by the user or the suite, or `OpenShift`'s own.

use std::time::Duration;

use anyhow::{Result, anyhow};

use super::RunCommand;
use super::check::Check;
use super::indexing::Source;
use super::narrator::Narrator;
use crate::cluster::Cluster;
use crate::metrics::{AlertProfile, Client, MetricProfile};
use crate::suite::{MetricsEndpoint, Suite};

/// Between two samples, where the suite does not say.
const STEP: Duration = Duration::from_secs(30);

const NONE_KNOWN: &str =
    "no Prometheus is known, so no metrics are collected: give --prometheus-url";

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
            narrator.warn(&format!("warning: {NONE_KNOWN}"));
            continue;
        };
        let checked = client.check(|line| narrator.warn(line)).await;
        checked.map_err(|error| {
            anyhow!("{error}; or --set metricsEndpoints=[] does without metrics")
        })?;
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
            // A run goes on without.
            Ok(None) => {
                checks.push(Check::warning("Prometheus", NONE_KNOWN));
                continue;
            }
            Ok(Some((url, client))) => match client.check(crate::tell).await {
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
    let named = [&endpoint.endpoint, &arguments.prometheus_url];
    let mut named = named.into_iter().flatten().filter(|url| !url.is_empty());
    if let Some(url) = named.next() {
        let client = arguments.client(url)?;
        return Ok(Some((url.clone(), client)));
    }
    let found = arguments.found(cluster).await.map_err(|error| {
        anyhow!("{error:#}, or --set metricsEndpoints=[] to do without metrics")
    })?;
    Ok(found.map(|client| (client.url().to_owned(), client)))
}
