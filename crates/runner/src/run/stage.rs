//! How far a sample is whose documents are fetched from its pod.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::scenario::SIDECAR;

/// How far a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its benchmark is still to end.
    Running,
    /// Its benchmark has ended, or is about to, and its sidecar is there.
    Ended,
    /// Its sidecar has ended.
    Over,
}

impl Stage {
    pub(super) fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let has_ended = |it: &ContainerStatus| {
            let state = it.state.as_ref();
            state.is_some_and(|it| it.terminated.is_some())
        };
        let sidecars = status.init_container_statuses.unwrap_or_default();
        let sidecar = sidecars.iter().find(|it| it.name == SIDECAR);
        let is_over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let benchmarks = status.container_statuses.unwrap_or_default();
        let deleted = pod.metadata.deletion_timestamp.is_some();
        match sidecar {
            _ if is_over => Self::Over,
            Some(sidecar) if has_ended(sidecar) => Self::Over,
            Some(sidecar)
                if sidecar
                    .state
                    .as_ref()
                    .is_some_and(|it| it.running.is_some()) =>
            {
                if deleted || benchmarks.iter().any(has_ended) {
                    Self::Ended
                } else {
                    Self::Running
                }
            }
            _ => Self::Running,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn stage(benchmark: &Value, sidecar: &Value, more: &Value) -> Stage {
        let status = |name: &str, state: &Value| {
            json!([{
                "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": state,
            }])
        };
        let mut pod = json!({
            "metadata": { "name": "p" },
            "status": {
                "phase": "Running",
                "containerStatuses": status("guidellm", benchmark),
                "initContainerStatuses": status(SIDECAR, sidecar),
            },
        });
        for (path, value) in more.as_object().unwrap() {
            let (part, member) = path.split_once('/').unwrap();
            pod[part][member] = value.clone();
        }
        Stage::of(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn documents_are_fetched_from_the_end_of_the_benchmark_to_that_of_the_sidecar() {
        let (none, running) = (json!({}), json!({ "running": {} }));
        let ended = json!({ "terminated": { "exitCode": 1 } });
        assert_eq!(stage(&none, &none, &none), Stage::Running);
        assert_eq!(stage(&running, &running, &none), Stage::Running);
        assert_eq!(stage(&ended, &running, &none), Stage::Ended);
        assert_eq!(stage(&ended, &ended, &none), Stage::Over);
        // It will be ended, and salvaged.
        let deleted = json!({ "metadata/deletionTimestamp": "2026-01-01T00:00:00Z" });
        assert_eq!(stage(&running, &running, &deleted), Stage::Ended);
        assert_eq!(stage(&none, &none, &deleted), Stage::Running);
        let failed = json!({ "status/phase": "Failed" });
        assert_eq!(stage(&ended, &running, &failed), Stage::Over);
    }
}
