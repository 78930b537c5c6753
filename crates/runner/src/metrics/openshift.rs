//! `OpenShift`'s own Prometheus: where it is, whose certificate it shows, and tokens for it. Asked of the
//! API server, with the rights of whoever runs this.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use guidellm_indexer::cluster::Secret;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::api::{Api, PostParams};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::credentials::Authorization;
use super::options::Authorities;
use crate::cluster::{Cluster, ClusterError};
use crate::tell;

/// `OpenShift`'s monitoring, as kube-burner-ocp asks it.
const MONITORING: &str = "openshift-monitoring";
const ROUTE: &str = "thanos-querier";
const ACCOUNT: &str = "prometheus-k8s";
/// Where `OpenShift` publishes who signs the certificates of its routes: its own authority, unless the
/// cluster's administrator has another.
const PUBLISHED: &str = "openshift-config-managed";
const CERTIFICATES: &str = "default-ingress-cert";
const BUNDLE: &str = "ca-bundle.crt";
/// Tokens are asked for so long a life, of which an API server may grant less.
const LIFE: Duration = Duration::from_hours(1);
/// An API server that restarts is waited for so long.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_secs(1);

/// Where it is; `None` if the cluster is not `OpenShift`.
///
/// # Errors
///
/// If it is `OpenShift`, but has no such route, or does not show it to this user.
pub(crate) async fn url(cluster: &Cluster) -> Result<Option<String>> {
    let place = format!("{MONITORING}/{ROUTE}");
    let kind = match cluster.kind("route.openshift.io/v1", "Route").await {
        Err(ClusterError::UnknownKind { .. }) => return Ok(None),
        kind => kind?,
    };
    let route = cluster.api(&kind, MONITORING).get(ROUTE).await;
    let route = route.map_err(|error| {
        let error = ClusterError::of(error, format!("read OpenShift's route {place}"));
        anyhow!("{error}; give --prometheus-url URL")
    })?;
    let host = route.data.pointer("/spec/host").and_then(Value::as_str);
    let host = host.with_context(|| {
        format!("OpenShift's route {place} has no host; give --prometheus-url URL")
    })?;
    Ok(Some(format!("https://{host}")))
}

/// Who signs the certificates of its routes; `None` if it does not say so, or not to this user, which
/// is told.
///
/// # Errors
///
/// If the API server does not answer.
pub(crate) async fn authorities(cluster: &Cluster) -> Result<Option<Authorities>> {
    let place = format!("configmap {PUBLISHED}/{CERTIFICATES}");
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client().clone(), PUBLISHED);
    let map = match maps.get_opt(CERTIFICATES).await {
        Ok(map) => map,
        Err(error) => match ClusterError::of(error, format!("read {place}")) {
            error @ ClusterError::Refused { .. } => {
                tell(&format!(
                    "warning: {error}; only certificates of the system's authorities are trusted"
                ));
                None
            }
            error => bail!(error),
        },
    };
    let bundle = map.and_then(|map| map.data?.remove(BUNDLE));
    Ok(bundle.map(|pem| Authorities {
        source: format!("{place}, {BUNDLE}"),
        pem: pem.into_bytes(),
    }))
}

/// Tokens for it, renewed as they expire or are refused.
pub(crate) fn tokens(cluster: &Cluster) -> Authorization {
    let tokens = Arc::new(Tokens {
        cluster: cluster.clone(),
        known: Mutex::new(None),
    });
    let provider = move |refused| {
        let tokens = Arc::clone(&tokens);
        async move { tokens.token(refused).await }
    };
    Authorization::Provider(Arc::new(provider))
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
        let asked = Instant::now();
        let made = loop {
            match self.ask().await {
                Err(error) if error.is_retryable() && asked.elapsed() < PATIENCE => {
                    sleep(PAUSE).await;
                }
                made => break made,
            }
        };
        let made = made.map_err(|error| {
            anyhow!("{error}; give --token-file FILE, or PROMETHEUS_TOKEN=$(oc whoami -t)")
        })?;
        let status = made.status.context("the API server gave no token")?;
        let token = Secret::new(status.token);
        *known = Some((token.clone(), asked + fresh(made.spec.expiration_seconds)));
        Ok(token)
    }

    async fn ask(&self) -> Result<TokenRequest, ClusterError> {
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
        made.map_err(|error| {
            let doing = format!("get a token of serviceaccount {MONITORING}/{ACCOUNT}");
            ClusterError::of(error, doing)
        })
    }
}

/// How long a token is used that lives for some seconds: not to its end, which clocks may see
/// differently.
fn fresh(granted: Option<i64>) -> Duration {
    let granted = granted.and_then(|seconds| u64::try_from(seconds).ok());
    granted.map_or(LIFE, Duration::from_secs) * 5 / 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        assert_eq!(fresh(Some(3600)), Duration::from_mins(50));
        // The least that an API server may be told to grant.
        assert_eq!(fresh(Some(600)), Duration::from_secs(500));
    }
}
