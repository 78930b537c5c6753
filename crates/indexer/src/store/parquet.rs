//! Parquet files, written in bounded memory.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use anyhow::Result;
use guidellm_results_model::documents::Request;
use guidellm_results_model::frames::requests_frame;
use polars::frame::DataFrame;
use polars_io::parquet::write::{BatchedWriter, ParquetCompression, ParquetWriter};

/// Rows of a row group; bounds what a writer holds.
pub(super) const ROW_GROUP_ROWS: usize = 16 << 10;

/// The same for the rows' error texts, which may be whole pages.
pub(super) const ROW_GROUP_TEXT_BYTES: usize = 8 << 20;

/// Rows of a file; what a writer notes of its row groups until their file's end is bounded, too.
pub(super) const FILE_ROWS: usize = 1 << 20;

/// A file of requests that is being written.
pub(super) struct RequestsFile {
    writer: BatchedWriter<BufWriter<File>>,
    rows: Vec<Request>,
    text_bytes: usize,
    written: usize,
}

impl RequestsFile {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let schema = requests_frame(&[])?.schema().clone();
        Ok(Self {
            writer: parquet(File::create(path)?).batched(&schema)?,
            rows: Vec::new(),
            text_bytes: 0,
            written: 0,
        })
    }

    /// Adds rows; false once there are so many that others belong in another file.
    pub(super) fn add(&mut self, requests: Vec<Request>) -> Result<bool> {
        let texts = requests.iter().filter_map(|it| it.error_message.as_ref());
        self.text_bytes += texts.map(|text| text.len()).sum::<usize>();
        self.rows.extend(requests);
        if self.rows.len() >= ROW_GROUP_ROWS || self.text_bytes >= ROW_GROUP_TEXT_BYTES {
            self.flush()?;
        }
        Ok(self.written < FILE_ROWS)
    }

    fn flush(&mut self) -> Result<()> {
        let frame = requests_frame(&self.rows)?;
        self.written += self.rows.len();
        self.rows.clear();
        self.text_bytes = 0;
        Ok(self.writer.write_batch(&frame)?)
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> Result<()> {
        if !self.rows.is_empty() {
            self.flush()?;
        }
        self.writer.finish()?;
        Ok(())
    }
}

/// Buffered: a file's metadata is written a few bytes at a time. The writer flushes at its end.
pub(super) fn parquet(file: File) -> ParquetWriter<BufWriter<File>> {
    ParquetWriter::new(BufWriter::with_capacity(64 << 10, file))
        .with_compression(ParquetCompression::Snappy)
        .set_parallel(false)
}

/// Writes a file of one frame, down to the disk.
pub(super) fn write_frame(path: &Path, frame: &mut DataFrame) -> Result<()> {
    parquet(File::create(path)?).finish(frame)?;
    Ok(sync(path)?)
}

/// Makes what was written survive a power cut.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
