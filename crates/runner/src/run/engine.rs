//! Runs the jobs of a plan, one after the other: applies, waits, notes what became of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use tokio::time::{Instant, sleep};

use super::apply;
use super::evidence;
use super::hand_over::{Fetching, HandOver, patience};
use super::narrator::Narrator;
use super::outlook::Failure;
use super::samples::{self, LastPods};
use super::state::{Book, JobRecord, now};
use super::stop::Stop;
use super::wait::{Ended, Watched};
use crate::cluster::Cluster;
use crate::plan::{PlannedJob, Run};
use crate::suite::Global;

/// How long it may take to learn how pods ended: whether results can be deleted depends on it.
const LISTING: Duration = Duration::from_mins(2);
/// What a sample takes beside its measured time, for the guess of what is left.
const AROUND: Duration = Duration::from_secs(30);

/// What happens to the other jobs when one fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OnFailure {
    /// They run
    #[default]
    Continue,
    /// They do not
    Stop,
}

/// All that running jobs needs.
pub(super) struct Engine<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) jobs: &'a [PlannedJob],
    pub(super) run: &'a Run,
    pub(super) global: &'a Global,
    pub(super) on_failure: OnFailure,
    pub(super) until: Instant,
    pub(super) stop: &'a Stop,
    pub(super) narrator: &'a Narrator,
    /// Without a search server.
    pub(super) hand_over: Option<HandOver>,
    pub(super) book: Arc<Mutex<Book>>,
}

/// How the jobs ended, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) failed: usize,
    pub(super) skipped: usize,
    pub(super) timed_out: bool,
    /// What is to be measured is not there, or does not answer.
    pub(super) unserved: bool,
    pub(super) stopped: bool,
    /// Pods in which documents wait, as they could not be fetched: these stay.
    pub(super) waiting: usize,
}

