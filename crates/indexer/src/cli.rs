//! What the user may type.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::bulk::Operation;
use crate::cluster::is_none;
use crate::output::Format;
#[cfg(feature = "store")]
pub use crate::questions::{
    CheckArguments, CompareArguments, HistoryArguments, PoolingArguments, QuestionArguments,
    ReportPageArguments, ScenariosArguments, SourceArguments,
};
use crate::shard::Shard;
#[cfg(feature = "sidecar")]
use crate::sidecar::Contract;

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

impl Cli {
    /// From the process's arguments; ends the process if they are wrong, or ask for help.
    #[must_use]
    pub fn from_arguments() -> Self {
        let matches = Self::command().get_matches();
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if let Command::Replay(arguments) = &mut cli.command {
            let matches = matches.subcommand_matches("replay");
            let source = |name| matches.and_then(|matches| matches.value_source(name));
            let is_given = |name| source(name) == Some(ValueSource::CommandLine);
            arguments.elsewhere = is_given("es_index");
            // What is not delivered now, either, stays where it is.
            let bulk = &mut arguments.sending.bulk;
            if !is_given("unsent") {
                bulk.unsent.clone_from(&arguments.file);
            }
            if !is_given("rejected") {
                bulk.rejected = arguments.file.with_file_name(&bulk.rejected);
            }
        }
        if let Some((name, given)) = matches.subcommand()
            && let Some(wrong) = cli.unfit(given)
        {
            let mut command = Self::command();
            let command = command.find_subcommand_mut(name);
            let mut command = command.cloned().unwrap_or_else(Self::command);
            command.error(ErrorKind::ArgumentConflict, wrong).exit();
        }
        cli
    }

    /// What is wrong with arguments that are about a server. The environment may name one that this
    /// command does without.
    fn unfit(&self, given: &ArgMatches) -> Option<String> {
        let (server, store): (&ServerArguments, Option<&Path>) = match &self.command {
            Command::Index(it) => (&it.sending.server, None),
            #[cfg(feature = "store")]
            Command::Scenarios(ScenariosArguments { about, .. })
            | Command::Check(CheckArguments { about, .. })
            | Command::History(HistoryArguments { about, .. }) => about.source.parts(),
            #[cfg(feature = "store")]
            Command::Compare(it) => it.source.parts(),
            #[cfg(feature = "report")]
            Command::Report(it) => it.about.source.parts(),
            // The others tell by themselves that they need one, or what they do without.
            _ => return None,
        };
        let is_typed = |id: &&&str| {
            let is_known = given.try_contains_id(id).is_ok();
            is_known && given.value_source(id) == Some(ValueSource::CommandLine)
        };
        let flag = |id: &str| format!("--{}", id.replace('_', "-"));
        let typed = OF_SERVERS.iter().find(is_typed).map(|id| flag(id));
        if store.is_some() {
            let named = typed.or_else(|| is_typed(&&"es_server").then(|| flag("es_server")))?;
            return Some(format!(
                "--store and {named} name two places; leave one of them out"
            ));
        }
        // Scripts pass what they are given on, and an empty name means no server. A question would be
        // answered by the store then, which nobody asked.
        let is_settled = match &self.command {
            Command::Index(_) => server.es_server.is_some(),
            _ => server.is_named() || server.is_without(),
        };
        let typed = typed.filter(|_| !is_settled)?;
        Some(format!(
            "{typed} is for a server, and none is named; give --es-server URL (or ES_SERVER)"
        ))
    }
}

/// Arguments that say nothing without a server.
const OF_SERVERS: &[&str] = &[
    "es_index",
    "es_requests_index",
    "es_username",
    "cacert",
    "cert",
    "aws_sigv4",
    "insecure",
    "request_timeout",
    "give_up_after",
    "op",
    "no_template",
    "batch_documents",
    "in_flight",
    "no_gzip",
    "rejected",
    "unsent",
];

impl ServerArguments {
    /// Whether there is one.
    pub(crate) fn is_named(&self) -> bool {
        !is_none(self.es_server.as_deref().unwrap_or_default())
    }

