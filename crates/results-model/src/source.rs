//! Where a report comes from, and how its JSON text is got out of it.
//!
//! Compression and YAML end here: what leaves this module is JSON text that can be read from
//! the front as often as needed. The kind of a file is told from its first bytes, never from
//! its name.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use serde_saphyr::options::NonFiniteFloatPolicy;

use crate::error::ReadError;

/// What an input that cannot be read twice may take of memory before it goes to a file.
const SPILL_BYTES: usize = 8 << 20;

/// Buffer before a decompressor.
const COMPRESSED_BUFFER_BYTES: usize = 128 << 10;

/// A saved report.
pub enum Source {
    /// A file: plain, gzip or zstd; JSON or YAML.
    Path(PathBuf),
    /// Anything that can be read once, standard input for example. Its content is kept in a
    /// temporary file while it is being read, if it is not small.
    Reader(Box<dyn Read + Send>),
}

impl Source {
    /// A file.
    pub fn path(path: impl AsRef<Path>) -> Self {
        Self::Path(path.as_ref().to_path_buf())
    }

    /// Anything that can be read once.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::Reader(Box::new(reader))
    }
}

/// How far reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Which time the source is being read, from 1.
    pub pass: u32,
    /// Bytes read of the source in this pass, before decompression.
    pub bytes: u64,
}

/// Told of each block that is read, on the reading thread; for a progress bar. By default nobody.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Position) + Send + Sync>>);

impl Progress {
    /// Calls `watch`, which should be quick.
    pub fn new(watch: impl Fn(Position) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Progress").finish_non_exhaustive()
    }
}

/// An open source.
pub(crate) struct Input {
    bytes: Bytes,
    /// Length and time of change of a file when it was opened.
    opened: Option<FileState>,
    compression: Compression,
    progress: Progress,
    passes: u32,
    is_json: bool,
}

type FileState = (u64, Option<SystemTime>);

fn state(file: &File) -> Result<FileState, ReadError> {
    let metadata = file.metadata().map_err(ReadError::Io)?;
    Ok((metadata.len(), metadata.modified().ok()))
}

