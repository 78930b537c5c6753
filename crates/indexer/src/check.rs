//! `guidellm-indexer check`: are the service level objectives kept?

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use guidellm_results_model::Exit;
use guidellm_results_model::analysis::{Analysis, Options, Scenario};
use guidellm_results_model::slo::{Outcome, Slos, Verdict};
use serde::Serialize;

use crate::cli::{CheckArguments, SourceArguments};
use crate::kube_burner::{Alert, Document};
use crate::objectives::{Place, alert, objectives};
use crate::scenarios::{Fold, analyses};
use crate::selection::{Selected, tell_doubts};
use crate::tell;
use crate::unfinished::Registry;

/// An objective, judged in one scenario of a run.
#[derive(Debug, Serialize)]
pub struct Judged {
    /// The run.
    pub uuid: Arc<str>,
    /// The scenario: its job, strategy and load.
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
    let analyses = analyses(&selected, Fold::EachRun, &options)?;
    let judged: Vec<Judged> = analyses.iter().flat_map(|it| judge(&slos, it)).collect();
    if arguments.json {
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut stdout, &judged)?;
        writeln!(stdout)?;
    } else {
        analyses.iter().for_each(tell_doubts);
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

/// The objectives of each scenario, judged by its pooled figures.
pub(crate) fn verdicts<'a>(
    slos: &Slos,
    analysis: &'a Analysis,
) -> impl Iterator<Item = (&'a Scenario, Verdict)> {
    analysis.scenarios.iter().flat_map(|scenario| {
        let verdicts = slos.judge(&scenario.key.job_name, |figure| {
            scenario.figures.get(&figure).map(|it| it.value)
        });
        verdicts.into_iter().map(move |verdict| (scenario, verdict))
    })
}

fn judge(slos: &Slos, analysis: &Analysis) -> Vec<Judged> {
    let judged = verdicts(slos, analysis).map(|(scenario, verdict)| Judged {
        uuid: uuid(scenario),
        scenario: scenario.key.to_string(),
        job_name: scenario.key.job_name.clone(),
        document: missed(scenario, &verdict),
        verdict,
    });
    judged.collect()
}

fn uuid(scenario: &Scenario) -> Arc<str> {
    let sample = scenario.samples.first();
    sample.map_or_else(|| "".into(), |it| it.summary.origin.uuid.clone())
}

fn missed(scenario: &Scenario, verdict: &Verdict) -> Option<Alert> {
    let ends = scenario.samples.iter().map(|it| {
        let summary = &it.summary;
        summary.window.end_timestamp.unwrap_or(summary.timestamp)
    });
    let place = Place {
        uuid: uuid(scenario),
        job_name: scenario.key.job_name.clone(),
        name: &scenario.key.to_string(),
        ended: ends.max()?,
    };
    (verdict.met != Outcome::Met).then(|| alert(&place, verdict))
}
