//! `llm-d-scale cluster-assets`: what a cluster needs once, for GPUs and for the gateway.

mod files;
mod judge;
mod work;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use guidellm_results_model::Exit;
use serde::Serialize;

use self::files::Asset;
use self::work::Work;
use crate::cluster::Cluster;
use crate::run::ClusterArguments;
use crate::templates::Files;

/// What is told below the help.
pub const EXAMPLES: &str = "Examples:
  llm-d-scale cluster-assets                          # what there is, and for which cluster
  llm-d-scale cluster-assets --check                  # what of it the cluster has
  llm-d-scale cluster-assets openshift-service-mesh-operator openshift-istio-cni istio

Exit codes: 0 all are ready; 1 one is not, or was refused; 2 wrong usage or no cluster; 4 the time is up.";

/// Arguments of `cluster-assets`.
#[derive(Debug, Clone, Args)]
pub struct AssetArguments {
    /// Which, in any order: each is applied after those that it needs [default: all are listed, none is applied]
    pub names: Vec<String>,
    /// Tell which are ready, of all or of those that are named, and change nothing
    #[arg(long)]
    pub check: bool,
    /// Let the API server try it, and change nothing
    #[arg(long, value_name = "WHERE", conflicts_with = "check")]
    pub dry_run: Option<DryRun>,
    /// Take over fields that somebody else manages
    #[arg(long, conflicts_with = "check")]
    pub force_conflicts: bool,
    /// How long to wait until all are ready; 0s: do not wait
    #[arg(long, value_name = "TIME", default_value = "30m")]
    pub timeout: humantime::Duration,
    /// Print what came of it as JSON
    #[arg(long)]
    pub json: bool,
    /// Folder with files of your own; those of the names of built-in ones (cluster/NAME.yaml) replace them
    #[arg(long, value_name = "DIR")]
    pub manifests: Option<PathBuf>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,
}

/// Who tries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// The API server, as `kubectl apply --dry-run=server`.
    Server,
}

/// What became of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Outcome {
    name: &'static str,
    state: State,
    /// What it waits for, or why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// All of it is what it was made for.
    Ready,
    /// The API server has it.
    Applied,
    /// The API server would take it.
    Accepted,
    /// It is not ready.
    NotReady,
    /// The time was up before it was ready.
    TimedOut,
    /// It was refused, or will never be ready.
    Failed,
    /// It was not its turn.
    Skipped,
}

/// Lists, checks or applies assets.
///
/// # Errors
///
/// If a name is unknown, a file is wrong, or there is no cluster.
pub async fn run(arguments: &AssetArguments) -> Result<Exit> {
    let files = Files::new(arguments.manifests.iter().cloned().collect());
    let assets = files::chosen(&arguments.names, &files)?;
    if arguments.names.is_empty() && !arguments.check {
        if arguments.dry_run.is_some() || arguments.force_conflicts {
            bail!("name what is to be applied; `llm-d-scale cluster-assets` lists what there is");
        }
        crate::print(&list(&assets, arguments.json)?)?;
        return Ok(Exit::Done);
    }
    let reach = &arguments.cluster;
    let cluster = Cluster::connect(reach.kubeconfig.as_deref(), reach.context.as_deref()).await?;
    let work = Work {
        cluster: &cluster,
        force: arguments.force_conflicts,
        dry_run: arguments.dry_run.is_some(),
        timeout: *arguments.timeout,
    };
    let outcomes = if arguments.check {
        work.check(&assets).await?
    } else {
        work.apply(&assets).await?
    };
    let text = if arguments.json {
        serde_json::to_string(&outcomes)? + "\n"
    } else {
        outcomes.iter().map(told).collect()
    };
    crate::print(&text)?;
    Ok(exit(&outcomes))
}

fn list(assets: &[Asset], json: bool) -> Result<String> {
    if json {
        return Ok(serde_json::to_string(assets)? + "\n");
    }
    let told = assets.iter().map(|asset| {
        let about = &asset.about;
        format!(
            "{}\n    for       {}\n    platform  {}\n    ready     {}\n",
            asset.name, about.purpose, about.platform, about.ready
        )
    });
    Ok(told.collect())
}

fn told(outcome: &Outcome) -> String {
    let state = match outcome.state {
        State::Ready => "ready",
        State::Applied => "applied",
        State::Accepted => "accepted",
        State::NotReady => "NOT READY",
        State::TimedOut => "TIMED OUT",
        State::Failed => "FAILED",
        State::Skipped => "skipped",
    };
    let detail = outcome.detail.as_deref().unwrap_or_default();
    let line = format!("{:<32} {state:<10} {detail}", outcome.name);
    format!("{}\n", line.trim_end())
}

fn exit(outcomes: &[Outcome]) -> Exit {
    let of = |outcome: &Outcome| match outcome.state {
        State::Ready | State::Applied | State::Accepted | State::Skipped => Exit::Done,
        State::NotReady | State::Failed => Exit::SomeFailed,
        State::TimedOut => Exit::DeadlinePassed,
    };
    outcomes.iter().map(of).max().unwrap_or(Exit::Done)
}
