//! Making objects what their manifests say.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::{Cluster, ClusterError, Pace, waits_for};
use crate::objects::{MANAGER, Object, RUN, selector};

/// What applying an object came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was not there.
    Created,
    /// It was, of this run.
    Updated,
}

impl Cluster {
    /// Applies an object of a run; one of another run, or of nobody, is left as it is.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Foreign`] for such a one; others as the cluster answers.
    pub async fn apply(
        &self,
        object: &Object,
        run: &str,
        pace: &Pace,
    ) -> Result<Applied, ClusterError> {
        let kind = self.kind(object.api_version(), object.kind()).await?;
        let api = self.api(&kind, object.namespace());
        let doing = || format!("apply {}", object.told());
        let manifest: DynamicObject = serde_json::from_value(object.manifest.clone())
            .map_err(|error| ClusterError::Configuration(format!("{}: {error}", object.told())))?;
        let params = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        pace.wait().await;
        // Creating is what tells ours from another's without a race; applying would take it over.
        match api.create(&params, &manifest).await {
            Ok(_) => return Ok(Applied::Created),
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
            Err(error) => return Err(ClusterError::of(error, doing())),
        }
        pace.wait().await;
        let found = api.get_opt(object.name()).await;
        let found = found.map_err(|error| ClusterError::of(error, doing()))?;
        if let Some(found) = &found {
            own(object, found, run)?;
        }
        self.update(&api, object, &manifest).await
    }

    /// An object as it is now, if it is there.
    ///
    /// # Errors
    ///
    /// As the cluster answers.
    pub async fn get(&self, object: &Object) -> Result<Option<Value>, ClusterError> {
        let kind = self.kind(object.api_version(), object.kind()).await?;
        let api = self.api(&kind, object.namespace());
        let found = api.get_opt(object.name()).await;
        let found =
            found.map_err(|error| ClusterError::of(error, format!("ask for {}", object.told())))?;
        Ok(found.and_then(|found| serde_json::to_value(found).ok()))
    }

    /// The pods of a job.
    ///
    /// # Errors
    ///
    /// As the cluster answers.
    pub async fn pods(
        &self,
        namespace: &str,
        run: &str,
        job: &str,
    ) -> Result<Vec<Pod>, ClusterError> {
        let api: Api<Pod> = Api::namespaced(self.client().clone(), namespace);
        let own = ListParams::default().labels(&selector(run, Some(job)));
        let found = api.list(&own).await;
        let found = found.map_err(|error| ClusterError::of(error, "list pods".to_owned()))?;
        Ok(found.items)
    }

    async fn update(
        &self,
        api: &Api<DynamicObject>,
        object: &Object,
        manifest: &DynamicObject,
    ) -> Result<Applied, ClusterError> {
        let params = PatchParams::apply(MANAGER).force();
        let patched = api
            .patch(object.name(), &params, &Patch::Apply(manifest))
            .await;
        let doing = format!("apply {}", object.told());
        patched
            .map(|_| Applied::Updated)
            .map_err(|error| ClusterError::of(error, doing))
    }
}

fn own(object: &Object, found: &DynamicObject, run: &str) -> Result<(), ClusterError> {
    // Whose it was does not matter once it is gone.
    if found.metadata.deletion_timestamp.is_some() {
        return Err(ClusterError::Ending {
            object: object.told(),
            reason: waits_for(found),
        });
    }
    let owner = match found.labels().get(RUN) {
        Some(owner) if owner == run => return Ok(()),
        Some(owner) => format!(
            "of run {owner}: delete that with `llm-d-scale gc --uuid {owner}`, or use another --namespace"
        ),
        None => "and llm-d-scale did not make it: delete it, or use another --namespace".to_owned(),
    };
    Err(ClusterError::Foreign {
        object: object.told(),
        owner,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::Owner;

    #[test]
    fn another_runs_object_is_left_and_one_that_goes_is_waited_for() {
        let manifest =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" } });
        let owner = Owner {
            run: "mine",
            job: "job",
            namespace: "one",
        };
        let object = Object::new(manifest, owner, 0, true).unwrap();
        let found = |labels: Value, more: Value| {
            let mut found = json!({ "metadata": { "name": "c", "labels": labels } });
            let metadata = found["metadata"].as_object_mut().unwrap();
            metadata.extend(more.as_object().unwrap().clone());
            let found: DynamicObject = serde_json::from_value(found).unwrap();
            own(&object, &found, "mine")
        };
        assert_eq!(found(json!({ RUN: "mine" }), json!({})), Ok(()));
        let goes = json!({ "deletionTimestamp": "2026-11-30T12:00:00Z", "finalizers": ["f"] });
        for labels in [json!({ RUN: "mine" }), json!({ RUN: "other" }), json!({})] {
            let foreign = found(labels.clone(), json!({}));
            assert!(labels[RUN] == "mine" || matches!(foreign, Err(ClusterError::Foreign { .. })));
            let error = found(labels, goes.clone()).unwrap_err();
            assert!(
                error.is_retryable() && error.to_string().contains("finalizers: f"),
                "{error}"
            );
        }
    }
}
