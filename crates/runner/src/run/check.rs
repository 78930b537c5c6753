//! What a run needs of a cluster, asked before anything is made.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{Api, ListParams, PostParams};
use kube::discovery::{ApiResource, Scope};
use serde::Serialize;
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError};
use crate::objects::Object;
use crate::plan::{PlannedJob, Run};
use crate::readiness::is_waited_for;

/// What is asked of the API server about each kind of object: in the end, it is listed by its label.
const VERBS: [&str; 5] = ["create", "get", "patch", "delete", "list"];
const RBAC: &str = "rbac.authorization.k8s.io";
/// Name of the check whether there is a cluster at all.
const REACH: &str = "cluster";

/// Something that a run needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// Whether it is there.
    pub ok: bool,
    /// A run goes on without it, and tells so.
    pub warning: bool,
    /// What was found, or is missing and how to get it.
    pub detail: String,
}

impl Check {
    pub(super) fn of(name: &str, found: Result<String, String>) -> Self {
        let ok = found.is_ok();
        let (Ok(detail) | Err(detail)) = found;
        let name = name.to_owned();
        Self {
            name,
            ok,
            warning: false,
            detail,
        }
    }

    /// Something that a run goes on without.
    pub(super) fn warning(name: &str, detail: &str) -> Self {
        Self {
            name: name.to_owned(),
            ok: true,
            warning: true,
            detail: detail.to_owned(),
        }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = match self {
            Self { ok: false, .. } => "FAILED",
            Self { warning: true, .. } => "warn  ",
            _ => "ok    ",
        };
        write!(formatter, "{mark} {}: {}", self.name, self.detail)
    }
}

/// Whether there is a cluster that could be asked.
pub(super) fn is_reached(checks: &[Check]) -> bool {
    checks.iter().all(|it| it.name != REACH || it.ok)
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
    let mut checks = vec![Check::of(REACH, reach)];
    if !checks.iter().all(|it| it.ok) {
        return checks;
    }
    let mut rights = Rights {
        cluster,
        namespace: &run.namespace,
        denied: BTreeSet::new(),
        asked: BTreeMap::new(),
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
    let made: BTreeSet<&str> = jobs.iter().flat_map(PlannedJob::namespaces).collect();
    for namespace in made {
        rights.ask_for_namespace(namespace).await;
    }
    for object in jobs.iter().flat_map(|job| &job.objects) {
        rights.ask_to_grant(object).await;
    }
    rights.ask_beside(run.fetches() && has_load).await;
    if let Some(namespace) = probed.filter(|_| has_load) {
        let of = |resource, verb| Right::of("", resource, Some(&namespace), verb);
        rights.ask(of("services", "get")).await;
        for verb in ["get", "create"] {
            rights.ask(of("services/proxy", verb)).await;
        }
    }
    let lease = rights.lease().await;
    checks.push(rights.check());
    checks.extend(lease);
    checks.extend(gpus(cluster, jobs).await);
    checks
}

/// Something that one may do, or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Right {
    group: String,
    /// With its subresource, as in a role: `pods/log`. Empty of what is no resource.
    resource: String,
    /// A path that is no resource, such as `/metrics`.
    path: String,
    /// Of one object alone.
    name: String,
    /// None: of all, or of a kind without namespaces.
    namespace: Option<String>,
    verb: String,
}

impl Right {
    fn of(group: &str, resource: &str, namespace: Option<&str>, verb: &str) -> Self {
        Self {
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.map(ToOwned::to_owned),
            verb: verb.to_owned(),
            ..Self::default()
        }
    }

    fn review(&self) -> SelfSubjectAccessReviewSpec {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        if !self.path.is_empty() {
            return SelfSubjectAccessReviewSpec {
                non_resource_attributes: Some(NonResourceAttributes {
                    path: text(&self.path),
                    verb: text(&self.verb),
                }),
                ..SelfSubjectAccessReviewSpec::default()
            };
        }
        let parts = self.resource.split_once('/');
        let (resource, below) = parts.unwrap_or((&self.resource, ""));
        SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(self.group.clone()),
                resource: text(resource),
                subresource: text(below),
                name: text(&self.name),
                namespace: self.namespace.clone(),
                verb: text(&self.verb),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        }
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}{}", self.verb, self.resource, self.path)
    }
}

