//! Deleting all that a run made: found by its label, of whatever kind.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PartialObjectMeta};
use kube::discovery::{ApiGroup, ApiResource, Discovery, Scope, verbs};
use kube::{ResourceExt, api::Preconditions};
use tokio::time::{Instant, sleep};

use super::{Cluster, ClusterError};
use crate::objects::{HELD, JOB, selector};

/// Kinds asked for at once.
const AT_ONCE: usize = 8;
const PAUSE: Duration = Duration::from_millis(500);

/// An object that is there still.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Left {
    /// Kind and name.
    pub object: String,
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What it waits for, or why it could not be deleted.
    pub reason: String,
}

/// What deleting came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Swept {
    /// How many were deleted.
    pub deleted: usize,
    /// Those that stay.
    pub left: Vec<Left>,
}

/// An object of a run, and how to reach it.
struct Found {
    api: Api<DynamicObject>,
    resource: ApiResource,
    meta: PartialObjectMeta<DynamicObject>,
}

impl Cluster {
    /// Deletes what a run made, or of it what a selector finds, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// If the cluster cannot be asked what there is.
    pub async fn sweep(
        &self,
        run: &str,
        job: Option<&str>,
        timeout: Duration,
    ) -> Result<Swept, ClusterError> {
        let until = Instant::now() + timeout;
        let selector = selector(run, job);
        let kinds = self.patiently(until, async || self.kinds().await).await?;
        let mut swept = Swept::default();
        // Namespaces last: what is in them is deleted by name, with foreground propagation.
        let (namespaces, others): (Vec<_>, Vec<_>) = kinds
            .into_iter()
            .partition(|(resource, _)| resource.kind == "Namespace");
        for kinds in [others, namespaces] {
            self.sweep_kinds(&kinds, &selector, until, &mut swept)
                .await?;
        }
        Ok(swept)
    }

    /// Deletes the sign that a run is being run: nothing is deleted by it that a run made.
    ///
    /// # Errors
    ///
    /// If the cluster cannot be asked for it.
    pub(crate) async fn sweep_lease(
        &self,
        run: &str,
        timeout: Duration,
        swept: &mut Swept,
    ) -> Result<(), ClusterError> {
        let kind = (ApiResource::erase::<Lease>(&()), Scope::Namespaced);
        let until = Instant::now() + timeout;
        self.sweep_kinds(&[kind], &format!("{HELD}={run}"), until, swept)
            .await
    }

    /// The jobs of a run of which objects are being deleted; of a namespace, which is no job's, "".
    ///
    /// # Errors
    ///
    /// If the cluster cannot be asked what there is.
    pub async fn ending(
        &self,
        run: &str,
        timeout: Duration,
    ) -> Result<BTreeSet<String>, ClusterError> {
        let until = Instant::now() + timeout;
        let kinds = self.patiently(until, async || self.kinds().await).await?;
        let selector = selector(run, None);
        let found = self
            .patiently(until, async || self.find(&kinds, &selector).await)
            .await?;
        let ending = found
            .iter()
            .filter(|it| it.meta.metadata.deletion_timestamp.is_some());
        let jobs = ending.map(|it| it.meta.labels().get(JOB).cloned().unwrap_or_default());
        Ok(jobs.collect())
    }

    async fn sweep_kinds(
        &self,
        kinds: &[(ApiResource, Scope)],
        selector: &str,
        until: Instant,
        swept: &mut Swept,
    ) -> Result<(), ClusterError> {
        let found = self
            .patiently(until, async || self.find(kinds, selector).await)
            .await?;
        let mut refused = Vec::new();
        let mut present: Vec<(ApiResource, Scope)> = Vec::new();
        for it in &found {
            match self.patiently(until, async || delete(it).await).await {
                Ok(()) => {
                    swept.deleted += 1;
                    let scope = if it.meta.namespace().is_some() {
                        Scope::Namespaced
                    } else {
                        Scope::Cluster
                    };
                    if !present.iter().any(|(resource, _)| *resource == it.resource) {
                        present.push((it.resource.clone(), scope));
                    }
                }
                Err(error) => refused.push(left(it, error.to_string())),
            }
        }
        let waits = loop {
            let find = async || self.find(&present, selector).await;
            let still: Vec<Found> = self.patiently(until, find).await?;
            if still.is_empty() || Instant::now() >= until {
                break still;
            }
            sleep(PAUSE).await;
        };
        swept.deleted -= waits.len().min(swept.deleted);
        swept.left.extend(refused);
        swept
            .left
            .extend(waits.iter().map(|it| left(it, waits_for(&it.meta))));
        Ok(())
    }

