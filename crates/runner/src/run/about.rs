//! What a comparison of two runs must know: what was under test, and where. Asked of the cluster, for
//! what a manifest asks for is not always what runs.

#![expect(
    clippy::indexing_slicing,
    reason = "a member of JSON that is not there is null"
)]

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams};
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

use crate::cluster::Cluster;
use crate::objects::Object;
use crate::plan::PlannedJob;

/// The label that says what part an object has.
const COMPONENT: &str = "/metadata/labels/app.kubernetes.io~1component";
const ENDPOINT_PICKER: &str = "endpoint-picker";
const MODEL_SERVER: &str = "model-server";
/// Who puts pods on nodes with GPUs labels them so.
const GPU: &str = "nvidia.com/gpu.product";
/// The label of a gateway's pods.
const GATEWAY: &str = "gateway.networking.k8s.io/gateway-name";

type Facts = Map<String, Value>;

/// The facts, as members of a `jobSummary`. What cannot be asked is left out.
pub(super) async fn facts(cluster: &Cluster, jobs: &[PlannedJob], namespace: &str) -> Facts {
    let mut facts = Facts::new();
    if let Ok(version) = cluster.client().apiserver_version().await {
        facts.insert("k8sVersion".into(), version.git_version.into());
    }
    openshift(cluster, &mut facts).await;
    nodes(cluster, &mut facts).await;
    for object in jobs
        .iter()
        .filter(|it| !it.is_scenario)
        .flat_map(|it| &it.objects)
    {
        let live = cluster.get(object).await.ok().flatten();
        if let Some(live) = live {
            take(object, &live, &mut facts);
        }
    }
    let gateway = ListParams::default().labels(GATEWAY);
    let pods: Api<Pod> = Api::namespaced(cluster.client().clone(), namespace);
    let images = pods
        .list(&gateway)
        .await
        .map(|list| images(&list.items))
        .unwrap_or_default();
    insert(&mut facts, "gatewayImage", joined(&images));
    facts
}

/// What an object tells, as it is in the cluster.
fn take(object: &Object, live: &Value, facts: &mut Facts) {
    let component = live
        .pointer(COMPONENT)
        .and_then(Value::as_str)
        .unwrap_or_default();
    match (object.kind(), component) {
        ("Deployment", ENDPOINT_PICKER) => {
            let container = live.pointer("/spec/template/spec/containers/0");
            let image = container.and_then(|it| it["image"].as_str());
            insert(facts, "eppImage", image.map(ToOwned::to_owned));
            facts.insert("eppReplicas".into(), live["spec"]["replicas"].clone());
        }
        ("Deployment", MODEL_SERVER) => model_server(live, facts),
        ("ConfigMap", ENDPOINT_PICKER) => {
            insert(facts, "eppConfigHash", Some(digest(&live["data"])));
        }
        ("ConfigMap", MODEL_SERVER) => {
            append(facts, "modelServerConfigHash", &digest(&live["data"]));
        }
        ("Gateway", _) => {
            let class = live
                .pointer("/spec/gatewayClassName")
                .and_then(Value::as_str);
            insert(facts, "gatewayClass", class.map(ToOwned::to_owned));
        }
        _ => {}
    }
}

/// Of several (prefill and decode, say), all are told.
fn model_server(live: &Value, facts: &mut Facts) {
    let container = live
        .pointer("/spec/template/spec/containers/0")
        .unwrap_or(&Value::Null);
    let words = ["command", "args"].into_iter().flat_map(|list| {
        let words = container[list]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        words.iter().filter_map(Value::as_str)
    });
    let arguments: Vec<&str> = words.collect();
    let labels = live.pointer("/spec/template/metadata/labels");
    let role = labels
        .and_then(|it| it["llm-d.ai/role"].as_str())
        .unwrap_or("both");
    let replicas = live["spec"]["replicas"].as_u64().unwrap_or(0);
    let image = container["image"].as_str().unwrap_or_default();
    append(facts, "modelServerImage", image);
    append(facts, "modelServerArgs", &arguments.join(" "));
    append(facts, "modelServerRoles", &format!("{role}:{replicas}"));
    let sum = facts
        .get("modelServerReplicas")
        .and_then(Value::as_u64)
        .unwrap_or(0)
        + replicas;
    facts.insert("modelServerReplicas".into(), sum.into());
}

