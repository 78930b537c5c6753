//! The load scenarios that llm-d's inference scheduler is judged by, run on a cluster.
//!
//! A suite says what is run (`manifests/suites`); [`plan`] makes the objects of it.

pub mod assets;
pub mod cli;
pub mod cluster;
pub mod collect;
pub mod guidellm;
pub mod import;
pub mod metrics;
pub mod objects;
pub mod plan;
pub mod readiness;
mod render;
pub mod run;
mod scenario;
pub mod search;
pub mod suite;
pub mod templates;
pub mod trouble;

use std::io::Write;

/// Writes a line to standard error; if that is gone, there is nobody to tell.
fn tell(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// Writes to standard output.
fn print(text: &str) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())
}
