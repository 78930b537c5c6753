//! Is an object what it was made for? Decided from its status, purely, kind by kind.

#![expect(
    clippy::indexing_slicing,
    reason = "a member of JSON that is not there is null"
)]

use serde_json::Value;

/// How far an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is.
    Ready,
    /// Not yet, and why.
    Waiting(String),
    /// It never will be, and why.
    Failed(String),
}

use Readiness::{Failed, Ready, Waiting};

/// Whether objects of a kind are waited for: others are ready once they are there.
#[must_use]
pub fn is_waited_for(kind: &str) -> bool {
    judge_of(kind).is_some()
}

/// Judges an object.
#[must_use]
pub fn judge(object: &Value) -> Readiness {
    let kind = object["kind"].as_str().unwrap_or_default();
    match judge_of(kind) {
        Some(judge) => judge(object),
        None => Ready,
    }
}

type Judge = fn(&Value) -> Readiness;

fn judge_of(kind: &str) -> Option<Judge> {
    Some(match kind {
        "Deployment" => deployment,
        "StatefulSet" => stateful_set,
        "DaemonSet" => daemon_set,
        "ReplicaSet" => |it| replicas(it, "readyReplicas"),
        "Pod" => pod,
        "Job" => job,
        "Gateway" => gateway,
        "HTTPRoute" => |it| parents(it, "/status/parents", &["Accepted", "ResolvedRefs"]),
        "InferencePool" => |it| parents(it, "/status/parents", &["Accepted", "ResolvedRefs"]),
        "CustomResourceDefinition" => |it| condition(it, "/status/conditions", "Established"),
        "Namespace" => |it| phase(it, "Active"),
        _ => return None,
    })
}

fn deployment(object: &Value) -> Readiness {
    if is_behind(object) {
        return Waiting("its controller has not seen it".to_owned());
    }
    for (kind, status) in [("Progressing", "False"), ("ReplicaFailure", "True")] {
        if let Some(found) = find(object, "/status/conditions", kind)
            && found["status"] == status
        {
            return Failed(told(found));
        }
    }
    match replicas(object, "updatedReplicas") {
        Ready => replicas(object, "availableReplicas"),
        waiting => waiting,
    }
}

fn stateful_set(object: &Value) -> Readiness {
    if is_behind(object) {
        return Waiting("its controller has not seen it".to_owned());
    }
    replicas(object, "readyReplicas")
}

fn daemon_set(object: &Value) -> Readiness {
    let status = &object["status"];
    let (wanted, ready) = (&status["desiredNumberScheduled"], &status["numberReady"]);
    match wanted.as_u64() {
        Some(wanted) if !is_behind(object) => counted(ready.as_u64().unwrap_or(0), wanted),
        _ => Waiting("its controller has not seen it".to_owned()),
    }
}

fn replicas(object: &Value, of: &str) -> Readiness {
    let wanted = object["spec"]["replicas"].as_u64().unwrap_or(1);
    counted(object["status"][of].as_u64().unwrap_or(0), wanted)
}

fn counted(ready: u64, wanted: u64) -> Readiness {
    if ready >= wanted {
        Ready
    } else {
        Waiting(format!("{ready} of {wanted} ready"))
    }
}

fn is_behind(object: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_u64();
    let observed = object["status"]["observedGeneration"].as_u64();
    observed.is_none() || observed < generation
}

fn pod(object: &Value) -> Readiness {
    match object["status"]["phase"].as_str() {
        Some("Succeeded") => Ready,
        Some("Failed") => Failed(told(&object["status"])),
        _ => condition(object, "/status/conditions", "Ready"),
    }
}

fn job(object: &Value) -> Readiness {
    if let Some(failed) = find(object, "/status/conditions", "Failed").filter(|it| is_true(it)) {
        return Failed(told(failed));
    }
    if let Readiness::Ready = condition(object, "/status/conditions", "Complete") {
        return Ready;
    }
    let count = |name: &str| object["status"][name].as_u64().unwrap_or(0);
    let wanted = object["spec"]["completions"].as_u64().unwrap_or(1);
    Waiting(format!(
        "{} of {wanted} succeeded, {} failed",
        count("succeeded"),
        count("failed")
    ))
}

fn gateway(object: &Value) -> Readiness {
    match condition(object, "/status/conditions", "Accepted") {
        Ready => condition(object, "/status/conditions", "Programmed"),
        waiting => waiting,
    }
}

/// Each parent has to have all conditions.
fn parents(object: &Value, path: &str, kinds: &[&str]) -> Readiness {
    let parents = object.pointer(path).and_then(Value::as_array);
    let parents = parents.map(Vec::as_slice).unwrap_or_default();
    if parents.is_empty() {
        return Waiting("no gateway has taken it".to_owned());
    }
    let judged = parents.iter().flat_map(|parent| {
        kinds
            .iter()
            .map(move |kind| condition(parent, "/conditions", kind))
    });
    judged.into_iter().find(|it| *it != Ready).unwrap_or(Ready)
}