struct Rights<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    denied: BTreeSet<String>,
    /// Each is asked for once.
    asked: BTreeMap<Right, bool>,
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
            let right = Right::of(&resource.group, &resource.plural, namespace, verb);
            self.ask(right).await;
        }
    }

    /// What a run does beside making its objects; `fetches` documents from pods, or does not.
    async fn ask_beside(&mut self, fetches: bool) {
        let namespace = Some(self.namespace);
        let of = |resource, verb| Right::of("", resource, namespace, verb);
        for verb in ["list", "watch"] {
            self.ask(of("pods", verb)).await;
            self.ask(of("events", verb)).await;
        }
        self.ask(of("pods/log", "get")).await;
        if fetches {
            // A WebSocket begins as a GET; newer releases ask for the right to create as well.
            for verb in ["get", "create"] {
                self.ask(of("pods/exec", verb)).await;
            }
        }
    }

    /// Looks whether a namespace is there, as a run does: one that is has not to be made.
    async fn ask_for_namespace(&mut self, name: &str) {
        let get = Right {
            name: name.to_owned(),
            ..Right::of("", "namespaces", Some(name), "get")
        };
        self.ask(get).await;
        let namespaces: Api<Namespace> = Api::all(self.cluster.client().clone());
        if let Ok(None) = namespaces.get_opt(name).await {
            self.ask(Right::of("", "namespaces", None, "create")).await;
        }
    }

    /// Nobody may make a role that may more than he may himself, unless he may `escalate`; and to bind one
    /// is the same.
    async fn ask_to_grant(&mut self, object: &Object) {
        let mut lacks = Vec::new();
        for right in granted(object) {
            if !self.is_allowed(&right).await {
                lacks.push(right.to_string());
            }
        }
        if lacks.is_empty() {
            return;
        }
        let (roles, namespace) = if object.kind() == "Role" {
            ("roles", Some(object.namespace()))
        } else {
            ("clusterroles", None)
        };
        for verb in ["escalate", "bind"] {
            let right = Right {
                name: object.name().to_owned(),
                ..Right::of(RBAC, roles, namespace, verb)
            };
            if !self.is_allowed(&right).await {
                self.denied.extend(lacks);
                return;
            }
        }
    }

    /// Whether it can be told to others who runs the run.
    async fn lease(&mut self) -> Option<Check> {
        let mut denied = Vec::new();
        for verb in ["get", "create", "update", "delete"] {
            let group = "coordination.k8s.io";
            let right = Right::of(group, "leases", Some(self.namespace), verb);
            if !self.is_allowed(&right).await {
                denied.push(verb);
            }
        }
        let (denied, namespace) = (denied.join(", "), self.namespace);
        let told = format!(
            "you may not {denied} leases in {namespace}, so that nobody sees who runs this: the same --uuid \
             started elsewhere would take it over; ask for a role that may"
        );
        (!denied.is_empty()).then(|| Check::warning("lease", &told))
    }

    async fn ask(&mut self, right: Right) {
        if !self.is_allowed(&right).await {
            self.denied.insert(right.to_string());
        }
    }

    async fn is_allowed(&mut self, right: &Right) -> bool {
        if let Some(known) = self.asked.get(right) {
            return *known;
        }
        let review = SelfSubjectAccessReview {
            spec: right.review(),
            ..SelfSubjectAccessReview::default()
        };
        let api: Api<SelfSubjectAccessReview> = Api::all(self.cluster.client().clone());
        let answer = api.create(&PostParams::default(), &review).await;
        // Where it cannot be asked, trying will tell.
        let denied = answer.is_ok_and(|it| it.status.is_some_and(|status| !status.allowed));
        self.asked.insert(right.clone(), !denied);
        !denied
    }

    fn check(self) -> Check {
        let found = if self.denied.is_empty() {
            Ok(format!("{} asked for, all granted", self.asked.len()))
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

/// What a role allows, if an object is one.
fn granted(object: &Object) -> Vec<Right> {
    let namespace = match object.kind() {
        "Role" => Some(object.namespace()),
        "ClusterRole" => None,
        _ => return Vec::new(),
    };
    let texts = |rule: &Value, name: &str| -> Vec<String> {
        let list = rule.get(name).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(ToOwned::to_owned).collect()
    };
    let mut granted = Vec::new();
    let rules = object.manifest.get("rules").and_then(Value::as_array);
    for rule in rules.into_iter().flatten() {
        let mut names = texts(rule, "resourceNames");
        if names.is_empty() {
            names.push(String::new());
        }
        for verb in texts(rule, "verbs") {
            granted.extend(
                texts(rule, "nonResourceURLs")
                    .into_iter()
                    .map(|path| Right {
                        path,
                        verb: verb.clone(),
                        ..Right::default()
                    }),
            );
            for group in texts(rule, "apiGroups") {
                for resource in texts(rule, "resources") {
                    granted.extend(names.iter().map(|name| Right {
                        name: name.clone(),
                        ..Right::of(&group, &resource, namespace, &verb)
                    }));
                }
            }
        }
    }
    granted
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::Owner;

    #[test]
    fn a_role_takes_the_rights_that_it_gives() {
        let of = |kind: &str, rules: Value| {
            let manifest = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
                "metadata": { "name": "r" }, "rules": rules });
            let owner = Owner {
                run: "run",
                job: "job",
                namespace: "ns",
            };
            granted(&Object::new(manifest, owner, 0, true).unwrap())
        };
        let rules = json!([{ "apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"] }]);
        let rights = of("Role", rules.clone());
        let told: Vec<String> = rights.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["get pods", "get pods/log", "list pods", "list pods/log"]
        );
        assert!(
            rights
                .iter()
                .all(|it| it.namespace.as_deref() == Some("ns"))
        );
        let log = rights[1].review().resource_attributes.unwrap();
        assert_eq!(
            (log.resource.as_deref(), log.subresource.as_deref()),
            (Some("pods"), Some("log"))
        );
        assert!(
            of("ClusterRole", rules)[0].namespace.is_none(),
            "of all of them"
        );
        let metrics = &of(
            "ClusterRole",
            json!([{ "nonResourceURLs": ["/metrics"], "verbs": ["get"] }]),
        )[0];
        let path = metrics.review().non_resource_attributes.unwrap().path;
        assert_eq!(
            (path.as_deref(), &*metrics.to_string()),
            (Some("/metrics"), "get /metrics")
        );
        let one = json!([{ "apiGroups": ["g"], "resources": ["r"], "resourceNames": ["a"], "verbs": ["use"] }]);
        assert_eq!(of("Role", one)[0].name, "a");
        assert!(of("ConfigMap", json!([])).is_empty());
    }
}