    /// Whether the user says that there is none.
    fn is_without(&self) -> bool {
        let server = self.es_server.as_deref().unwrap_or_default();
        is_none(server) && !server.trim().is_empty()
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read reports and put their documents into a store, a file or a server
    #[command(after_help = "Examples:
  guidellm-indexer index benchmarks.json                       into the store ./results
  guidellm-indexer index runs/ --store results -j steady-chat-10 -s 2
  guidellm-indexer index 'runs/*.json.gz' -o documents.json
  guidellm-indexer index benchmarks.json -o reports --format benchmark-report   for llm-d-benchmark
  guidellm-indexer index runs/ --es-server https://search:9200 --es-index guidellm
  guidellm-indexer index archive/ --es-index guidellm --journal done.txt --shard 0/4
  kubectl cp pod:/results/benchmarks.json - | guidellm-indexer index - -o - --format ndjson")]
    Index(IndexArguments),
    /// Send documents again that a server did not take
    #[command(after_help = "Examples:
  guidellm-indexer replay guidellm-unsent.ndjson --es-server https://search:9200
  guidellm-indexer replay guidellm-rejected.ndjson --es-server \"$ES_SERVER\" --es-index other")]
    Replay(ReplayArguments),
    /// Wait for the benchmark in the same pod, and send its report
    #[cfg(feature = "sidecar")]
    #[command(after_help = "Examples:
  guidellm-indexer sidecar --results-dir /results --es-server \"$ES_SERVER\" --es-index guidellm
  RESULTS_DIR=/results JOB_NAME=steady-chat-10 guidellm-indexer sidecar

It knows that the benchmark ended by the file of its exit code, by its container's status, by a whole
report that does not change any more, or by SIGTERM. Of a benchmark that failed, whole records are
salvaged. Manifests: manifests/sidecar.")]
    Sidecar(SidecarArguments),
    /// Print the documents that a sidecar keeps, for llm-d-scale, which fetches them from pods
    #[cfg(feature = "sidecar")]
    #[command(hide = true)]
    HandOver(HandOverArguments),
    /// Bring documents back from a server, into a store or a file
    #[command(after_help = "Examples:
  guidellm-indexer export --es-server https://search:9200 --es-index guidellm --uuid \"$UUID\"
  guidellm-indexer export --es-index guidellm -j steady-chat-10 -s 2 -o - --format ndjson

Documents are those of one moment, whatever is indexed meanwhile. kube-burner's are left out.")]
    Export(ExportArguments),
    /// Print a table of what reports or a store hold
    #[cfg(feature = "store")]
    #[command(after_help = "Examples:
  guidellm-indexer summary benchmarks.json
  guidellm-indexer summary --store results --json")]
    Summary(SummaryArguments),
    /// Print what the samples of each scenario say together
    #[cfg(feature = "store")]
    #[command(after_help = "Examples:
  guidellm-indexer scenarios                                   all runs of the store ./results
  guidellm-indexer scenarios 0b54c0de --limit ttft_ms=500      a run, by the beginning of its uuid
  guidellm-indexer scenarios sample-*.json --trim-start 10
  guidellm-indexer scenarios team=serving --es-server \"$ES_SERVER\" --es-index guidellm --json

Percentiles are of all samples' requests together; where a report kept a part of its requests, they
are the means of the samples' own. ± is the confidence interval of the samples' mean.")]
    Scenarios(ScenariosArguments),
    /// Compare a candidate with a base, scenario by scenario
    #[cfg(feature = "store")]
    #[command(after_help = "Examples:
  guidellm-indexer compare base.json candidate.json
  guidellm-indexer compare 0b54c0de 7a11f00d --fail-on 'ttft_p95_ms>+5%' --require-significant
  guidellm-indexer compare eppImage=epp:1.0 eppImage=epp:1.1 --format markdown -o comment.md
  guidellm-indexer compare base-results/ results/ --fail-on 'request_success_rate<-0.01' --format junit

