//! From what is meant to analyses of it, with what is known of samples that left no report.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use guidellm_results_model::analysis::{Analysis, Options, analyse};
use guidellm_results_model::documents::{FailedRun, Summary};

use super::Selected;

/// What there is of a run.
#[derive(Default)]
struct OfRun {
    summaries: Vec<Summary>,
    failed: Vec<FailedRun>,
}

impl Selected {
    /// What it says together.
    pub(crate) fn analyse(&self, options: &Options) -> Result<Analysis> {
        let summaries = self.summaries()?;
        let failed = self.failed_runs(&summaries)?;
        self.analyse_of(OfRun { summaries, failed }, options)
    }

    /// What each run says, by time. One that lost all its samples has no scenario.
    pub(crate) fn analyse_each_run(&self, options: &Options) -> Result<Vec<Analysis>> {
        let summaries = self.summaries()?;
        let mut runs: BTreeMap<String, OfRun> = BTreeMap::new();
        for run in self.failed_runs(&summaries)? {
            runs.entry(run.uuid.clone()).or_default().failed.push(run);
        }
        for summary in summaries {
            let run = runs.entry(summary.origin.uuid.to_string()).or_default();
            run.summaries.push(summary);
        }
        let mut runs: Vec<OfRun> = runs.into_values().collect();
        runs.sort_by_key(|run| {
            let measured = run.summaries.iter().map(|it| it.timestamp).min();
            measured.or_else(|| run.failed.iter().map(|it| it.timestamp).min())
        });
        let runs = runs.into_iter();
        runs.map(|run| self.analyse_of(run, options)).collect()
    }

    fn analyse_of(&self, of: OfRun, options: &Options) -> Result<Analysis> {
        Ok(analyse(&self.store, of.summaries, options)?.with_failed_runs(of.failed))
    }

    /// Samples that left no report, of the runs of some benchmarks and of all runs that are meant.
    fn failed_runs(&self, of: &[Summary]) -> Result<Vec<FailedRun>> {
        let measured: BTreeSet<&str> = of.iter().map(|it| &*it.origin.uuid).collect();
        let is_meant = |uuid: &str| {
            let mut selectors = self.selectors.iter();
            self.selectors.is_empty() || selectors.any(|it| it.matches_run(uuid))
        };
        let mut failed = self
            .store
            .failed_runs_of(|uuid| measured.contains(uuid) || is_meant(uuid))?;
        failed.retain(|run| self.has_job(&run.job_name));
        Ok(failed)
    }

    /// Fails if what is meant is there, but left no report.
    pub(super) fn none_measured(&self) -> Result<()> {
        let failed = self.failed_runs(&[])?;
        let Some(run) = failed.first() else {
            return Ok(());
        };
        let more = match failed.len() - 1 {
            0 => String::new(),
            more => format!("; so did {more} more"),
        };
        bail!("{}: {run}{more}", self.name());
    }

    /// Fails if the beginning of an id stands for several runs.
    pub(super) fn unambiguous(&self, found: &[Summary]) -> Result<()> {
        let mut selectors = self.selectors.iter();
        if selectors.all(|it| it.beginning().is_none()) {
            return Ok(());
        }
        let failed = self.failed_runs(&[])?;
        let measured = found.iter().map(|it| &*it.origin.uuid);
        let known: BTreeSet<&str> = measured.chain(failed.iter().map(|it| &*it.uuid)).collect();
        for selector in &self.selectors {
            let Some(beginning) = selector.beginning() else {
                continue;
            };
            let runs = known.iter().copied();
            let runs: Vec<&str> = runs.filter(|uuid| uuid.starts_with(beginning)).collect();
            if runs.len() > 1 && !runs.contains(&beginning) {
                bail!("{beginning}: several runs begin so: {}", runs.join(", "));
            }
        }
        Ok(())
    }
}
