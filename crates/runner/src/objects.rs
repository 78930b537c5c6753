//! Objects of Kubernetes as this program makes them: what each has, and in which order they go.

#![expect(
    clippy::indexing_slicing,
    reason = "a member of JSON that is not there is null"
)]

use serde_json::{Map, Value, json};

/// The label with the run.
pub const RUN: &str = "llm-d-scale/run";
/// The label with the job of the suite.
pub const JOB: &str = "llm-d-scale/job";
/// The label of the Lease that says which run is being run: it is no object of the run, and goes by itself.
pub const HELD: &str = "llm-d-scale/held-run";
/// Who made it.
pub const MANAGER: &str = "llm-d-scale";
/// The label with who made it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What is there before what needs it; of a kind that is not named, it is not known that anything does.
const ORDER: [&str; 21] = [
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DestinationRule",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Gateway",
    "InferencePool",
    "HTTPRoute",
    "Job",
];

/// Kinds whose pods are made from a template.
const WITH_PODS: [&str; 5] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Job",
];

/// An object, as it is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its manifest.
    pub manifest: Value,
    /// Where it goes if it does not say so itself, and its kind has namespaces.
    pub default_namespace: String,
    /// It is waited for.
    pub wait: bool,
}

/// Whose an object is, and where.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The run.
    pub run: &'a str,
    /// The job of the suite.
    pub job: &'a str,
    /// Namespace of what has none of its own.
    pub namespace: &'a str,
}

/// An object lacks what every object has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it gives an object without `{0}`")]
pub struct Incomplete(&'static str);

impl Object {
    /// Takes a manifest and marks it as a run's and a job's. An object whose name is to be generated
    /// gets one that is the same each time: `number` tells it from others of its job.
    ///
    /// # Errors
    ///
    /// If it has no `apiVersion`, `kind` or name.
    pub fn new(
        mut manifest: Value,
        owner: Owner<'_>,
        number: usize,
        wait: bool,
    ) -> Result<Self, Incomplete> {
        let Owner {
            run,
            job,
            namespace,
        } = owner;
        for (path, name) in [("/apiVersion", "apiVersion"), ("/kind", "kind")] {
            manifest
                .pointer(path)
                .and_then(Value::as_str)
                .ok_or(Incomplete(name))?;
        }
        let kind = manifest["kind"].as_str().unwrap_or_default().to_owned();
        let marks = [(RUN, run), (JOB, job), (MANAGED_BY, MANAGER)];
        let metadata = member(&mut manifest, "metadata").ok_or(Incomplete("metadata"))?;
        if let Some(prefix) = metadata.remove("generateName") {
            let prefix = prefix.as_str().unwrap_or_default();
            let name = format!("{prefix}{}-{number}", short(run));
            metadata.entry("name").or_insert(name.into());
        }
        let named = metadata
            .get("name")
            .is_some_and(|name| name.as_str().is_some_and(|it| !it.is_empty()));
        if !named {
            return Err(Incomplete("metadata.name"));
        }
        mark(metadata, &marks);
        if WITH_PODS.contains(&&*kind) {
            let template = member(&mut manifest, "spec")
                .and_then(|spec| spec.get_mut("template"))
                .and_then(|template| member(template, "metadata"));
            if let Some(metadata) = template {
                mark(metadata, &marks);
            }
        }
        Ok(Self {
            manifest,
            default_namespace: namespace.to_owned(),
            wait,
        })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        text(&self.manifest, "/kind")
    }

    /// Its group and version.
    #[must_use]
    pub fn api_version(&self) -> &str {
        text(&self.manifest, "/apiVersion")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        text(&self.manifest, "/metadata/name")
    }

    /// Its namespace, if its kind has namespaces.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.own_namespace().unwrap_or(&self.default_namespace)
    }

    /// Its namespace, if it says one.
    #[must_use]
    pub fn own_namespace(&self) -> Option<&str> {
        let namespace = self.manifest.pointer("/metadata/namespace");
        namespace
            .and_then(Value::as_str)
            .filter(|it| !it.is_empty())
    }

    /// As kubectl names it: `kind/name`.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{}/{}", self.kind().to_lowercase(), self.name())
    }

    /// Where it goes among others.
    pub(crate) fn rank(&self) -> usize {
        let found = ORDER.iter().position(|kind| *kind == self.kind());
        // Jobs are what all else is for.
        found.unwrap_or(ORDER.len() - 1)
    }

    /// The manifest, without what a Secret keeps.
    #[must_use]
    pub fn redacted(&self) -> Value {
        let mut manifest = self.manifest.clone();
        if self.kind() == "Secret" {
            for kept in ["data", "stringData"] {
                let Some(Value::Object(values)) = manifest.get_mut(kept) else {
                    continue;
                };
                // Valid in both: `data` is base64.
                values
                    .values_mut()
                    .for_each(|value| *value = json!("UkVEQUNURUQ="));
            }
        }
        manifest
    }
}

