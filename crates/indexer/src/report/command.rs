//! `guidellm-indexer report`: from what a user names to the page.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use guidellm_results_model::Exit;
use guidellm_results_model::analysis::compare::{CompareOptions, Comparison, compare};
use guidellm_results_model::analysis::{Analysis, Options};
use guidellm_results_model::documents::Timestamp;
use guidellm_results_model::slo;

use super::families::scenario_name;
use super::{AlertRow, Baseline, Meta, VerdictRow, html};
use crate::check::{Subject, verdicts};
use crate::cli::ReportPageArguments;
use crate::compare::{exit, shown};
use crate::objectives::objectives;
use crate::output::write_whole;
use crate::selection::{Selected, tell_doubts};
use crate::tell;
use crate::unfinished::Registry;

pub(crate) fn run(arguments: &ReportPageArguments, unfinished: &Registry) -> Result<Exit> {
    if arguments.baseline.is_none() && !arguments.fail_on.is_empty() {
        bail!("--fail-on is about changes, and needs --baseline WHAT");
    }
    let options = Options {
        standard_errors: arguments.baseline.is_some(),
        ..arguments.about.pooling.options()?
    };
    let slos = arguments.slo.as_deref().map(objectives).transpose()?;
    let selected = Selected::open(&arguments.about.what, &arguments.about.source, unfinished)?;
    let analysis = selected.analyse(&options)?;
    tell_doubts(&analysis);
    let comparison = comparison(arguments, &analysis, &options, unfinished)?;
    let judged = slos.iter().flat_map(|slos| verdicts(slos, &analysis));
    let judged: Vec<(Subject<'_>, slo::Verdict)> = judged.collect();
    let rows = judged.iter();
    let rows = rows.map(|(subject, verdict)| {
        let name = match subject {
            Subject::Scenario(scenario) => scenario_name(scenario),
            unmeasured @ Subject::Unmeasured(_) => unmeasured.name(),
        };
        VerdictRow::of_slo(name, verdict)
    });
    let mut rows: Vec<VerdictRow> = rows.collect();
    let thresholds = comparison.iter().flat_map(|it| &it.verdicts);
    rows.extend(thresholds.map(VerdictRow::of_threshold));
    let named = arguments.baseline.as_deref().zip(comparison.as_ref());
    let baseline = named.map(|(name, it)| Baseline::of(it, name, &shown(&[])));
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let title = arguments.title.clone();
    let meta = Meta {
        title: title.unwrap_or_else(|| format!("Benchmarks of {}", selected.name())),
        generated: Timestamp::from_epoch_seconds(now.as_secs_f64())
            .context("the clock tells no time")?,
        sources: vec![selected.name().to_owned()],
        level: options.level,
    };
    let alerts = selected.alerts(analysis.runs.iter().map(|run| &*run.uuid))?;
    let alerts: Vec<AlertRow> = alerts.into_iter().map(AlertRow::from).collect();
    let page = html(&analysis, baseline.as_ref(), &rows, &alerts, &meta)?;
    write_whole(&arguments.output, &page)?;
    if arguments.output.as_os_str() != "-" {
        tell(&format!(
            "{}: open it in a browser",
            arguments.output.display()
        ));
    }
    Ok(if judged.iter().any(|(_, verdict)| verdict.fails()) {
        Exit::ThresholdCrossed
    } else {
        comparison.as_ref().map_or(Exit::Done, exit)
    })
}

fn comparison(
    arguments: &ReportPageArguments,
    analysis: &Analysis,
    options: &Options,
    unfinished: &Registry,
) -> Result<Option<Comparison>> {
    let Some(name) = &arguments.baseline else {
        return Ok(None);
    };
    let base = Selected::open(
        std::slice::from_ref(name),
        &arguments.about.source,
        unfinished,
    )?;
    let options_of_comparison = CompareOptions {
        thresholds: arguments.fail_on.clone(),
        level: options.level,
        ..CompareOptions::default()
    };
    let base = base.analyse(options)?;
    Ok(Some(compare(&base, analysis, &options_of_comparison)))
}
