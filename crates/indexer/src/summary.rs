//! `guidellm-indexer summary`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::frames::{instants, summaries_frame};
use guidellm_results_model::{Consumer, Exit, Verification};
use polars::frame::DataFrame;
use polars::prelude::{Column, DataType, PlSmallStr, PolarsResult, SortMultipleOptions};
use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;

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
        frame.vstack_mut(&stored(&root)?)?;
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

/// A stored column in the type that it was written with. Instants come back without their zone;
/// a column that an older release did not have yet is empty.
fn typed(stored: &DataFrame, name: &PlSmallStr, kind: &DataType) -> PolarsResult<Column> {
    match (stored.column(name), kind) {
        (Err(_), _) => Ok(Column::full_null(name.clone(), stored.height(), kind)),
        (Ok(stored), DataType::Datetime(..)) => instants(stored),
        (Ok(stored), _) => stored.cast(kind),
    }
}

/// All summaries of a store.
fn stored(root: &Path) -> Result<DataFrame> {
    if !root.is_dir() {
        anyhow::bail!(
            "{}: no such store; name reports, or --store DIR",
            root.display()
        );
    }
    let store = Store::open(root)?;
    let pattern = format!("{}/run=*/job=*/*.parquet", store.summaries().display());
    let mut frame = summaries_frame(&[])?;
    let schema = frame.schema().clone();
    for path in glob::glob(&pattern)? {
        let path = path?;
        let place = || format!("{}: cannot read it", path.display());
        let file = File::open(&path).with_context(place)?;
        let stored = ParquetReader::new(file).finish().with_context(place)?;
        let columns = schema.iter().map(|(name, kind)| typed(&stored, name, kind));
        let columns = columns.collect::<Result<Vec<_>, _>>().with_context(place)?;
        frame
            .vstack_mut(&DataFrame::new(stored.height(), columns)?)
            .with_context(place)?;
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use polars_io::parquet::write::ParquetWriter;

    use super::*;

    #[test]
    fn a_store_of_an_older_release_is_read() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("summaries/run=u/job=j");
        std::fs::create_dir_all(&folder).unwrap();
        let frame = summaries_frame(&[]).unwrap();
        let names = ["uuid", "job_name", "timestamp"];
        let height = 2;
        let columns = names.map(|name| {
            let kind = frame.column(name).unwrap().dtype().clone();
            Column::full_null(name.into(), height, &kind)
        });
        let mut older = DataFrame::new(height, columns.to_vec()).unwrap();
        let file = File::create(folder.join("x.parquet")).unwrap();
        ParquetWriter::new(file).finish(&mut older).unwrap();
        let read = stored(root.path()).unwrap();
        assert_eq!((read.height(), read.schema()), (height, frame.schema()));
    }
}
