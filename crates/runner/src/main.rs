//! `llm-d-scale`: the load scenarios that llm-d's inference scheduler is judged by.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use guidellm_results_model::Exit;
use llm_d_scale::cli::{Cli, run};

fn main() -> ExitCode {
    let exit = run(Cli::parse()).unwrap_or_else(|error| {
        drop(writeln!(std::io::stderr().lock(), "error: {error:#}"));
        Exit::Unusable
    });
    exit.into()
}
