//! `llm-d-scale gc`: deletes what a run made, but for documents that are nowhere else.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use guidellm_indexer::Contract;
use guidellm_results_model::Exit;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use tokio::time::{Instant, sleep};

use super::arguments::GcArguments;
use super::hand_over::acknowledge;
use super::stage::Stage;
use crate::cluster::{Cluster, ClusterError, Left, Swept};
use crate::objects::selector;
use crate::scenario::SIDECAR;
use crate::tell;

/// What a pod gets to end whose benchmark is running, and whose documents nobody wants: its sidecar
/// would wait for half an hour.
const GRACE_SECONDS: u32 = 1;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Deletes what a run made.
///
/// # Errors
///
/// If the cluster cannot be asked.
pub async fn gc(arguments: &GcArguments) -> Result<Exit> {
    let (run, timeout) = (&arguments.uuid, *arguments.timeout);
    let namespaces = &arguments.namespace;
    let cluster = arguments.cluster.connect().await?;
    let cluster = cluster.within(namespaces.iter().cloned());
    let list = async || pods(&cluster, run, namespaces).await;
    let until = Instant::now() + timeout;
    let pods = match list().await {
        Err(error) if error.is_retryable() => {
            if !matches!(error, ClusterError::Unauthorized { .. }) {
                tell(&format!(
                    "warning: {error}; trying again for {}",
                    arguments.timeout
                ));
            }
            cluster.patiently(until, list).await?
        }
        listed => listed?,
    };
    let held: Vec<Left> = pods.iter().filter_map(held).collect();
    let (swept, exit) = if held.is_empty() || arguments.discard_documents {
        if !held.is_empty() {
            discard(&cluster, run, namespaces, until).await?;
        }
        let mut swept = cluster.sweep(run, None, timeout).await?;
        cluster.sweep_lease(run, timeout, &mut swept).await?;
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

/// The run's pods; of the namespaces that are named, if any is.
async fn pods(
    cluster: &Cluster,
    run: &str,
    namespaces: &[String],
) -> Result<Vec<Pod>, ClusterError> {
    let client = || cluster.client().clone();
    let apis: Vec<Api<Pod>> = match namespaces {
        [] => vec![Api::all(client())],
        some => some
            .iter()
            .map(|it| Api::namespaced(client(), it))
            .collect(),
    };
    let list = ListParams::default().labels(&selector(run, None));
    let hint = if namespaces.is_empty() {
        " (--namespace NAME looks into one alone)"
    } else {
        ""
    };
    let doing = || format!("list pods of run {run}{hint}");
    let mut pods = Vec::new();
    for api in apis {
        let listed = api.list(&list).await;
        pods.extend(
            listed
                .map_err(|error| ClusterError::of(error, doing()))?
                .items,
        );
    }
    Ok(pods)
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

/// Ends pods with documents that nobody wants, and first of all the Jobs that would make others of them.
/// Where the benchmark has ended, a kubelet waits for the sidecar already, and does not heed that it
/// should wait for a shorter time; so the sidecar is told to go.
async fn discard(
    cluster: &Cluster,
    run: &str,
    namespaces: &[String],
    until: Instant,
) -> Result<(), ClusterError> {
    let list = async || pods(cluster, run, namespaces).await;
    let there = cluster.patiently(until, list).await?;
    let jobs = there.iter().filter(|pod| held(pod).is_some());
    for (namespace, name) in jobs.filter_map(job).collect::<BTreeSet<_>>() {
        let api: Api<Job> = Api::namespaced(cluster.client().clone(), &namespace);
        let delete = async || orphan(&api, &name).await;
        while cluster.patiently(until, delete).await? && Instant::now() < until {
            sleep(PAUSE).await;
        }
    }
    for pod in cluster.patiently(until, list).await? {
        let Some(left) = held(&pod) else {
            continue;
        };
        tell(&format!("discarding the documents of {}", left.object));
        let namespace = pod.namespace().unwrap_or_default();
        let (api, name) = (
            Api::<Pod>::namespaced(cluster.client().clone(), &namespace),
            pod.name_any(),
        );
        let ended = if Stage::of(&pod) == Stage::Ended {
            acknowledge(&api, &name).await
        } else {
            let short = DeleteParams::default().grace_period(GRACE_SECONDS);
            let deleted = api.delete(&name, &short).await;
            deleted.map(drop).map_err(|error| {
                let doing = format!("delete {}", left.object);
                ClusterError::of(error, doing).into()
            })
        };
        if let Err(error) = ended {
            tell(&format!(
                "warning: {} waits for its documents to be fetched: {error:#}",
                left.object
            ));
        }
    }
    Ok(())
}

/// The Job that a pod is of, with its namespace.
fn job(pod: &Pod) -> Option<(String, String)> {
    let owner = pod.owner_references().iter().find(|it| it.kind == "Job")?;
    Some((pod.namespace()?, owner.name.clone()))
}

/// Deletes a Job without its pods; whether it is there still.
async fn orphan(jobs: &Api<Job>, name: &str) -> Result<bool, ClusterError> {
    match jobs.delete(name, &DeleteParams::orphan()).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(ClusterError::of(error, format!("delete job/{name}"))),
    }
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
}
