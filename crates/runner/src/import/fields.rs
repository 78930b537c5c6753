//! kube-burner's fields, and what becomes of them.

use Rule::{Kept, Without};

use super::branches::Tree;
use super::yaml::Scalar;

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// It is carried over.
    Kept,
    /// It is left out; with one of these values, that changes nothing.
    Without(&'static [&'static str], &'static str),
}

/// A part of a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Top,
    Global,
    Endpoint,
    Job,
    Object,
}

const OFF: &[&str] = &["false", "", "0", "0s", "{}", "[]"];
const ANY: &[&str] = &[];
const MEASUREMENTS: &str =
    "latencies of pods are not measured; take them from Prometheus, by a metrics profile";

/// What becomes of a field of a part.
pub(super) fn rule(part: Part, name: &str) -> Rule {
    let known = match part {
        Part::Top => matches!(name, "global" | "metricsEndpoints" | "jobs").then_some(Rule::Kept),
        Part::Global => of_global(name),
        Part::Endpoint => of_endpoint(name),
        Part::Job => of_job(name),
        Part::Object => of_object(name),
    };
    known.unwrap_or(Without(OFF, "a suite has no such field"))
}

fn of_global(name: &str) -> Option<Rule> {
    Some(match name {
        "gc" | "timeout" | "gcTimeout" => Kept,
        "gcMetrics" | "waitWhenFinished" | "requestTimeout" | "deletionStrategy" => Without(
            ANY,
            "the suite has no such setting; the jobs' own ones apply",
        ),
        "measurements" => Without(OFF, MEASUREMENTS),
        _ => return None,
    })
}

fn of_endpoint(name: &str) -> Option<Rule> {
    Some(match name {
        "endpoint" | "metrics" | "alerts" | "step" | "tokenFile" | "skipTLSVerify" | "indexer" => {
            Kept
        }
        "alias" => Without(
            ANY,
            "there is one place for results, given by --es-server or --output",
        ),
        "token" => Without(
            OFF,
            "a token does not belong into a file; name one by `tokenFile`",
        ),
        "username" | "password" => Without(
            OFF,
            "give user and password on the command line or in the environment",
        ),
        _ => return None,
    })
}

fn of_job(name: &str) -> Option<Rule> {
    Some(match name {
        "name"
        | "namespace"
        | "namespacedIterations"
        | "jobIterations"
        | "qps"
        | "burst"
        | "cleanup"
        | "waitWhenFinished"
        | "maxWaitTimeout"
        | "jobPause"
        | "objects" => Kept,
        "measurements" => Without(OFF, MEASUREMENTS),
        "jobType" => Without(&["create"], "only jobs that create objects can be run"),
        "preLoadImages" => Without(
            &["false"],
            "images are not pulled before; let a first, short scenario do it",
        ),
        "preLoadPeriod" | "preLoadNodeLabels" => Without(ANY, "images are not pulled before"),
        "verifyObjects" | "errorOnVerify" => Without(
            ANY,
            "each object is checked when it is applied, and a failure is one of the run",
        ),
        "podWait" => Without(
            OFF,
            "objects are waited for at the end of the job: `waitWhenFinished`",
        ),
        "jobIterationDelay" => Without(
            OFF,
            "there is no pause between iterations; write several jobs",
        ),
        "iterationsPerNamespace" => Without(
            &["1"],
            "each iteration has a namespace of its own, or all have one",
        ),
        "metricsClosing" => Without(&["afterJob"], "a job's window ends before its pause"),
        "gc" => Without(
            OFF,
            "objects are deleted at the end of the run: `global.gc`",
        ),
        "namespaceLabels" | "namespaceAnnotations" => Without(
            OFF,
            "make the namespace by an object of its own, with its labels",
        ),
        "hooks" | "beforeCleanup" => Without(
            OFF,
            "no programs are run beside jobs; run them around the command",
        ),
        "defaultMissingKeysWithZero" => Without(
            &["false"],
            "a name that is missing is an error here; give it by `inputVars`",
        ),
        _ if name.starts_with("churn") => Without(OFF, "objects are not made anew during a job"),
        _ => return None,
    })
}

fn of_object(name: &str) -> Option<Rule> {
    Some(match name {
        "objectTemplate" | "replicas" | "inputVars" | "wait" => Kept,
        "waitOptions" => Without(
            OFF,
            "what an object is waited for follows from its kind; `wait: false` waits for nothing",
        ),
        "runOnce" => Without(
            OFF,
            "put the object into a job of its own, with one iteration",
        ),
        _ => return None,
    })
}

/// A value that changes nothing by being left out.
pub(super) fn is_same(same: &[&str], value: &Tree) -> bool {
    if same.is_empty() {
        return true;
    }
    match value {
        Tree::Scalar(Scalar { value, .. }) => same.contains(&&**value),
        Tree::List(items, _) => items.is_empty() && same.contains(&"[]"),
        Tree::Map(entries) => entries.is_empty() && same.contains(&"{}"),
        Tree::Chosen(_) => false,
    }
}
