//! Reads a report and sends its documents to a server:
//! `cargo run --release --example ship -- benchmarks.json http://localhost:9200 guidellm`

#![allow(clippy::print_stderr, reason = "an example for a terminal")]

use anyhow::{Context, bail};
use guidellm_indexer::bulk::{BulkOptions, BulkSink};
use guidellm_indexer::cluster::Connection;
use guidellm_indexer::index_report;
use guidellm_results_model::{ReadOptions, RunContext, Source};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [report, server, index] = arguments.as_slice() else {
        bail!("usage: ship REPORT SERVER INDEX");
    };
    let connection = Connection::parse(server)?.context("no server is named")?;
    let sink = BulkSink::open(&connection, BulkOptions::new(index.as_str()))?;
    sink.prepare_index()?;
    let context = RunContext {
        job_name: "steady-chat-10".to_owned(),
        ..RunContext::default()
    };
    let options = ReadOptions::default();
    index_report(Source::path(report), &context, &options, &sink)?;
    eprintln!("{:?}", sink.finish());
    Ok(())
}
