//! Takes saved GuideLLM reports to where they are looked at: OpenSearch or Elasticsearch, an
//! embedded store of Parquet files, or a file of documents.
//!
//! Reading is [`guidellm_results_model`]'s; this crate knows where documents go.

mod backoff;
pub mod bulk;
#[cfg(feature = "store")]
mod check;
pub mod cli;
pub mod cluster;
#[cfg(feature = "store")]
mod compare;
mod export;
mod files;
#[cfg(feature = "store")]
mod history;
mod in_order;
mod index;
mod journal;
pub mod kube_burner;
pub mod mappings;
mod objectives;
mod output;
mod progress;
#[cfg(feature = "store")]
mod questions;
mod reading;
mod replay;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "store")]
mod scenarios;
#[cfg(feature = "store")]
mod selection;
mod server;
mod shard;
mod sidecar;
mod sink;
#[cfg(feature = "store")]
mod store;
#[cfg(feature = "store")]
mod summary;
#[cfg(feature = "store")]
mod table;
mod targets;
mod unfinished;
mod verification;

pub use backoff::Backoff;
#[cfg(feature = "store")]
pub use check::{Judged, judge_run};
#[cfg(feature = "store")]
pub use compare::ComparisonFormat;
pub use objectives::objectives;
pub use output::{Format, Output};
#[cfg(feature = "store")]
pub use scenarios::Limit;
pub use shard::Shard;
pub use sidecar::Contract;
#[cfg(feature = "store")]
pub use sidecar::{Received, receive};
pub use sink::{IndexError, Sink, StagedReport, index_report};
#[cfg(feature = "store")]
pub use store::{Store, Tables};
#[cfg(feature = "store")]
pub use targets::DEFAULT_STORE;

use guidellm_results_model::Exit;

use crate::cli::{Cli, Command};
use crate::unfinished::Registry;

/// Runs a command; all that is worth telling is told on standard error.
#[must_use]
pub fn run(cli: Cli) -> Exit {
    let unfinished = Registry::default();
    // The sidecar has to outlive a SIGTERM.
    let watched = match cli.command {
        #[cfg(feature = "sidecar")]
        Command::Sidecar(_) => Ok(()),
        _ => unfinished.remove_on_signals(),
    };
    let ended = watched.and_then(|()| match cli.command {
        Command::Index(arguments) => index::run(&arguments, &unfinished),
        Command::Replay(arguments) => replay::run(&arguments),
        #[cfg(feature = "sidecar")]
        Command::Sidecar(arguments) => sidecar::run(&arguments),
        #[cfg(feature = "sidecar")]
        Command::HandOver(arguments) => sidecar::hand_over(&arguments),
        Command::Export(arguments) => export::run(&arguments, &unfinished),
        #[cfg(feature = "store")]
        Command::Summary(arguments) => summary::run(&arguments),
        #[cfg(feature = "store")]
        Command::Check(arguments) => check::run(&arguments, &unfinished),
        #[cfg(feature = "store")]
        Command::Compare(arguments) => compare::run(&arguments, &unfinished),
        #[cfg(feature = "store")]
        Command::History(arguments) => history::run(&arguments, &unfinished),
        #[cfg(feature = "report")]
        Command::Report(arguments) => report::command::run(&arguments, &unfinished),
        #[cfg(feature = "store")]
        Command::Scenarios(arguments) => scenarios::run(&arguments, &unfinished),
    });
    ended.unwrap_or_else(|error| {
        if is_of_a_pipe(&error) {
            return Exit::SomeFailed;
        }
        tell(&format!("error: {error:#}"));
        let cluster = error.downcast_ref::<cluster::ClusterError>();
        if cluster.is_some_and(cluster::ClusterError::is_retryable) {
            Exit::DeadlinePassed
        } else {
            Exit::Unusable
        }
    })
}

/// Whether whoever reads the output has seen enough of it, as `head` has.
fn is_of_a_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause();
    let own = cause.downcast_ref().map(std::io::Error::kind);
    let of_json = || serde_json::Error::io_error_kind(cause.downcast_ref()?);
    own.or_else(of_json) == Some(std::io::ErrorKind::BrokenPipe)
}

/// Writes a line to standard error; if that is gone, there is nobody to tell.
fn tell(line: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}