/// The source's own bytes; each can go back to its front.
enum Bytes {
    File(File),
    Spool(Box<tempfile::SpooledTempFile>),
    Text(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Input {
    pub(crate) fn open(source: Source, progress: Progress) -> Result<Self, ReadError> {
        let mut opened = None;
        let mut bytes = match source {
            Source::Path(path) => {
                let file = File::open(path).map_err(ReadError::Io)?;
                let kind = file.metadata().map_err(ReadError::Io)?;
                if kind.is_dir() {
                    return Err(ReadError::Io(ErrorKind::IsADirectory.into()));
                }
                if kind.is_file() {
                    opened = Some(state(&file)?);
                    Bytes::File(file)
                } else {
                    spool(file)?
                }
            }
            Source::Reader(reader) => spool(reader)?,
        };
        let compression = detect_compression(&mut bytes)?;
        let mut input = Self {
            bytes,
            opened,
            compression,
            progress,
            passes: 0,
            is_json: true,
        };
        if !input.starts_as_json()? {
            input.transcode_yaml()?;
        }
        Ok(input)
    }

    /// Whether byte offsets in the text mean anything to the user.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// A file that changed since it was opened may have been read half old and half new.
    pub(crate) fn check_unchanged(&self) -> Result<(), ReadError> {
        match (&self.bytes, self.opened) {
            (Bytes::File(file), Some(opened)) if state(file)? != opened => Err(ReadError::Changed),
            _ => Ok(()),
        }
    }

    /// The text, from its front.
    pub(crate) fn text(&mut self) -> Result<Box<dyn Read + Send + '_>, ReadError> {
        self.passes += 1;
        let progress = self.progress.clone();
        self.decoded(progress)
    }

    fn decoded(&mut self, progress: Progress) -> Result<Box<dyn Read + Send + '_>, ReadError> {
        let raw: Box<dyn Read + Send + '_> = match &mut self.bytes {
            Bytes::File(file) => {
                file.rewind().map_err(ReadError::Io)?;
                Box::new(&*file)
            }
            Bytes::Spool(spool) => {
                spool.rewind().map_err(ReadError::Spill)?;
                Box::new(spool)
            }
            Bytes::Text(text) => return Ok(Box::new(Cursor::new(text.as_slice()))),
        };
        let counted = Counted {
            inner: raw,
            progress,
            position: Position {
                pass: self.passes,
                bytes: 0,
            },
        };
        Ok(match self.compression {
            Compression::None => Box::new(counted),
            Compression::Gzip => {
                let buffered = BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, counted);
                let decoder = flate2::bufread::MultiGzDecoder::new(buffered);
                Box::new(Decompressed {
                    inner: decoder,
                    format: "gzip",
                    byte: 0,
                })
            }
            Compression::Zstd => {
                let buffered = BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, counted);
                let decoder = zstd::Decoder::with_buffer(buffered).map_err(ReadError::Io)?;
                Box::new(Decompressed {
                    inner: decoder,
                    format: "zstd",
                    byte: 0,
                })
            }
        })
    }

    /// A first non-blank `{` or `[` means JSON, with no second guess. So does nothing at all:
    /// the reader will say that it is empty.
    fn starts_as_json(&mut self) -> Result<bool, ReadError> {
        let mut text = BufReader::new(self.decoded(Progress::default())?);
        let mut first = [0];
        let mut skipped = 0u64;
        loop {
            match text.read(&mut first) {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // The reader meets the same and tells it with its place.
                Err(_) => return Ok(true),
            }
            let in_byte_order_mark = skipped < 3 && matches!(first[0], 0xEF | 0xBB | 0xBF);
            if !in_byte_order_mark && !first[0].is_ascii_whitespace() {
                return Ok(matches!(first[0], b'{' | b'['));
            }
            skipped += 1;
        }
    }

    /// YAML is read whole and becomes JSON text. It is the same tree, so nothing else in this
    /// crate needs to know of it.
    fn transcode_yaml(&mut self) -> Result<(), ReadError> {
        let mut yaml = Vec::new();
        match self.text()?.read_to_end(&mut yaml) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(ReadError::Truncated {
                    byte: yaml.len() as u64,
                    inside: "the compressed stream".to_owned(),
                });
            }
            Err(error) => {
                return Err(error.downcast::<ReadError>().unwrap_or_else(ReadError::Io));
            }
        }
        if yaml.starts_with(&[0xFF, 0xFE]) || yaml.starts_with(&[0xFE, 0xFF]) {
            return Err(ReadError::Utf16);
        }
        let yaml = std::str::from_utf8(&yaml).map_err(|error| ReadError::InvalidUtf8 {
            byte: error.valid_up_to() as u64,
        })?;
        let tree: Value =
            serde_saphyr::from_str_with_options(yaml, options(yaml)).map_err(|error| {
                ReadError::Yaml {
                    message: one_line(&error.to_string()),
                }
            })?;
        if !tree.is_object() && !tree.is_array() {
            let reason = "it is neither a JSON nor a YAML object (give GuideLLM's JSON or YAML, \
                          not its CSV or HTML)";
            return Err(ReadError::UnknownShape {
                reason: reason.to_owned(),
            });
        }
        if let Some(inside) = cut_inside(yaml, &tree) {
            return Err(ReadError::CutYaml { inside });
        }
        let text = serde_json::to_vec(&tree).map_err(|error| ReadError::Io(error.into()))?;
        self.bytes = Bytes::Text(text);
        self.compression = Compression::None;
        self.is_json = false;
        Ok(())
    }
}

/// What a truncated YAML ends inside: the first lines of YAML are YAML. GuideLLM ends each line and sorts
/// members, so that of each generation it is known what comes last. A sweep of 0.1 that ends with a
/// whole benchmark may have had more: nothing in it says how many.
fn cut_inside(yaml: &str, tree: &Value) -> Option<String> {
    let benchmarks = tree.get("benchmarks").and_then(Value::as_array);
    let benchmarks = benchmarks.map(Vec::as_slice).unwrap_or_default();
    // From 0.5 on, `metadata` comes after the benchmarks, and `version` is its last member.
    let is_tagged = tree.pointer("/metadata/version").is_some();
    let cut = benchmarks.iter().position(|it| is_cut(it, is_tagged));
    if let Some(index) = cut {
        return Some(format!("benchmarks[{index}]"));
    }
    let profiles = ["/config/profile", "/args/profile"];
    let done = benchmarks.iter().flat_map(|benchmark| {
        let profiles = profiles.iter().filter_map(|at| benchmark.pointer(at));
        profiles.filter_map(|it| count(it.get("completed_strategies")?))
    });
    if let Some(done) = done.max().filter(|done| *done > benchmarks.len() as u64) {
        let there = benchmarks.len();
        return Some(format!("its benchmarks ({there} of {done} are there)"));
    }
    // 0.4 has no metadata, and none of 0.5's arguments.
    let is_0_4 = tree.get("args").is_some() && tree.pointer("/args/over_saturation").is_none();
    if benchmarks.iter().any(|it| it.get("config").is_some()) && !is_tagged && !is_0_4 {
        return Some("the report, before the end of its metadata".to_owned());
    }
    (!yaml.ends_with('\n')).then(|| "a line".to_owned())
}

