//! A weighted sample whose quantiles are exact, however large it is.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use crate::documents::Statistics;

/// Values kept in memory before a sorted run goes to disk: 2 MiB.
const RUN_VALUES: usize = 128 << 10;

/// Buffer for reading one run back.
const RUN_BUFFER_BYTES: usize = 32 << 10;

/// A value and its weight.
pub(super) type Weighted = (f64, f64);

const WEIGHTED_BYTES: usize = 16;

/// How probabilities are added up on the way to a percentile. GuideLLM adds floats in sequence,
/// so that a rank that falls exactly on a value may come out one value off; to find the same
/// value one must add in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accumulation {
    /// Value by value: to 0.3.
    EachValue,
    /// Equal values first together: from 0.4 on.
    DistinctValues,
}

/// Values with weights. What does not fit a small buffer is kept on disk in sorted runs.
#[derive(Debug, Default)]
pub(crate) struct WeightedSample {
    buffer: Vec<Weighted>,
    spill: Option<Arc<File>>,
    /// Start (in bytes) and number of values of each run.
    runs: Vec<(u64, usize)>,
    count: u64,
    weight: f64,
    weighted_sum: f64,
}

impl WeightedSample {
    /// Adds a value. Values that are not finite, and weights that are not positive, count for
    /// nothing.
    pub(crate) fn push(&mut self, value: f64, weight: f64) -> io::Result<()> {
        if !(value.is_finite() && weight > 0.0 && weight.is_finite()) {
            return Ok(());
        }
        self.add((value, weight))
    }

    /// Adds an event, whose weight may be anything.
    pub(super) fn add(&mut self, (value, weight): Weighted) -> io::Result<()> {
        self.count += 1;
        self.weight += weight;
        self.weighted_sum += value * weight;
        self.buffer.push((value, weight));
        if self.buffer.len() >= RUN_VALUES {
            self.spill()
        } else {
            Ok(())
        }
    }

    /// The statistics; absent where there is no value.
    pub(crate) fn statistics(self, accumulation: Accumulation) -> io::Result<Statistics> {
        self.described(accumulation, &mut |_, _| ())
    }

    /// The same; `visit` sees each value, in order, with the share of the weight at or below it.
    pub(crate) fn described(
        mut self,
        accumulation: Accumulation,
        visit: &mut dyn FnMut(f64, f64),
    ) -> io::Result<Statistics> {
        if self.count == 0 {
            return Ok(Statistics::default());
        }
        let (total, mean) = (self.weight, self.weighted_sum / self.weight);
        let mut ranks = Ranks::default();
        let (mut variance, mut min, mut max) = (0.0, None, None);
        let mut pending: Option<Weighted> = None;
        self.for_each_sorted(&mut |(value, weight)| {
            min.get_or_insert(value);
            max = Some(value);
            variance += (value - mean) * (value - mean) * (weight / total);
            match &mut pending {
                #[expect(clippy::float_cmp, reason = "equal values are one, as for GuideLLM")]
                Some((last, together))
                    if accumulation == Accumulation::DistinctValues && *last == value =>
                {
                    *together += weight;
                }
                pending => {
                    if let Some((value, weight)) = pending.replace((value, weight)) {
                        visit(value, ranks.add(value, weight / total));
                    }
                }
            }
        })?;
        if let Some((value, weight)) = pending {
            visit(value, ranks.add(value, weight / total));
        }
        let [p50, p90, p95, p99] = ranks.found.map(|found| found.or(max));
        let stddev = Some(variance.sqrt());
        Ok(Statistics {
            mean: Some(mean),
            p50,
            p90,
            p95,
            p99,
            min,
            max,
            stddev,
        })
    }

    /// Visits all values in ascending order; equal values in the order of their weights.
    pub(super) fn for_each_sorted(&mut self, visit: &mut dyn FnMut(Weighted)) -> io::Result<()> {
        sort(&mut self.buffer);
        let Some(spill) = self.spill.take() else {
            self.buffer.drain(..).for_each(visit);
            return Ok(());
        };
        let mut sources = vec![Source::Memory(std::mem::take(&mut self.buffer).into_iter())];
        for (start, length) in self.runs.drain(..) {
            let at = FileAt {
                file: Arc::clone(&spill),
                position: start,
            };
            let reader = BufReader::with_capacity(RUN_BUFFER_BYTES, at);
            sources.push(Source::Disk(reader, length));
        }
        merge(sources, visit)
    }

    fn spill(&mut self) -> io::Result<()> {
        sort(&mut self.buffer);
        let spill = match &self.spill {
            Some(spill) => Arc::clone(spill),
            None => Arc::new(tempfile::tempfile()?),
        };
        let start = (&*spill).seek(SeekFrom::End(0))?;
        let mut writer = BufWriter::new(&*spill);
        for (value, weight) in &self.buffer {
            writer.write_all(&value.to_le_bytes())?;
            writer.write_all(&weight.to_le_bytes())?;
        }
        writer.flush()?;
        drop(writer);
        self.runs.push((start, self.buffer.len()));
        self.buffer.clear();
        self.spill = Some(spill);
        Ok(())
    }
}

fn sort(values: &mut [Weighted]) {
    values.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
}

/// Where the cumulative probability first reaches each rank.
#[derive(Debug, Default)]
struct Ranks {
    cumulative: f64,
    found: [Option<f64>; 4],
}

