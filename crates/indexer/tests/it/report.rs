//! Pages of genuine reports, without a browser; `tests/browser` opens them in one.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::path::{Path, PathBuf};

use guidellm_indexer::report::{
    AlertRow, Baseline, BaselineRow, BaselineScenario, Meta, Outcome, VerdictRow, html,
};
use guidellm_indexer::{Store, index_report};
use guidellm_results_model::analysis::compare::{CompareOptions, compare};
use guidellm_results_model::analysis::{
    Analysis, Curve, Documents, Load, Options, Second, analyse,
};
use guidellm_results_model::documents::Timestamp;
use guidellm_results_model::figures::Metric;
use guidellm_results_model::slo::{Severity, Slos};
use guidellm_results_model::{ReadOptions, RunContext, Source};
use serde_json::Value;

const HOSTILE: &str = "</script><script>alert(1)</script><!--";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/reports")
        .join(name)
}

fn analysis_of(report: &Path, context: &RunContext) -> Analysis {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    index_report(
        Source::path(report),
        context,
        &ReadOptions::default(),
        &store,
    )
    .unwrap();
    let summaries = store.summaries().unwrap();
    analyse(&store, summaries, &Options::default()).unwrap()
}

fn meta() -> Meta {
    Meta {
        title: "Nightly".to_owned(),
        generated: Timestamp::from_epoch_seconds(1.76e9).unwrap(),
        sources: vec!["results".to_owned()],
        level: 0.95,
    }
}

fn page_of(name: &str) -> String {
    let analysis = analysis_of(&fixture(name), &RunContext::default());
    html(&analysis, None, &[], &[], &meta()).unwrap()
}

