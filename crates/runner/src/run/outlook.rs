//! Will a job's objects become what they were made for? Decided from what was seen of them, purely:
//! nothing here knows a cluster or a clock.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::objects::Object;
use crate::readiness::{Readiness, is_waited_for, judge};
use crate::trouble::{self, Trouble};

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Kind and name of what failed.
    pub object: String,
    /// Kubernetes' reason, and what it says.
    pub reason: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.object, self.reason)
    }
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait, for what is told.
    Wait(String),
    /// All is ready.
    Ready,
    /// It never will be.
    Failed(Vec<Failure>),
}

/// Trouble that was noticed, and has not passed.
#[derive(Debug, Clone)]
struct Noticed {
    trouble: Trouble,
    since: Duration,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    kind: String,
    name: String,
}

/// An object as it was seen last.
#[derive(Debug, Clone)]
struct Seen {
    readiness: Readiness,
    /// When it was made: a time in RFC 3339, in UTC.
    created: String,
}

/// What was seen of a job.
#[derive(Debug)]
pub(super) struct Outlook {
    /// How long trouble that may pass is given.
    patience: Duration,
    /// What is waited for; `None` if it was not seen yet.
    awaited: BTreeMap<Key, Option<Seen>>,
    /// Warnings of what was not seen yet, and when they came.
    early: Vec<(Value, Duration)>,
    /// Pods as they were seen last, by how they are told.
    pods: BTreeMap<String, Value>,
    /// By pod or other object, and reason.
    noticed: BTreeMap<(String, String), Noticed>,
    /// By pod: how its containers ended that did not end well.
    ends: BTreeMap<String, Vec<Trouble>>,
    /// What was not told yet.
    news: Vec<String>,
}

impl Outlook {
    pub(super) fn new(objects: &[Object], patience: Duration) -> Self {
        let awaited = objects
            .iter()
            .filter(|it| it.wait && is_waited_for(it.kind()));
        let key = |object: &Object| Key {
            namespace: object.namespace().to_owned(),
            kind: object.kind().to_owned(),
            name: object.name().to_owned(),
        };
        Self {
            patience,
            awaited: awaited.map(|object| (key(object), None)).collect(),
            early: Vec::new(),
            pods: BTreeMap::new(),
            noticed: BTreeMap::new(),
            ends: BTreeMap::new(),
            news: Vec::new(),
        }
    }

    /// Takes an object as it is now; others than those that are waited for do not matter.
    pub(super) fn object(&mut self, object: &Value) {
        self.note(object, judge(object));
    }

    /// An object is gone.
    pub(super) fn object_gone(&mut self, object: &Value) {
        let gone = Readiness::Failed("somebody deleted it".to_owned());
        self.note(object, gone);
    }

    fn note(&mut self, object: &Value, readiness: Readiness) {
        let path = |path| text(object, path);
        let (kind, name) = (path("/kind"), path("/metadata/name"));
        // Some kinds have none.
        let namespace = path("/metadata/namespace");
        let is_in = |key: &Key| namespace.is_empty() || key.namespace == namespace;
        let known = self.awaited.iter_mut();
        let known = known
            .filter(|(key, _)| key.kind == kind && key.name == name && is_in(key))
            .map(|(_, known)| known);
        let seen = Seen {
            readiness,
            created: path("/metadata/creationTimestamp").to_owned(),
        };
        known.for_each(|known| *known = Some(seen.clone()));
        for (event, now) in std::mem::take(&mut self.early) {
            self.event(&event, now);
        }
    }

    /// Takes a pod of the job as it is at a time.
    pub(super) fn pod(&mut self, pod: &Value, now: Duration) {
        let name = format!("pod/{}", text(pod, "/metadata/name"));
        if let Some(trouble) = trouble::of_pod(pod) {
            self.notice(&name, trouble, now);
        }
        self.noticed
            .retain(|(of, _), it| *of != name || !trouble::is_over(&it.trouble, pod));
        self.pods.insert(name.clone(), pod.clone());
        let ends = trouble::ends(pod);
        if !ends.is_empty() && self.ends.get(&name) != Some(&ends) {
            let told = ends.iter().map(said);
            self.news.extend(told.map(|said| format!("{name}: {said}")));
            self.ends.insert(name, ends);
        }
    }

    /// A pod is gone, and its trouble.
    pub(super) fn pod_gone(&mut self, pod: &Value) {
        let name = format!("pod/{}", text(pod, "/metadata/name"));
        self.noticed.retain(|(of, _), _| *of != name);
        self.pods.remove(&name);
    }