impl Ranks {
    const RANKS: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

    /// Returns the cumulative probability.
    fn add(&mut self, value: f64, probability: f64) -> f64 {
        self.cumulative += probability;
        for (rank, found) in Self::RANKS.iter().zip(&mut self.found) {
            if found.is_none() && self.cumulative >= *rank {
                *found = Some(value);
            }
        }
        self.cumulative
    }
}

/// Reads a shared file from a position of its own.
struct FileAt {
    file: Arc<File>,
    position: u64,
}

impl Read for FileAt {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.file).seek(SeekFrom::Start(self.position))?;
        let count = (&*self.file).read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

enum Source {
    Memory(std::vec::IntoIter<Weighted>),
    Disk(BufReader<FileAt>, usize),
}

impl Source {
    fn next(&mut self) -> io::Result<Option<Weighted>> {
        match self {
            Self::Memory(values) => Ok(values.next()),
            Self::Disk(_, 0) => Ok(None),
            Self::Disk(reader, left) => {
                *left -= 1;
                let mut bytes = [0; WEIGHTED_BYTES];
                reader.read_exact(&mut bytes)?;
                let (value, weight) = bytes.split_at(WEIGHTED_BYTES / 2);
                let number = |half: &[u8]| {
                    half.try_into()
                        .map(f64::from_le_bytes)
                        .map_err(io::Error::other)
                };
                Ok(Some((number(value)?, number(weight)?)))
            }
        }
    }
}

/// The head of a run; the heap's greatest is the smallest value.
struct Head {
    value: Weighted,
    source: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_value = other.value.0.total_cmp(&self.value.0);
        by_value
            .then(other.value.1.total_cmp(&self.value.1))
            .then(other.source.cmp(&self.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

fn merge(mut sources: Vec<Source>, visit: &mut dyn FnMut(Weighted)) -> io::Result<()> {
    let mut heads = std::collections::BinaryHeap::with_capacity(sources.len());
    for (source, values) in sources.iter_mut().enumerate() {
        heads.extend(values.next()?.map(|value| Head { value, source }));
    }
    while let Some(head) = heads.pop() {
        visit(head.value);
        if let Some(values) = sources.get_mut(head.source) {
            let source = head.source;
            heads.extend(values.next()?.map(|value| Head { value, source }));
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small whole numbers, and values that must be the very same"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn statistics(values: &[Weighted], accumulation: Accumulation) -> Statistics {
        let mut sample = WeightedSample::default();
        for &(value, weight) in values {
            sample.push(value, weight).unwrap();
        }
        sample.statistics(accumulation).unwrap()
    }

    #[test]
    fn a_percentile_is_a_value_of_the_sample_without_interpolation() {
        let values: Vec<Weighted> = (1..=10).map(|value| (f64::from(value), 1.0)).collect();
        let statistics = statistics(&values, Accumulation::DistinctValues);
        assert_eq!(statistics.p50, Some(5.0));
        assert_eq!(statistics.p95, Some(10.0));
        assert_eq!(statistics.mean, Some(5.5));
        assert_eq!((statistics.min, statistics.max), (Some(1.0), Some(10.0)));
    }

    #[test]
    fn weights_move_the_median() {
        let statistics = statistics(
            &[(1.0, 1.0), (2.0, 7.0), (9.0, 1.0)],
            Accumulation::EachValue,
        );
        assert_eq!(statistics.p50, Some(2.0));
        assert_eq!(statistics.mean, Some(24.0 / 9.0));
    }

    #[test]
    fn nothing_measured_is_absent() {
        assert_eq!(
            statistics(&[], Accumulation::EachValue),
            Statistics::default()
        );
        let not_numbers = [(f64::NAN, 1.0), (1.0, 0.0), (f64::INFINITY, 2.0)];
        assert_eq!(
            statistics(&not_numbers, Accumulation::EachValue),
            Statistics::default()
        );
    }

    #[test]
    fn spilled_runs_give_what_memory_gives() {
        let count = 3 * RUN_VALUES + 17;
        let values: Vec<f64> = (0..count).map(|i| ((i * 7_919) % 100_003) as f64).collect();
        let mut sample = WeightedSample::default();
        for &value in &values {
            sample.push(value, 1.0).unwrap();
        }
        assert_eq!(sample.runs.len(), 3);
        let statistics = sample.statistics(Accumulation::DistinctValues).unwrap();
        let mut sorted = values;
        sorted.sort_unstable_by(f64::total_cmp);
        let nearest = |rank: f64| sorted[(rank * count as f64).ceil() as usize - 1];
        assert_eq!(statistics.p50, Some(nearest(0.5)));
        assert_eq!(statistics.p99, Some(nearest(0.99)));
        assert_eq!(statistics.max, sorted.last().copied());
    }

    proptest! {
        #[test]
        fn percentiles_are_in_order_and_in_the_sample(
            values in prop::collection::vec((-1e6..1e6f64, 0.1..10.0f64), 1..200)
        ) {
            let statistics = statistics(&values, Accumulation::DistinctValues);
            let ordered = [statistics.min, statistics.p50, statistics.p90, statistics.p95,
                statistics.p99, statistics.max].map(Option::unwrap);
            prop_assert!(ordered.is_sorted());
            for percentile in ordered {
                prop_assert!(values.iter().any(|(value, _)| *value == percentile));
            }
        }
    }
}
