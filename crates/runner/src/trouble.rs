//! What is wrong with a pod, as its status and warnings tell it, purely. Kubernetes itself goes on
//! trying for ever, or until a deadline of hours.

#![expect(
    clippy::indexing_slicing,
    reason = "a member of JSON that is not there is null"
)]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What keeps a pod from doing its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Kubernetes' word for it, such as `ImagePullBackOff`.
    pub reason: String,
    /// What it says.
    pub message: String,
    /// The container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// It does not pass by itself. What may pass is given some time.
    pub lasts: bool,
}

/// A container waits in one of these states because of what its manifest says, or its image does.
const LASTING: [&str; 7] = [
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];
/// Of these the next try may succeed: what a container needs may come up beside it.
const PASSING: [&str; 2] = ["ErrImagePull", CRASH_LOOP];

/// A container that ends again and again runs in between.
const CRASH_LOOP: &str = "CrashLoopBackOff";
const UNSCHEDULABLE: &str = "Unschedulable";

/// How a container ended, of which too little is known without its last words.
const LAST_WORDS: usize = 300;

/// Looks for trouble in a pod.
#[must_use]
pub fn of_pod(pod: &Value) -> Option<Trouble> {
    containers(pod)
        .find_map(waiting)
        .or_else(|| unschedulable(pod))
}

/// Looks for trouble in a warning (`Event`), which is all there is before a pod has a status, or is there.
#[must_use]
pub fn of_warning(event: &Value) -> Option<Trouble> {
    let (reason, message) = (text(event, "reason"), text(event, "message"));
    let lasts = match reason {
        // A quota is not lifted while one waits.
        "FailedCreate" => message.contains("exceeded quota") || message.contains("forbidden"),
        "FailedMount" | "FailedAttachVolume" | "FailedCreatePodSandBox" => false,
        _ => return None,
    };
    Some(Trouble {
        reason: reason.to_owned(),
        message: message.to_owned(),
        container: None,
        lasts,
    })
}

/// Whether a pod's trouble is over, by the pod as it is now.
#[must_use]
pub fn is_over(trouble: &Trouble, pod: &Value) -> bool {
    let own = |status: &&Value| {
        let name = trouble.container.as_deref();
        name.is_none_or(|name| text(status, "name") == name)
    };
    let mut own = containers(pod).filter(own);
    is_well(pod)
        || match &*trouble.reason {
            UNSCHEDULABLE => scheduled(pod).is_some_and(|it| it["status"] == "True"),
            CRASH_LOOP => own.any(|it| {
                it["ready"] == true || it.pointer("/state/terminated/exitCode") == Some(&0.into())
            }),
            // A container that has run had its image, its volumes and its network.
            _ => own.any(|it| {
                let state = |path| it.pointer(path).is_some_and(Value::is_object);
                let ran = [
                    "/state/running",
                    "/state/terminated",
                    "/lastState/terminated",
                ];
                ran.into_iter().any(state)
            }),
        }
}

/// All its containers run, or it has done its work.
fn is_well(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|it| it["type"] == "Ready" && it["status"] == "True")
        || pod["status"]["phase"] == "Succeeded"
}

/// How a pod's containers ended that did not end well.
#[must_use]
pub fn ends(pod: &Value) -> Vec<Trouble> {
    let ended = containers(pod).filter_map(|status| {
        let end = status.pointer("/state/terminated")?;
        let code = end["exitCode"].as_i64().filter(|code| *code != 0)?;
        let words = text(end, "message").trim();
        let mut message = format!("exit code {code}");
        if !words.is_empty() {
            let from = words
                .char_indices()
                .rev()
                .nth(LAST_WORDS - 1)
                .map_or(0, |(at, _)| at);
            message = format!("{message}: {}", words.get(from..).unwrap_or(words));
        }
        Some(Trouble {
            reason: text(end, "reason").to_owned(),
            message,
            container: Some(text(status, "name").to_owned()),
            lasts: true,
        })
    });
    let mut ended: Vec<Trouble> = ended.collect();
    // Evicted, preempted or past its deadline: the containers may say nothing of it.
    let reason = text(&pod["status"], "reason");
    if pod["status"]["phase"] == "Failed" && !reason.is_empty() {
        ended.push(Trouble {
            reason: reason.to_owned(),
            message: text(&pod["status"], "message").to_owned(),
            container: None,
            lasts: true,
        });
    }
    ended
}

/// Whether trouble that has been there for some time is the end of its job.
#[must_use]
pub fn is_fatal(trouble: &Trouble, since: Duration, patience: Duration) -> bool {
    trouble.lasts || since >= patience
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["initContainerStatuses", "containerStatuses"];
    lists.into_iter().flat_map(|list| {
        let found = pod["status"][list].as_array();
        found.map(Vec::as_slice).unwrap_or_default()
    })
}