/// What finds the objects of a run, or of a job of it.
#[must_use]
pub fn selector(run: &str, job: Option<&str>) -> String {
    let job = job.map(|job| format!(",{JOB}={job}"));
    format!("{RUN}={run}{}", job.unwrap_or_default())
}

/// Enough of a run's name to tell its objects from another's: what may stand at the end of any name.
#[must_use]
pub fn short(run: &str) -> String {
    let plain = run.chars().filter(char::is_ascii_alphanumeric);
    plain.map(|it| it.to_ascii_lowercase()).take(8).collect()
}

fn text<'a>(manifest: &'a Value, path: &str) -> &'a str {
    manifest
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A member that is a map; made if it is not there.
fn member<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Map<String, Value>> {
    let members = value.as_object_mut()?;
    let found = members.entry(name).or_insert_with(|| json!({}));
    if found.is_null() {
        *found = json!({});
    }
    found.as_object_mut()
}

fn mark(metadata: &mut Map<String, Value>, marks: &[(&str, &str)]) {
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    if let Some(labels) = labels.as_object_mut() {
        labels.extend(
            marks
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value))),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner {
        run: "run-1",
        job: "job",
        namespace: "default",
    };

    #[test]
    fn a_name_ends_as_names_may_whatever_the_run_is_called() {
        for (run, name) in [
            ("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "0a1b2c3d"),
            ("run-0-8-1", "run081"),
            ("Nightly_7.x", "nightly7"),
        ] {
            assert_eq!(short(run), name);
        }
    }

    #[test]
    fn a_generated_name_is_the_same_each_time() {
        let manifest = json!({ "apiVersion": "batch/v1", "kind": "Job",
            "metadata": { "generateName": "guidellm-" }, "spec": { "template": { "spec": {} } } });
        let make = |number| Object::new(manifest.clone(), OWNER, number, true).unwrap();
        assert_eq!(make(3).name(), "guidellm-run1-3");
        assert_eq!(make(3), make(3));
        assert_ne!(make(3), make(4));
        let labels = make(3)
            .manifest
            .pointer("/spec/template/metadata/labels")
            .cloned();
        assert_eq!(labels.unwrap()[RUN], "run-1", "its pods are found");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let of = |manifest| Object::new(manifest, OWNER, 0, true).unwrap_err();
        assert_eq!(of(json!({ "kind": "Job" })), Incomplete("apiVersion"));
        let unnamed = json!({ "apiVersion": "v1", "kind": "Secret" });
        assert_eq!(of(unnamed), Incomplete("metadata.name"));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let manifest = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" },
            "stringData": { "HF_TOKEN": "hunter2" } });
        let object = Object::new(manifest, OWNER, 0, true).unwrap();
        assert!(!object.redacted().to_string().contains("hunter2"));
    }
}
