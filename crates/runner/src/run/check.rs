//! What a run needs of a cluster, asked before anything is made.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams, PostParams};
use kube::discovery::{ApiResource, Scope};
use serde::Serialize;
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError};
use crate::plan::{PlannedJob, Run};
use crate::readiness::is_waited_for;

/// What is asked of the API server about each kind of object.
const VERBS: [&str; 4] = ["create", "get", "patch", "delete"];

/// Something that a run needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// Whether it is there.
    pub ok: bool,
    /// What was found, or is missing and how to get it.
    pub detail: String,
}

impl Check {
    pub(super) fn of(name: &str, found: Result<String, String>) -> Self {
        let ok = found.is_ok();
        let (Ok(detail) | Err(detail)) = found;
        let name = name.to_owned();
        Self { name, ok, detail }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.ok { "ok    " } else { "FAILED" };
        write!(formatter, "{mark} {}: {}", self.name, self.detail)
    }
}

/// Asks the cluster for all that a plan needs of it.
/// `probed` is the namespace of the Service that is asked for a token, if any is.
pub(super) async fn cluster(
    cluster: &Cluster,
    jobs: &[PlannedJob],
    run: &Run,
    probed: Option<String>,
) -> Vec<Check> {
    let version = cluster.client().apiserver_version().await;
    let reach = version.map(|it| format!("{}, {}", cluster.url(), it.git_version));
    let reach = reach.map_err(|error| {
        let error = ClusterError::of(error, format!("reach {}", cluster.url()));
        error.to_string()
    });
    let mut checks = vec![Check::of("cluster", reach)];
    if !checks.iter().all(|it| it.ok) {
        return checks;
    }
    let mut rights = Rights {
        cluster,
        namespace: &run.namespace,
        denied: BTreeSet::new(),
        asked: 0,
    };
    let mut unknown = BTreeSet::new();
    let objects = jobs.iter().flat_map(|job| &job.objects);
    let kinds: BTreeSet<(&str, &str, &str)> = objects
        .map(|it| (it.api_version(), it.kind(), it.namespace()))
        .collect();
    for (api_version, kind, namespace) in kinds {
        match cluster.kind(api_version, kind).await {
            Ok(found) => {
                let watched = is_waited_for(kind)
                    .then_some(["list", "watch"])
                    .into_iter()
                    .flatten();
                let verbs = VERBS.into_iter().chain(watched);
                rights.ask_all(&found, namespace, verbs).await;
            }
            Err(error) => drop(unknown.insert(error.to_string())),
        }
    }
    let known = Err(unknown.into_iter().collect::<Vec<_>>().join("; "));
    let known = known.or_else(|text: String| {
        if text.is_empty() {
            Ok("all are known".to_owned())
        } else {
            Err(text)
        }
    });
    checks.push(Check::of("kinds of objects", known));
    let has_load = jobs.iter().any(|job| job.is_scenario);
    rights.ask_beside(run.fetches() && has_load).await;
    if let Some(namespace) = probed.filter(|_| has_load) {
        for verb in ["get", "create"] {
            let namespace = Some(&*namespace);
            rights
                .ask("", "services", Some("proxy"), namespace, verb)
                .await;
        }
    }
    checks.push(rights.check());
    checks.extend(gpus(cluster, jobs).await);
    checks
}

struct Rights<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    denied: BTreeSet<String>,
    asked: usize,
}

impl Rights<'_> {
    async fn ask_all(
        &mut self,
        (resource, scope): &(ApiResource, Scope),
        namespace: &str,
        verbs: impl Iterator<Item = &str>,
    ) {
        let namespace = (*scope == Scope::Namespaced).then_some(namespace);
        for verb in verbs {
            self.ask(&resource.group, &resource.plural, None, namespace, verb)
                .await;
        }
    }

    /// What a run does beside making its objects; `fetches` documents from pods, or does not.
    async fn ask_beside(&mut self, fetches: bool) {
        let namespace = Some(self.namespace);
        self.ask("", "namespaces", None, None, "create").await;
        for verb in ["list", "watch"] {
            self.ask("", "pods", None, namespace, verb).await;
            self.ask("", "events", None, namespace, verb).await;
        }
        self.ask("", "pods", Some("log"), namespace, "get").await;
        if fetches {
            // A WebSocket begins as a GET; newer releases ask for the right to create as well.
            for verb in ["get", "create"] {
                self.ask("", "pods", Some("exec"), namespace, verb).await;
            }
        }
    }

    async fn ask(
        &mut self,
        group: &str,
        resource: &str,
        subresource: Option<&str>,
        namespace: Option<&str>,
        verb: &str,
    ) {
        let attributes = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource: subresource.map(ToOwned::to_owned),
            namespace: namespace.map(ToOwned::to_owned),
            verb: Some(verb.to_owned()),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api: Api<SelfSubjectAccessReview> = Api::all(self.cluster.client().clone());
        self.asked += 1;
        let answer = api.create(&PostParams::default(), &review).await;
        // Where it cannot be asked, trying will tell.
        let denied = answer.is_ok_and(|it| it.status.is_some_and(|status| !status.allowed));
        if denied {
            let below = subresource.map(|it| format!("/{it}")).unwrap_or_default();
            self.denied.insert(format!("{verb} {resource}{below}"));
        }
    }

    fn check(self) -> Check {
        let found = if self.denied.is_empty() {
            Ok(format!("{} asked for, all granted", self.asked))
        } else {
            let denied: Vec<String> = self.denied.into_iter().collect();
            let namespace = self.namespace;
            Err(format!(
                "you may not {} in {namespace}; ask for a role that does",
                denied.join(", ")
            ))
        };
        Check::of("rights", found)
    }
}

/// Whether there are as many GPUs as the plan asks for; nothing if it asks for none.
async fn gpus(cluster: &Cluster, jobs: &[PlannedJob]) -> Option<Check> {
    let mut wanted = 0;
    let mut resource = String::new();
    for object in jobs.iter().flat_map(|job| &job.objects) {
        let replicas = object
            .manifest
            .pointer("/spec/replicas")
            .and_then(Value::as_u64)
            .unwrap_or(1);
        let containers = object.manifest.pointer("/spec/template/spec/containers");
        for container in containers.and_then(Value::as_array).into_iter().flatten() {
            let limits = container
                .pointer("/resources/limits")
                .and_then(Value::as_object);
            for (name, count) in limits
                .into_iter()
                .flatten()
                .filter(|(name, _)| name.contains('/'))
            {
                wanted += replicas * quantity(count);
                resource.clone_from(name);
            }
        }
    }
    if wanted == 0 {
        return None;
    }
    let nodes: Api<Node> = Api::all(cluster.client().clone());
    let found = match nodes.list(&ListParams::default()).await {
        Err(error) => Err(error.to_string()),
        Ok(list) => {
            let allocatable = list
                .items
                .iter()
                .filter_map(|it| it.status.as_ref()?.allocatable.as_ref());
            let there: u64 = allocatable
                .filter_map(|it| it.get(&resource)?.0.parse::<u64>().ok())
                .sum();
            if there >= wanted {
                Ok(format!("{wanted} of {there} {resource}"))
            } else {
                Err(format!(
                    "{wanted} {resource} are needed, the nodes have {there}; lower vars.modelServerReplicas, or use the simulator"
                ))
            }
        }
    };
    Some(Check::of("GPUs", found))
}

fn quantity(value: &Value) -> u64 {
    value
        .as_u64()
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or(0)
}
