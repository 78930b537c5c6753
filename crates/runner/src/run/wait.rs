//! Watching a job's objects, its pods and what Kubernetes warns of, until it is known what became of
//! the job.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{SelectAll, Stream, StreamExt, select_all};
use k8s_openapi::api::core::v1::{Event as Warning, Pod};
use kube::api::{Api, DynamicObject};
use kube::discovery::{ApiResource, Scope};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::Value;
use tokio::time::{Instant, interval};

use super::outlook::{Failure, Next, Outlook};
use super::stop::Stop;
use crate::cluster::{Cluster, ClusterError};
use crate::objects::selector;
use crate::plan::PlannedJob;
use crate::readiness::is_waited_for;

/// How often it is looked whether trouble has lasted too long.
const TICK: Duration = Duration::from_millis(500);
/// A watch that fails for so long is told of.
const AWAY: Duration = Duration::from_secs(5);

/// Where the objects of a job are, and of which run.
pub(super) struct Watched<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) run: &'a str,
    pub(super) job: &'a PlannedJob,
    pub(super) patience: Duration,
}

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All is ready.
    Ready,
    /// It never will be.
    Failed(Vec<Failure>),
    /// It took too long.
    TimedOut(String),
    /// The user does not want to wait any more.
    Stopped,
}

#[derive(Clone)]
enum What {
    /// Of a kind, which objects of a list do not say themselves.
    Object(Arc<str>),
    Pod,
    Warning,
}

type Seen = (What, Result<Event<DynamicObject>, watcher::Error>);
type Watches = SelectAll<Pin<Box<dyn Stream<Item = Seen> + Send>>>;

impl Watched<'_> {
    /// Waits; what is noticed is told as it comes, by `tell` what is waited for and by `warn` what is
    /// wrong.
    pub(super) async fn wait(
        &self,
        until: Instant,
        stop: &Stop,
        mut tell: impl FnMut(&str),
        mut warn: impl FnMut(&str),
    ) -> Result<Ended, ClusterError> {
        let start = Instant::now();
        let mut outlook = Outlook::new(&self.job.objects, self.patience);
        let mut watches = self.watches().await?;
        let mut ticks = interval(TICK);
        let mut away = Away::default();
        loop {
            let now = start.elapsed();
            outlook.news().iter().for_each(|news| warn(news));
            match outlook.next(now) {
                Next::Ready => return Ok(Ended::Ready),
                Next::Failed(failures) => return Ok(Ended::Failed(failures)),
                Next::Wait(why) if Instant::now() >= until => return Ok(Ended::TimedOut(why)),
                Next::Wait(why) => tell(&why),
            }
            tokio::select! {
                () = stop.stopped() => return Ok(Ended::Stopped),
                _ = ticks.tick() => {}
                Some((what, seen)) = watches.next() => match seen {
                    Ok(event) => {
                        away.answered(&mut warn);
                        take(&mut outlook, what, event, now);
                    }
                    Err(error) => match ClusterError::unauthorized(&error) {
                        Some(refused) => drop(self.cluster.patience().bears(&refused)),
                        None => away.failed(&error, &mut warn),
                    },
                },
            }
        }
    }

    async fn watches(&self) -> Result<Watches, ClusterError> {
        let awaited = self
            .job
            .objects
            .iter()
            .filter(|it| it.wait && is_waited_for(it.kind()));
        let places: BTreeSet<(&str, &str, &str)> = awaited
            .map(|it| (it.api_version(), it.kind(), it.namespace()))
            .collect();
        let selector = selector(self.run, Some(&self.job.job.name));
        let own = watcher::Config::default().labels(&selector);
        let mut watches = Vec::new();
        for (api_version, kind, namespace) in &places {
            let found = self.cluster.kind(api_version, kind).await?;
            let what = What::Object((*kind).into());
            watches.push(watch(
                what,
                self.cluster.api(&found, namespace),
                own.clone(),
            ));
        }
        let namespaces: BTreeSet<&str> =
            places.iter().map(|(_, _, namespace)| *namespace).collect();
        let pods = (ApiResource::erase::<Pod>(&()), Scope::Namespaced);
        let events = (ApiResource::erase::<Warning>(&()), Scope::Namespaced);
        for namespace in namespaces {
            watches.push(watch(
                What::Pod,
                self.cluster.api(&pods, namespace),
                own.clone(),
            ));
            let warnings = watcher::Config::default().fields("type=Warning");
            watches.push(watch(
                What::Warning,
                self.cluster.api(&events, namespace),
                warnings,
            ));
        }
        Ok(select_all(watches))
    }
}

fn watch(
    what: What,
    api: Api<DynamicObject>,
    config: watcher::Config,
) -> Pin<Box<dyn Stream<Item = Seen> + Send>> {
    let seen = watcher(api, config).default_backoff();
    seen.map(move |event| (what.clone(), event)).boxed()
}

fn take(outlook: &mut Outlook, what: What, event: Event<DynamicObject>, now: Duration) {
    let is_gone = matches!(event, Event::Delete(_));
    let (Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) = event else {
        return;
    };
    let mut value = serde_json::to_value(&object).unwrap_or(Value::Null);
    if let (What::Object(kind), Some(members)) = (&what, value.as_object_mut()) {
        members.insert("kind".to_owned(), Value::from(&**kind));
    }
    match (what, is_gone) {
        (What::Object(_), false) => outlook.object(&value),
        (What::Object(_), true) => outlook.object_gone(&value),
        (What::Pod, false) => outlook.pod(&value, now),
        (What::Pod, true) => outlook.pod_gone(&value),
        (What::Warning, false) => outlook.event(&value, now),
        (What::Warning, true) => {}
    }
}

/// Whether the API server answers.
#[derive(Default)]
struct Away {
    since: Option<Instant>,
    told: bool,
}

impl Away {
    fn failed(&mut self, error: &watcher::Error, warn: &mut impl FnMut(&str)) {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= AWAY && !self.told {
            warn(&format!(
                "the API server does not answer: {error}; trying again"
            ));
            self.told = true;
        }
    }

    fn answered(&mut self, warn: &mut impl FnMut(&str)) {
        if self.told {
            warn("the API server answers again");
        }
        *self = Self::default();
    }
}
