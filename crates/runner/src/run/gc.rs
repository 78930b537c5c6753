//! `llm-d-scale gc`: deletes what a run made, but for documents that are nowhere else.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use guidellm_indexer::Contract;
use guidellm_results_model::Exit;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use tokio::time::{Instant, sleep};

use super::arguments::GcArguments;
use super::stage::Stage;
use crate::cluster::{Cluster, ClusterError, Left, Swept, patiently};
use crate::objects::selector;
use crate::scenario::SIDECAR;
use crate::tell;

/// What a sidecar gets to end whose documents nobody wants: its pod would wait for half an hour.
const GRACE_SECONDS: u32 = 1;
/// Between two looks for such pods.
const PAUSE: Duration = Duration::from_millis(500);

/// Deletes what a run made.
///
/// # Errors
///
/// If the cluster cannot be asked.
pub async fn gc(arguments: &GcArguments) -> Result<Exit> {
    let (run, timeout) = (&arguments.uuid, *arguments.timeout);
    let cluster = arguments.cluster.connect().await?;
    let list = async || pods(&cluster, run).await;
    let there = patiently(Instant::now() + timeout, list).await?;
    let held: Vec<Left> = there.iter().filter_map(held).collect();
    let (swept, exit) = if held.is_empty() {
        let swept = cluster.sweep(run, None, timeout).await?;
        let exit = exit(&swept);
        (swept, exit)
    } else if arguments.discard_documents {
        for it in &held {
            tell(&format!("discarding documents of {}", it.object));
        }
        let swept = tokio::select! {
            swept = cluster.sweep(run, None, timeout) => swept?,
            never = hurry(&cluster, run) => match never {},
        };
        let exit = exit(&swept);
        (swept, exit)
    } else {
        let swept = Swept {
            deleted: 0,
            left: held,
        };
        (swept, Exit::SomeFailed)
    };
    if arguments.json {
        crate::print(&(serde_json::to_string(&swept)? + "\n"))?;
    } else {
        crate::print(&format!("{} objects deleted\n", swept.deleted))?;
    }
    for left in &swept.left {
        tell(&format!("error: {} stays: {}", left.object, left.reason));
    }
    if exit == Exit::SomeFailed {
        tell(&format!(
            "nothing was deleted: `llm-d-scale run` with the run's arguments and --uuid {run} --resume \
             fetches these documents; `llm-d-scale gc --uuid {run} --discard-documents` does without them"
        ));
    }
    Ok(exit)
}

fn exit(swept: &Swept) -> Exit {
    if swept.left.is_empty() {
        Exit::Done
    } else {
        Exit::DeadlinePassed
    }
}

async fn pods(cluster: &Cluster, run: &str) -> Result<Vec<Pod>, ClusterError> {
    let all: Api<Pod> = Api::all(cluster.client().clone());
    let list = ListParams::default().labels(&selector(run, None));
    let pods = all.list(&list).await;
    let doing = || format!("list pods of run {run}");
    Ok(pods
        .map_err(|error| ClusterError::of(error, doing()))?
        .items)
}

/// A pod with documents that are to be fetched from it, now or when its benchmark has ended.
fn held(pod: &Pod) -> Option<Left> {
    let reason = match Stage::of(pod) {
        Stage::Ended => "it has documents that nobody has fetched",
        Stage::Running if sidecar_runs(pod) => "its benchmark is running",
        Stage::Running | Stage::Over => return None,
    };
    hands_over(pod).then(|| Left {
        object: format!("pod/{}", pod.name_any()),
        namespace: pod.namespace(),
        reason: reason.to_owned(),
    })
}

fn hands_over(pod: &Pod) -> bool {
    let spec = pod.spec.iter();
    let containers = spec.flat_map(|spec| spec.init_containers.iter().flatten());
    let mut sidecars = containers.filter(|it| it.name == SIDECAR);
    sidecars.any(|it| {
        let mut env = it.env.iter().flatten();
        env.any(|it| it.name == Contract::HAND_OVER_SECONDS)
    })
}

fn sidecar_runs(pod: &Pod) -> bool {
    let status = pod.status.iter();
    let mut statuses = status.flat_map(|it| it.init_container_statuses.iter().flatten());
    statuses.any(|it| {
        let state = it.state.as_ref();
        it.name == SIDECAR && state.is_some_and(|it| it.running.is_some())
    })
}

/// Ends sidecars that wait, once their pods are being deleted: before, their Job would make others.
/// What fails is tried again, and in the end told as what stays.
async fn hurry(cluster: &Cluster, run: &str) -> Infallible {
    let short = DeleteParams::default().grace_period(GRACE_SECONDS);
    loop {
        let pods = pods(cluster, run).await.unwrap_or_default();
        for pod in pods.iter().filter(|it| lingers(it)) {
            let namespace = pod.namespace().unwrap_or_default();
            let own: Api<Pod> = Api::namespaced(cluster.client().clone(), &namespace);
            drop(own.delete(&pod.name_any(), &short).await);
        }
        sleep(PAUSE).await;
    }
}

fn lingers(pod: &Pod) -> bool {
    let grace = pod.metadata.deletion_grace_period_seconds;
    hands_over(pod) && grace.is_some_and(|seconds| seconds > i64::from(GRACE_SECONDS))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(env: &Value, benchmark: &Value, sidecar: &Value) -> Pod {
        let status = |name: &str, state: &Value| {
            json!([{
                "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": state,
            }])
        };
        let pod = json!({
            "metadata": { "name": "p", "namespace": "n" },
            "spec": { "containers": [], "initContainers": [{ "name": SIDECAR, "env": env }] },
            "status": {
                "phase": "Running",
                "containerStatuses": status("guidellm", benchmark),
                "initContainerStatuses": status(SIDECAR, sidecar),
            },
        });
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn documents_are_held_as_long_as_a_sidecar_runs_that_hands_them_over() {
        let (running, ended) = (
            json!({ "running": {} }),
            json!({ "terminated": { "exitCode": 0 } }),
        );
        let hands_over = json!([{ "name": "HAND_OVER_SECONDS", "value": "1800" }]);
        let (none, sends) = (json!({}), json!([{ "name": "UUID", "value": "u" }]));
        let of = |env, benchmark, sidecar| held(&pod(env, benchmark, sidecar)).map(|it| it.reason);
        let reason = of(&hands_over, &ended, &running).unwrap();
        assert!(reason.contains("nobody has fetched"), "{reason}");
        let reason = of(&hands_over, &running, &running).unwrap();
        assert!(reason.contains("is running"), "{reason}");
        assert_eq!(of(&hands_over, &ended, &ended), None);
        assert_eq!(of(&hands_over, &none, &none), None);
        assert_eq!(of(&sends, &ended, &running), None);
    }

    #[test]
    fn only_a_pod_that_is_being_deleted_is_hurried() {
        let mut pod = pod(
            &json!([{ "name": "HAND_OVER_SECONDS", "value": "1800" }]),
            &json!({}),
            &json!({}),
        );
        assert!(!lingers(&pod));
        pod.metadata.deletion_grace_period_seconds = Some(2400);
        assert!(lingers(&pod));
        pod.metadata.deletion_grace_period_seconds = Some(i64::from(GRACE_SECONDS));
        assert!(!lingers(&pod));
    }
}
