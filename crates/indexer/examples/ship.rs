//! Reads a report and sends its documents to a server:
//! `cargo run --release --example ship -- benchmarks.json http://localhost:9200 guidellm`

#![allow(clippy::print_stderr, reason = "an example for a terminal")]

use guidellm_indexer::bulk::{BulkOptions, BulkSink, Kind};
use guidellm_indexer::cluster::Connection;
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, ReadOptions, RunContext, Source, read};

struct Ship(BulkSink);

impl Consumer for Ship {
    type Error = serde_json::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
        requests
            .iter()
            .try_for_each(|it| self.0.add(Kind::Request, it.document_id, it))
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
        self.0.add(Kind::Summary, summary.document_id, &summary)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [report, server, index] = arguments.as_slice() else {
        return Err("usage: ship REPORT SERVER INDEX".into());
    };
    let connection = Connection::parse(server)?.ok_or("no server is named")?;
    let mut ship = Ship(BulkSink::open(
        &connection,
        BulkOptions::new(index.as_str()),
    )?);
    ship.0.prepare_index()?;
    let context = RunContext {
        job_name: "steady-chat-10".to_owned(),
        ..RunContext::default()
    };
    let options = ReadOptions::default();
    read(Source::path(report), &context, &options, &mut ship)?;
    let shipped = ship.0.finish();
    eprintln!("{shipped:?}");
    Ok(())
}