A side is a run (its uuid, or four characters or more that it begins with), labels (NAME=VALUE,…), a report or a folder of
reports, or a store. --fail-on judges the figures as they are; with --require-significant they also
have to differ significantly. What measures something else (another model, other tokens, TPOT across
0.3 and 0.4) is not compared. Exit code 3: a threshold is crossed; 1: one could not be judged.")]
    Compare(CompareArguments),
    /// Check whether service level objectives are kept
    #[cfg(feature = "store")]
    #[command(after_help = "Examples:
  guidellm-indexer check benchmarks.json --slo slo.yaml
  guidellm-indexer check 0b54c0de --slo slo.yaml --record
  guidellm-indexer check --es-server \"$ES_SERVER\" --es-index guidellm --slo slo.yaml --json

slo.yaml:
  slos:
    - request_success_rate >= 0.99
    - expr: ttft_p95_ms <= 500
      scenarios: [steady-*]
      severity: critical

An objective whose figure was not measured is not kept. Exit code 3: one of severity error or critical
is not kept.")]
    Check(CheckArguments),
    /// Show a figure over many runs, and where its level changed
    #[cfg(feature = "store")]
    #[command(after_help = "Examples:
  guidellm-indexer history ttft_p95_ms                         all runs of the store ./results
  guidellm-indexer history throughput_mean_rps team=serving -j steady-chat-10
  guidellm-indexer history ttft_p95_ms --es-server \"$ES_SERVER\" --es-index guidellm --json

A change is where the runs before and after differ most, if few other orders of the same values
divide as well (energy distance, permutations). It takes about eight runs to tell a clear one.")]
    History(HistoryArguments),
    /// Make a page of figures: one HTML file that opens anywhere
    #[cfg(feature = "report")]
    #[command(after_help = "Examples:
  guidellm-indexer report                                      all of the store ./results
  guidellm-indexer report 0b54c0de --baseline 7a11f00d --slo slo.yaml -o nightly.html
  guidellm-indexer report sample-*.json --title 'EPP 1.1, load-aware'

The page needs no network and no scripts. Exit code 3: an objective is not kept,
or a change of --fail-on came.")]
    Report(ReportPageArguments),
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

/// Where documents go, other than a server.
#[derive(Debug, Clone, Args)]
pub struct TargetArguments {
    /// Write the documents to a file, or for benchmark-report to a folder; `-` for standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Format of --output
    #[arg(long, value_enum, default_value_t = Format::Json, requires = "output")]
    pub format: Format,
    /// Write the documents to a store of Parquet files [default: results, without any target]
    #[cfg(feature = "store")]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Print the outcome as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `index`.
#[derive(Debug, Args)]
pub struct IndexArguments {
    /// Which reports, and whose.
    #[command(flatten)]
    pub reports: ReportArguments,
    /// Where the documents go.
    #[command(flatten)]
    pub targets: TargetArguments,
    /// Read everything, write and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Note each report that is done in a file, and pass over those that are noted: an archive is
    /// taken up where it was left
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Take every N-th report, the I-th of these from 0; I is `JOB_COMPLETION_INDEX` by default
    #[arg(long, value_name = "[I/]N")]
    pub shard: Option<Shard>,
    /// Small reports read at once [default: as many as there are processors, up to 4]
    #[arg(long, value_name = "N")]
    pub parallel: Option<NonZero<usize>>,
    /// Send the documents to a server.
    #[command(flatten)]
    pub sending: SendingArguments,
}

/// Arguments of `summary`.
#[cfg(feature = "store")]
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

/// Which server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "OpenSearch or Elasticsearch")]
pub struct ServerArguments {
    /// Server, or its nodes with commas between them; empty or `none` for no server
    #[arg(long, value_name = "URL", env = "ES_SERVER", hide_env_values = true)]
    pub es_server: Option<String>,
    /// Index, alias or data stream of the documents; `replay` takes it instead of each document's
    /// own, if it is given as an argument
    #[arg(long, value_name = "NAME", env = "ES_INDEX")]
    pub es_index: Option<String>,
    /// Index of requests, if not the same
    #[arg(long, value_name = "NAME")]
    pub es_requests_index: Option<String>,
    /// User, with its password in the environment.
    #[arg(
        long,
        value_name = "NAME",
        env = "ES_USERNAME",
        help = "User; the password is ES_PASSWORD. ES_API_KEY or ES_BEARER_TOKEN do without one. Each \
                may stand in a file instead, named by ES_PASSWORD_FILE and so on"
    )]
    pub es_username: Option<String>,
    /// Certificate authority to trust, instead of the system's
    #[arg(long, value_name = "PEM", env = "ES_CACERT")]
    pub cacert: Option<PathBuf>,
    /// Client certificate and its key, in one file
    #[arg(long, value_name = "PEM", env = "ES_CERT")]
    pub cert: Option<PathBuf>,
    /// Sign requests with AWS credentials, found as AWS tools find them (Amazon OpenSearch)
    #[arg(long)]
    pub aws_sigv4: bool,
    /// Trust any certificate
    #[arg(long, short = 'k')]
    pub insecure: bool,
    /// How long to wait for an answer before the same is sent again; with several nodes at most their
    /// share of --give-up-after
    #[arg(long, value_name = "TIME", default_value = "1m")]
    pub request_timeout: humantime::Duration,
    /// How long the server may do nothing before it is given up
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub give_up_after: humantime::Duration,
}

