//! Why a report could not be read.

use std::io;

use crate::generation::Generation;

/// A place in a report, for an error to name.
///
/// `path` is of the document, as in jq: `benchmarks[0].requests.successful[3].request_latency`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Byte offset in the decompressed JSON text. Absent for YAML.
    pub byte: Option<u64>,
    /// Path in the document; empty where it is not known.
    pub path: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.byte, self.path.as_str()) {
            (None, "") => formatter.write_str("the document"),
            (None, path) => formatter.write_str(path),
            (Some(byte), "") => write!(formatter, "byte {byte}"),
            (Some(byte), path) => write!(formatter, "{path} (byte {byte})"),
        }
    }
}

/// Why a report could not be read. The file's name is the caller's to add.
///
/// Messages say what is wrong, where, and where it helps what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input could not be opened or read.
    #[error("cannot read")]
    Io(#[source] io::Error),
    /// The temporary file for an input that cannot be read twice failed.
    #[error("cannot spill the input to a temporary file; is the disk of TMPDIR full?")]
    Spill(#[source] io::Error),
    /// The gzip or zstd stream is damaged.
    #[error("corrupt {format} data after {byte} decompressed bytes")]
    CorruptCompression {
        /// `gzip` or `zstd`.
        format: &'static str,
        /// How much could be decompressed.
        byte: u64,
        /// What the decompressor says.
        #[source]
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It ends before the report does.
    #[error(
        "truncated at byte {byte}: the JSON ends inside {inside}; \
         if it is not still being written, `--salvage` keeps its whole records"
    )]
    Truncated {
        /// Length of what is there.
        byte: u64,
        /// The innermost open part.
        inside: String,
    },
    /// It is YAML, and what GuideLLM writes last of each benchmark is not there.
    #[error(
        "truncated: the YAML ends inside {inside}; if it is not still being written, it is lost: \
         only JSON can be salvaged"
    )]
    CutYaml {
        /// What is not whole.
        inside: String,
    },
    /// It was written to between opening and the last byte.
    #[error("the file changed while it was being read; try again once it is complete")]
    Changed,
    /// It is not JSON.
    #[error("not JSON at byte {byte}: expected {expected}, found {found}")]
    Syntax {
        /// Where.
        byte: u64,
        /// What the grammar wants there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// It is not YAML, nor JSON.
    #[error("neither JSON (no leading `{{` or `[`) nor YAML: {message}")]
    Yaml {
        /// What the YAML parser says, with line and column.
        message: String,
    },
    /// A string is not UTF-8.
    #[error("invalid UTF-8 at byte {byte}")]
    InvalidUtf8 {
        /// Where the first wrong byte is.
        byte: u64,
    },
    /// It begins with UTF-16's byte order mark.
    #[error(
        "it looks like UTF-16, as PowerShell's `>` writes it; convert it to UTF-8: \
         iconv -f UTF-16 -t UTF-8"
    )]
    Utf16,
    /// A value has the wrong type, or is malformed.
    #[error("wrong value at {place}: {message}")]
    Value {
        /// Where.
        place: Place,
        /// What is wrong with it.
        message: String,
    },
    /// `metadata.version` names a version that this release cannot read.
    #[error(
        "report version {found} is not supported (known: 1 for GuideLLM 0.5-0.6, 2 for 0.7-0.8); \
         a newer guidellm-indexer may know it"
    )]
    UnsupportedVersion {
        /// The version, as written.
        found: String,
    },
    /// No generation of GuideLLM's report looks like this.
    #[error("not a GuideLLM report: {reason}")]
    UnknownShape {
        /// What is missing or odd.
        reason: String,
    },
    /// A report without a single benchmark.
    #[error("the report has no benchmarks")]
    NoBenchmarks,
    /// A single record or a benchmark's header is beyond any sense.
    #[error("{what} at byte {byte} is larger than {limit} MiB")]
    TooLarge {
        /// A record, or a header.
        what: &'static str,
        /// Where it starts.
        byte: u64,
        /// The limit.
        limit: usize,
    },
    /// The tag at the end of the report contradicts its benchmarks.
    #[error("the report's benchmarks are of GuideLLM {benchmarks}, but its metadata says {tag}")]
    ContradictoryTag {
        /// What the benchmarks are.
        benchmarks: Generation,
        /// What the tag says.
        tag: Generation,
    },
    /// A benchmark without any clock has no time to be filed under.
    #[error("{path} has no start time, nor any record with a clock")]
    NoClock {
        /// The benchmark.
        path: String,
    },
}

impl ReadError {
    /// True where what was read so far is the beginning of a report, so that salvaging its whole
    /// records makes sense.
    #[must_use]
    pub fn is_truncation(&self) -> bool {
        matches!(self, Self::Truncated { .. })
    }
}
