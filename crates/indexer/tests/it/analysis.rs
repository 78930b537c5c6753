//! Scenarios out of a store, against the reports' own figures.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::{Path, PathBuf};

use guidellm_indexer::{Store, index_report};
use guidellm_results_model::analysis::{Basis, Documents, Options, Scenario, analyse};
use guidellm_results_model::figures::{Figure, Member, Metric};
use guidellm_results_model::{ReadOptions, RunContext, Source};

/// Figures that requests are counted for.
const COUNTED: [Figure; 4] = [
    Figure::RequestSuccessRate,
    Figure::IncompleteRate,
    Figure::PromptTokensMean,
    Figure::OutputTokensMean,
];

fn fixtures() -> Vec<PathBuf> {
    let pattern = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/reports/[0-9]*/*.json"
    );
    let found: Vec<PathBuf> = glob::glob(pattern)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(found.len() > 20, "{}", found.len());
    found
}

fn store_of(folder: &Path, reports: &[(&Path, RunContext)]) -> Store {
    let store = Store::open(folder).unwrap();
    for (report, context) in reports {
        let source = Source::path(report);
        index_report(source, context, &ReadOptions::default(), &store).unwrap();
    }
    store
}

fn scenarios(store: &Store, options: &Options) -> Vec<Scenario> {
    let summaries = store.summaries().unwrap();
    analyse(store, summaries, options).unwrap().scenarios
}

fn nearly(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(1.0)
}

#[test]
fn what_is_pooled_of_one_sample_is_what_its_report_says() {
    let mut compared = 0;
    for report in fixtures() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_of(folder.path(), &[(&report, RunContext::default())]);
        for scenario in scenarios(&store, &Options::default()) {
            let [sample] = &*scenario.samples else {
                panic!("{}: {} samples", report.display(), scenario.samples.len());
            };
            let whole = !sample.summary.counts.records_sampled;
            for figure in COUNTED.into_iter().filter(|_| whole) {
                let reported = figure.of(&sample.summary);
                let pooled = scenario.figures.get(&figure).map(|it| it.value);
                let same = match (reported, pooled) {
                    (Some(reported), Some(pooled)) => nearly(pooled, reported),
                    (reported, pooled) => reported == pooled,
                };
                let (name, key) = (report.display(), &scenario.key);
                assert!(
                    same,
                    "{name}: {key}: {figure} is {pooled:?} and not {reported:?}"
                );
            }
            for metric in Metric::OF_REQUESTS {
                for member in Member::ALL {
                    let figure = Figure::Statistic(metric, member);
                    let reported = figure.of(&sample.summary);
                    let pooled = scenario.figures.get(&figure);
                    assert_eq!(reported.is_some(), pooled.is_some(), "{figure}");
                    let Some((reported, pooled)) = reported.zip(pooled) else {
                        continue;
                    };
                    let exact = !matches!(member, Member::Mean | Member::Stddev);
                    let same = pooled.value.to_bits() == reported.to_bits();
                    assert!(
                        same || !exact && nearly(pooled.value, reported),
                        "{}: {}: {figure} is {} and not {reported}",
                        report.display(),
                        scenario.key,
                        pooled.value
                    );
                    compared += usize::from(pooled.basis == Basis::PooledRequests);
                }
            }
        }
    }
    assert!(compared > 500, "{compared}");
}
