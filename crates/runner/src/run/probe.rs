//! Does the target answer? Asked before the first scenario: a benchmark of errors takes as long as one
//! of answers.

#![expect(
    clippy::indexing_slicing,
    reason = "a member of JSON that is not there is null"
)]

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::Service;
use kube::api::Api;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::stop::Stop;
use crate::cluster::{Cluster, ClusterError};

const PAUSE: Duration = Duration::from_secs(1);
/// How long a model may take for one token.
const ANSWER: Duration = Duration::from_mins(1);

/// The server under test.
pub(super) struct Target<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) url: &'a str,
    pub(super) model: &'a str,
    pub(super) namespace: &'a str,
}

/// How it is reached from here.
enum Way {
    /// Through the API server, which knows the way to a Service: the path of its proxy.
    Service(String),
    Direct(Url),
}

impl Target<'_> {
    /// Asks for the models, and for one token, until that works or time is over.
    pub(super) async fn probe(&self, until: Instant, stop: &Stop) -> Result<()> {
        let way = self.way().await?;
        loop {
            let asked = tokio::select! {
                () = stop.stopped() => bail!("the user stopped it"),
                asked = timeout(ANSWER, self.ask(&way)) => asked,
            };
            let asked = asked.unwrap_or_else(|_| Err(anyhow!("no answer within {ANSWER:?}")));
            match asked {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() + PAUSE >= until => {
                    return Err(error)
                        .with_context(|| format!("{} does not serve {}", self.url, self.model));
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn ask(&self, way: &Way) -> Result<()> {
        let models = self.call(way, "/v1/models", None).await?;
        let listed = models["data"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let names: Vec<&str> = listed.iter().filter_map(|it| it["id"].as_str()).collect();
        if !names.contains(&self.model) {
            bail!("/v1/models lists {}", names.join(", "));
        }
        let prompt = json!({ "model": self.model, "prompt": "Hello", "max_tokens": 1 });
        let answer = self.call(way, "/v1/completions", Some(&prompt)).await?;
        if answer["choices"].as_array().is_none_or(Vec::is_empty) {
            bail!("/v1/completions gives no completion");
        }
        Ok(())
    }

    async fn call(&self, way: &Way, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(ToString::to_string);
        let text = match way {
            Way::Service(proxy) => {
                let request = http::Request::builder()
                    .method(if body.is_some() { "POST" } else { "GET" })
                    .uri(format!("{proxy}{path}"))
                    .header("content-type", "application/json")
                    .body(body.unwrap_or_default().into_bytes())?;
                let answer = self.cluster.client().request_text(request).await;
                answer.map_err(|error| {
                    let doing = format!("ask for {path} through the API server");
                    advised(ClusterError::of(error, doing))
                })?
            }
            Way::Direct(url) => {
                let client = reqwest::Client::new();
                let url = url.join(path)?;
                let request = match body {
                    Some(body) => client
                        .post(url)
                        .header("content-type", "application/json")
                        .body(body),
                    None => client.get(url),
                };
                request.send().await?.error_for_status()?.text().await?
            }
        };
        serde_json::from_str(&text).with_context(|| format!("{path} gives no JSON"))
    }

    /// A name that is a Service is one, wherever this program runs.
    async fn way(&self) -> Result<Way> {
        let url = Url::parse(self.url).with_context(|| format!("`{}` is no URL", self.url))?;
        let host = url.domain().unwrap_or_default();
        let Some((name, namespace, is_certain)) = service(host, self.namespace) else {
            return Ok(Way::Direct(url));
        };
        let services: Api<Service> = Api::namespaced(self.cluster.client().clone(), namespace);
        match services.get_opt(name).await {
            Ok(Some(_)) => {
                let port = url.port_or_known_default().unwrap_or(80);
                let scheme = url.scheme();
                Ok(Way::Service(format!(
                    "/api/v1/namespaces/{namespace}/services/{scheme}:{name}:{port}/proxy"
                )))
            }
            Ok(None) if is_certain && !host.contains('.') => {
                bail!(
                    "{}: there is no Service {name} in namespace {namespace}",
                    self.url
                )
            }
            _ => Ok(Way::Direct(url)),
        }
    }
}

/// The namespace of the Service that a URL names for certain, which is asked through the API server.
pub(super) fn proxied(url: &str, namespace: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let (_, namespace, is_certain) = service(url.domain()?, namespace)?;
    is_certain.then(|| namespace.to_owned())
}

/// Name and namespace of the Service that a host may be, and whether it can be nothing else.
fn service<'a>(host: &'a str, own: &'a str) -> Option<(&'a str, &'a str, bool)> {
    let parts: Vec<&str> = host.split('.').collect();
    let (name, namespace, is_certain) = match *parts.as_slice() {
        [name] => (name, own, true),
        [name, namespace] => (name, namespace, false),
        [name, namespace, "svc"] | [name, namespace, "svc", "cluster", "local"] => {
            (name, namespace, true)
        }
        _ => return None,
    };
    (!name.is_empty()).then_some((name, namespace, is_certain))
}

fn advised(error: ClusterError) -> anyhow::Error {
    match error {
        error @ ClusterError::Refused { status: 403, .. } => anyhow!(
            "{error}; ask for a role that may get and create services/proxy, or give --skip-probe"
        ),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_service_by_its_name() {
        let of = |host| service(host, "own");
        assert_eq!(of("epp"), Some(("epp", "own", true)));
        assert_eq!(of("epp.llm-d.svc"), Some(("epp", "llm-d", true)));
        assert_eq!(
            of("epp.llm-d.svc.cluster.local"),
            Some(("epp", "llm-d", true))
        );
        // This may be a machine as well.
        assert_eq!(of("gpu-1.lab"), Some(("gpu-1", "lab", false)));
        assert_eq!(of("llm.example.com"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn a_target_elsewhere_takes_no_right() {
        let of = |url| proxied(url, "own");
        assert_eq!(of("http://epp.llm-d.svc:8000").as_deref(), Some("llm-d"));
        assert_eq!(of("http://gpu-1.lab:8000"), None);
        assert_eq!(of("http://10.0.0.1:8000"), None);
        assert_eq!(of("http://[::1]:8000"), None);
    }
}
