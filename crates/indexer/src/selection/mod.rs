//! From what a user names to documents to analyse. Whatever is no store yet becomes one, in a
//! temporary folder: there is one way to read documents.

mod analysed;
mod remote;
mod selector;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use guidellm_results_model::analysis::{Analysis, Documents};
use guidellm_results_model::documents::{FailedRun, Summary};
use guidellm_results_model::{Exit, ReadOptions, RunContext};
use serde_json::{Map, Value};
use tempfile::TempDir;

pub(crate) use self::selector::Selector;
use crate::bulk::{BulkOptions, BulkSink};
use crate::cli::SourceArguments;
use crate::cluster::Connection;
use crate::files;
#[cfg(feature = "report")]
use crate::kube_burner::Alert;
use crate::kube_burner::{Document, DocumentSink};
use crate::progress::ProgressBar;
use crate::sink::index_report;
use crate::store::Store;
use crate::targets::DEFAULT_STORE;
use crate::tell;
use crate::unfinished::{Registry, Unfinished};

/// Runs that are named where nothing fits.
const NAMED_RUNS: usize = 10;

/// Documents that a user named.
pub(crate) struct Selected {
    name: String,
    store: Store,
    selectors: Vec<Selector>,
    job_name: Option<String>,
    from: From,
    /// Goes away with this.
    _temporary: Option<Temporary>,
}

/// Where documents come from.
enum From {
    /// A store of the user's.
    Store,
    /// A server.
    Server(Box<Connection>),
    /// Reports.
    Reports,
}

struct Temporary {
    folder: TempDir,
    _unfinished: Unfinished,
}

impl Selected {
    /// All that is named; without a name, all of the store.
    pub(crate) fn open(
        names: &[String],
        source: &SourceArguments,
        unfinished: &Registry,
    ) -> Result<Self> {
        let selectors: Vec<Selector> = names.iter().map(|it| Selector::parse(it)).collect();
        let mut stores = Vec::new();
        let mut reports = Vec::new();
        for selector in &selectors {
            match selector {
                Selector::Store(root) => stores.push(root.clone()),
                Selector::Reports(path) => reports.push(path.clone()),
                Selector::Run(_) | Selector::Labels(_) => {}
            }
        }
        let kept = selectors.len() - stores.len() - reports.len();
        let (store, from, temporary) = match (&*stores, &*reports, kept) {
            ([root], [], 0) => (Store::existing(root)?, From::Store, None),
            ([], [], _) => source.open(&selectors, unfinished)?,
            ([], _, 0) => {
                let temporary = Temporary::new(unfinished)?;
                (temporary.index(&reports)?, From::Reports, Some(temporary))
            }
            _ => bail!("name reports, or one store, or runs and labels: not several of these"),
        };
        Ok(Self {
            name: names.join(" "),
            store,
            selectors,
            job_name: source.job_name.clone(),
            from,
            _temporary: temporary,
        })
    }

    /// How the user named it.
    pub(crate) fn name(&self) -> &str {
        if self.name.is_empty() {
            "the store"
        } else {
            &self.name
        }
    }

    /// The benchmarks that are meant.
    pub(crate) fn summaries(&self) -> Result<Vec<Summary>> {
        let all = self.store.summaries()?;
        let mut facts: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        let mut found = Vec::new();
        let mut runs = BTreeSet::new();
        for summary in all {
            let uuid = summary.origin.uuid.to_string();
            if !facts.contains_key(&uuid) {
                let known = self.store.facts(&uuid)?.into_iter().next();
                facts.insert(uuid.clone(), known.unwrap_or_default());
            }
            let none = Map::new();
            let facts = facts.get(&uuid).unwrap_or(&none);
            let named = self.selectors.is_empty()
                || self.selectors.iter().any(|it| it.matches(&summary, facts));
            if named && self.has_job(&summary.origin.job_name) {
                found.push(summary);
            } else {
                runs.insert(uuid);
            }
        }
        self.unambiguous(&found)?;
        if found.is_empty() {
            self.none_measured()?;
            let runs: Vec<String> = runs.into_iter().take(NAMED_RUNS).collect();
            let there = match &*runs {
                [] => "there is none at all".to_owned(),
                runs => format!("there are runs {}", runs.join(", ")),
            };
            bail!("{}: no benchmark fits; {there}", self.name());
        }
        Ok(found)
    }

    fn has_job(&self, job_name: &str) -> bool {
        let asked = self.job_name.as_deref();
        asked.is_none_or(|asked| asked == job_name)
    }