async fn openshift(cluster: &Cluster, facts: &mut Facts) {
    let Ok(kind) = cluster
        .kind("config.openshift.io/v1", "ClusterVersion")
        .await
    else {
        return;
    };
    let found = cluster.api(&kind, "").get("version").await;
    let version = found.ok().and_then(|it| {
        let version = it.data.pointer("/status/desired/version");
        version.and_then(Value::as_str).map(ToOwned::to_owned)
    });
    let major = version
        .as_deref()
        .map(|it| it.split('.').take(2).collect::<Vec<_>>().join("."));
    insert(facts, "ocpVersion", version);
    insert(facts, "ocpMajorVersion", major);
}

async fn nodes(cluster: &Cluster, facts: &mut Facts) {
    let nodes: Api<Node> = Api::all(cluster.client().clone());
    let Ok(nodes) = nodes.list(&ListParams::default()).await else {
        return;
    };
    facts.insert("totalNodes".into(), nodes.items.len().into());
    let labels = nodes
        .items
        .iter()
        .filter_map(|node| node.metadata.labels.as_ref());
    let models: BTreeSet<String> = labels.filter_map(|it| it.get(GPU).cloned()).collect();
    insert(facts, "gpuModel", joined(&models));
}

fn images(pods: &[Pod]) -> BTreeSet<String> {
    let specs = pods.iter().filter_map(|pod| pod.spec.as_ref());
    specs
        .flat_map(|spec| &spec.containers)
        .filter_map(|it| it.image.clone())
        .collect()
}

fn joined(values: &BTreeSet<String>) -> Option<String> {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn insert(facts: &mut Facts, name: &str, value: Option<String>) {
    if let Some(value) = value {
        facts.insert(name.to_owned(), value.into());
    }
}

fn append(facts: &mut Facts, name: &str, value: &str) {
    let known = facts.get(name).and_then(Value::as_str);
    let value = known.map_or_else(|| value.to_owned(), |known| format!("{known}, {value}"));
    facts.insert(name.to_owned(), json!(value));
}

/// Of a value, whatever the order of its members.
pub(super) fn digest(value: &Value) -> String {
    let digest = Sha1::digest(value.to_string());
    digest
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Owner;

    fn object(kind: &str) -> Object {
        let manifest = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "x" } });
        let owner = Owner {
            run: "run",
            job: "job",
            namespace: "default",
        };
        Object::new(manifest, owner, 0, true).unwrap()
    }

    fn live(component: &str, rest: &Value) -> Value {
        let mut live =
            json!({ "metadata": { "labels": { "app.kubernetes.io/component": component } } });
        live.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        live
    }

    #[test]
    fn prefill_and_decode_are_both_told() {
        let mut facts = Facts::new();
        for (role, replicas) in [("prefill", 1), ("decode", 3)] {
            let server = live(
                MODEL_SERVER,
                &json!({ "spec": { "replicas": replicas, "template": {
                "metadata": { "labels": { "llm-d.ai/role": role } },
                "spec": { "containers": [{ "image": "vllm", "args": ["--model", "m"] }] },
            } } }),
            );
            take(&object("Deployment"), &server, &mut facts);
        }
        assert_eq!(facts["modelServerRoles"], "prefill:1, decode:3");
        assert_eq!(facts["modelServerReplicas"], 4);
        assert_eq!(facts["modelServerArgs"], "--model m, --model m");
    }

    #[test]
    fn another_config_has_another_hash() {
        for (component, fact) in [
            (ENDPOINT_PICKER, "eppConfigHash"),
            (MODEL_SERVER, "modelServerConfigHash"),
        ] {
            let hash = |text: &str| {
                let mut facts = Facts::new();
                let map = live(component, &json!({ "data": { "config.yaml": text } }));
                take(&object("ConfigMap"), &map, &mut facts);
                facts[fact].clone()
            };
            assert_eq!(hash("a"), hash("a"));
            assert_ne!(hash("a"), hash("b"));
        }
    }
}
