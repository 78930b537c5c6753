//! What the user may type.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::output::Format;

/// Normalised documents out of GuideLLM benchmark reports, of every release.
#[derive(Debug, Parser)]
#[command(name = "guidellm-indexer", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 all done; 1 some reports failed; 2 wrong usage or nothing \
readable;\n3 a threshold was crossed; 4 a deadline passed or a server stayed away."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read reports and put their documents into a store or a file
    #[command(after_help = "Examples:
  guidellm-indexer index benchmarks.json                       into the store ./results
  guidellm-indexer index runs/ --store results -j steady-chat-10 -s 2
  guidellm-indexer index 'runs/*.json.gz' -o documents.json
  kubectl cp pod:/results/benchmarks.json - | guidellm-indexer index - -o - --format ndjson")]
    Index(IndexArguments),
    /// Print a table of what reports or a store hold
    #[command(after_help = "Examples:
  guidellm-indexer summary benchmarks.json
  guidellm-indexer summary --store results --json")]
    Summary(SummaryArguments),
}

/// Which reports, and whose.
#[derive(Debug, Clone, Args)]
pub struct ReportArguments {
    /// Files, folders (walked for .json, .yaml and .yml, also .gz and .zst), globs, or `-`
    pub paths: Vec<PathBuf>,
    /// A report, as the guidellm-results-parser takes it
    #[arg(long, value_name = "FILE")]
    pub results: Vec<PathBuf>,
    /// The run; by default GuideLLM's own run id, or one derived from the report
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub uuid: Option<String>,
    /// The scenario
    #[arg(long, short, default_value = "")]
    pub job_name: String,
    /// Sample of the scenario
    #[arg(long, short, default_value_t = 0)]
    pub sample: u32,
    /// Keep the whole records of truncated reports, marking their documents
    #[arg(long)]
    pub salvage: bool,
    /// Recompute the statistics from the records, and fail where the report contradicts them
    #[arg(long)]
    pub verify: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
}

/// Arguments of `index`.
#[derive(Debug, Args)]
pub struct IndexArguments {
    /// Which reports, and whose.
    #[command(flatten)]
    pub reports: ReportArguments,
    /// Write the documents to a file; `-` for standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Format of --output
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
    /// Write the documents to a store of Parquet files [default: results, without any target]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Print the outcome as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `summary`.
#[derive(Debug, Args)]
pub struct SummaryArguments {
    /// Which reports, and whose.
    #[command(flatten)]
    pub reports: ReportArguments,
    /// A store [default: results, without any report]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Print the summaries as a JSON array
    #[arg(long)]
    pub json: bool,
}
