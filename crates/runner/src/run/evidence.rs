//! What is kept of a job that failed, before its objects are deleted: objects and pods, what Kubernetes
//! said of them, and the ends of their logs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams, LogParams};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::plan::PlannedJob;

/// Of each container's log.
const LINES: i64 = 200;
/// Pods of a job whose logs are kept: of hundreds, all tell the same.
const PODS: usize = 20;

/// Saves what there is, and says where; what cannot be had is said in its place.
pub(super) async fn save(
    cluster: &Cluster,
    job: &PlannedJob,
    run: &str,
    folder: &Path,
) -> Result<PathBuf> {
    let folder = folder.join("failures").join(&job.job.name);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    write("objects.yaml", objects(cluster, job).await)?;
    let (mut told, mut found) = (String::new(), Vec::new());
    let mut unknown = String::new();
    for namespace in job.namespaces() {
        told += &events(cluster, namespace).await;
        match cluster.pods(namespace, run, &job.job.name).await {
            Ok(pods) => found.extend(pods),
            // Writing to a text does not fail.
            Err(error) => drop(writeln!(unknown, "# {namespace}: {error}")),
        }
    }
    write("events.txt", told)?;
    write("pods.yaml", unknown + &yaml(&found))?;
    for pod in found.iter().take(PODS) {
        let namespace = pod.namespace().unwrap_or_default();
        let pods: Api<Pod> = Api::namespaced(cluster.client().clone(), &namespace);
        for (container, log) in logs(&pods, pod).await {
            write(&format!("{}.{container}.log", pod.name_any()), log)?;
        }
    }
    Ok(folder)
}

async fn objects(cluster: &Cluster, job: &PlannedJob) -> String {
    let mut kept: Vec<Value> = Vec::new();
    // What a Secret holds is not for a file.
    for object in job.objects.iter().filter(|it| it.kind() != "Secret") {
        let found = cluster.get(object).await;
        kept.extend(found.ok().flatten());
    }
    yaml(&kept)
}

async fn events(cluster: &Cluster, namespace: &str) -> String {
    let api: Api<Event> = Api::namespaced(cluster.client().clone(), namespace);
    let mut text = String::new();
    match api.list(&ListParams::default()).await {
        Ok(list) => {
            for event in list.items {
                let object = &event.involved_object;
                let time = event.last_timestamp.as_ref().map(|it| it.0.to_string());
                // Writing to a text does not fail.
                let _ = writeln!(
                    text,
                    "{} {} {}/{} {}: {}",
                    time.unwrap_or_default(),
                    event.type_.unwrap_or_default(),
                    object.kind.as_deref().unwrap_or_default().to_lowercase(),
                    object.name.as_deref().unwrap_or_default(),
                    event.reason.unwrap_or_default(),
                    event.message.unwrap_or_default(),
                );
            }
        }
        Err(error) => text = format!("{error}\n"),
    }
    text
}

async fn logs(pods: &Api<Pod>, pod: &Pod) -> Vec<(String, String)> {
    let spec = pod.spec.as_ref();
    let containers = spec.into_iter().flat_map(|spec| {
        let init = spec.init_containers.iter().flatten();
        init.chain(&spec.containers).map(|it| it.name.clone())
    });
    let mut logs = Vec::new();
    for container in containers {
        for previous in [false, true] {
            let params = LogParams {
                container: Some(container.clone()),
                tail_lines: Some(LINES),
                previous,
                ..LogParams::default()
            };
            let name = if previous {
                format!("{container}.previous")
            } else {
                container.clone()
            };
            // A container that did not start has none.
            if let Ok(log) = pods.logs(&pod.name_any(), &params).await {
                logs.push((name, log));
            }
        }
    }
    logs
}

fn yaml<T: serde::Serialize>(values: &[T]) -> String {
    serde_saphyr::to_string_multiple(values).unwrap_or_else(|error| format!("# {error}\n"))
}