/// Whether the last member of a benchmark is not there.
fn is_cut(benchmark: &Value, is_tagged: bool) -> bool {
    let has = |member| benchmark.pointer(member).is_some();
    if has("/config") {
        return !has("/type_") || !is_tagged && !has("/warmup_duration");
    }
    if has("/args") && !has("/benchmarks") {
        return !has("/worker/type_");
    }
    // 0.1: `results` come last, and how many they are is counted before.
    let groups = benchmark.get("benchmarks").and_then(Value::as_array);
    groups.is_some_and(|all| {
        all.iter().any(|it| {
            let concurrencies = it.get("concurrencies").and_then(Value::as_array);
            let last = concurrencies.and_then(|all| all.last());
            let counted = last.and_then(|it| it.get("completed")?.as_u64());
            let results = it.get("results").and_then(Value::as_array);
            let whole = results.map(|all| all.iter().filter(|it| it.get("start_time").is_some()));
            counted > whole.map(|it| it.count() as u64) || results.is_none()
        })
    })
}

/// A number, or that of a list's elements.
fn count(of: &Value) -> Option<u64> {
    of.as_u64().or_else(|| Some(of.as_array()?.len() as u64))
}

/// Limits grow with the text, except those on anchors: GuideLLM writes none, and a few of them
/// can stand for more than any memory holds.
fn options(yaml: &str) -> serde_saphyr::Options {
    let size = yaml.len();
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: None,
            max_events: size,
            max_nodes: size,
            max_total_scalar_bytes: size,
            max_documents: 1,
            max_anchors: 1000,
            max_aliases: 1000,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn spool(mut reader: impl Read) -> Result<Bytes, ReadError> {
    let mut spool = tempfile::spooled_tempfile(SPILL_BYTES);
    let mut block = vec![0; 256 << 10];
    loop {
        // Not `io::copy`, which would not tell the reader's failure from the disk's.
        match reader.read(&mut block) {
            Ok(0) => return Ok(Bytes::Spool(Box::new(spool))),
            Ok(count) => io::Write::write_all(&mut spool, block.get(..count).unwrap_or_default())
                .map_err(ReadError::Spill)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::Io(error)),
        }
    }
}

fn detect_compression(bytes: &mut Bytes) -> Result<Compression, ReadError> {
    let mut magic = Vec::with_capacity(4);
    match bytes {
        Bytes::File(file) => file
            .take(4)
            .read_to_end(&mut magic)
            .map_err(ReadError::Io)?,
        Bytes::Spool(spool) => {
            spool.rewind().map_err(ReadError::Spill)?;
            spool
                .take(4)
                .read_to_end(&mut magic)
                .map_err(ReadError::Spill)?
        }
        Bytes::Text(_) => 0,
    };
    Ok(match magic.as_slice() {
        [0x1F, 0x8B, ..] => Compression::Gzip,
        [0x28, 0xB5, 0x2F, 0xFD] => Compression::Zstd,
        _ => Compression::None,
    })
}

/// Tells of what is read of the source.
struct Counted<R> {
    inner: R,
    progress: Progress,
    position: Position,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.position.bytes += count as u64;
        if let Progress(Some(watch)) = &self.progress {
            watch(self.position);
        }
        Ok(count)
    }
}

/// Names the format and the place in a decompressor's failures.
struct Decompressed<R> {
    inner: R,
    format: &'static str,
    byte: u64,
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(count) => {
                self.byte += count as u64;
                Ok(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof) => Err(error),
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(source) => Err(io::Error::other(ReadError::CorruptCompression {
                format: self.format,
                byte: self.byte,
                source,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn input(text: &[u8]) -> (tempfile::NamedTempFile, Input) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let input = Input::open(Source::path(file.path()), Progress::default()).unwrap();
        (file, input)
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_told() {
        let (mut file, input) = input(b"{}");
        input.check_unchanged().unwrap();
        file.write_all(b" ").unwrap();
        let error = input.check_unchanged().unwrap_err();
        assert!(matches!(error, ReadError::Changed), "{error}");
    }

    #[test]
    fn the_text_can_be_read_as_often_as_needed_and_progress_counts_each_time() {
        let text = br#"{"benchmarks": []}"#;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        let gzip = gzip.finish().unwrap();
        let length = gzip.len() as u64;
        let positions: Arc<std::sync::Mutex<Vec<Position>>> = Arc::default();
        let seen = Arc::clone(&positions);
        let progress = Progress::new(move |position| seen.lock().unwrap().push(position));
        let source = Source::reader(Cursor::new(gzip));
        let mut input = Input::open(source, progress).unwrap();
        for pass in 1..3 {
            let mut read = Vec::new();
            input.text().unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, text);
            let last = *positions.lock().unwrap().last().unwrap();
            assert_eq!(
                last,
                Position {
                    pass,
                    bytes: length
                }
            );
        }
    }

    #[test]
    fn what_is_neither_json_nor_yaml_says_so() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"model,rate\nx,1\n").unwrap();
        let opened = Input::open(Source::path(file.path()), Progress::default());
        let error = opened.err().unwrap().to_string();
        assert!(error.contains("not its CSV or HTML"), "{error}");
    }
}
