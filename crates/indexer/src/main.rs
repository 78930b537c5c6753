//! `guidellm-indexer`: normalised documents out of GuideLLM reports.

use std::process::ExitCode;

use guidellm_indexer::cli::Cli;

fn main() -> ExitCode {
    guidellm_indexer::run(Cli::from_arguments()).into()
}
