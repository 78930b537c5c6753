//! `llm-d-scale`: the load scenarios that llm-d's inference scheduler is judged by.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use guidellm_results_model::Exit;
use llm_d_scale::scenarios;

/// Load scenarios for the llm-d inference scheduler. So far it lists them; running them on a
/// cluster is yet to come.
#[derive(Debug, Parser)]
#[command(name = "llm-d-scale", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the built-in scenarios as JSON
    Scenarios,
}

fn main() -> ExitCode {
    let Command::Scenarios = Cli::parse().command;
    let printed = serde_json::to_string_pretty(&scenarios())
        .map_err(std::io::Error::from)
        .and_then(|text| writeln!(std::io::stdout().lock(), "{text}"));
    printed.map_or(Exit::Unusable, |()| Exit::Done).into()
}
