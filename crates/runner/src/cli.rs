//! What the user may type.

use std::future::Future;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use guidellm_results_model::Exit;
use uuid::Uuid;

use crate::assets::{self, AssetArguments};
use crate::collect::{self, CollectArguments};
use crate::import;
use crate::render::RenderArguments;
use crate::run::{self, CheckArguments, GcArguments, RunCommand, StatusArguments};
use crate::suite::{Given, LLM_D_SCALE, Suite, SuiteError};
use crate::templates::Files;

/// Load scenarios for the llm-d inference scheduler.
#[derive(Debug, Parser)]
#[command(name = "llm-d-scale", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the scenarios as JSON
    Scenarios(SuiteArguments),
    /// Print the objects that would be applied, as one stream of YAML, and the namespaces that they need
    #[command(after_help = "Examples:
  llm-d-scale render --show-secrets | kubectl apply -f -
  llm-d-scale render -n default | kubectl apply --dry-run=server -f -    # where it is there
  llm-d-scale render --config suite.yaml --set vars.gaie=false --uuid \"$UUID\" > objects.yaml")]
    Render(RenderArguments),
    /// Tell what would be run, in which order and for how long
    Plan(RenderArguments),
    /// Check what a run needs of the cluster, before anything is made
    #[command(after_help = "Examples:
  llm-d-scale check --es-server \"$ES_SERVER\" --prometheus-url http://prometheus:9090

Exit codes: 0 all is there; 1 something is missing; 2 wrong usage or no cluster.")]
    Check(Box<CheckArguments>),
    /// Run a suite: deploy, load, collect, delete
    #[command(
        visible_alias = "init",
        after_help = "Examples:
  llm-d-scale run --es-server \"$ES_SERVER\" --es-index guidellm
  llm-d-scale run -c suite.yaml --set vars.simulator=false --set vars.samples=1 --store results
  llm-d-scale run --uuid \"$UUID\" --resume --es-server \"$ES_SERVER\"

Exit codes: 0 all done; 1 a job or a document failed, or the user stopped it; 2 wrong usage, or the
cluster lacks what is needed; 3 an alert of severity error or critical fired; 4 a deadline passed, or a
server stayed away: what was unsent is in the run's folder."
    )]
    Run(Box<RunCommand>),
    /// Tell how far a run is, from its folder
    #[command(after_help = "Examples:
  llm-d-scale status \"llm-d-scale-$UUID\"
  llm-d-scale status \"llm-d-scale-$UUID\" --json    # status: running, interrupted or ended

Exit codes: that of the run, once it has ended; 0 as long as it is running, but 1 if a job has failed;
1 if it was interrupted: the process that ran it is gone; 2 if there is no run in the folder.")]
    Status(StatusArguments),
    /// Delete what a run made
    #[command(after_help = "Examples:
  llm-d-scale gc --uuid \"$UUID\"
  llm-d-scale gc --uuid \"$UUID\" --discard-documents    # without those that wait in pods

Exit codes: 0 all is gone; 1 documents wait in pods to be fetched, and nothing was deleted; 4 something
stays, which is told.")]
    Gc(GcArguments),
    /// Collect metrics and alerts of a time that has passed, from Prometheus
    #[command(after_help = collect::EXAMPLES)]
    Collect(Box<CollectArguments>),
    /// Turn a config of kube-burner, with its templates and metrics profiles, into a suite
    #[command(after_help = import::EXAMPLES)]
    Import(import::Arguments),
    /// List, check and apply what a cluster needs once: operators for GPUs, and Istio
    #[command(after_help = assets::EXAMPLES)]
    ClusterAssets(Box<AssetArguments>),
}

/// A suite, and what is changed in it.
#[derive(Debug, Clone, Args)]
pub struct SuiteArguments {
    /// A suite [default: the nine scenarios of llm-d-scale]
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set a value in it: vars.model=NAME, jobs.0.qps=20; can be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Kubernetes namespace: the same as --set vars.namespace=NAME
    #[arg(long, short, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Folder with templates of your own; those of the names of built-in ones replace them
    #[arg(long, value_name = "DIR", value_parser = folder)]
    pub manifests: Option<PathBuf>,
}

/// Which run it is.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// The run, and the uuid of its documents [default: a new one]
    #[arg(long, env = "UUID", value_parser = label)]
    pub uuid: Option<String>,
}

/// Runs a command.
///
/// # Errors
///
/// If the suite cannot be read, or standard output is gone.
pub fn run(cli: Cli) -> Result<Exit> {
    match cli.command {
        Command::Scenarios(arguments) => {
            let scenarios = arguments.read(Given::default())?.scenarios;
            print(&(serde_json::to_string_pretty(&scenarios)? + "\n"))
        }
        Command::Render(arguments) => print(&arguments.render()?),
        Command::Plan(arguments) => print(&arguments.plan()?),
        Command::Check(arguments) => wait_for(run::check(&arguments)),
        Command::Run(arguments) => wait_for(run::run(&arguments)),
        Command::Status(arguments) => run::status(&arguments),
        Command::Gc(arguments) => wait_for(run::gc(&arguments)),
        Command::Collect(arguments) => collect::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::ClusterAssets(arguments) => wait_for(assets::run(&arguments)),
    }
}

fn print(text: &str) -> Result<Exit> {
    crate::print(text)?;
    Ok(Exit::Done)
}

fn wait_for(command: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.context("cannot start threads")?;
    let exit = runtime.block_on(command);
    // Threads that wait for a server are not waited for: who is in a hurry said so.
    runtime.shutdown_background();
    exit
}

impl SuiteArguments {
    /// Reads the suite, with what is given beside these arguments.
    ///
    /// # Errors
    ///
    /// If there is none, or it is wrong.
    pub fn read(&self, mut given: Given) -> Result<Suite> {
        given.set.clone_from(&self.set);
        given.env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        if let Some(namespace) = &self.namespace {
            given.set.push((
                "vars.namespace".to_owned(),
                serde_json::to_string(namespace)?,
            ));
        }
        let read = |text: &str| {
            let suite = Suite::read(text, &given)?;
            suite.check_set(text, &given, &self.files())?;
            Ok::<_, SuiteError>(suite)
        };
        let Some(path) = &self.config else {
            return Ok(read(LLM_D_SCALE)?);
        };
        let place = || path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(place)?;
        read(&text).with_context(place)
    }

    /// Where its files are: beside it, and in the user's folder.
    #[must_use]
    pub fn files(&self) -> Files {
        let beside = self.config.as_deref().and_then(Path::parent);
        let here = |path: &Path| {
            let is_here = path.as_os_str().is_empty();
            if is_here {
                PathBuf::from(".")
            } else {
                path.to_owned()
            }
        };
        let folders = [self.manifests.clone(), beside.map(here)];
        Files::new(folders.into_iter().flatten().collect())
    }
}

impl RunArguments {
    /// The run's name.
    #[must_use]
    pub fn uuid(&self) -> String {
        let new = || Uuid::new_v4().to_string();
        self.uuid.clone().unwrap_or_else(new)
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=');
    let (path, value) = split.ok_or("it is no PATH=VALUE, such as vars.samples=1")?;
    Ok((path.to_owned(), value.to_owned()))
}

/// A folder that is there.
fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        Ok(path)
    } else {
        Err("there is no such folder".to_owned())
    }
}

/// A run is named in labels.
fn label(text: &str) -> Result<String, String> {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    if bytes.len() <= 63 && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner) {
        Ok(text.to_owned())
    } else {
        Err(
            "it has to be the value of a label: up to 63 letters, digits and inner -, _ and ."
                .to_owned(),
        )
    }
}
