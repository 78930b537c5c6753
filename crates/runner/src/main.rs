//! `llm-d-scale`: the load scenarios that llm-d's inference scheduler is judged by.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use guidellm_results_model::Exit;
use llm_d_scale::{LLM_D_SCALE, Suite};

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
    let exit = list().map_or_else(
        |error| {
            drop(writeln!(std::io::stderr().lock(), "error: {error:#}"));
            Exit::Unusable
        },
        |()| Exit::Done,
    );
    exit.into()
}

fn list() -> Result<()> {
    let suite = Suite::from_yaml(LLM_D_SCALE)?;
    let text = serde_json::to_string_pretty(&suite.scenarios)?;
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