fn phase(object: &Value, wanted: &str) -> Readiness {
    match object["status"]["phase"].as_str() {
        Some(phase) if phase == wanted => Ready,
        phase => Waiting(phase.unwrap_or("no status yet").to_owned()),
    }
}

/// Whether a condition is true, of the object as it is now.
pub(crate) fn condition(object: &Value, path: &str, kind: &str) -> Readiness {
    match find(object, path, kind) {
        Some(found) if is_true(found) && !is_stale(object, found) => Ready,
        Some(found) if is_true(found) => Waiting(format!("{kind}, but of what it was before")),
        Some(found) => Waiting(format!("not {kind}: {}", told(found))),
        None => Waiting(format!("not {kind} yet")),
    }
}

fn find<'a>(object: &'a Value, path: &str, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer(path)?.as_array()?;
    conditions.iter().find(|it| it["type"] == kind)
}

fn is_true(condition: &Value) -> bool {
    condition["status"] == "True"
}

/// It speaks of an older generation.
fn is_stale(object: &Value, condition: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_u64();
    let observed = condition["observedGeneration"].as_u64();
    observed.is_some() && observed < generation
}

/// Reason and message.
pub(crate) fn told(condition: &Value) -> String {
    let text = |name: &str| condition[name].as_str().unwrap_or_default();
    match (text("reason"), text("message")) {
        ("", "") => "no reason is given".to_owned(),
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with_conditions(kind: &str, conditions: &Value) -> Value {
        json!({
            "kind": kind,
            "metadata": { "generation": 2 },
            "spec": { "replicas": 2, "completions": 3 },
            "status": { "conditions": conditions, "observedGeneration": 2 },
        })
    }

    #[test]
    fn a_failed_job_is_known_though_it_will_never_be_complete() {
        let conditions = json!([
            { "type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded" },
            { "type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long" },
        ]);
        let judged = judge(&with_conditions("Job", &conditions));
        assert_eq!(judged, Failed("DeadlineExceeded: too long".to_owned()));
    }

    #[test]
    fn a_job_that_has_no_status_yet_is_waited_for() {
        // kube-burner once took `conditions: null` for an error.
        let judged = judge(&with_conditions("Job", &Value::Null));
        assert_eq!(judged, Waiting("0 of 3 succeeded, 0 failed".to_owned()));
        let complete = json!([{ "type": "Complete", "status": "True" }]);
        assert_eq!(judge(&with_conditions("Job", &complete)), Ready);
    }

    #[test]
    fn a_deployment_is_ready_when_all_replicas_are_those_of_now_and_available() {
        let mut object = with_conditions("Deployment", &json!([]));
        for (updated, available, ready) in [(0, 2, false), (2, 1, false), (2, 2, true)] {
            object["status"]["updatedReplicas"] = json!(updated);
            object["status"]["availableReplicas"] = json!(available);
            assert_eq!(judge(&object) == Ready, ready, "{updated} {available}");
        }
        object["status"]["observedGeneration"] = json!(1);
        assert!(matches!(judge(&object), Waiting(_)));
    }

    #[test]
    fn a_deployment_over_its_quota_fails() {
        let conditions = json!([{
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "exceeded quota",
        }]);
        let judged = judge(&with_conditions("Deployment", &conditions));
        assert_eq!(judged, Failed("FailedCreate: exceeded quota".to_owned()));
    }

    #[test]
    fn a_gateway_is_ready_when_programmed_as_it_is_now() {
        let accepted = json!({ "type": "Accepted", "status": "True" });
        let programmed = |generation| {
            let programmed =
                json!({ "type": "Programmed", "status": "True", "observedGeneration": generation });
            judge(&with_conditions("Gateway", &json!([accepted, programmed])))
        };
        assert_eq!(programmed(2), Ready);
        assert!(matches!(programmed(1), Waiting(_)));
        let unknown = json!([{ "type": "Accepted", "status": "Unknown", "reason": "Pending",
            "message": "Waiting for controller" }]);
        let judged = judge(&with_conditions("Gateway", &unknown));
        let why = "not Accepted: Pending: Waiting for controller";
        assert_eq!(judged, Waiting(why.to_owned()));
    }

    #[test]
    fn a_route_is_ready_when_each_of_its_parents_has_taken_it() {
        let parent = |accepted: &str| {
            json!({ "conditions": [
                { "type": "Accepted", "status": accepted, "reason": "R" },
                { "type": "ResolvedRefs", "status": "True" },
            ] })
        };
        let mut route = json!({ "kind": "HTTPRoute", "status": { "parents": [] } });
        assert!(matches!(judge(&route), Waiting(_)));
        route["status"]["parents"] = json!([parent("True"), parent("False")]);
        assert!(matches!(judge(&route), Waiting(_)));
        route["status"]["parents"] = json!([parent("True"), parent("True")]);
        assert_eq!(judge(&route), Ready);
    }

    #[test]
    fn what_has_no_status_is_ready_once_it_is_there() {
        assert_eq!(judge(&json!({ "kind": "ConfigMap" })), Ready);
        assert!(!is_waited_for("ConfigMap") && is_waited_for("Job"));
    }
}
