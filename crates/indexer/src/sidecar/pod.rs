//! The sidecar's own pod, as far as Kubernetes lets it look: how the benchmark's container ended,
//! the end of its log, and Events that tell of what went wrong. All of it may be refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::api::LogParams;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client, Config, Error, Resource, ResourceExt};
use tokio::runtime::Handle;

use super::contract::Contract;
use super::watch::ContainerEnd;
use crate::tell;

/// Between two looks at the pod.
const PAUSE: Duration = Duration::from_secs(2);
/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// As much of a log as a document takes.
const LOG_LINES: i64 = 40;
const LOG_BYTES: usize = 8 << 10;
/// What kubectl goes by where a pod has several containers.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// Reason of a Job whose `activeDeadlineSeconds` are over.
const DEADLINE: &str = "DeadlineExceeded";
/// As much as an Event takes.
const NOTE_BYTES: usize = 1000;

/// The pod, and who asks for it.
pub(super) struct OwnPod {
    runtime: Handle,
    api: Api<Pod>,
    jobs: Api<Job>,
    recorder: Recorder,
    name: String,
    seen: Arc<Mutex<View>>,
}

/// What was last seen of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct View {
    /// Who it is, for Events.
    reference: ObjectReference,
    /// The benchmark's container.
    container: String,
    /// How it ended, if it will not be started again.
    pub(super) ended: Option<ContainerEnd>,
    pub(super) node: Option<String>,
    /// Whether a container that fails is started again in its pod.
    restarts: bool,
}

impl OwnPod {
    /// Looks from now on; nothing outside a pod, or without a service account's token.
    pub(super) fn watch(runtime: &Handle, contract: &Contract) -> Option<Self> {
        let name = contract.pod()?;
        let mut config = match Config::incluster() {
            Ok(config) => config,
            Err(error) => {
                if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
                    tell(&format!(
                        "warning: the pod's own status is not looked at: {error}"
                    ));
                }
                return None;
            }
        };
        config.read_timeout = Some(PATIENCE);
        let namespace = contract.pod_namespace.clone();
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let entered = runtime.enter();
        let client = Client::try_from(config).inspect_err(|error| {
            tell(&format!("warning: no client of Kubernetes: {error}"));
        });
        let client = client.ok()?;
        drop(entered);
        let reporter = Reporter {
            controller: "guidellm-indexer".to_owned(),
            instance: Some(name.clone()),
        };
        let pod = Self {
            api: Api::namespaced(client.clone(), &namespace),
            jobs: Api::namespaced(client.clone(), &namespace),
            recorder: Recorder::new(client, reporter),
            seen: Arc::default(),
            name,
            runtime: runtime.clone(),
        };
        let seen = Arc::clone(&pod.seen);
        let (api, name) = (pod.api.clone(), pod.name.clone());
        pod.runtime
            .spawn(keep_looking(api, name, contract.container.clone(), seen));
        Some(pod)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn namespace(&self) -> Option<String> {
        self.api.namespace().map(Into::into)
    }

