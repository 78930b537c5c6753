//! `guidellm-indexer check`: are the service level objectives kept?

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use guidellm_results_model::Exit;
use guidellm_results_model::analysis::{Analysis, Options, Scenario};
use guidellm_results_model::documents::{FailedRun, Timestamp};
use guidellm_results_model::figures::Figure;
use guidellm_results_model::slo::{Outcome, Slos, Verdict};
use serde::Serialize;

use crate::cli::{CheckArguments, SourceArguments};
use crate::kube_burner::{Alert, Document};
use crate::objectives::{Place, alert, objectives};
use crate::selection::{Selected, tell_doubts};
use crate::tell;
use crate::unfinished::Registry;

/// An objective, judged in one scenario of a run.
#[derive(Debug, Serialize)]
pub struct Judged {
    /// The run.
    pub uuid: Arc<str>,
    /// The scenario: its job, strategy and load; the job alone if no sample of it left a report.
    pub scenario: String,
    /// Its job.
    pub job_name: Arc<str>,
    #[serde(skip)]
    document: Option<Alert>,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Judges a run by what all samples of a scenario say together, and puts what is missed beside its
/// documents, as kube-burner's alerts.
///
/// It waits for a server, and so belongs on a thread that may wait.
///
/// # Errors
///
/// If the run's documents cannot be read, or alerts not be written.
pub fn judge_run(slos: &Slos, uuid: &str, source: &SourceArguments) -> Result<Vec<Judged>> {
    let names = [uuid.to_owned()];
    let selected = Selected::open(&names, source, &Registry::default())?;
    let judged = judge(slos, &selected.analyse(&Options::default())?);
    selected.record(source, alerts(&judged))?;
    Ok(judged)
}

fn alerts(judged: &[Judged]) -> Vec<Document> {
    let alerts = judged.iter().filter_map(|it| it.document.clone());
    alerts.map(Document::Alert).collect()
}

pub(crate) fn run(arguments: &CheckArguments, unfinished: &Registry) -> Result<Exit> {
    let slos = objectives(&arguments.slo)?;
    let options = arguments.about.pooling.options()?;
    let selected = Selected::open(&arguments.about.what, &arguments.about.source, unfinished)?;
    let analyses = selected.analyse_each_run(&options)?;
    let judged: Vec<Judged> = analyses.iter().flat_map(|it| judge(&slos, it)).collect();
    analyses.iter().for_each(tell_doubts);
    if arguments.json {
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut stdout, &judged)?;
        writeln!(stdout)?;
    } else {
        print(&judged)?;
    }
    if arguments.record {
        selected.record(&arguments.about.source, alerts(&judged))?;
    }
    if judged.is_empty() {
        tell("error: no objective is for any of these scenarios");
        return Ok(Exit::SomeFailed);
    }
    Ok(if judged.iter().any(|it| it.verdict.fails()) {
        Exit::ThresholdCrossed
    } else {
        Exit::Done
    })
}

fn print(judged: &[Judged]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    for it in judged {
        let mark = match (it.verdict.met, it.verdict.fails()) {
            (Outcome::Met, _) => "ok",
            (_, true) => "FAILED",
            (_, false) => "warning",
        };
        let Judged {
            scenario, verdict, ..
        } = it;
        writeln!(stdout, "{mark:8}{scenario}: {verdict}  ({})", it.uuid)?;
    }
    Ok(())
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A scenario, by its pooled figures.
    Scenario(&'a Scenario),
    /// A job of which no sample left a report: nothing was measured.
    Unmeasured(&'a FailedRun),
}

impl Subject<'_> {
    /// The scenario, or the job.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Scenario(scenario) => scenario.key.to_string(),
            Self::Unmeasured(run) => run.job_name.clone(),
        }
    }

    fn job_name(self) -> Arc<str> {
        match self {
            Self::Scenario(scenario) => scenario.key.job_name.clone(),
            Self::Unmeasured(run) => run.job_name.as_str().into(),
        }
    }

    fn uuid(self) -> Arc<str> {
        match self {
            Self::Scenario(scenario) => {
                let sample = scenario.samples.first();
                sample.map_or_else(|| "".into(), |it| it.summary.origin.uuid.clone())
            }
            Self::Unmeasured(run) => run.uuid.as_str().into(),
        }
    }

    fn value(self, figure: Figure) -> Option<f64> {
        match self {
            Self::Scenario(scenario) => scenario.figures.get(&figure).map(|it| it.value),
            Self::Unmeasured(_) => None,
        }
    }

    fn ended(self) -> Option<Timestamp> {
        match self {
            Self::Scenario(scenario) => {
                let summaries = scenario.samples.iter().map(|it| &it.summary);
                let ends = summaries.map(|it| it.window.end_timestamp.unwrap_or(it.timestamp));
                ends.max()
            }
            Self::Unmeasured(run) => Some(run.timestamp),
        }
    }

    fn judged(self, verdict: Verdict) -> Judged {
        let (uuid, job_name, scenario) = (self.uuid(), self.job_name(), self.name());
        let document = self.ended().filter(|_| verdict.met != Outcome::Met);
        let document = document.map(|ended| {
            let place = Place {
                uuid: uuid.clone(),
                job_name: job_name.clone(),
                name: &scenario,
                ended,
            };
            alert(&place, &verdict)
        });
        Judged {
            uuid,
            scenario,
            job_name,
            document,
            verdict,
        }
    }
}

/// The objectives of each scenario and job.
pub(crate) fn verdicts<'a>(
    slos: &Slos,
    analysis: &'a Analysis,
) -> impl Iterator<Item = (Subject<'a>, Verdict)> {
    let scenarios = analysis.scenarios.iter().map(Subject::Scenario);
    let unmeasured = analysis.unmeasured_jobs().into_iter();
    let subjects = scenarios.chain(unmeasured.map(Subject::Unmeasured));
    subjects.flat_map(|subject| {
        let verdicts = slos.judge(&subject.job_name(), |figure| subject.value(figure));
        verdicts.into_iter().map(move |verdict| (subject, verdict))
    })
}

fn judge(slos: &Slos, analysis: &Analysis) -> Vec<Judged> {
    let verdicts = verdicts(slos, analysis);
    verdicts.map(|(of, verdict)| of.judged(verdict)).collect()
}
