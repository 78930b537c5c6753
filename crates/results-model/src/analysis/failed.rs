//! Samples that left no report: nothing was measured of them, and that is told.

use std::collections::BTreeSet;

use super::model::{Analysis, Scenario};
use crate::documents::FailedRun;

impl Analysis {
    /// The same, with what is known of samples that left no report. Those that left one when they were
    /// tried again are left out; the figures of a scenario whose job lost a sample are in doubt.
    #[must_use]
    pub fn with_failed_runs(mut self, failed_runs: Vec<FailedRun>) -> Self {
        let samples = self.scenarios.iter().flat_map(|it| &it.samples);
        let measured = samples.map(|it| {
            let origin = &it.summary.origin;
            (&*origin.uuid, &*origin.job_name, origin.sample)
        });
        let failed_runs = still_failed(failed_runs, measured);
        for scenario in &mut self.scenarios {
            let doubt = doubt(scenario, &failed_runs);
            scenario.doubts.extend(doubt);
        }
        self.failed_runs = failed_runs;
        self
    }

    /// Of each run's job of which no sample left a report, the first of the samples.
    #[must_use]
    pub fn unmeasured_jobs(&self) -> Vec<&FailedRun> {
        let samples = self.scenarios.iter().flat_map(|it| &it.samples);
        let mut known: BTreeSet<(&str, &str)> = samples
            .map(|it| (&*it.summary.origin.uuid, &*it.summary.origin.job_name))
            .collect();
        let failed = self.failed_runs.iter();
        failed
            .filter(|it| known.insert((&*it.uuid, &*it.job_name)))
            .collect()
    }
}

/// Those of which there is no benchmark, given each benchmark's uuid, job and sample: the others left a
/// report when they were tried again.
pub fn still_failed<'a>(
    mut failed_runs: Vec<FailedRun>,
    measured: impl Iterator<Item = (&'a str, &'a str, u32)>,
) -> Vec<FailedRun> {
    let measured: BTreeSet<_> = measured.collect();
    failed_runs.retain(|it| !measured.contains(&(&*it.uuid, &*it.job_name, it.sample)));
    failed_runs
}

fn doubt(scenario: &Scenario, failed_runs: &[FailedRun]) -> Option<String> {
    let failed = failed_runs.iter();
    let failed = failed.filter(|it| it.job_name == *scenario.key.job_name);
    let reasons: Vec<&str> = failed.map(FailedRun::reason).collect();
    let (lost, all) = (reasons.len(), reasons.len() + scenario.samples.len());
    let reasons: BTreeSet<&str> = reasons.into_iter().collect();
    let reasons: Vec<&str> = reasons.into_iter().collect();
    let reasons = reasons.join("; ");
    (lost > 0).then(|| format!("{lost} of {all} samples left no report: {reasons}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::by_hand;
    use super::*;
    use crate::documents::Timestamp;
    use crate::identity::RunContext;

    fn failed(uuid: &str, job_name: &str, sample: u32, reason: Option<&str>) -> FailedRun {
        let context = RunContext {
            job_name: job_name.to_owned(),
            sample,
            ..RunContext::default()
        };
        let when = Timestamp::from_epoch_micros(i64::from(sample)).unwrap();
        let mut run = FailedRun::new(&context, uuid, when);
        run.outcome.failure_reason = reason.map(str::to_owned);
        run
    }

    #[test]
    fn a_lost_sample_is_a_doubt_and_a_lost_job_is_named_once() {
        let samples = vec![by_hand::sample("u", "j", 0, &[], &json!({ "sample": 1 }))];
        let scenarios = vec![by_hand::scenario("j", samples)];
        let analysis = by_hand::analysis("u", &json!({}), scenarios);
        let told = analysis.with_failed_runs(vec![
            // It left a report when it was tried again.
            failed("u", "j", 1, Some("Evicted")),
            failed("u", "j", 2, Some("OOMKilled")),
            failed("u", "j", 3, Some("OOMKilled")),
            failed("u", "j", 4, None),
            failed("u", "another job", 0, None),
            failed("u", "another job", 1, None),
            failed("another run", "j", 5, None),
        ]);
        assert_eq!(
            told.scenarios[0].doubts,
            ["4 of 5 samples left no report: OOMKilled; nobody knows why"]
        );
        assert_eq!(told.failed_runs.len(), 6);
        let lost = told.unmeasured_jobs();
        let lost = lost.iter().map(|it| (&*it.uuid, &*it.job_name, it.sample));
        assert_eq!(
            lost.collect::<Vec<_>>(),
            [("u", "another job", 0), ("another run", "j", 5)]
        );
    }
}
