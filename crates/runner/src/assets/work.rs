//! Applying assets one after the other, and seeing whether they are ready.

use std::time::Duration;

use anyhow::{Result, bail};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::files::{Asset, file, source};
use super::judge::{installed, judge};
use super::{Outcome, State};
use crate::cluster::{Cluster, ClusterError};
use crate::objects::{MANAGER, Object};
use crate::readiness::Readiness;

/// How often it is looked whether an asset is ready.
const PAUSE: Duration = Duration::from_secs(1);

/// What is done with which cluster.
pub(super) struct Work<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) force: bool,
    pub(super) dry_run: bool,
    pub(super) timeout: Duration,
}

impl Work<'_> {
    /// Tells how far assets are.
    pub(super) async fn check(&self, assets: &[Asset]) -> Result<Vec<Outcome>> {
        self.reach().await?;
        let mut outcomes = Vec::new();
        for asset in assets {
            outcomes.push(match self.readiness(asset).await {
                Ok(Readiness::Ready) => outcome(asset, State::Ready, None),
                Ok(Readiness::Waiting(why)) => outcome(asset, State::NotReady, Some(why)),
                Ok(Readiness::Failed(why)) => outcome(asset, State::Failed, Some(why)),
                Err(error) => outcome(asset, State::Failed, Some(advised(&error))),
            });
        }
        Ok(outcomes)
    }

    /// Applies assets, each after the one before is ready. What fails ends it, unless nothing is made.
    pub(super) async fn apply(&self, assets: &[Asset]) -> Result<Vec<Outcome>> {
        self.reach().await?;
        let until = Instant::now() + self.timeout;
        let mut outcomes: Vec<Outcome> = Vec::new();
        for asset in assets {
            let is_over = outcomes
                .iter()
                .any(|it| matches!(it.state, State::Failed | State::TimedOut));
            outcomes.push(if is_over && !self.dry_run {
                let why = "one before it is not ready".to_owned();
                outcome(asset, State::Skipped, Some(why))
            } else {
                self.apply_one(asset, until).await
            });
        }
        Ok(outcomes)
    }

    async fn reach(&self) -> Result<()> {
        if let Err(error) = self.cluster.client().apiserver_version().await {
            let url = self.cluster.url();
            bail!(ClusterError::of(error, format!("reach {url}")));
        }
        Ok(())
    }

    async fn apply_one(&self, asset: &Asset, until: Instant) -> Outcome {
        // Half of an asset would be there if a kind were missed later.
        for object in &asset.objects {
            if let Err(error) = self.cluster.kind(object.api_version(), object.kind()).await {
                return outcome(asset, State::Failed, Some(advised(&error)));
            }
        }
        for object in &asset.objects {
            match self.apply_object(asset, object).await {
                Ok(told) => crate::tell(&format!("{}: {told}", asset.name)),
                Err(error) => return outcome(asset, State::Failed, Some(error)),
            }
        }
        if self.dry_run {
            outcome(asset, State::Accepted, None)
        } else if self.timeout.is_zero() {
            outcome(asset, State::Applied, None)
        } else {
            self.wait(asset, until).await
        }
    }

    async fn apply_object(&self, asset: &Asset, object: &Object) -> Result<String, String> {
        let of = |error: ClusterError| format!("{}: {}", file(asset), advised(&error));
        let kind = self.cluster.kind(object.api_version(), object.kind()).await;
        let namespace = object.namespace();
        let api = self.cluster.api(&kind.map_err(of)?, namespace);
        let mut params = PatchParams::apply(MANAGER);
        params.force = self.force;
        params.dry_run = self.dry_run;
        let patch = Patch::Apply(&object.manifest);
        let patched = api.patch(object.name(), &params, &patch).await;
        match patched {
            Ok(_) if self.dry_run => Ok(format!("{} would be applied", object.told())),
            Ok(_) => Ok(format!("{} applied", object.told())),
            Err(kube::Error::Api(status)) if self.dry_run && is_lost(asset, object, &status) => {
                Ok(format!(
                    "{} was not tried, as its namespace {namespace} would be made with it",
                    object.told()
                ))
            }
            Err(error) => Err(of(ClusterError::of(
                error,
                format!("apply {}", object.told()),
            ))),
        }
    }

    async fn wait(&self, asset: &Asset, until: Instant) -> Outcome {
        let mut last = String::new();
        loop {
            let why = match self.readiness(asset).await {
                Ok(Readiness::Ready) => return outcome(asset, State::Ready, None),
                Ok(Readiness::Failed(why)) => return outcome(asset, State::Failed, Some(why)),
                Ok(Readiness::Waiting(why)) => why,
                // The API server may come back, and a controller's kinds may come.
                Err(error) if error.is_retryable() || is_unknown(&error) => advised(&error),
                Err(error) => return outcome(asset, State::Failed, Some(advised(&error))),
            };
            if Instant::now() >= until {
                let timeout = humantime::format_duration(self.timeout);
                let why = format!("{why} (after {timeout}, --timeout)");
                return outcome(asset, State::TimedOut, Some(why));
            }
            if why != last {
                crate::tell(&format!("{}: waiting for {why}", asset.name));
                last = why;
            }
            sleep(PAUSE).await;
        }
    }

    /// How far an asset is: as far as the first of its objects that is not ready.
    async fn readiness(&self, asset: &Asset) -> Result<Readiness, ClusterError> {
        for object in asset.awaited() {
            let readiness = self.of_object(object).await?;
            if readiness != Readiness::Ready {
                return Ok(readiness);
            }
        }
        Ok(Readiness::Ready)
    }

    async fn of_object(&self, object: &Object) -> Result<Readiness, ClusterError> {
        let place = match object.own_namespace() {
            Some(namespace) => format!("{} in {namespace}", object.told()),
            None => object.told(),
        };
        let Some(now) = self.cluster.get(object).await? else {
            return Ok(Readiness::Waiting(format!("{place}: it is not there")));
        };
        Ok(match judge(object, &now) {
            Readiness::Waiting(why) => Readiness::Waiting(format!("{place}: {why}")),
            Readiness::Failed(why) => Readiness::Failed(format!("{place}: {why}")),
            Readiness::Ready => match installed(&now).filter(|_| object.kind() == "Subscription") {
                Some(version) => {
                    let version = service_version(object, version);
                    Box::pin(self.of_object(&version)).await?
                }
                None => Readiness::Ready,
            },
        })
    }
}