impl Engine<'_> {
    /// Runs them. `look` is called once what the scenarios need is there, `probe` before the first of
    /// them, and `ended` after each job whose documents are not written yet.
    pub(super) async fn run(
        &self,
        look: impl AsyncFn() -> Result<()>,
        probe: impl AsyncFn() -> Result<()>,
        mut ended: impl FnMut(&JobRecord),
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let (mut looked, mut probed) = (false, false);
        let mut skipped = Vec::new();
        let is_measured = self.is_measured();
        if !is_measured {
            tokio::select! {
                () = self.stop.stopped() => {}
                finished = self.finish_clean_up() => finished?,
            }
        }
        for (number, job) in self.jobs.iter().enumerate() {
            let before = self.known(&job.job.name);
            let is_done = |it: &&JobRecord| it.passed() && (job.is_scenario || is_measured);
            if let Some(record) = before.as_ref().filter(is_done) {
                self.narrator.tell(&format!("{}: done before", record.name));
                if !record.indexed {
                    ended(record);
                }
                continue;
            }
            if self.is_over(&mut outcome) {
                skipped.push(job.job.name.as_str());
                continue;
            }
            self.narrator
                .job(&self.place(number, job), self.left(number));
            // To the end of its pods, also of those of an earlier try that are deleted.
            let fetching = self.fetching(job);
            let mut record = self.begin(job, before.as_ref()).await?;
            if job.is_scenario && !looked {
                look().await?;
                looked = true;
            }
            if job.is_scenario && !probed {
                if let Err(error) = probe().await {
                    let object = "the target".to_owned();
                    let reason = format!("{error:#}");
                    record.failures.push(Failure { object, reason });
                    outcome.unserved = true;
                }
                probed = true;
            }
            self.job(job, &mut record, fetching, &mut outcome).await?;
            outcome.unserved |= !job.is_scenario && !record.passed();
            if let Some(before) = before.filter(|it| it.passed() && record.passed()) {
                // It was made sure of again; its time is that of the first time.
                record = before;
                lock(&self.book).note(&record)?;
            }
            if !record.indexed && outcome.waiting == 0 {
                ended(&record);
            }
            let is_last = number + 1 == self.jobs.len();
            if !is_last && !self.is_over(&mut outcome) {
                self.narrator.waits("pause");
                let left = self.until.saturating_duration_since(Instant::now());
                self.rest(job.job.job_pause.0.min(left)).await;
            }
        }
        outcome.skipped = skipped.len();
        self.tell_skipped(&skipped, outcome);
        Ok(outcome)
    }

    /// Says which jobs were not run, and why.
    fn tell_skipped(&self, skipped: &[&str], outcome: Outcome) {
        let why = match outcome {
            Outcome { stopped: true, .. } => "it was stopped",
            Outcome {
                timed_out: true, ..
            } => "the time that all of it may take is over (--timeout)",
            Outcome { unserved: true, .. } => "what they are to measure is not there",
            _ => "a job failed (--on-failure continue goes on)",
        };
        if !skipped.is_empty() {
            let skipped = skipped.join(", ");
            self.narrator
                .warn(&format!("error: not run: {skipped}: {why}"));
        }
    }

    fn is_over(&self, outcome: &mut Outcome) -> bool {
        outcome.stopped |= self.stop.is_stopped();
        let out_of_time = Instant::now() >= self.until;
        outcome.timed_out |= out_of_time;
        outcome.stopped
            || out_of_time
            || outcome.unserved
            || (outcome.failed > 0 && self.on_failure == OnFailure::Stop)
    }

    /// Whether there was something to measure, and all of it is: then nothing has to be made for it.
    fn is_measured(&self) -> bool {
        let book = lock(&self.book);
        let mut scenarios = self.jobs.iter().filter(|it| it.is_scenario).peekable();
        scenarios.peek().is_some()
            && scenarios.all(|it| book.job(&it.job.name).is_some_and(JobRecord::passed))
    }

    fn fetching(&self, job: &PlannedJob) -> Option<Fetching> {
        let hand_over = self.hand_over.as_ref().filter(|_| job.is_scenario)?;
        Some(hand_over.start(&self.run.namespace, &self.run.uuid, &job.job.name))
    }

    fn known(&self, name: &str) -> Option<JobRecord> {
        lock(&self.book).job(name).cloned()
    }

    /// The record of a job that starts: of one that was running when the run was killed, its own.
    async fn begin(&self, job: &PlannedJob, known: Option<&JobRecord>) -> Result<JobRecord> {
        let name = &job.job.name;
        let record = match known {
            Some(record) if record.end.is_none() => record.clone(),
            // It is tried again, and what is left of it would be taken for the new try. What it could
            // not send is in the volume still.
            Some(record) => {
                if job.is_scenario {
                    let all = self.global.gc_timeout.0;
                    self.cluster.sweep(&self.run.uuid, Some(name), all).await?;
                }
                JobRecord {
                    unsent: record.unsent,
                    ..JobRecord::new(name)
                }
            }
            None => JobRecord::new(name),
        };
        lock(&self.book).note(&record)?;
        Ok(record)
    }

    async fn job(
        &self,
        job: &PlannedJob,
        record: &mut JobRecord,
        fetching: Option<Fetching>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let limit = job
            .job
            .max_wait_timeout
            .map(|limit| Instant::now() + limit.0);
        let until = limit.map_or(self.until, |limit| limit.min(self.until));
        let ended = if record.failures.is_empty() {
            self.apply_and_wait(job, until).await?
        } else {
            Ended::Failed(std::mem::take(&mut record.failures))
        };
        outcome.stopped |= ended == Ended::Stopped;
        outcome.timed_out |= matches!(ended, Ended::TimedOut(_)) && Instant::now() >= self.until;
        let failing = fetching.as_ref().map(Fetching::failing).unwrap_or_default();
        if (outcome.stopped || outcome.timed_out) && !failing.is_empty() {
            // Its record stays that of a job that runs: to go on is to fetch them.
            outcome.waiting = failing.len();
            self.leave(job, &failing);
            return Ok(());
        }
        record.end = Some(now());
        record.failures = failures(&job.job.name, ended);
        if job.is_scenario {
            self.note_samples(job, record).await;
        }
        // First of all: what follows takes time, and may be ended by anybody.
        lock(&self.book).note(record)?;
        self.tell(job, record);
        if !record.failures.is_empty() {
            outcome.failed += 1;
            let pods = self.give_up(job).await?;
            self.take_unsent(record, &pods);
            record.end = Some(now());
            lock(&self.book).note(record)?;
        }
        Ok(())
    }

    async fn apply_and_wait(&self, job: &PlannedJob, until: Instant) -> Result<Ended> {
        if let Some(failure) = self.apply(job, until).await {
            return Ok(failure);
        }
        if !job.job.wait_when_finished {
            return Ok(Ended::Ready);
        }
        let watched = Watched {
            cluster: self.cluster,
            run: &self.run.uuid,
            job,
            patience: self.global.trouble_timeout.0,
        };
        let tell = |what: &str| self.narrator.waits(what);
        let warn = |what: &str| {
            self.narrator
                .warn(&format!("warning: {}: {what}", job.job.name));
        };
        match watched.wait(until, self.stop, tell, warn).await {
            Ok(ended) => Ok(ended),
            Err(error) => Ok(apply::failed("the cluster", &error)),
        }
    }

    /// Says where documents are that could not be fetched.
    fn leave(&self, job: &PlannedJob, pods: &[String]) {
        let (name, run) = (&job.job.name, &self.run.uuid);
        let pods = pods.join(", pod/");
        self.narrator.warn(&format!(
            "error: {name}: documents wait in pod/{pods}; --uuid {run} --resume fetches them, within {} \
             from the end of the benchmark",
            patience()
        ));
    }

    /// Keeps what tells why, and ends the load; the pods as they were in the end.
    async fn give_up(&self, job: &PlannedJob) -> Result<Vec<Pod>> {
        self.narrator.waits("saving what tells why");
        let folder = lock(&self.book).folder().to_owned();
        let uuid = &self.run.uuid;
        let saved = evidence::save(self.cluster, job, uuid, &folder).await;
        let told = match saved {
            Ok(folder) => format!("  objects, events and logs are in {}", folder.display()),
            Err(error) => format!("warning: cannot save why it failed: {error:#}"),
        };
        self.narrator.warn(&told);
        if !job.is_scenario {
            return Ok(Vec::new());
        }
        self.narrator
            .waits("ending its pods; their sidecars send what there is");
        let name = &job.job.name;
        let last = LastPods::watch(self.cluster, &self.run.namespace, uuid, name).await;
        let timeout = self.global.gc_timeout.0;
        tokio::select! {
            () = self.stop.hurried() => {}
            swept = self.cluster.sweep(uuid, Some(name), timeout) => match swept {
                Ok(swept) => for it in swept.left {
                    self.narrator.warn(&format!("warning: {} stays: {}", it.object, it.reason));
                },
                Err(error) => self.narrator.warn(&format!("warning: its pods go on: {error}")),
            }
        }
        Ok(last.end())
    }

    /// Notes what a scenario's pods tell. Not to know whether documents were sent is to keep them.
    async fn note_samples(&self, job: &PlannedJob, record: &mut JobRecord) {
        let (uuid, name, namespace) = (&self.run.uuid, &job.job.name, &self.run.namespace);
        let list = async || self.cluster.pods(namespace, uuid, name).await;
        let until = Instant::now() + LISTING;
        match self.cluster.patiently(until, list).await {
            Ok(pods) => {
                record.load = samples::load(&pods);
                self.take_unsent(record, &pods);
            }
            Err(error) => {
                record.unsent = !self.run.fetches();
                record.failures.push(Failure {
                    object: format!("job {name}"),
                    reason: format!("it is not known whether its documents were sent: {error}"),
                });
            }
        }
    }

    /// Notes which sidecars could not get rid of their documents. Those that were to be fetched are in
    /// no volume that would have to stay, unless the user keeps it.
    fn take_unsent(&self, record: &mut JobRecord, pods: &[Pod]) {
        let unsent = samples::not_sent(pods);
        record.unsent |= !unsent.is_empty() && !self.run.fetches();
        for failure in unsent {
            if !record.failures.contains(&failure) {
                record.failures.push(failure);
            }
        }
    }

    /// Waits, unless the user does not want to.
    pub(super) async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = self.stop.stopped() => {}
            () = sleep(pause) => {}
        }
    }

    fn place(&self, number: usize, job: &PlannedJob) -> String {
        format!("{}/{} {}", number + 1, self.jobs.len(), job.job.name)
    }

    /// About how long the scenarios from here on take.
    fn left(&self, number: usize) -> Option<Duration> {
        let rest = self.jobs.iter().skip(number).filter(|it| it.is_scenario);
        let each = rest.map(|it| it.measured + AROUND * it.samples + it.job.job_pause.0);
        let left: Duration = each.sum();
        (!left.is_zero()).then_some(left)
    }

    fn tell(&self, job: &PlannedJob, record: &JobRecord) {
        let name = &job.job.name;
        let took = record
            .end
            .map(|end| end.epoch_micros() - record.start.epoch_micros());
        let took = Duration::from_micros(took.and_then(|it| u64::try_from(it).ok()).unwrap_or(0));
        let took = super::narrator::whole(took);
        if record.failures.is_empty() {
            self.narrator.tell(&format!("{name}: done in {took}"));
        } else {
            self.narrator
                .warn(&format!("error: {name} failed after {took}:"));
            record
                .failures
                .iter()
                .for_each(|it| self.narrator.warn(&format!("  {it}")));
        }
    }
}

/// Why a job failed, if it did.
fn failures(job: &str, ended: Ended) -> Vec<Failure> {
    let of_job = |reason: String| {
        let object = format!("job {job}");
        vec![Failure { object, reason }]
    };
    match ended {
        Ended::Ready => Vec::new(),
        Ended::Failed(failures) => failures,
        Ended::TimedOut(why) => of_job(format!("it took too long, and waited for {why}")),
        Ended::Stopped => of_job("the user stopped it".to_owned()),
    }
}

/// A panic elsewhere leaves the book as it was written last.
pub(super) fn lock(book: &Mutex<Book>) -> std::sync::MutexGuard<'_, Book> {
    book.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
