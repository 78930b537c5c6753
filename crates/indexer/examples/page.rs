//! Makes the page of a store, with a title if one is given:
//! `cargo run --release --example page -- results page.html "Nightly"`
//!
//! With `--made-up`, verdicts, a baseline and metrics are made up, so that all of the page is seen.

use std::f64::consts::TAU;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use guidellm_indexer::Store;
use guidellm_indexer::report::{
    self, AlertRow, Baseline, BaselineRow, BaselineScenario, Meta, Outcome, VerdictRow,
};
use guidellm_results_model::analysis::{
    Analysis, Documents, Limits, Options, Resource, Scenario, analyse,
};
use guidellm_results_model::documents::Timestamp;
use guidellm_results_model::figures::Figure;
use guidellm_results_model::inference::Interval;

fn main() -> anyhow::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let made_up = arguments.iter().any(|it| it == "--made-up");
    arguments.retain(|it| it != "--made-up");
    let (store, page, title) = match arguments.as_slice() {
        [store, page] => (store, page, "Benchmarks"),
        [store, page, title] => (store, page, title.as_str()),
        _ => bail!("usage: page STORE PAGE [TITLE] [--made-up]"),
    };
    let mut options = Options::default();
    if made_up {
        options.limits = Limits {
            ttft_ms: Some(60.0),
            request_latency_seconds: Some(1.5),
            ..Limits::default()
        };
    }
    let documents = Store::existing(Path::new(store))?;
    let mut analysis = analyse(&documents, documents.summaries()?, &options)?;
    let (mut baseline, mut verdicts) = (None, Vec::new());
    if made_up {
        add_metrics(&mut analysis);
        baseline = Some(compared(&analysis)?);
        verdicts = judged(&analysis)?;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let meta = Meta {
        title: title.to_owned(),
        generated: Timestamp::from_epoch_seconds(now.as_secs_f64()).context("no clock")?,
        sources: vec![store.clone()],
        level: options.level,
    };
    let mut alerts = Vec::new();
    for run in &analysis.runs {
        alerts.extend(documents.alerts(&run.uuid)?.into_iter().map(AlertRow::from));
    }
    let html = report::html(&analysis, baseline.as_ref(), &verdicts, &alerts, &meta)?;
    std::fs::write(page, html).with_context(|| format!("{page}: cannot write it"))?;
    Ok(())
}

fn add_metrics(analysis: &mut Analysis) {
    for run in &mut analysis.runs {
        let facts = [
            ("eppImage", "registry.example/epp:v0.4.0"),
            (
                "gpuModel",
                "NVIDIA-L4 <script>document.title='broken'</script>",
            ),
            ("k8sVersion", "v1.33.1"),
        ];
        run.facts = facts
            .map(|(name, it)| (name.into(), it.into()))
            .into_iter()
            .collect();
    }
    let uuid = analysis.runs.first().map(|run| run.uuid.clone());
    for scenario in &mut analysis.scenarios {
        for (metric_name, top) in [("epp-cpu-usage", 0.4), ("vllm-kv-cache-usage", 0.9)] {
            for pod in 0..3_u8 {
                let share = 1.0 - f64::from(pod) / 5.0;
                let at = |second: u16| {
                    let second = f64::from(second);
                    (
                        second,
                        top * share * (1.0 - (second / 7.0 * TAU / 10.0).cos() / 4.0),
                    )
                };
                scenario.resources.push(Resource {
                    metric_name: metric_name.to_owned(),
                    uuid: uuid.clone().unwrap_or_default(),
                    labels: format!("pod=\"pod-{pod}\""),
                    points: (0..60).map(at).collect(),
                    mean: top * share,
                    max: top * share * 1.25,
                });
            }
        }
    }
}

fn compared(analysis: &Analysis) -> anyhow::Result<Baseline> {
    let names = [
        ("ttft_p50_ms", 0.012, false),
        ("ttft_p95_ms", 0.083, true),
        ("itl_mean_ms", -0.061, true),
        ("request_latency_p95_seconds", 0.004, false),
        ("throughput_mean_rps", -0.001, false),
        ("request_success_rate", -0.004, false),
        ("time_per_output_token_mean_ms", 0.0, false),
    ];
    let rows = |scenario: &Scenario| {
        let rows = names.map(|(name, change, significant)| {
            let figure: Figure = name.parse()?;
            let candidate = scenario.figures.get(&figure).map(|it| it.value);
            let refused = name.starts_with("time_per");
            let base = candidate.map(|it| it / (1.0 + change));
            anyhow::Ok(BaselineRow {
                figure,
                base,
                candidate,
                change: (!refused && base.is_some()).then_some(change),
                interval: (!refused && base.is_some()).then_some(Interval {
                    low: change - 0.02,
                    high: change + 0.02,
                }),
                significant,
                note: refused.then(|| "TPOT leaves the first token out on one side".to_owned()),
            })
        });
        rows.into_iter().collect::<anyhow::Result<_>>()
    };
    let scenarios = analysis.scenarios.iter().map(|scenario| {
        Ok(BaselineScenario {
            key: scenario.key.clone(),
            rows: rows(scenario)?,
        })
    });
    Ok(Baseline {
        name: "main <script>document.title='broken'</script>".to_owned(),
        level: 0.95,
        scenarios: scenarios.collect::<anyhow::Result<_>>()?,
        notes: vec!["eppImage differs: epp:v0.3.0 and epp:v0.4.0".to_owned()],
    })
}

fn judged(analysis: &Analysis) -> anyhow::Result<Vec<VerdictRow>> {
    let scenario = analysis.scenarios.first().context("there is no scenario")?;
    let figure: Figure = "ttft_p95_ms".parse()?;
    let verdict = |expression: &str, outcome, value| VerdictRow {
        expression: expression.to_owned(),
        scenario: scenario.key.to_string(),
        figure: Some(figure),
        value,
        outcome,
        severity: "error".to_owned(),
        description: Some("</script><script>document.title='broken'</script>".to_owned()),
    };
    let value = scenario.figures.get(&figure).map(|it| it.value);
    Ok(vec![
        verdict("ttft_p95_ms <= 500", Outcome::Met, value),
        verdict("ttft_p95_ms <= 1", Outcome::Missed, value),
        verdict("goodput_mean_rps >= 5", Outcome::NotMeasured, None),
    ])
}
