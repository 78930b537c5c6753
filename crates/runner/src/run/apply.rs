//! Applying a job's objects, also to a cluster that cannot take them now.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::engine::Engine;
use super::outlook::Failure;
use super::wait::Ended;
use crate::cluster::{ClusterError, Pace};
use crate::objects::Object;
use crate::plan::PlannedJob;

/// Between two tries of what a cluster cannot do now; it grows to the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];
impl Engine<'_> {
    /// Applies the objects in their order; `Some` if that failed.
    pub(super) async fn apply(&self, job: &PlannedJob, until: Instant) -> Option<Ended> {
        let pace = Pace::new(job.job.qps, job.job.burst);
        let own = job.objects.iter().filter_map(Object::namespace);
        let namespaces: BTreeSet<&str> = own.chain([self.namespace(job)]).collect();
        for namespace in namespaces {
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
                let applied =
                    self.cluster
                        .apply(object, self.namespace(job), &self.run.uuid, &pace);
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
        let [mut pause, longest] = PAUSES;
        let mut told = false;
        loop {
            let error = tokio::select! {
                () = self.stop.stopped() => return Err(Ended::Stopped),
                made = make() => match made {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                },
            };
            if !error.is_retryable() {
                return Err(failed(object, &error));
            }
            if Instant::now() + pause >= until {
                return Err(Ended::TimedOut(format!("{object}: {error}")));
            }
            if !told {
                self.narrator
                    .warn(&format!("warning: {object}: {error}; trying again"));
                told = true;
            }
            self.rest(pause).await;
            pause = (pause * 2).min(longest);
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
