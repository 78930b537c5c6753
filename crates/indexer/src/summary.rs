//! `guidellm-indexer summary`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::frames::summaries_frame;
use guidellm_results_model::{Consumer, Exit, Verification};
use polars::prelude::SortMultipleOptions;

use crate::cli::SummaryArguments;
use crate::reading::Reading;
use crate::store::Store;
use crate::targets::DEFAULT_STORE;
use crate::{table, tell, verification};

/// Keeps summaries only.
#[derive(Default)]
struct Summaries(Vec<Summary>);

impl Consumer for Summaries {
    type Error = anyhow::Error;

    fn requests(&mut self, _: Vec<Request>) -> Result<(), Self::Error> {
        Ok(())
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
        self.0.push(summary);
        Ok(())
    }
}

pub(crate) fn run(arguments: &SummaryArguments) -> Result<Exit> {
    let (reports, failures) = arguments.reports.find();
    let mut failed = failures.len();
    failures
        .iter()
        .for_each(|failure| tell(&format!("error: {failure:#}")));
    let mut summaries = Summaries::default();
    let reading = Reading::new(&arguments.reports, &reports);
    for report in &reports {
        let read = reading.read(report, &mut summaries);
        reading.suspended(|| match read {
            Ok(outcome) => {
                let verifications = &outcome.verifications;
                verification::tell(&report.name(), verifications, arguments.reports.quiet);
                failed += usize::from(verifications.iter().any(Verification::is_contradicted));
            }
            Err(error) => {
                failed += 1;
                tell(&format!("error: {error:#}"));
            }
        });
    }
    reading.clear_bar();
    let mut frame = summaries_frame(&summaries.0)?;
    let default = (!arguments.reports.names_reports()).then(|| PathBuf::from(DEFAULT_STORE));
    if let Some(root) = arguments.store.clone().or(default) {
        frame.vstack_mut(&Store::existing(&root)?.summaries_frame()?)?;
    }
    let frame = frame.sort(["timestamp"], SortMultipleOptions::default())?;
    let text = if arguments.json {
        table::json(&frame)?
    } else {
        table::text(&frame)?
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(match (frame.height(), failed) {
        (_, 0) => Exit::Done,
        (0, _) => Exit::Unusable,
        _ => Exit::SomeFailed,
    })
}