/// Which server, and how documents are sent there.
#[derive(Debug, Clone, Args)]
pub struct SendingArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// How documents are sent.
    #[command(flatten)]
    pub bulk: BulkArguments,
}

/// How documents are sent.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sending documents")]
pub struct BulkArguments {
    /// Where a document's id is there: `index` replaces, `create` leaves it. A data stream takes
    /// `create` alone, and checks ids within its present backing index only
    #[arg(long, value_name = "OPERATION", value_enum, default_value_t)]
    pub op: Operation,
    /// Leave the index's mappings alone. Else an index template is installed on first use, with the
    /// settings of a template that it goes before, and an index that is there gets the fields it lacks
    #[arg(long)]
    pub no_template: bool,
    /// Most documents of a batch
    #[arg(long, value_name = "N", default_value = "2000")]
    pub batch_documents: NonZero<usize>,
    /// Batches sent at once; as many as the data nodes have processors is fastest on a quick network
    #[arg(long, value_name = "N", default_value = "2")]
    pub in_flight: NonZero<usize>,
    /// Send batches as they are
    #[arg(long)]
    pub no_gzip: bool,
    /// File for documents that the server will never take
    #[arg(long, value_name = "FILE", default_value = "guidellm-rejected.ndjson")]
    pub rejected: PathBuf,
    /// File for documents that it did not take before it was given up
    #[arg(long, value_name = "FILE", default_value = "guidellm-unsent.ndjson")]
    pub unsent: PathBuf,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// A file of rejected or unsent documents; it goes away once all of them are delivered. What is
    /// unsent again stays there, and --rejected is beside it, if these are not given
    pub file: PathBuf,
    /// Say nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Print the outcome as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Whether all go to `--es-index`, instead of each to its own: it was given as an argument,
    /// not by the environment.
    #[arg(skip)]
    pub elsewhere: bool,
    /// Send the documents to a server.
    #[command(flatten)]
    pub sending: SendingArguments,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The run; by default every run of the index
    #[arg(long)]
    pub uuid: Option<String>,
    /// The scenario; by default every one
    #[arg(long, short)]
    pub job_name: Option<String>,
    /// Sample of the scenario; by default every one
    #[arg(long, short)]
    pub sample: Option<u32>,
    /// Where they go.
    #[command(flatten)]
    pub targets: TargetArguments,
    /// Say nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Where the documents are.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// Arguments of `sidecar`.
#[cfg(feature = "sidecar")]
#[derive(Debug, Args)]
pub struct SidecarArguments {
    /// What it is told by whoever wrote its manifest.
    #[command(flatten)]
    pub contract: Contract,
    /// Where the documents go.
    #[command(flatten)]
    pub sending: SendingArguments,
}

/// Arguments of `hand-over`.
#[cfg(feature = "sidecar")]
#[derive(Debug, Args)]
pub struct HandOverArguments {
    /// The sidecar's own.
    #[command(flatten)]
    pub contract: Contract,
    /// Say that they were fetched, and are safe
    #[arg(long)]
    pub taken: bool,
}
