//! What is asked about documents that are there, and where these are.

use std::path::{Path, PathBuf};

use clap::Args;
use guidellm_results_model::analysis::compare::Threshold;
use guidellm_results_model::figures::Figure;

use crate::cli::ServerArguments;
use crate::compare::ComparisonFormat;
use crate::scenarios::Limit;

/// Where documents to ask about are.
#[derive(Debug, Clone, Args)]
pub struct SourceArguments {
    /// A store [default: results, without a server]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Only this scenario
    #[arg(long, short)]
    pub job_name: Option<String>,
    /// The server that has them.
    #[command(flatten)]
    pub server: ServerArguments,
}

impl SourceArguments {
    pub(crate) fn parts(&self) -> (&ServerArguments, Option<&Path>) {
        (&self.server, self.store.as_deref())
    }
}

/// How samples are put together.
#[derive(Debug, Clone, Args)]
pub struct PoolingArguments {
    /// Leave out this much at the beginning of each measured window, beyond GuideLLM's own warm-up
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub trim_start: f64,
    /// Leave out this much at the end
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub trim_end: f64,
    /// A limit that good requests keep, for goodput: `ttft_ms`, `itl_ms`, `tpot_ms`,
    /// `request_latency_seconds`; may be given several times
    #[arg(long, value_name = "NAME=LIMIT")]
    pub limit: Vec<Limit>,
    /// Level of confidence intervals
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    pub level: f64,
}

/// What is asked about.
#[derive(Debug, Clone, Args)]
pub struct QuestionArguments {
    /// Runs (uuid, or its beginning), labels (NAME=VALUE,…), reports, or a store; by default all
    #[arg(value_name = "WHAT")]
    pub what: Vec<String>,
    /// How samples are put together.
    #[command(flatten)]
    pub pooling: PoolingArguments,
    /// Where documents are.
    #[command(flatten)]
    pub source: SourceArguments,
}

/// Arguments of `scenarios`.
#[derive(Debug, Args)]
pub struct ScenariosArguments {
    /// What is asked about.
    #[command(flatten)]
    pub about: QuestionArguments,
    /// Take the samples of all runs together
    #[arg(long)]
    pub pool_runs: bool,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// What to compare with
    pub base: String,
    /// What to compare
    pub candidate: String,
    /// A change that is a regression: `ttft_p95_ms>+5%`, `request_success_rate<-0.01`; may be
    /// given several times
    #[arg(long, value_name = "CHANGE")]
    pub fail_on: Vec<Threshold>,
    /// A regression has to be significant
    #[arg(long)]
    pub require_significant: bool,
    /// Compare also what measures something else
    #[arg(long)]
    pub force: bool,
    /// A figure to show, instead of the usual ones; may be given several times
    #[arg(long, value_name = "NAME")]
    pub figure: Vec<Figure>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: ComparisonFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Write it to a file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How samples are put together.
    #[command(flatten)]
    pub pooling: PoolingArguments,
    /// Where documents are.
    #[command(flatten)]
    pub source: SourceArguments,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// What is asked about.
    #[command(flatten)]
    pub about: QuestionArguments,
    /// The objectives
    #[arg(long, value_name = "FILE")]
    pub slo: PathBuf,
    /// Put what is not kept beside the documents, as kube-burner's alerts
    #[arg(long)]
    pub record: bool,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// The figure, by its field in the summaries
    pub figure: Figure,
    /// What is asked about.
    #[command(flatten)]
    pub about: QuestionArguments,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportPageArguments {
    /// What is asked about.
    #[command(flatten)]
    pub about: QuestionArguments,
    /// What to compare them with: the same as one WHAT
    #[arg(long, value_name = "WHAT")]
    pub baseline: Option<String>,
    /// A change from the baseline that is a regression: `ttft_p95_ms>+5%`; may be given several
    /// times
    #[arg(long, value_name = "CHANGE")]
    pub fail_on: Vec<Threshold>,
    /// Objectives to judge them by
    #[arg(long, value_name = "FILE")]
    pub slo: Option<PathBuf>,
    /// Where the page goes; `-` for standard output
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    pub output: PathBuf,
    /// Its title
    #[arg(long)]
    pub title: Option<String>,
}
