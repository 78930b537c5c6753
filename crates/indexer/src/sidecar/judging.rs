//! Judges what is sent by the objectives of a file.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use guidellm_results_model::documents::{FailedRun, Request, Summary};
use guidellm_results_model::slo::{Outcome, Slos, Verdict};
use guidellm_results_model::{Consumer, ScenarioKey};

use crate::kube_burner::Document;
use crate::objectives::{Place, alert};
use crate::sink::{Sink, StagedReport};

/// A sink that looks at the summaries that go through it.
pub(super) struct Judging<'a> {
    sink: &'a dyn Sink,
    slos: &'a Slos,
    judged: Mutex<Judged>,
}

/// What came of a benchmark's objectives.
#[derive(Default)]
pub(super) struct Judged {
    /// What was missed, for people.
    pub(super) missed: Vec<String>,
    /// The same, for dashboards.
    pub(super) alerts: Vec<Document>,
    /// Whether any of it is bad enough to fail.
    pub(super) fails: bool,
}

impl<'a> Judging<'a> {
    pub(super) fn new(sink: &'a dyn Sink, slos: &'a Slos) -> Self {
        Self {
            sink,
            slos,
            judged: Mutex::default(),
        }
    }

    pub(super) fn judged(self) -> Judged {
        self.judged
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Judged> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Judged {
    fn add(&mut self, summary: &Summary, verdict: &Verdict) {
        if verdict.met == Outcome::Met {
            return;
        }
        let origin = &summary.origin;
        let name = format!("{}, sample {}", ScenarioKey::of(summary), origin.sample);
        let place = Place {
            uuid: origin.uuid.clone(),
            job_name: origin.job_name.clone(),
            name: &name,
            ended: summary.window.end_timestamp.unwrap_or(summary.timestamp),
        };
        self.missed.push(format!("{}: {verdict}", place.name));
        self.alerts.push(Document::Alert(alert(&place, verdict)));
        self.fails |= verdict.fails();
    }
}

impl Sink for Judging<'_> {
    fn stage(&self) -> Result<Box<dyn StagedReport + '_>> {
        Ok(Box::new(Staged {
            inner: self.sink.stage()?,
            judging: self,
            summaries: Vec::new(),
        }))
    }

    fn failed_run(&self, run: &FailedRun) -> Result<bool> {
        self.sink.failed_run(run)
    }
}

struct Staged<'a> {
    inner: Box<dyn StagedReport + 'a>,
    judging: &'a Judging<'a>,
    summaries: Vec<Summary>,
}

impl Consumer for Staged<'_> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        self.inner.requests(requests)
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        self.summaries.push(summary.clone());
        self.inner.summary(summary)
    }
}

impl StagedReport for Staged<'_> {
    fn prepare(&mut self) -> Result<()> {
        self.inner.prepare()
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.inner.commit()?;
        let mut judged = self.judging.lock();
        for summary in &self.summaries {
            let job_name = &summary.origin.job_name;
            let verdicts = self.judging.slos.judge(job_name, |it| it.of(summary));
            verdicts.iter().for_each(|it| judged.add(summary, it));
        }
        Ok(())
    }
}
