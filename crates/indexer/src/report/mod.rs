//! An analysis as one HTML file that people look at: without network, scripts and fonts of its own,
//! so that it opens from a mail, on a phone, and on paper.
//!
//! The figures of the page are in it as data too: `<script type="application/json" id="data">`.

mod alerts;
mod chart;
mod charts;
pub(crate) mod command;
mod comparison;
mod details;
mod families;
mod given;
mod judged;
mod numbers;
mod setup;
mod table;

pub use given::{AlertRow, Baseline, BaselineRow, BaselineScenario, Meta, Outcome, VerdictRow};

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use guidellm_results_model::analysis::{Analysis, PooledFigure, ScenarioKey};
use guidellm_results_model::figures::Figure;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use self::alerts::Alerts;
use self::chart::Drawing;
use self::comparison::{Comparison, Verdicts};
use self::details::Details;
use self::setup::{Fact, RunRow};
use self::table::Table;
use crate::selection::unmeasured;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// Scenarios whose details are not folded.
const OPEN: usize = 2;

/// What the template is filled in with.
#[derive(Debug, Serialize)]
struct Page<'a> {
    style: Value,
    title: &'a str,
    generated: String,
    sources: &'a [String],
    version: &'static str,
    runs: Vec<RunRow>,
    settings: Vec<Fact>,
    system: Vec<Fact>,
    verdicts: Verdicts,
    alerts: Alerts,
    comparison: Option<Comparison>,
    /// Jobs of which there is no figure.
    unmeasured: Vec<String>,
    table: Table,
    level: String,
    families: Vec<FamilyText>,
    scenarios: Vec<Details>,
    open: bool,
    data: Value,
}

#[derive(Debug, Serialize)]
struct FamilyText {
    name: String,
    loads: Vec<Drawing>,
    distributions: Vec<Drawing>,
}

/// The page's figures for machines.
#[derive(Serialize)]
struct Data<'a> {
    scenarios: Vec<DataScenario<'a>>,
    baseline: Option<&'a Baseline>,
    verdicts: &'a [VerdictRow],
    alerts: &'a [AlertRow],
}

#[derive(Serialize)]
struct DataScenario<'a> {
    #[serde(flatten)]
    key: &'a ScenarioKey,
    figures: &'a BTreeMap<Figure, PooledFigure>,
    samples: Vec<&'a BTreeMap<Figure, f64>>,
}

/// The page. Of the same input it is the same, byte by byte.
///
/// # Errors
///
/// If a chart cannot be drawn.
pub fn html(
    analysis: &Analysis,
    baseline: Option<&Baseline>,
    verdicts: &[VerdictRow],
    alerts: &[AlertRow],
    meta: &Meta,
) -> Result<String> {
    let scenarios = &analysis.scenarios;
    let families = families::of(scenarios).into_iter().map(|family| {
        Ok(FamilyText {
            loads: charts::loads(&family.members)?,
            distributions: charts::distributions(&family.members)?,
            name: family.name,
        })
    });
    let details = scenarios.iter().enumerate();
    let details = details.map(|(place, scenario)| details::of(place, scenario));
    let page = Page {
        style: Value::from_safe_string(STYLE.to_owned()),
        title: &meta.title,
        generated: numbers::instant(meta.generated),
        sources: &meta.sources,
        version: env!("CARGO_PKG_VERSION"),
        runs: setup::runs(analysis),
        settings: setup::settings(analysis),
        system: setup::system(&analysis.runs),
        verdicts: comparison::verdicts(verdicts),
        alerts: alerts::alerts(alerts, analysis.runs.len() > 1),
        comparison: baseline.map(|it| comparison::comparison(it, scenarios)),
        unmeasured: analysis
            .unmeasured_jobs()
            .into_iter()
            .map(unmeasured)
            .collect(),
        table: table::of_scenarios(scenarios),
        level: numbers::percent(meta.level),
        families: families.collect::<Result<_>>()?,
        scenarios: details.collect::<Result<_>>()?,
        open: scenarios.len() <= OPEN,
        data: data(analysis, baseline, verdicts, alerts)?,
    };
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    engine.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).build()?);
    engine.set_auto_escape_callback(|_| AutoEscape::Html);
    let template = engine.template_from_str(PAGE);
    let filled = template.and_then(|template| template.render(Value::from(Serde(page))));
    filled.context("cannot fill in the page")
}

/// Figures as JSON that can stand in a script element.
fn data(
    analysis: &Analysis,
    baseline: Option<&Baseline>,
    verdicts: &[VerdictRow],
    alerts: &[AlertRow],
) -> Result<Value> {
    let scenarios = analysis.scenarios.iter().map(|scenario| DataScenario {
        key: &scenario.key,
        figures: &scenario.figures,
        samples: scenario.samples.iter().map(|it| &it.figures).collect(),
    });
    let data = Data {
        scenarios: scenarios.collect(),
        baseline,
        verdicts,
        alerts,
    };
    let text = serde_json::to_string(&data)?;
    // `</script>` in a name would end the element, `<!--` hide its end.
    Ok(Value::from_safe_string(text.replace('<', "\\u003c")))
}