    pub(super) fn view(&self) -> View {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    /// How the benchmark's container ended; waits until Kubernetes knows, which takes a moment,
    /// but in vain where the pod is deleted: then it is only told with the end of all.
    pub(super) fn container_end(&self, patience: Duration) -> Option<ContainerEnd> {
        let until = Instant::now() + patience;
        loop {
            let pod = self.runtime.block_on(self.api.get(&self.name)).ok()?;
            let view = View::of(&pod, Some(&self.view().container));
            let deleted = pod.metadata.deletion_timestamp.is_some();
            if view.ended.is_some() || deleted || Instant::now() > until {
                return view.ended;
            }
            std::thread::sleep(PAUSE / 10);
        }
    }

    /// Why the pod ends before the benchmark did, if Kubernetes says so.
    pub(super) fn disruption(&self) -> Option<String> {
        self.runtime.block_on(async {
            let pod = self.api.get(&self.name).await.ok()?;
            if let Some(reason) = disruption(&pod) {
                return Some(reason);
            }
            pod.metadata.deletion_timestamp.as_ref()?;
            let owner = pod.owner_references().iter().find(|it| it.kind == "Job");
            let job = match owner {
                Some(owner) => self.jobs.get(&owner.name).await.ok(),
                None => None,
            };
            let late = job.as_ref().is_some_and(is_past_its_deadline);
            Some(
                if late {
                    DEADLINE
                } else {
                    "the pod was deleted"
                }
                .to_owned(),
            )
        })
    }

    /// The end of the benchmark's log.
    pub(super) fn log_tail(&self) -> Option<String> {
        let parameters = LogParams {
            container: Some(self.view().container).filter(|name| !name.is_empty()),
            tail_lines: Some(LOG_LINES),
            limit_bytes: Some(1 << 20),
            ..LogParams::default()
        };
        let reading = self.api.logs(&self.name, &parameters);
        match self.runtime.block_on(reading) {
            Ok(log) => tail(&log),
            Err(error) => {
                tell(&format!(
                    "warning: the benchmark's log is not readable: {}",
                    advice(&error)
                ));
                None
            }
        }
    }

    /// Tells of what went wrong where `kubectl describe pod` shows it.
    pub(super) fn warn(&self, reason: &str, note: &str) {
        let event = Event {
            type_: EventType::Warning,
            reason: reason.to_owned(),
            note: note
                .get(..note.floor_char_boundary(NOTE_BYTES))
                .map(Into::into),
            action: "Index".to_owned(),
            secondary: None,
        };
        let reference = self.view().reference;
        if reference.name.is_none() {
            return;
        }
        let publishing = self.recorder.publish(&event, &reference);
        if let Err(error) = self.runtime.block_on(publishing) {
            tell(&format!("warning: no Event: {}", advice(&error)));
        }
    }
}

async fn keep_looking(
    api: Api<Pod>,
    name: String,
    container: Option<String>,
    seen: Arc<Mutex<View>>,
) {
    let mut first = true;
    loop {
        match api.get(&name).await {
            Ok(pod) => {
                let view = View::of(&pod, container.as_deref());
                if first && view.restarts {
                    tell(
                        "warning: the pod's restartPolicy is not Never: a benchmark that failed \
                         is run again, and its report is not waited for",
                    );
                }
                first = false;
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = view;
            }
            Err(Error::Api(status)) if matches!(status.code, 401 | 403 | 404) => {
                tell(&format!(
                    "warning: the pod's own status is not readable: {}",
                    advice(&Error::Api(status))
                ));
                return;
            }
            // The API server may be away for a while.
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What is wrong, and what to do about it.
fn advice(error: &Error) -> String {
    match error {
        Error::Api(status) if status.code == 403 => format!(
            "{}; the service account needs the Role of manifests/sidecar/rbac.yaml",
            status.message
        ),
        error => error.to_string(),
    }
}

impl View {
    fn of(pod: &Pod, container: Option<&str>) -> Self {
        let container = container.filter(|name| !name.is_empty());
        let spec = pod.spec.as_ref();
        let annotated = || pod.annotations().get(DEFAULT_CONTAINER).cloned();
        let first = || Some(spec?.containers.first()?.name.clone());
        let container = container.map(Into::into).or_else(annotated).or_else(first);
        let container = container.unwrap_or_default();
        let restarts = spec
            .and_then(|spec| spec.restart_policy.as_deref())
            .is_some_and(|policy| policy != "Never");
        let ended = ended(pod, &container).filter(|end| !restarts || end.exit_code == 0);
        Self {
            reference: pod.object_ref(&()),
            node: spec.and_then(|spec| spec.node_name.clone()),
            container,
            ended,
            restarts,
        }
    }
}

fn ended(pod: &Pod, container: &str) -> Option<ContainerEnd> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == container)?;
    let ended = status.state.as_ref()?.terminated.as_ref()?;
    Some(ContainerEnd {
        exit_code: ended.exit_code,
        reason: ended.reason.clone().unwrap_or_default(),
    })
}

/// `DeadlineExceeded` or `Evicted` of the pod's status, or its condition `DisruptionTarget`.
fn disruption(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let condition = || {
        let conditions = status.conditions.as_ref()?;
        let target = |it: &&_| is_disruption_target(it);
        conditions.iter().find(target)?.reason.clone()
    };
    status.reason.clone().or_else(condition)
}

fn is_disruption_target(condition: &k8s_openapi::api::core::v1::PodCondition) -> bool {
    condition.type_ == "DisruptionTarget" && condition.status == "True"
}

/// Whether a Job ends its pods for its deadline. Other reasons may follow from the end of this very
/// pod, and so tell nothing.
fn is_past_its_deadline(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|it| it.conditions.as_ref());
    conditions.into_iter().flatten().any(|it| {
        matches!(it.type_.as_str(), "FailureTarget" | "Failed")
            && it.status == "True"
            && it.reason.as_deref() == Some(DEADLINE)
    })
}

/// The end of a log, from the start of a line.
fn tail(log: &str) -> Option<String> {
    let log = log.trim_end();
    let end = log.get(log.ceil_char_boundary(log.len().saturating_sub(LOG_BYTES))..)?;
    let whole = end.len() == log.len();
    let end = match end.split_once('\n') {
        Some((_, rest)) if !whole => rest,
        _ => end,
    };
    (!end.is_empty()).then(|| end.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(policy: &str, exit_code: i32, reason: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "p", "namespace": "n", "uid": "u" },
            "spec": {
                "nodeName": "worker", "restartPolicy": policy,
                "containers": [{ "name": "guidellm" }, { "name": "guidellm-indexer" }],
            },
            "status": {
                "containerStatuses": [
                    { "name": "guidellm-indexer", "state": { "running": {} } },
                    { "name": "guidellm", "state": { "terminated": {
                        "exitCode": exit_code, "reason": reason,
                    } } },
                ],
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_benchmark_is_the_first_container_unless_somebody_names_another() {
        let mut pod = pod("Never", 137, "OOMKilled");
        let view = View::of(&pod, None);
        let end = ContainerEnd {
            exit_code: 137,
            reason: "OOMKilled".to_owned(),
        };
        assert_eq!(
            (view.container.as_str(), &view.ended),
            ("guidellm", &Some(end))
        );
        assert_eq!(view.node.as_deref(), Some("worker"));
        assert_eq!(View::of(&pod, Some("guidellm-indexer")).ended, None);
        let annotation = (DEFAULT_CONTAINER.to_owned(), "guidellm-indexer".to_owned());
        pod.metadata.annotations = Some([annotation].into());
        assert_eq!(View::of(&pod, None).container, "guidellm-indexer");
    }

    #[test]
    fn a_container_that_is_started_again_has_not_ended() {
        let ended = |policy, code| View::of(&pod(policy, code, "Error"), None).ended.is_some();
        assert!(!ended("OnFailure", 1));
        assert!(ended("OnFailure", 0));
        assert!(ended("Never", 1));
    }

    #[test]
    fn a_job_says_that_its_deadline_is_past() {
        let late = |kind: &str, status: &str, reason: &str| {
            let condition = json!({ "type": kind, "status": status, "reason": reason });
            let job = json!({ "status": { "conditions": [condition] } });
            is_past_its_deadline(&serde_json::from_value(job).unwrap())
        };
        assert!(late("FailureTarget", "True", DEADLINE));
        assert!(late("Failed", "True", DEADLINE));
        assert!(!late("Failed", "False", DEADLINE));
        assert!(!late("Failed", "True", "FailedIndexes"));
    }

    #[test]
    fn a_tail_starts_with_a_line_and_is_short() {
        assert_eq!(tail("one\ntwo\n").as_deref(), Some("one\ntwo"));
        assert_eq!(tail("\n"), None);
        let long = "äöü, a line of a log\n".repeat(1000);
        let end = tail(&long).unwrap();
        assert!(end.len() <= LOG_BYTES && end.starts_with("äöü"), "{end}");
        assert!(end.len() > LOG_BYTES - 100);
    }

    #[test]
    fn why_a_pod_ends_is_its_own_reason_or_a_condition() {
        let mut pod = pod("Never", 0, "");
        assert_eq!(disruption(&pod), None);
        let status = pod.status.as_mut().unwrap();
        status.conditions = serde_json::from_value(json!([
            { "type": "Ready", "status": "False", "reason": "PodFailed" },
            { "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI" },
        ]))
        .unwrap();
        assert_eq!(disruption(&pod).as_deref(), Some("EvictionByEvictionAPI"));
        pod.status.as_mut().unwrap().reason = Some("DeadlineExceeded".to_owned());
        assert_eq!(disruption(&pod).as_deref(), Some("DeadlineExceeded"));
    }
}