fn service_version(subscription: &Object, name: &str) -> Object {
    let namespace = subscription.namespace();
    Object {
        manifest: json!({
            "apiVersion": subscription.api_version(),
            "kind": "ClusterServiceVersion",
            "metadata": { "namespace": namespace, "name": name },
        }),
        default_namespace: namespace.to_owned(),
        wait: true,
    }
}

/// Nothing was made, so that the namespace is not there which the asset itself makes.
fn is_lost(asset: &Asset, object: &Object, status: &kube::core::Status) -> bool {
    let makes = |it: &Object| it.kind() == "Namespace" && it.name() == object.namespace();
    status.code == 404 && asset.objects.iter().any(makes)
}

fn is_unknown(error: &ClusterError) -> bool {
    matches!(error, ClusterError::UnknownKind { .. })
}

/// An error with what to do.
fn advised(error: &ClusterError) -> String {
    match error {
        ClusterError::UnknownKind { api_version, kind } => format!(
            "the cluster does not know {kind} of {api_version}: {}",
            source(api_version)
        ),
        ClusterError::Refused { status: 409, .. } => {
            format!("{error}; --force-conflicts takes the fields over")
        }
        error => error.to_string(),
    }
}

fn outcome(asset: &Asset, state: State, detail: Option<String>) -> Outcome {
    Outcome {
        name: asset.name,
        state,
        detail,
    }
}
