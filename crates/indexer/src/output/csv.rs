//! Documents as rows of one table.

use std::io::Write;

use anyhow::Result;
use csv::Writer;
use guidellm_results_model::frames::{requests_frame, summaries_frame};
use serde_json::Value;

/// Columns of both kinds of documents, summaries' first.
pub(super) struct Columns(Vec<String>);

impl Columns {
    pub(super) fn new() -> Result<Self> {
        let mut columns: Vec<String> = Vec::new();
        for frame in [summaries_frame(&[])?, requests_frame(&[])?] {
            for name in frame.get_column_names() {
                if !columns.iter().any(|column| column == name.as_str()) {
                    columns.push(name.to_string());
                }
            }
        }
        Ok(Self(columns))
    }

    pub(super) fn write_header(&self, to: &mut impl Write) -> Result<()> {
        let mut writer = Writer::from_writer(to);
        writer.write_record(&self.0)?;
        Ok(writer.flush()?)
    }

    /// Writes a document, given as JSON.
    pub(super) fn write(&self, json: &[u8], to: &mut impl Write) -> Result<()> {
        let document: Value = serde_json::from_slice(json)?;
        let cell = |column: &String| match document.get(column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let mut writer = Writer::from_writer(to);
        writer.write_record(self.0.iter().map(cell))?;
        Ok(writer.flush()?)
    }
}
