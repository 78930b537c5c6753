//! What the user may say of runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use guidellm_indexer::cli::{SendingArguments, TargetArguments};
use guidellm_indexer::kube_burner::Metadata;
use guidellm_indexer::{DEFAULT_STORE, Format};

use super::check::Check;
use super::engine::OnFailure;
use super::probe::proxied;
use super::state::State;
use super::status::{Standing, table};
use crate::cli::{RunArguments, SuiteArguments};
use crate::cluster::Cluster;
use crate::collect::{PrometheusArguments, metadata};
use crate::plan::Run;
use crate::search::{self, PodsServer, Search};
use crate::suite::{Given, Suite};

/// Which cluster.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kubernetes")]
pub struct ClusterArguments {
    /// Configuration [default: KUBECONFIG, ~/.kube/config, or the pod's own]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the configuration [default: its current one]
    #[arg(long, visible_alias = "kube-context", value_name = "NAME")]
    pub context: Option<String>,
}

/// Arguments of `run`.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are flags of a command line"
)]
pub struct RunCommand {
    /// What is run.
    #[command(flatten)]
    pub suite: SuiteArguments,
    /// Which run.
    #[command(flatten)]
    pub run: RunArguments,
    /// What happens to the other jobs when one fails
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    pub on_failure: OnFailure,
    /// Go on with a run that was ended: what is done is not done again. Needs --uuid
    #[arg(long, requires = "uuid")]
    pub resume: bool,
    /// Folder for how far the run is, and for what tells why a job failed [default: llm-d-scale-UUID]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// How long all of it may take [default: the suite's global.timeout, 4h]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<humantime::Duration>,
    /// Leave the objects in the cluster, and the reports in a volume, whatever the suite says
    #[arg(long)]
    pub keep: bool,
    /// Do not check first what the cluster has
    #[arg(long)]
    pub skip_check: bool,
    /// Do not ask the target for one token before the first scenario
    #[arg(long)]
    pub skip_probe: bool,
    /// YAML file whose members become metadata of each document
    #[arg(long, value_name = "FILE")]
    pub user_metadata: Option<PathBuf>,
    /// Objectives that scenarios have to keep, all their samples together; what they miss is written
    /// as kube-burner's alerts, and the exit code is 3
    #[arg(long, value_name = "FILE")]
    pub slo: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Print what came of it as JSON
    #[arg(long)]
    pub json: bool,
    /// Embedded store for the documents of jobs and metrics, and without a server for those of
    /// benchmarks, too [default: results, without a server]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// The search server as pods see it.
    #[command(flatten)]
    pub pods: PodsServer,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,
    /// Where metrics come from.
    #[command(flatten)]
    pub prometheus: PrometheusArguments,
    /// Send documents to a server.
    #[command(flatten)]
    pub sending: SendingArguments,
}

/// Arguments of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// Those of the run that is meant.
    #[command(flatten)]
    pub run: RunCommand,
}

/// Arguments of `gc`.
#[derive(Debug, Clone, Args)]
pub struct GcArguments {
    /// The run
    #[arg(long, env = "UUID")]
    pub uuid: String,
    /// Delete also pods with documents that were to be fetched from them and are nowhere else
    #[arg(long)]
    pub discard_documents: bool,
    /// Namespace of the run, for who may not look into all; may be given several times
    #[arg(long, short, value_name = "NAME")]
    pub namespace: Vec<String>,
    /// How long to wait until all is gone
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub timeout: humantime::Duration,
    /// Print what came of it as JSON
    #[arg(long)]
    pub json: bool,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,
}

/// Arguments of `status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArguments {
    /// The run's folder
    pub folder: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

impl ClusterArguments {
    pub(crate) async fn connect(&self) -> Result<Cluster> {
        let cluster = Cluster::connect(self.kubeconfig.as_deref(), self.context.as_deref());
        Ok(cluster.await?)
    }
}

impl RunCommand {
    /// Whether documents go to a search server.
    pub(super) fn has_server(&self) -> bool {
        self.server().is_some()
    }

    fn server(&self) -> Option<&str> {
        search::server(&self.sending.server)
    }

    pub(super) fn suite(&self) -> Result<Suite> {
        self.suite.read(Given {
            has_search_server: self.server().is_some(),
            keeps_reports: self.keep,
            ..Given::default()
        })
    }

    /// The namespace of the Service that is asked for a token before the first scenario, if any is.
    pub(super) fn probed(&self, suite: &Suite) -> Option<String> {
        let vars = &suite.vars;
        let found = proxied(vars.target(), vars.namespace());
        found.filter(|_| !self.skip_probe)
    }

    /// Where documents go that are fetched from pods: the store of those that the runner makes.
    pub(super) fn fetched_into(&self) -> PathBuf {
        let default = || PathBuf::from(DEFAULT_STORE);
        self.store.clone().unwrap_or_else(default)
    }

    /// Whether there may be a store where one is wanted: load takes long, and is for nothing then.
    pub(super) fn check_store(&self) -> Result<()> {
        if self.has_server() && self.store.is_none() {
            return Ok(());
        }
        let store = self.fetched_into();
        let there = store.ancestors().find(|it| it.exists());
        let folder = there.unwrap_or(Path::new("."));
        let tried = tempfile::tempfile_in(folder);
        tried.with_context(|| format!("{}: no store can be there", store.display()))?;
        Ok(())
    }

    pub(super) fn run(&self, suite: &Suite) -> Result<Run> {
        let server = &self.sending.server;
        Ok(Run {
            uuid: self.run.uuid(),
            namespace: suite.vars.namespace().to_owned(),
            es_index: search::index(server).to_owned(),
            search: Search::of(server, &self.pods)?,
            keep_reports: self.keep,
        })
    }

    pub(super) fn folder(&self, uuid: &str) -> PathBuf {
        let default = || PathBuf::from(format!("llm-d-scale-{uuid}"));
        self.folder.clone().unwrap_or_else(default)
    }

    pub(super) fn metadata(&self) -> Result<Metadata> {
        let read = self.user_metadata.as_deref().map(metadata).transpose()?;
        Ok(read.unwrap_or_default())
    }

    pub(super) fn profile(&self, path: &Path) -> Result<String> {
        let text = self.suite.files().read(path);
        text.with_context(|| format!("metricsEndpoints: {}", path.display()))
    }

    pub(super) fn targets(&self) -> TargetArguments {
        TargetArguments {
            output: None,
            format: Format::Json,
            store: self.store.clone(),
            json: false,
        }
    }

    /// As the user says, but that what cannot be sent is kept in the run's folder.
    pub(super) fn sending(&self, folder: &Path) -> SendingArguments {
        let mut sending = self.sending.clone();
        if self.has_server() {
            sending.server.es_index = Some(search::index(&self.sending.server).to_owned());
        }
        for file in [&mut sending.bulk.rejected, &mut sending.bulk.unsent] {
            if file.is_relative() {
                *file = folder.join(&*file);
            }
        }
        sending
    }

    /// Whether the search server answers, if there is one.
    pub(super) fn check_server(&self) -> Option<Check> {
        self.server()?;
        let reached = self.sending(Path::new("")).ask();
        Some(Check::of(
            "search server",
            reached.map_err(|error| format!("{error:#}")),
        ))
    }

    pub(super) fn tell(&self, state: &State) -> Result<()> {
        if self.json {
            crate::print(&(serde_json::to_string(state)? + "\n"))?;
        } else if !self.quiet {
            crate::print(&table(state, Standing::Ended))?;
        }
        Ok(())
    }
}
