//! What a scenario's pods tell once they have ended: when their benchmarks ran, and whether their
//! sidecars got rid of the documents.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use guidellm_results_model::documents::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::outlook::Failure;
use crate::cluster::Cluster;
use crate::objects::selector;
use crate::scenario::SIDECAR;

/// How long a list of pods may take; without it, they are watched from then on.
const LIST: Duration = Duration::from_secs(10);

/// From the first start to the last end of the benchmarks.
pub(super) fn load(pods: &[Pod]) -> Option<(Timestamp, Timestamp)> {
    let times: Vec<(Timestamp, Timestamp)> = pods.iter().flat_map(times).collect();
    let start = times.iter().map(|(start, _)| *start).min()?;
    let end = times.iter().map(|(_, end)| *end).max()?;
    Some((start, end))
}

fn times(pod: &Pod) -> Vec<(Timestamp, Timestamp)> {
    let status = pod.status.iter();
    let statuses = status.flat_map(|it| it.container_statuses.iter().flatten());
    let ends = statuses.filter_map(|it| it.state.as_ref()?.terminated.as_ref());
    let times = ends.filter_map(|end| {
        Some((
            at(end.started_at.as_ref()?)?,
            at(end.finished_at.as_ref()?)?,
        ))
    });
    times.collect()
}

fn at(time: &Time) -> Option<Timestamp> {
    Timestamp::from_epoch_micros(time.0.as_microsecond())
}

/// Documents that sidecars could not send; Kubernetes takes no notice of that in a native one.
pub(super) fn not_sent(pods: &[Pod]) -> Vec<Failure> {
    let ended = pods.iter().filter_map(|pod| Some((pod, sidecar_end(pod)?)));
    let failed = ended.filter(|(_, end)| end.exit_code != 0);
    failed
        .map(|(pod, end)| Failure {
            object: format!("pod/{}", pod.name_any()),
            reason: match &end.message {
                Some(message) => message.trim().to_owned(),
                None => format!("its sidecar ended with exit code {}", end.exit_code),
            },
        })
        .collect()
}

fn sidecar_end(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let status = pod.status.as_ref()?;
    let lists = [&status.init_container_statuses, &status.container_statuses];
    let mut all = lists.into_iter().flatten().flatten();
    all.find(|it| it.name == SIDECAR)?
        .state
        .as_ref()?
        .terminated
        .as_ref()
}

/// The pods of a job while they go, as they were last: how they ended is told by what is deleted.
pub(super) struct LastPods {
    seen: Arc<Mutex<BTreeMap<String, Pod>>>,
    task: JoinHandle<()>,
}

impl LastPods {
    /// Returns when those that are there have been seen.
    pub(super) async fn watch(cluster: &Cluster, namespace: &str, run: &str, job: &str) -> Self {
        let api: Api<Pod> = Api::namespaced(cluster.client().clone(), namespace);
        let config = watcher::Config::default().labels(&selector(run, Some(job)));
        let seen: Arc<Mutex<BTreeMap<String, Pod>>> = Arc::default();
        let (listed, first) = oneshot::channel();
        let (noted, mut listed) = (Arc::clone(&seen), Some(listed));
        let task = tokio::spawn(async move {
            let mut events = watcher(api, config).default_backoff().boxed();
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(pod) | Event::InitApply(pod) | Event::Delete(pod)) => {
                        let mut seen = noted.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.insert(pod.name_any(), pod);
                    }
                    Ok(Event::InitDone) => drop(listed.take().map(|it| it.send(()))),
                    Ok(Event::Init) | Err(_) => {}
                }
            }
        });
        drop(timeout(LIST, first).await);
        Self { seen, task }
    }

    /// What was seen.
    pub(super) fn end(self) -> Vec<Pod> {
        self.task.abort();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *seen).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, started: &str, finished: &str, sidecar: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": name },
            "status": {
                "containerStatuses": [{
                    "name": "guidellm", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                    "state": { "terminated": { "exitCode": 0, "startedAt": started, "finishedAt": finished } },
                }],
                "initContainerStatuses": [{
                    "name": SIDECAR, "image": "", "imageID": "", "ready": false, "restartCount": 0,
                    "state": { "terminated": sidecar },
                }],
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_load_lasts_from_the_first_start_to_the_last_end() {
        let well = json!({ "exitCode": 0 });
        let pods = [
            pod("b", "2026-01-01T00:02:00Z", "2026-01-01T00:03:00Z", &well),
            pod("a", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", &well),
        ];
        let (start, end) = load(&pods).unwrap();
        assert_eq!(end.epoch_micros() - start.epoch_micros(), 180_000_000);
        assert!(load(&[]).is_none());
        assert!(not_sent(&pods).is_empty());
    }

    #[test]
    fn what_a_sidecar_could_not_send_is_told_in_its_words() {
        let unsent =
            json!({ "exitCode": 4, "message": "12 unsent; `guidellm-indexer replay x`\n" });
        let pods = [pod(
            "a",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:01:00Z",
            &unsent,
        )];
        let told = not_sent(&pods);
        assert_eq!(told.len(), 1);
        assert_eq!(
            told[0].to_string(),
            "pod/a: 12 unsent; `guidellm-indexer replay x`"
        );
    }
}