    /// Takes a warning of Kubernetes (`Event`) that came at a time. It is kept for an hour: one that was
    /// given before its object was made is of another object of that name, in an earlier try or run.
    pub(super) fn event(&mut self, event: &Value, now: Duration) {
        let Some(trouble) = trouble::of_warning(event) else {
            return;
        };
        let name = text(event, "/involvedObject/name");
        let is_of = |own: &str| {
            name.strip_prefix(own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let own = self.awaited.iter().filter(|(key, _)| is_of(&key.name));
        let seen: Option<Vec<&Seen>> = own.map(|(_, seen)| seen.as_ref()).collect();
        let Some(seen) = seen else {
            self.early.push((event.clone(), now));
            return;
        };
        let given = given(event);
        let kind = text(event, "/involvedObject/kind").to_lowercase();
        let object = format!("{kind}/{name}");
        let is_over = self
            .pods
            .get(&object)
            .is_some_and(|pod| trouble::is_over(&trouble, pod));
        if !is_over
            && seen
                .iter()
                .any(|it| seconds_of(&it.created) <= seconds_of(given))
        {
            self.notice(&object, trouble, now);
        }
    }

    fn notice(&mut self, object: &str, trouble: Trouble, now: Duration) {
        let key = (object.to_owned(), trouble.reason.clone());
        if let Some(known) = self.noticed.get_mut(&key) {
            known.trouble = trouble;
            return;
        }
        self.news.push(format!("{object}: {}", said(&trouble)));
        self.noticed.insert(
            key,
            Noticed {
                trouble,
                since: now,
            },
        );
    }

    /// What has come to be known since the last time, to be told.
    pub(super) fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// What to do at a time.
    pub(super) fn next(&self, now: Duration) -> Next {
        let mut failures: Vec<Failure> = Vec::new();
        let mut waits = None;
        // What failed of many Jobs is no reason to give the others up.
        let mut ends = false;
        for (key, seen) in &self.awaited {
            let object = || self.told(key);
            match seen.as_ref().map(|seen| &seen.readiness) {
                Some(Readiness::Ready) => {}
                Some(Readiness::Failed(reason)) => {
                    ends |= key.kind != "Job";
                    failures.push(Failure {
                        object: object(),
                        reason: reason.clone(),
                    });
                }
                Some(Readiness::Waiting(reason)) => {
                    waits.get_or_insert_with(|| format!("{}: {reason}", object()));
                }
                None => {
                    waits.get_or_insert_with(|| format!("{}: not there yet", object()));
                }
            }
        }
        let fatal = self.noticed.iter().filter(|(_, noticed)| {
            let since = now.saturating_sub(noticed.since);
            trouble::is_fatal(&noticed.trouble, since, self.patience)
        });
        for ((object, _), noticed) in fatal {
            ends = true;
            let reason = said(&noticed.trouble);
            failures.push(Failure {
                object: object.clone(),
                reason,
            });
        }
        match waits {
            Some(waits) if failures.is_empty() || !ends => Next::Wait(waits),
            None if failures.is_empty() => Next::Ready,
            _ => Next::Failed(self.with_ends(failures)),
        }
    }

    /// As kubectl names it, with its namespace where there are several.
    fn told(&self, key: &Key) -> String {
        let object = format!("{}/{}", key.kind.to_lowercase(), key.name);
        let mut others = self.awaited.keys();
        if others.any(|it| it.namespace != key.namespace) {
            format!("{object} in {}", key.namespace)
        } else {
            object
        }
    }

    /// Why something failed is often only known by how its pods ended.
    fn with_ends(&self, mut failures: Vec<Failure>) -> Vec<Failure> {
        for (object, ends) in &self.ends {
            failures.extend(ends.iter().map(|end| Failure {
                object: object.clone(),
                reason: said(end),
            }));
        }
        failures
    }
}

/// When a warning was given, the last time if several times.
fn given(event: &Value) -> &str {
    let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime"];
    let mut times = times.iter().map(|path| text(event, path));
    times.find(|time| !time.is_empty()).unwrap_or_default()
}

/// A time without its fraction, which not all have.
fn seconds_of(time: &str) -> &str {
    time.get(.."2026-01-01T00:00:00".len()).unwrap_or(time)
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn said(trouble: &Trouble) -> String {
    let Trouble {
        reason,
        message,
        container,
        ..
    } = trouble;
    let of = container
        .as_ref()
        .map(|name| format!("container {name}: "))
        .unwrap_or_default();
    match (&**reason, &**message) {
        ("", message) => format!("{of}{message}"),
        (reason, "") => format!("{of}{reason}"),
        (reason, message) => format!("{of}{reason}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::objects::Owner;
    use serde_json::json;

    use super::*;

    const OWNER: Owner<'_> = Owner {
        run: "run",
        job: "job",
        namespace: "one",
    };
    const PATIENCE: Duration = Duration::from_secs(30);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn outlook(kinds: &[(&str, &str)]) -> Outlook {
        let object = |(kind, name): &(&str, &str)| {
            let manifest =
                json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name } });
            Object::new(manifest, OWNER, 0, true).unwrap()
        };
        let objects: Vec<Object> = kinds.iter().map(object).collect();
        Outlook::new(&objects, PATIENCE)
    }

    fn job(name: &str, condition: &str) -> Value {
        let condition =
            json!({ "type": condition, "status": "True", "reason": "R", "message": "m" });
        json!({ "kind": "Job", "metadata": { "name": name }, "status": { "conditions": [condition] } })
    }

    fn crashing() -> Value {
        json!({ "metadata": { "name": "p" }, "status": { "containerStatuses": [
            { "name": "c", "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "m" } } },
        ] } })
    }

    fn pulling() -> Value {
        json!({ "metadata": { "name": "p" }, "status": { "containerStatuses": [
            { "name": "c", "state": { "waiting": { "reason": "ImagePullBackOff", "message": "no" } } },
        ] } })
    }

    #[test]
    fn what_has_no_status_is_not_waited_for() {
        assert_eq!(
            outlook(&[("ConfigMap", "c")]).next(Duration::ZERO),
            Next::Ready
        );
    }

    #[test]
    fn a_failed_job_ends_the_wait_with_how_its_pods_ended() {
        let mut outlook = outlook(&[("Job", "j")]);
        assert!(matches!(outlook.next(Duration::ZERO), Next::Wait(_)));
        outlook.pod(
            &json!({ "metadata": { "name": "p" }, "status": { "containerStatuses": [
                { "name": "g", "state": { "terminated": { "exitCode": 1, "reason": "Error" } } },
            ] } }),
            Duration::ZERO,
        );
        outlook.object(&job("j", "Failed"));
        let Next::Failed(failures) = outlook.next(Duration::ZERO) else {
            panic!("it goes on");
        };
        let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["job/j: R: m", "pod/p: container g: Error: exit code 1"]
        );
    }

    #[test]
    fn objects_of_one_name_in_several_namespaces_are_several() {
        let object = |namespace| {
            let manifest =
                json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "j" } });
            let owner = Owner { namespace, ..OWNER };
            Object::new(manifest, owner, 0, true).unwrap()
        };
        let mut outlook = Outlook::new(&[object("one"), object("two")], PATIENCE);
        let seen = |namespace: &str, condition: &str| {
            let mut job = job("j", condition);
            job["metadata"]["namespace"] = namespace.into();
            job
        };
        outlook.object(&seen("one", "Complete"));
        let waits = Next::Wait("job/j in two: not there yet".to_owned());
        assert_eq!(outlook.next(Duration::ZERO), waits);
        outlook.object(&seen("two", "Failed"));
        let Next::Failed(failures) = outlook.next(Duration::ZERO) else {
            panic!("it is well");
        };
        assert_eq!(failures[0].object, "job/j in two");
    }

    #[test]
    fn of_many_jobs_the_others_are_waited_for() {
        let mut outlook = outlook(&[("Job", "a"), ("Job", "b")]);
        outlook.object(&job("a", "Failed"));
        assert!(matches!(outlook.next(Duration::ZERO), Next::Wait(_)));
        outlook.object(&job("b", "Complete"));
        assert!(matches!(outlook.next(Duration::ZERO), Next::Failed(_)));
    }

    #[test]
    fn an_image_that_is_not_there_is_no_matter_of_time() {
        let mut outlook = outlook(&[("Job", "j")]);
        outlook.pod(&pulling(), seconds(3));
        assert_eq!(outlook.news(), ["pod/p: container c: ImagePullBackOff: no"]);
        assert!(matches!(outlook.next(seconds(3)), Next::Failed(_)));
    }

    #[test]
    fn crashing_for_too_long_is_the_end_also_if_it_runs_in_between() {
        let mut outlook = outlook(&[("Deployment", "d")]);
        outlook.pod(&crashing(), seconds(1));
        let running = json!({ "metadata": { "name": "p" }, "status": { "phase": "Running" } });
        outlook.pod(&running, seconds(10));
        assert!(matches!(outlook.next(seconds(30)), Next::Wait(_)));
        outlook.pod(&crashing(), seconds(20));
        assert!(matches!(outlook.next(seconds(31)), Next::Failed(_)));
        assert_eq!(outlook.news().len(), 1, "it is told once");
    }

    #[test]
    fn trouble_is_over_once_the_pod_is_ready() {
        let mut outlook = outlook(&[("Deployment", "d")]);
        outlook.pod(&crashing(), seconds(1));
        let ready = json!({ "type": "Ready", "status": "True" });
        let well = json!({ "metadata": { "name": "p" }, "status": { "conditions": [ready] } });
        outlook.pod(&well, seconds(20));
        assert!(matches!(outlook.next(seconds(100)), Next::Wait(_)));
    }

    #[test]
    fn a_quota_ends_a_job_whose_pods_are_never_made() {
        let event = |name: &str| {
            json!({
                "reason": "FailedCreate", "message": "pods \"x\" is forbidden: exceeded quota: q",
                "involvedObject": { "kind": "Job", "name": name },
            })
        };
        let mut outlook = outlook(&[("Job", "steady-chat-10-ab")]);
        outlook.object(&json!({ "kind": "Job", "metadata": { "name": "steady-chat-10-ab" } }));
        outlook.event(&event("steady-chat-10-abc"), Duration::ZERO);
        assert!(
            matches!(outlook.next(Duration::ZERO), Next::Wait(_)),
            "another's"
        );
        outlook.event(&event("steady-chat-10-ab"), Duration::ZERO);
        assert!(matches!(outlook.next(Duration::ZERO), Next::Failed(_)));
    }

    #[test]
    fn what_was_warned_of_before_an_object_was_made_is_of_an_earlier_one() {
        let event = |time: &str| {
            json!({
                "reason": "FailedCreate", "message": "exceeded quota: q", "lastTimestamp": time,
                "involvedObject": { "kind": "ReplicaSet", "name": "epp-6997c47b7f" },
            })
        };
        let made = json!({ "kind": "Deployment", "metadata": {
            "name": "epp", "creationTimestamp": "2026-11-30T12:00:00Z" } });
        for (time, fails) in [
            ("2026-11-30T11:59:59Z", false),
            ("2026-11-30T12:00:00.000000Z", true),
            ("2026-11-30T12:10:00Z", true),
        ] {
            for warned_first in [true, false] {
                let mut outlook = outlook(&[("Deployment", "epp")]);
                if warned_first {
                    outlook.event(&event(time), Duration::ZERO);
                    assert!(matches!(outlook.next(Duration::ZERO), Next::Wait(_)));
                }
                outlook.object(&made);
                if !warned_first {
                    outlook.event(&event(time), Duration::ZERO);
                }
                let next = outlook.next(Duration::ZERO);
                assert_eq!(matches!(next, Next::Failed(_)), fails, "{time}: {next:?}");
            }
        }
    }

    #[test]
    fn a_mount_that_failed_is_no_trouble_of_a_pod_that_runs() {
        let warning = json!({
            "reason": "FailedMount", "message": "no configmap yet",
            "lastTimestamp": "2026-11-30T12:00:01Z",
            "involvedObject": { "kind": "Pod", "name": "j-abcde" },
        });
        let runs = json!({ "metadata": { "name": "j-abcde" }, "status": { "containerStatuses": [
            { "name": "c", "state": { "running": {} }, "ready": false },
        ] } });
        let fails = |pod_first: Option<bool>| {
            let mut outlook = outlook(&[("Job", "j")]);
            outlook.object(&json!({ "kind": "Job", "metadata": {
                "name": "j", "creationTimestamp": "2026-11-30T12:00:00Z" } }));
            if pod_first == Some(true) {
                outlook.pod(&runs, Duration::ZERO);
            }
            outlook.event(&warning, Duration::ZERO);
            if pod_first == Some(false) {
                outlook.pod(&runs, seconds(1));
            }
            matches!(outlook.next(PATIENCE), Next::Failed(_))
        };
        assert!(fails(None), "it never runs");
        assert!(!fails(Some(false)));
        assert!(
            !fails(Some(true)),
            "the run goes on, and sees it in any order"
        );
    }
}