fn waiting(status: &Value) -> Option<Trouble> {
    let waiting = status.pointer("/state/waiting")?;
    let reason = text(waiting, "reason");
    let passes = PASSING.contains(&reason);
    if !passes && !LASTING.contains(&reason) {
        return None;
    }
    let last = status.pointer("/lastState/terminated");
    let last = last.map(|end| {
        format!(
            " (it ended with exit code {}, {})",
            end["exitCode"],
            text(end, "reason")
        )
    });
    let message = text(waiting, "message").to_owned() + &last.unwrap_or_default();
    Some(Trouble {
        reason: reason.to_owned(),
        message,
        container: Some(text(status, "name").to_owned()),
        lasts: !passes,
    })
}

fn scheduled(pod: &Value) -> Option<&Value> {
    let conditions = pod["status"]["conditions"].as_array()?;
    conditions.iter().find(|it| it["type"] == "PodScheduled")
}

fn unschedulable(pod: &Value) -> Option<Trouble> {
    let scheduled = scheduled(pod)?;
    (scheduled["status"] == "False" && scheduled["reason"] == UNSCHEDULABLE).then(|| Trouble {
        reason: UNSCHEDULABLE.to_owned(),
        message: text(scheduled, "message").to_owned(),
        container: None,
        // An autoscaler may bring a node.
        lasts: false,
    })
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waiting_for(reason: &str) -> Value {
        json!({ "status": { "containerStatuses": [{
            "name": "epp",
            "state": { "waiting": { "reason": reason, "message": "m" } },
            "lastState": { "terminated": { "exitCode": 7, "reason": "Error" } },
        }] } })
    }

    #[test]
    fn a_container_that_cannot_start_is_named_with_how_it_ended() {
        let trouble = of_pod(&waiting_for("CrashLoopBackOff")).unwrap();
        assert_eq!(trouble.container.as_deref(), Some("epp"));
        assert_eq!(trouble.message, "m (it ended with exit code 7, Error)");
        assert!(!trouble.lasts);
        assert!(of_pod(&waiting_for("ImagePullBackOff")).unwrap().lasts);
    }

    #[test]
    fn one_that_is_being_made_is_no_trouble() {
        for reason in ["ContainerCreating", "PodInitializing"] {
            assert_eq!(of_pod(&waiting_for(reason)), None);
        }
        assert_eq!(of_pod(&json!({ "status": {} })), None);
    }

    #[test]
    fn what_may_pass_is_given_time() {
        let unschedulable = json!({ "status": { "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available",
        }] } });
        let patience = Duration::from_secs(30);
        for pod in [unschedulable, waiting_for("ErrImagePull")] {
            let trouble = of_pod(&pod).unwrap();
            assert!(!is_fatal(&trouble, Duration::from_secs(29), patience));
            assert!(is_fatal(&trouble, patience, patience));
        }
    }

    #[test]
    fn trouble_is_over_when_what_it_kept_from_happening_has_happened() {
        let trouble = |reason: &str, container: Option<&str>| Trouble {
            reason: reason.to_owned(),
            message: String::new(),
            container: container.map(ToOwned::to_owned),
            lasts: false,
        };
        let pod = |scheduled: &str, statuses: &Value| {
            json!({ "status": {
                "conditions": [{ "type": "PodScheduled", "status": scheduled }],
                "containerStatuses": statuses,
            } })
        };
        let status = |name: &str, state: &str, ready: bool| json!({ "name": name, "ready": ready, "state": { (state): {} } });
        let placed = pod("True", &json!([status("vllm", "waiting", false)]));
        assert!(!is_over(
            &trouble(UNSCHEDULABLE, None),
            &pod("False", &json!([]))
        ));
        assert!(is_over(&trouble(UNSCHEDULABLE, None), &placed));
        // It loads its model for minutes, and is not ready.
        let loads = pod(
            "True",
            &json!([
                status("vllm", "running", false),
                status("other", "waiting", false)
            ]),
        );
        for (reason, container) in [("FailedMount", None), ("ErrImagePull", Some("vllm"))] {
            assert!(!is_over(&trouble(reason, container), &placed));
            assert!(is_over(&trouble(reason, container), &loads));
        }
        assert!(!is_over(&trouble("ErrImagePull", Some("other")), &loads));
        assert!(!is_over(&trouble(CRASH_LOOP, Some("vllm")), &loads));
        let serves = pod("True", &json!([status("vllm", "running", true)]));
        assert!(is_over(&trouble(CRASH_LOOP, Some("vllm")), &serves));
    }

    #[test]
    fn ends_tell_exit_codes_and_the_last_of_many_words() {
        let words = format!("{}é end", "x".repeat(500));
        let pod = json!({ "status": { "phase": "Failed", "reason": "DeadlineExceeded",
            "message": "too long", "containerStatuses": [
                { "name": "ok", "state": { "terminated": { "exitCode": 0 } } },
                { "name": "guidellm", "state": { "terminated":
                    { "exitCode": 137, "reason": "OOMKilled", "message": words } } },
        ] } });
        let ends = ends(&pod);
        assert_eq!(ends.len(), 2);
        assert_eq!(ends[0].reason, "OOMKilled");
        assert!(ends[0].message.ends_with("é end") && ends[0].message.len() < 330);
        assert_eq!(ends[1].reason, "DeadlineExceeded");
    }
}
