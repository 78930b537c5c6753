//! The layouts that GuideLLM wrote its reports in, one file each.
//!
//! Wire types never leave this folder: what comes out are [`BenchmarkFacts`] and normalised
//! requests. Shapes that are the same in several generations are in [`shared`]. A layout knows
//! nothing of files, of text positions, or of where its documents go.
//!
//! To add a generation: a file here, a variant of [`Generation`], a fixture; the compiler lists
//! the rest.

mod record;
mod request_stats;
mod schema2;
mod shared;
mod v0_1;
mod v0_2;
mod v0_4;

pub(crate) use record::{Batch, Clocks, RecordContext};

use crate::documents::{
    RequestStatus, SummaryMetrics, SummarySettings, SummaryValidity, SummaryWindow, TpotDefinition,
};
use crate::error::ReadError;
use crate::generation::Generation;
use crate::scan::{List, Records, Skeleton};

/// What the documents of one benchmark share, as far as the report has been read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OriginFacts {
    pub(crate) run_id: Option<String>,
    pub(crate) benchmark_id: Option<String>,
    pub(crate) strategy: Option<String>,
    pub(crate) rate: Option<f64>,
    pub(crate) streams: Option<u32>,
    pub(crate) tpot_definition: TpotDefinition,
    /// Start of the measured window, epoch seconds.
    pub(crate) measured_start: Option<f64>,
    /// Its end, epoch seconds.
    pub(crate) measured_end: Option<f64>,
}

impl OriginFacts {
    /// Whether requests can be normalised, now and once for all. What is not there may come
    /// later in the report.
    pub(crate) fn is_complete(&self) -> bool {
        self.run_id.is_some()
            && self.benchmark_id.is_some()
            && self.strategy.is_some()
            && self.measured_start.is_some()
    }
}

/// Counts by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct StatusCounts {
    pub(crate) successful: Option<u64>,
    pub(crate) errored: Option<u64>,
    pub(crate) incomplete: Option<u64>,
    pub(crate) total: Option<u64>,
}

/// What a report says of one benchmark, apart from its records.
#[derive(Debug, Clone)]
pub(crate) struct BenchmarkFacts {
    pub(crate) origin: OriginFacts,
    pub(crate) settings: SummarySettings,
    pub(crate) window: SummaryWindow,
    /// In the measured window.
    pub(crate) totals: StatusCounts,
    /// In the whole run.
    pub(crate) run: StatusCounts,
    /// `None` where the report has no statistics, and they are to be computed.
    pub(crate) metrics: Option<SummaryMetrics>,
    pub(crate) validity: SummaryValidity,
}

/// A benchmark's own part of a report, typed.
#[derive(Debug)]
pub(crate) enum Benchmark {
    V0_1(v0_1::Benchmark),
    V0_2(Box<v0_2::Benchmark>),
    V0_4(Box<v0_4::Benchmark>),
    Schema2(Box<schema2::Benchmark>),
}

impl Benchmark {
    pub(crate) fn parse(
        generation: Generation,
        skeleton: &Skeleton,
        path: &str,
    ) -> Result<Self, ReadError> {
        Ok(match generation {
            Generation::V0_1 => Self::V0_1(skeleton.parse(path)?),
            Generation::V0_2 => Self::V0_2(skeleton.parse(path)?),
            Generation::V0_4 | Generation::Schema1 => {
                Self::V0_4(Box::new(v0_4::Benchmark::parse(skeleton, path)?))
            }
            Generation::Schema2 => {
                Self::Schema2(Box::new(schema2::Benchmark::parse(skeleton, path)?))
            }
        })
    }

    /// What it says, together with what its report says of all benchmarks.
    pub(crate) fn facts(
        &self,
        generation: Generation,
        top: &Skeleton,
        group: &Skeleton,
    ) -> Result<BenchmarkFacts, ReadError> {
        Ok(match self {
            Self::V0_1(benchmark) => benchmark.facts(&group.parse("benchmarks[0]")?),
            Self::V0_2(benchmark) => benchmark.facts(),
            Self::V0_4(benchmark) => benchmark.facts(generation, &top.parse("")?),
            Self::Schema2(benchmark) => benchmark.facts(&top.parse("")?),
        })
    }

    /// The origin alone; of a report that is still being read it may be incomplete.
    pub(crate) fn origin(&self) -> OriginFacts {
        match self {
            Self::V0_1(benchmark) => benchmark.origin(&v0_1::Group::default()),
            Self::V0_2(benchmark) => benchmark.origin(),
            Self::V0_4(benchmark) => benchmark.origin(),
            Self::Schema2(benchmark) => benchmark.origin(),
        }
    }
}

/// Parses and normalises records of a list of requests.
pub(crate) fn normalise(
    generation: Generation,
    records: &Records,
    status: RequestStatus,
    context: &RecordContext,
) -> Result<Batch, ReadError> {
    match (generation, status) {
        (Generation::V0_1, RequestStatus::Errored) => {
            record::normalise::<v0_1::ErrorRecord>(records, status, context)
        }
        (Generation::V0_1, _) => record::normalise::<v0_1::Record>(records, status, context),
        (Generation::V0_2, _) => record::normalise::<v0_2::Record>(records, status, context),
        (Generation::V0_4 | Generation::Schema1 | Generation::Schema2, _) => {
            record::normalise::<request_stats::Record>(records, status, context)
        }
    }
}

/// The id of the first of some records, for a benchmark that has none of its own.
pub(crate) fn first_record_id(
    generation: Generation,
    records: &Records,
    status: RequestStatus,
    path: &str,
) -> Result<Option<String>, ReadError> {
    match (generation, status) {
        (Generation::V0_1, RequestStatus::Errored) => {
            record::first_id::<v0_1::ErrorRecord>(records, path)
        }
        (Generation::V0_1, _) => record::first_id::<v0_1::Record>(records, path),
        (Generation::V0_2, _) => record::first_id::<v0_2::Record>(records, path),
        (Generation::V0_4 | Generation::Schema1 | Generation::Schema2, _) => {
            record::first_id::<request_stats::Record>(records, path)
        }
    }
}

/// The earliest clock of some records, epoch seconds, for a benchmark that has no window.
pub(crate) fn earliest_clock(
    generation: Generation,
    list: List,
    records: &Records,
    path: &str,
) -> Result<Option<f64>, ReadError> {
    match (list, generation) {
        (List::Concurrencies, _) => record::earliest::<v0_1::Concurrency>(records, path),
        (List::Requests(RequestStatus::Errored), Generation::V0_1) => Ok(None),
        (List::Requests(_), Generation::V0_1) => record::earliest::<v0_1::Record>(records, path),
        (List::Requests(_), Generation::V0_2) => record::earliest::<v0_2::Record>(records, path),
        (List::Requests(_), Generation::V0_4 | Generation::Schema1 | Generation::Schema2) => {
            record::earliest::<request_stats::Record>(records, path)
        }
    }
}
