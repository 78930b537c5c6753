//! `guidellm-indexer report`: from what a user names to the page.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use guidellm_results_model::Exit;
use guidellm_results_model::analysis::compare::{
    CompareOptions, Comparison, ScenarioComparison, compare,
};
use guidellm_results_model::analysis::{Analysis, Options};
use guidellm_results_model::documents::Timestamp;
use guidellm_results_model::figures::Figure;
use guidellm_results_model::slo::{self, Slos};

use super::{Baseline, BaselineRow, BaselineScenario, Meta, Outcome, VerdictRow, html};
use crate::cli::ReportPageArguments;
use crate::compare::{fact, shown};
use crate::selection::{Selected, tell_doubts};
use crate::tell;
use crate::unfinished::Registry;

pub(crate) fn run(arguments: &ReportPageArguments, unfinished: &Registry) -> Result<Exit> {
    let options = Options {
        standard_errors: arguments.baseline.is_some(),
        ..arguments.pooling.options()?
    };
    let slos = arguments.slo.as_deref().map(objectives).transpose()?;
    let selected = Selected::open(&arguments.what, &arguments.source, unfinished)?;
    let analysis = selected.analyse(&options)?;
    tell_doubts(&analysis);
    let baseline = arguments.baseline.as_ref();
    let baseline = baseline
        .map(|name| {
            let names = std::slice::from_ref(name);
            let base = Selected::open(names, &arguments.source, unfinished)?;
            anyhow::Ok(against(
                name,
                &base.analyse(&options)?,
                &analysis,
                options.level,
            ))
        })
        .transpose()?;
    let verdicts = slos
        .map(|slos| judged(&slos, &analysis))
        .unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let title = arguments.title.clone();
    let meta = Meta {
        title: title.unwrap_or_else(|| format!("Benchmarks of {}", selected.name())),
        generated: Timestamp::from_epoch_seconds(now.as_secs_f64())
            .context("the clock tells no time")?,
        sources: vec![selected.name().to_owned()],
        level: options.level,
    };
    let page = html(&analysis, baseline.as_ref(), &verdicts, &meta)?;
    write(&arguments.output, &page)?;
    let missed = verdicts
        .iter()
        .any(|it| it.outcome != Outcome::Met && fails(&it.severity));
    Ok(if missed {
        Exit::ThresholdCrossed
    } else {
        Exit::Done
    })
}

fn write(output: &Path, page: &str) -> Result<()> {
    if output.as_os_str() == "-" {
        return Ok(std::io::stdout().lock().write_all(page.as_bytes())?);
    }
    let place = || format!("{}: cannot write it", output.display());
    fs::write(output, page).with_context(place)?;
    tell(&format!("{}: open it in a browser", output.display()));
    Ok(())
}

/// Objectives of a file.
fn objectives(path: &Path) -> Result<Slos> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| name.clone())?;
    Ok(Slos::parse(&text, &name)?)
}

fn fails(severity: &str) -> bool {
    [slo::Severity::Error, slo::Severity::Critical]
        .iter()
        .any(|it| it.to_string() == severity)
}

fn judged(slos: &Slos, analysis: &Analysis) -> Vec<VerdictRow> {
    let of = |scenario: &guidellm_results_model::analysis::Scenario| {
        let verdicts = slos.judge(&scenario.key.job_name, |figure| {
            scenario.figures.get(&figure).map(|it| it.value)
        });
        let row = |verdict: slo::Verdict| VerdictRow {
            expression: verdict.slo.expr.to_string(),
            scenario: scenario.key.to_string(),
            figure: Some(verdict.slo.expr.figure),
            value: verdict.value,
            outcome: match verdict.met {
                slo::Outcome::Met => Outcome::Met,
                slo::Outcome::Missed => Outcome::Missed,
                slo::Outcome::NotMeasured => Outcome::NotMeasured,
            },
            severity: verdict.slo.severity.to_string(),
            description: verdict.slo.description,
        };
        verdicts.into_iter().map(row).collect::<Vec<_>>()
    };
    analysis.scenarios.iter().flat_map(of).collect()
}

fn against(name: &str, base: &Analysis, analysis: &Analysis, level: f64) -> Baseline {
    let options = CompareOptions {
        level,
        ..CompareOptions::default()
    };
    let comparison = compare(base, analysis, &options);
    Baseline {
        name: name.to_owned(),
        level,
        notes: notes(&comparison),
        scenarios: comparison.scenarios.iter().map(of_scenario).collect(),
    }
}

fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes: Vec<String> = comparison.facts.iter().map(fact).collect();
    for scenario in &comparison.scenarios {
        let key = &scenario.key;
        let reasons = scenario.refusals.iter().map(|it| &it.reason);
        let reasons = reasons.chain(&scenario.notes);
        notes.extend(reasons.map(|reason| format!("{key}: {reason}")));
    }
    let missing = comparison.only_base.iter();
    notes.extend(missing.map(|key| format!("{key} is in the baseline alone")));
    let new = comparison.only_candidate.iter();
    notes.extend(new.map(|key| format!("{key} is not in the baseline")));
    notes
}

fn of_scenario(scenario: &ScenarioComparison) -> BaselineScenario {
    let row = |figure: Figure| {
        let refusal = scenario.refusals.iter().find(|it| it.concerns(figure));
        let found = scenario.figures.iter().find(|it| it.figure == figure);
        if found.is_none() && refusal.is_none() {
            return None;
        }
        Some(BaselineRow {
            figure,
            base: found.map(|it| it.base),
            candidate: found.map(|it| it.candidate),
            change: found.and_then(|it| it.change),
            interval: found.and_then(|it| it.interval),
            significant: found.is_some_and(|it| it.significant),
            note: refusal.map(|it| it.reason.clone()),
        })
    };
    BaselineScenario {
        key: scenario.key.clone(),
        rows: shown(&[]).into_iter().filter_map(row).collect(),
    }
}
