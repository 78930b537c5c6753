//! Applying a job's objects, also to a cluster that cannot take them now.

use guidellm_indexer::Backoff;
use tokio::time::Instant;

use super::engine::Engine;
use super::outlook::Failure;
use super::wait::Ended;
use crate::cluster::{ClusterError, Pace};
use crate::plan::PlannedJob;

impl Engine<'_> {
    /// Applies the objects in their order; `Some` if that failed.
    pub(super) async fn apply(&self, job: &PlannedJob, until: Instant) -> Option<Ended> {
        let pace = Pace::new(job.job.qps, job.job.burst);
        for namespace in job.namespaces() {
            let make = async || {
                self.cluster
                    .namespace(namespace, &self.run.uuid)
                    .await
                    .map(drop)
            };
            if let Err(ended) = self
                .again(&format!("namespace/{namespace}"), until, make)
                .await
            {
                return Some(ended);
            }
        }
        for object in &job.objects {
            self.narrator.waits(&format!("apply {}", object.told()));
            let make = async || {
                let applied = self.cluster.apply(object, &self.run.uuid, &pace);
                applied.await.map(drop)
            };
            if let Err(ended) = self.again(&object.told(), until, make).await {
                return Some(ended);
            }
        }
        None
    }

    /// Does something until it succeeds, or never will.
    async fn again(
        &self,
        object: &str,
        until: Instant,
        make: impl AsyncFn() -> Result<(), ClusterError>,
    ) -> Result<(), Ended> {
        let mut backoff = Backoff::default();
        let mut told = false;
        let begun = Instant::now();
        loop {
            let error = tokio::select! {
                () = self.stop.stopped() => return Err(Ended::Stopped),
                made = make() => match made {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                },
            };
            if !self.cluster.patience().bears(&error) {
                return Err(failed(object, &error));
            }
            let pause = backoff.next(None, fastrand::f64());
            // What holds it may be nobody's who lets it go.
            let until = match error {
                ClusterError::Ending { .. } => until.min(begun + self.global.gc_timeout.0),
                _ => until,
            };
            if Instant::now() + pause >= until {
                return Err(Ended::TimedOut(error.to_string()));
            }
            let is_told = matches!(error, ClusterError::Unauthorized { .. });
            if !told && !is_told {
                self.narrator
                    .warn(&format!("warning: {error}; trying again"));
                told = true;
            }
            self.rest(pause).await;
        }
    }
}

/// What came to an end by an error.
pub(super) fn failed(object: &str, error: &ClusterError) -> Ended {
    Ended::Failed(vec![Failure {
        object: object.to_owned(),
        reason: error.to_string(),
    }])
}
