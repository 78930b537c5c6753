//! Prints a report's documents, one JSON object a line:
//! `cargo run --example documents -- benchmarks.json`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example for a terminal"
)]

use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, ReadOptions, RunContext, Source, read};

struct Print;

impl Consumer for Print {
    type Error = serde_json::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
        requests.iter().try_for_each(|request| {
            println!("{}", serde_json::to_string(request)?);
            Ok(())
        })
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
        println!("{}", serde_json::to_string(&summary)?);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: documents REPORT")?;
    let context = RunContext {
        job_name: "steady-chat-10".to_owned(),
        ..RunContext::default()
    };
    let outcome = read(
        Source::path(path),
        &context,
        &ReadOptions::default(),
        &mut Print,
    )?;
    eprintln!("{outcome:?}");
    Ok(())
}