    /// Puts kube-burner's documents where these documents are: a store, or the server that has them.
    pub(crate) fn record(&self, source: &SourceArguments, documents: Vec<Document>) -> Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let sink: Box<dyn DocumentSink> = match &self.from {
            From::Store => Box::new(self.store.tables()?),
            From::Server(connection) => {
                let indices = source.server.indices()?;
                let index = indices.first().copied().unwrap_or_default();
                let options = BulkOptions {
                    give_up_after: source.server.patience(),
                    ..BulkOptions::new(index)
                };
                Box::new(BulkSink::open(connection, options)?)
            }
            From::Reports => bail!("reports keep no alerts; name a store, or a server"),
        };
        sink.add(documents)?;
        let shipped = sink.finish()?;
        match shipped.filter(|shipped| shipped.exit() != Exit::Done) {
            Some(shipped) => bail!("alerts were not taken: {}", shipped.lines(true).join("; ")),
            None => Ok(()),
        }
    }

    /// Alerts that were recorded of some runs, of the job that is asked for. A server's alerts name no
    /// job: they are the run's.
    #[cfg(feature = "report")]
    pub(crate) fn alerts<'a>(&self, runs: impl Iterator<Item = &'a str>) -> Result<Vec<Alert>> {
        let mut alerts = Vec::new();
        for uuid in runs {
            alerts.extend(self.store.alerts(uuid)?);
        }
        if let Some(job) = &self.job_name {
            alerts.retain(|it| it.job_name.is_empty() || *it.job_name == **job);
        }
        Ok(alerts)
    }
}

impl SourceArguments {
    /// The store, or what the server has of what is asked for.
    fn open(
        &self,
        selectors: &[Selector],
        unfinished: &Registry,
    ) -> Result<(Store, From, Option<Temporary>)> {
        if let Some(root) = &self.store {
            return Ok((Store::existing(root)?, From::Store, None));
        }
        let Some(connection) = self.server.connection()? else {
            let root = PathBuf::from(DEFAULT_STORE);
            return Ok((Store::existing(&root)?, From::Store, None));
        };
        let temporary = Temporary::new(unfinished)?;
        let store = temporary.store()?;
        remote::fetch(self, &connection, selectors, &store)?;
        Ok((store, From::Server(Box::new(connection)), Some(temporary)))
    }
}

impl Temporary {
    fn new(unfinished: &Registry) -> Result<Self> {
        let made = unfinished.make(|| tempfile::Builder::new().prefix("guidellm-").tempdir());
        let made = made.context("cannot make a temporary folder; is TMPDIR writable?")?;
        let (folder, unfinished) = made;
        Ok(Self {
            _unfinished: unfinished,
            folder,
        })
    }

    fn store(&self) -> Result<Store> {
        Store::open(self.folder.path())
    }

    /// A store of reports. One that is broken ends it: what is compared has to be whole.
    fn index(&self, paths: &[PathBuf]) -> Result<Store> {
        let (reports, failures) = files::find_all(paths);
        if let Some(failure) = failures.into_iter().next() {
            return Err(failure);
        }
        let store = self.store()?;
        let bar = ProgressBar::new(&reports, false);
        for report in &reports {
            let watch = bar.watch(report);
            let options = ReadOptions {
                progress: watch.progress(),
                ..ReadOptions::default()
            };
            let context = RunContext::default();
            let indexed = index_report(report.source(), &context, &options, &store);
            indexed.with_context(|| report.name())?;
        }
        bar.clear();
        Ok(store)
    }
}

/// Says what makes figures doubtful, once each, and what was not measured at all.
pub(crate) fn tell_doubts(analysis: &Analysis) {
    tell_unmeasured(analysis);
    for scenario in &analysis.scenarios {
        for doubt in &scenario.doubts {
            tell(&format!("warning: {}: {doubt}", scenario.key));
        }
    }
}

/// Names jobs of which there is no figure, as no sample left a report.
pub(crate) fn tell_unmeasured(analysis: &Analysis) {
    for run in analysis.unmeasured_jobs() {
        tell(&format!("warning: {}", unmeasured(run)));
    }
}

/// A job of which no sample left a report, by the first of them.
pub(crate) fn unmeasured(run: &FailedRun) -> String {
    let (job, uuid, reason) = (&run.job_name, &run.uuid, run.reason());
    format!("{job}: no sample of run {uuid} left a report: {reason}")
}