/// The data of a page.
fn data(page: &str) -> Value {
    let (_, after) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = after.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn pages_of_all_generations_need_nothing_but_themselves() {
    let pattern = fixture("[0-9]*/*.json");
    let mut reports = 0;
    for report in glob::glob(pattern.to_str().unwrap()).unwrap() {
        let report = report.unwrap();
        let analysis = analysis_of(&report, &RunContext::default());
        let page = html(&analysis, None, &[], &[], &meta()).unwrap();
        for reference in [
            "src=", "url(", "@import", "<link", "href=\"h", "NaN", "inf ",
        ] {
            assert!(
                !page.contains(reference),
                "{}: {reference}",
                report.display()
            );
        }
        assert!(page.contains("default-src 'none'"));
        let again = html(&analysis, None, &[], &[], &meta()).unwrap();
        assert_eq!(page, again, "{}", report.display());
        reports += 1;
    }
    assert!(reports > 20, "{reports}");
}

#[test]
fn the_data_of_a_page_are_the_reports_figures() {
    let name = "0.8.1/constant_multirate.json";
    let analysis = analysis_of(&fixture(name), &RunContext::default());
    let data = data(&html(&analysis, None, &[], &[], &meta()).unwrap());
    for (place, scenario) in analysis.scenarios.iter().enumerate() {
        let summary = &scenario.samples.first().unwrap().summary;
        let shown = &data["scenarios"][place]["figures"]["ttft_p95_ms"]["value"];
        let reported = summary.metrics.time_to_first_token.ttft_p95_ms;
        assert_eq!(shown.as_f64(), reported);
    }
}

#[test]
fn a_sweep_is_ordered_by_its_load() {
    let page = page_of("0.1.0/sweep.json");
    let (_, family) = page.split_once("id=\"family-0\"").unwrap();
    let (_, legend) = family.split_once("<ul class=\"legend\">").unwrap();
    let (legend, _) = legend.split_once("</ul>").unwrap();
    let legend = legend.replace("&#x2f;", "/");
    let names = legend.split("</svg>").skip(1);
    let names: Vec<&str> = names.map(|it| it.split_once('<').unwrap().0).collect();
    assert_eq!(
        names,
        [
            "synchronous",
            "constant 16.4/s",
            "constant 25.8/s",
            "constant 35.1/s",
            "constant 44.4/s",
            "throughput"
        ]
    );
}

#[test]
fn what_was_not_measured_is_said_and_not_zero() {
    let page = page_of("0.7.3/nonstreaming.json");
    assert!(page.contains("not streamed: there is no TTFT and no ITL"));
    let cell = "data-figure=\"ttft_p95_ms\"><span class=\"value\">–</span>";
    assert!(page.contains(cell));
    assert!(!page.contains("TTFT distribution"));
    assert!(page_of("0.8.1/all_errored.json").contains("no request was successful"));
}

#[test]
fn texts_of_others_stay_text() {
    let context = RunContext {
        job_name: HOSTILE.to_owned(),
        ..RunContext::default()
    };
    let mut analysis = analysis_of(&fixture("0.8.1/constant_mixed.json"), &context);
    let scenario = analysis.scenarios.first_mut().unwrap();
    for error in &mut scenario.errors {
        error.example = Some(HOSTILE.to_owned());
    }
    scenario.doubts.push(HOSTILE.to_owned());
    let key = scenario.key.clone();
    let run = analysis.runs.first_mut().unwrap();
    run.facts.insert(HOSTILE.to_owned(), HOSTILE.into());
    let baseline = Baseline {
        name: HOSTILE.to_owned(),
        level: 0.95,
        scenarios: vec![BaselineScenario {
            key,
            rows: vec![BaselineRow {
                figure: "ttft_p95_ms".parse().unwrap(),
                base: Some(1.0),
                candidate: Some(2.0),
                change: Some(1.0),
                interval: None,
                significant: true,
                note: Some(HOSTILE.to_owned()),
            }],
        }],
        notes: vec![HOSTILE.to_owned()],
    };
    let verdict = VerdictRow {
        expression: HOSTILE.to_owned(),
        scenario: HOSTILE.to_owned(),
        figure: None,
        value: Some(1.0),
        outcome: Outcome::Missed,
        severity: HOSTILE.to_owned(),
        description: Some(HOSTILE.to_owned()),
    };
    let meta = Meta {
        title: HOSTILE.to_owned(),
        sources: vec![HOSTILE.to_owned()],
        ..meta()
    };
    let alert = AlertRow {
        timestamp: meta.generated,
        uuid: HOSTILE.into(),
        job_name: HOSTILE.into(),
        severity: Severity::Critical,
        description: HOSTILE.to_owned(),
        expression: format!("of {HOSTILE}").into(),
    };
    let page = html(&analysis, Some(&baseline), &[verdict], &[alert], &meta).unwrap();
    assert!(!page.contains("<script>") && !page.contains("<!--"));
    assert_eq!(page.matches("</script>").count(), 1);
    let data = data(&page);
    assert_eq!(data["baseline"]["name"], HOSTILE);
    assert_eq!(data["alerts"][0]["description"], HOSTILE);
    assert_eq!(data["scenarios"][0]["job_name"], HOSTILE);
}

#[test]
fn what_is_refused_is_told_and_objectives_are_judged() {
    let analysis = |report| {
        let context = RunContext {
            job_name: "steady".to_owned(),
            ..RunContext::default()
        };
        analysis_of(&fixture(report), &context)
    };
    let (base, candidate) = (
        analysis("0.3.1/constant_mixed.json"),
        analysis("0.8.1/constant_mixed.json"),
    );
    let options = CompareOptions {
        thresholds: vec!["time_per_output_token_mean_ms>+5%".parse().unwrap()],
        level: 0.95,
        ..CompareOptions::default()
    };
    let comparison = compare(&base, &candidate, &options);
    let names = ["ttft_p95_ms", "time_per_output_token_mean_ms"];
    let figures = names.map(|name| name.parse().unwrap());
    let baseline = Baseline::of(&comparison, "0.3.1", &figures);
    let [scenario] = baseline.scenarios.as_slice() else {
        panic!("{baseline:?}");
    };
    let told = |it: &BaselineRow| it.change.is_none() && it.note.is_some();
    assert!(scenario.rows.iter().all(told), "{scenario:?}");
    let near = compare(&analysis("0.7.3/constant_mixed.json"), &candidate, &options);
    let near = Baseline::of(&near, "0.7.3", &figures);
    let rows = &near.scenarios.first().unwrap().rows;
    assert!(rows.iter().all(|it| it.change.is_some()), "{rows:?}");
    let slos = Slos::parse("slos: [ttft_p95_ms <= 1]", "slo.yaml").unwrap();
    let judged = candidate.scenarios.first().unwrap();
    let figure = |figure| judged.figures.get(&figure).map(|it| it.value);
    let mut verdicts: Vec<VerdictRow> = slos
        .judge("steady", figure)
        .iter()
        .map(|verdict| VerdictRow::of_slo(judged.key.to_string(), verdict))
        .collect();
    verdicts.extend(comparison.verdicts.iter().map(VerdictRow::of_threshold));
    let outcomes: Vec<Outcome> = verdicts.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [Outcome::Missed, Outcome::NotMeasured]);
    let page = html(&candidate, Some(&baseline), &verdicts, &[], &meta()).unwrap();
    assert!(page.contains("2 of 2 not met, 1 of them not measured"));
    let note = scenario.rows.last().and_then(|it| it.note.as_deref());
    assert!(page.contains(note.unwrap()), "{note:?}");
}

/// Something that no two points in a row have in common, between 0 and 1.
fn noise(place: u32) -> f64 {
    f64::from(place.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24)
}

#[test]
fn a_long_sweep_is_still_a_small_file() {
    let report = fixture("0.1.0/sweep.json");
    let mut analysis = analysis_of(&report, &RunContext::default());
    let first = analysis.scenarios.first().unwrap().clone();
    let scenario = |position: u32| {
        let mut scenario = first.clone();
        scenario.key.load = Load::Sweep(position);
        let second = |second: u32| Second {
            second: second.into(),
            started: noise(second) * 100.0,
            completed: noise(second + 1000) * 100.0,
            errored: noise(second + 2000),
            in_flight: noise(second + 3000) * 1000.0,
            output_tokens: noise(second + 4000) * 10_000.0,
            ttft_mean_ms: Some(noise(second + 5000) * 500.0),
            ttft_max_ms: Some(1000.0),
        };
        scenario.seconds = (0..60).map(second).collect();
        let point = |place: u32| (f64::from(place) + noise(place), f64::from(place) / 255.0);
        let points: Vec<(f64, f64)> = (0..256).map(point).collect();
        for metric in Metric::OF_REQUESTS {
            let points = points.clone();
            scenario.curves.insert(metric, Curve { points });
        }
        scenario
    };
    analysis.scenarios = (0..10).map(scenario).collect();
    let page = html(&analysis, None, &[], &[], &meta()).unwrap();
    assert!(page.matches("class=\"chart\"").count() >= 80);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}
