//! Any bytes are a report or an error; and a report that is read is the same the second time.

#![no_main]

use std::convert::Infallible;
use std::num::NonZero;

use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, ReadOptions, ReadOutcome, RunContext, Source, read};
use libfuzzer_sys::fuzz_target;

#[derive(Default, PartialEq, Debug)]
struct Documents {
    requests: Vec<Request>,
    summaries: Vec<Summary>,
}

impl Consumer for Documents {
    type Error = Infallible;

    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Infallible> {
        self.requests.extend(requests);
        Ok(())
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Infallible> {
        self.summaries.push(summary);
        Ok(())
    }
}

fn documents(bytes: &[u8], options: &ReadOptions) -> Option<(ReadOutcome, Documents)> {
    let mut documents = Documents::default();
    let source = Source::reader(std::io::Cursor::new(bytes.to_vec()));
    let outcome = read(source, &RunContext::default(), options, &mut documents).ok()?;
    Some((outcome, documents))
}

fuzz_target!(|bytes: &[u8]| {
    let mut options = ReadOptions {
        threads: NonZero::new(1),
        ..ReadOptions::default()
    };
    let whole = documents(bytes, &options);
    options.salvage = true;
    let salvaged = documents(bytes, &options);
    if let Some((outcome, documents)) = &whole {
        assert_eq!(outcome.requests, documents.requests.len() as u64);
        assert_eq!(outcome.benchmarks, documents.summaries.len());
        // Salvaging a whole report changes nothing.
        assert_eq!(Some(documents), salvaged.as_ref().map(|(_, documents)| documents));
    }
    options.salvage = false;
    options.verify = true;
    let verified = documents(bytes, &options);
    assert_eq!(whole.map(|(_, documents)| documents), verified.map(|(_, documents)| documents));
});