    /// All kinds that can be listed and deleted.
    async fn kinds(&self) -> Result<Vec<(ApiResource, Scope)>, ClusterError> {
        let discovered = Discovery::new(self.client().clone()).run().await;
        let discovered = discovered
            .map_err(|error| ClusterError::of(error, "ask for the kinds of objects".to_owned()))?;
        let kinds = discovered
            .groups()
            .flat_map(ApiGroup::recommended_resources);
        let usable = kinds.filter(|(_, capabilities)| {
            capabilities.supports_operation(verbs::LIST)
                && capabilities.supports_operation(verbs::DELETE)
        });
        Ok(usable
            .map(|(resource, capabilities)| (resource, capabilities.scope))
            .collect())
    }

    async fn find(
        &self,
        kinds: &[(ApiResource, Scope)],
        selector: &str,
    ) -> Result<Vec<Found>, ClusterError> {
        let asked = kinds.iter().map(|kind| self.of_kind(kind, selector));
        let found: Vec<Vec<Found>> = stream::iter(asked)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let mut found: Vec<Found> = found.into_iter().flatten().collect();
        // What others own goes with its owner.
        found.retain(|it: &Found| {
            it.meta
                .owner_references()
                .iter()
                .all(|owner| owner.controller != Some(true))
        });
        Ok(found)
    }

    async fn of_kind(
        &self,
        (kind, scope): &(ApiResource, Scope),
        selector: &str,
    ) -> Result<Vec<Found>, ClusterError> {
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), kind);
        let doing = || format!("list {}", kind.plural);
        let everywhere = listed(&all, selector).await;
        let items = match everywhere.map_err(|error| ClusterError::of(error, doing()))? {
            Some(items) => items,
            None if *scope == Scope::Cluster => Vec::new(),
            None => {
                let mut items = Vec::new();
                for namespace in &*self.namespaces {
                    let own: Api<DynamicObject> =
                        Api::namespaced_with(self.client.clone(), namespace, kind);
                    let here = listed(&own, selector).await;
                    let here = here.map_err(|error| ClusterError::of(error, doing()))?;
                    items.extend(here.unwrap_or_default());
                }
                items
            }
        };
        let found = items.into_iter().map(|meta| Found {
            api: match meta.namespace() {
                Some(namespace) => Api::namespaced_with(self.client.clone(), &namespace, kind),
                None => all.clone(),
            },
            resource: kind.clone(),
            meta,
        });
        Ok(found.collect())
    }
}

/// What a selector finds; `None` for who may not list it there, and so did not make any of it.
async fn listed(
    api: &Api<DynamicObject>,
    selector: &str,
) -> kube::Result<Option<Vec<PartialObjectMeta<DynamicObject>>>> {
    let list = ListParams::default().labels(selector);
    match api.list_metadata(&list).await {
        Ok(list) => Ok(Some(list.items)),
        Err(kube::Error::Api(status)) if matches!(status.code, 403..=405) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn delete(found: &Found) -> Result<(), ClusterError> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: found.meta.uid(),
            ..Preconditions::default()
        }),
        ..DeleteParams::foreground()
    };
    let name = found.meta.name_any();
    match found.api.delete(&name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(ClusterError::of(error, "delete it".to_owned())),
    }
}

fn left(found: &Found, reason: String) -> Left {
    Left {
        object: format!(
            "{}/{}",
            found.resource.kind.to_lowercase(),
            found.meta.name_any()
        ),
        namespace: found.meta.namespace(),
        reason,
    }
}

/// Why an object that is being deleted is there still.
pub(super) fn waits_for(object: &impl ResourceExt) -> String {
    let finalizers = object.finalizers();
    if finalizers.is_empty() {
        "it is not gone yet".to_owned()
    } else {
        format!("it waits for its finalizers: {}", finalizers.join(", "))
    }
}
