//! Are the objects of operators what they were made for? By group and kind: others use the same kinds.

#![expect(
    clippy::indexing_slicing,
    reason = "a member of JSON that is not there is null"
)]

use serde_json::Value;

use crate::objects::Object;
use crate::readiness::{self, Readiness, condition, told};

use Readiness::{Failed, Ready, Waiting};

type Judge = fn(&Value) -> Readiness;

/// Whether the status of such an object tells how far it is.
#[cfg(test)]
pub(super) fn is_told(object: &Object) -> bool {
    judge_of(object).is_some() || readiness::is_waited_for(object.kind())
}

/// Judges an object as it is now.
pub(super) fn judge(object: &Object, now: &Value) -> Readiness {
    judge_of(object).map_or_else(|| readiness::judge(now), |judge| judge(now))
}

/// The `ClusterServiceVersion` that a subscription has installed.
pub(super) fn installed(subscription: &Value) -> Option<&str> {
    subscription["status"]["installedCSV"].as_str()
}

fn judge_of(object: &Object) -> Option<Judge> {
    let api_version = object.api_version();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    Some(match (group, object.kind()) {
        ("operators.coreos.com", "Subscription") => subscription,
        ("operators.coreos.com", "ClusterServiceVersion") => service_version,
        ("nvidia.com", "ClusterPolicy") => cluster_policy,
        ("sailoperator.io", "Istio" | "IstioCNI") => |it| condition(it, CONDITIONS, "Ready"),
        ("nfd.openshift.io", "NodeFeatureDiscovery") => |it| condition(it, CONDITIONS, "Available"),
        ("gateway.networking.k8s.io", "GatewayClass") => |it| condition(it, CONDITIONS, "Accepted"),
        _ => return None,
    })
}

const CONDITIONS: &str = "/status/conditions";

fn subscription(object: &Value) -> Readiness {
    match object["status"]["state"].as_str() {
        Some("AtLatestKnown") if installed(object).is_some() => Ready,
        state => {
            let conditions = object["status"]["conditions"].as_array();
            let wrong = conditions.into_iter().flatten().find(|it| {
                let kind = it["type"].as_str().unwrap_or_default();
                let is_bad = [
                    "ResolutionFailed",
                    "CatalogSourcesUnhealthy",
                    "InstallPlanFailed",
                ];
                is_bad.contains(&kind) && it["status"] == "True"
            });
            let state = state.unwrap_or("no state yet");
            Waiting(match wrong {
                Some(wrong) => format!("{state}; {}", told(wrong)),
                None => state.to_owned(),
            })
        }
    }
}

/// One that failed is tried again by its manager, so that it may still succeed.
fn service_version(object: &Value) -> Readiness {
    let status = &object["status"];
    match status["phase"].as_str() {
        Some("Succeeded") => Ready,
        Some(phase) => Waiting(format!("{phase}: {}", told(status))),
        None => Waiting("no phase yet".to_owned()),
    }
}

fn cluster_policy(object: &Value) -> Readiness {
    match object["status"]["state"].as_str() {
        Some("ready") => Ready,
        // There is another one, and there can be only one.
        Some("ignored") => Failed("ignored: there is another ClusterPolicy".to_owned()),
        state => match condition(object, CONDITIONS, "Ready") {
            Waiting(why) => Waiting(format!("{}; {why}", state.unwrap_or("no state yet"))),
            _ => Waiting(state.unwrap_or("no state yet").to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(api_version: &str, kind: &str, status: &Value) -> Readiness {
        let manifest = json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": { "name": "a", "generation": 2 },
            "status": status,
        });
        let object = Object {
            manifest: manifest.clone(),
            default_namespace: "default".to_owned(),
            wait: true,
        };
        judge(&object, &manifest)
    }

    fn waits(judged: &Readiness, why: &str) -> bool {
        matches!(judged, Waiting(told) if told.contains(why))
    }

    #[test]
    fn a_subscription_is_ready_once_something_is_installed() {
        let of = |status: Value| judged("operators.coreos.com/v1alpha1", "Subscription", &status);
        assert!(waits(&of(Value::Null), "no state yet"));
        assert!(waits(
            &of(json!({"state": "UpgradePending"})),
            "UpgradePending"
        ));
        assert!(waits(
            &of(json!({"state": "AtLatestKnown"})),
            "AtLatestKnown"
        ));
        let installed = json!({"state": "AtLatestKnown", "installedCSV": "nfd.v4.19"});
        assert_eq!(of(installed), Ready);
        let failed = of(json!({"conditions": [
            {"type": "CatalogSourcesUnhealthy", "status": "False", "reason": "AllCatalogSourcesHealthy"},
            {"type": "ResolutionFailed", "status": "True", "reason": "ConstraintsNotSatisfiable",
             "message": "no operators found in package nfd"},
        ]}));
        assert!(waits(
            &failed,
            "ConstraintsNotSatisfiable: no operators found in package nfd"
        ));
    }

    #[test]
    fn a_service_version_is_ready_when_it_succeeded() {
        let of = |status| {
            judged(
                "operators.coreos.com/v1alpha1",
                "ClusterServiceVersion",
                &status,
            )
        };
        assert_eq!(of(json!({"phase": "Succeeded"})), Ready);
        let failed =
            json!({"phase": "Failed", "reason": "ComponentUnhealthy", "message": "no pod"});
        assert!(waits(&of(failed), "Failed: ComponentUnhealthy: no pod"));
    }

    #[test]
    fn a_cluster_policy_is_ready_when_its_state_is() {
        let of = |status| judged("nvidia.com/v1", "ClusterPolicy", &status);
        assert_eq!(of(json!({"state": "ready"})), Ready);
        assert!(matches!(of(json!({"state": "ignored"})), Failed(_)));
        let conditions = json!([{"type": "Ready", "status": "False", "reason": "DriverNotReady",
            "message": "building"}]);
        let waiting = of(json!({"state": "notReady", "conditions": conditions}));
        assert!(waits(
            &waiting,
            "notReady; not Ready: DriverNotReady: building"
        ));
        // Of another group with a kind of the same name.
        assert_eq!(judged("kyverno.io/v1", "ClusterPolicy", &json!({})), Ready);
    }

    #[test]
    fn operands_are_ready_by_their_condition() {
        for (api_version, kind, condition) in [
            ("sailoperator.io/v1", "Istio", "Ready"),
            ("sailoperator.io/v1", "IstioCNI", "Ready"),
            ("nfd.openshift.io/v1", "NodeFeatureDiscovery", "Available"),
            ("gateway.networking.k8s.io/v1", "GatewayClass", "Accepted"),
        ] {
            let of = |status: &str| {
                let condition = json!({"type": condition, "status": status, "reason": "R"});
                judged(api_version, kind, &json!({"conditions": [condition]}))
            };
            assert_eq!(of("True"), Ready, "{kind}");
            assert!(waits(&of("False"), "R"), "{kind}");
            assert!(
                matches!(judged(api_version, kind, &Value::Null), Waiting(_)),
                "{kind}"
            );
        }
    }
}
