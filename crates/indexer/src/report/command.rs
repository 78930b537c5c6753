//! `guidellm-indexer report`: from what a user names to the page.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use guidellm_results_model::Exit;
use guidellm_results_model::analysis::compare::{CompareOptions, Comparison, compare};
use guidellm_results_model::analysis::{Analysis, Options};
use guidellm_results_model::documents::Timestamp;
use guidellm_results_model::slo::{self, Slos};

use super::{Baseline, Meta, VerdictRow, html};
use crate::cli::ReportPageArguments;
use crate::compare::{exit, shown};
use crate::objectives::objectives;
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
    let judged = slos
        .map(|slos| judged(&slos, &analysis))
        .unwrap_or_default();
    let mut verdicts: Vec<VerdictRow> = judged.iter().map(|(_, row)| row.clone()).collect();
    let thresholds = comparison.iter().flat_map(|it| &it.verdicts);
    verdicts.extend(thresholds.map(VerdictRow::of_threshold));
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
    let page = html(&analysis, baseline.as_ref(), &verdicts, &meta)?;
    write(&arguments.output, &page)?;
    Ok(if judged.iter().any(|(verdict, _)| verdict.fails()) {
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

fn write(output: &Path, page: &str) -> Result<()> {
    if output.as_os_str() == "-" {
        return Ok(std::io::stdout().lock().write_all(page.as_bytes())?);
    }
    let place = || format!("{}: cannot write it", output.display());
    fs::write(output, page).with_context(place)?;
    tell(&format!("{}: open it in a browser", output.display()));
    Ok(())
}

fn judged(slos: &Slos, analysis: &Analysis) -> Vec<(slo::Verdict, VerdictRow)> {
    let scenarios = analysis.scenarios.iter();
    let judged = scenarios.flat_map(|scenario| {
        let verdicts = slos.judge(&scenario.key.job_name, |figure| {
            scenario.figures.get(&figure).map(|it| it.value)
        });
        verdicts.into_iter().map(move |verdict| {
            let row = VerdictRow::of_slo(scenario, &verdict);
            (verdict, row)
        })
    });
    judged.collect()
}
