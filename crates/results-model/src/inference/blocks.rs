//! Standard errors of what is computed from requests that depend on each other.
//!
//! Requests of one load wait in the same queues: what is slow comes in clusters, and the usual
//! formula for independent values promises far too much. Blocks of time are resampled instead.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use fastrand::Rng;

use super::{Scale, number, variance};

/// Points that a block keeps before it is thinned.
const BLOCK_POINTS: usize = 1024;

/// Points of all blocks together that replicates are computed from.
const ALL_POINTS: usize = 64 << 10;

/// A block is never thinned below this for their sake.
const FEWEST_POINTS: usize = 64;

const REPLICATES: usize = 400;

/// With fewer blocks, resampling shows too little of what might have been.
const FEWEST_BLOCKS: usize = 8;

/// What is computed of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// Weighted arithmetic mean.
    Mean,
    /// The smallest value whose cumulative weight reaches this rank, 0 to 1: GuideLLM's percentile.
    Quantile(f64),
}

/// The values of one metric in one sample, cut into blocks of time.
///
/// Memory is bounded by the number of blocks: each keeps at most 1024 weighted points. A block
/// that is full merges neighbours, the finer the nearer to either end. That keeps weight and mean
/// exactly, and moves a quantile by less than its rank's standard error.
#[derive(Debug, Clone, Default)]
pub struct BlockSample {
    blocks: BTreeMap<u32, Block>,
}

#[derive(Debug, Clone, Default)]
struct Block {
    points: Vec<Point>,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    value: f64,
    weight: f64,
}

impl BlockSample {
    /// Adds a value to a block. Values that are not finite, and weights that are not positive,
    /// count for nothing.
    pub fn push(&mut self, block: u32, value: f64, weight: f64) {
        if !(value.is_finite() && weight > 0.0 && weight.is_finite()) {
            return;
        }
        let block = self.blocks.entry(block).or_default();
        block.points.push(Point { value, weight });
        if block.points.len() >= BLOCK_POINTS {
            block.thin(BLOCK_POINTS / 2);
        }
    }

    /// Blocks that have values.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// A statistic of all blocks; absent for no values.
    #[must_use]
    pub fn statistic(&self, statistic: Statistic) -> Option<f64> {
        let sorted = self.sorted();
        let once = vec![1; self.blocks.len()];
        *statistics(&sorted, &once, &[statistic]).first()?
    }

    /// Standard errors of statistics, in their order, on a scale: [`Scale::Ratio`] gives those of
    /// their natural logarithms.
    ///
    /// Each of 400 replicates draws as many blocks as there are, with replacement. The spread of
    /// the replicates is widened by `sqrt(blocks / (blocks - 1))`, since it is that of blocks
    /// around their own mean. Absent with fewer than eight blocks, or where a replicate has no
    /// place on the scale.
    #[must_use]
    pub fn standard_errors(
        &self,
        wanted: &[Statistic],
        scale: Scale,
        seed: u64,
    ) -> Vec<Option<f64>> {
        let blocks = self.blocks.len();
        if blocks < FEWEST_BLOCKS {
            return vec![None; wanted.len()];
        }
        let sorted = self.sorted();
        let mut random = Rng::with_seed(seed);
        let mut replicates = vec![Some(Vec::with_capacity(REPLICATES)); wanted.len()];
        let mut drawn = vec![0_u32; blocks];
        for _ in 0..REPLICATES {
            drawn.fill(0);
            for _ in 0..blocks {
                if let Some(times) = drawn.get_mut(random.usize(..blocks)) {
                    *times += 1;
                }
            }
            for (values, value) in replicates
                .iter_mut()
                .zip(statistics(&sorted, &drawn, wanted))
            {
                match (values.as_mut(), value.and_then(|value| scale.of(value))) {
                    (Some(values), Some(value)) => values.push(value),
                    _ => *values = None,
                }
            }
        }
        let widened = number(blocks) / number(blocks - 1);
        let error = |values: Option<Vec<f64>>| Some((variance(&values?)? * widened).sqrt());
        replicates.into_iter().map(error).collect()
    }

    /// All points with the position of their block, by value.
    fn sorted(&self) -> Vec<(Point, usize)> {
        let kept = (ALL_POINTS / self.blocks.len().max(1)).max(FEWEST_POINTS);
        let mut all = Vec::new();
        for (position, block) in self.blocks.values().enumerate() {
            let mut block = block.clone();
            if block.points.len() > kept {
                block.thin(kept);
            }
            all.extend(block.points.into_iter().map(|point| (point, position)));
        }
        all.sort_by(|(one, _), (other, _)| one.value.total_cmp(&other.value));
        all
    }
}

impl Block {
    fn weight(&self) -> f64 {
        self.points.iter().map(|point| point.weight).sum()
    }

    /// Merges neighbours until at most so many points are left.
    fn thin(&mut self, kept: usize) {
        self.points
            .sort_by(|one, other| one.value.total_cmp(&other.value));
        let total = self.weight();
        // Two neighbours that were not merged have more than the limit together, which makes at
        // most about twice PI / fineness points.
        let mut fineness = 2.0 * PI / number(kept);
        self.merge(total, fineness);
        while self.points.len() > kept {
            fineness *= 1.5;
            self.merge(total, fineness);
        }
    }

    /// Merges neighbours whose weight together stays below a limit, which is lower near the ends
    /// of the distribution, where the percentiles are that people ask for.
    fn merge(&mut self, total: f64, fineness: f64) {
        let mut merged: Vec<Point> = Vec::with_capacity(self.points.len());
        let mut below = 0.0;
        for point in self.points.drain(..) {
            let rank = ((below + point.weight / 2.0) / total).clamp(0.0, 1.0);
            below += point.weight;
            let limit = total * fineness * (rank * (1.0 - rank)).sqrt();
            match merged.last_mut() {
                Some(last) if last.weight + point.weight <= limit => {
                    let weight = last.weight + point.weight;
                    last.value += (point.value - last.value) * (point.weight / weight);
                    last.weight = weight;
                }
                _ => merged.push(point),
            }
        }
        self.points = merged;
    }
}

/// Statistics of sorted points, each counted as often as its block was drawn.
fn statistics(sorted: &[(Point, usize)], drawn: &[u32], wanted: &[Statistic]) -> Vec<Option<f64>> {
    let weight = |point: &Point, block: usize| {
        point.weight * drawn.get(block).copied().map_or(0.0, f64::from)
    };
    let (mut total, mut sum) = (0.0, 0.0);
    for (point, block) in sorted {
        let weight = weight(point, *block);
        total += weight;
        sum += weight * point.value;
    }
    if total <= 0.0 {
        return vec![None; wanted.len()];
    }
    let mut found: Vec<Option<f64>> = wanted
        .iter()
        .map(|statistic| (*statistic == Statistic::Mean).then_some(sum / total))
        .collect();
    let mut cumulative = 0.0;
    for (point, block) in sorted {
        let weight = weight(point, *block);
        if weight <= 0.0 {
            continue;
        }
        cumulative += weight;
        let mut left = false;
        for (statistic, found) in wanted.iter().zip(&mut found) {
            let Statistic::Quantile(rank) = statistic else {
                continue;
            };
            // Sums of floats come out a little below a rank that they reach.
            if found.is_none() && cumulative >= rank * total * (1.0 - 1e-12) {
                *found = Some(point.value);
            }
            left |= found.is_none();
        }
        if !left {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: [Statistic; 3] = [
        Statistic::Mean,
        Statistic::Quantile(0.5),
        Statistic::Quantile(0.95),
    ];

    fn lognormal(random: &mut Rng) -> f64 {
        let sum: f64 = (0..12).map(|_| random.f64()).sum();
        (sum - 6.0).mul_add(0.5, 4.0).exp()
    }

    fn sample(blocks: u32, each: usize, seed: u64) -> BlockSample {
        let mut random = Rng::with_seed(seed);
        let mut sample = BlockSample::default();
        for block in 0..blocks {
            for _ in 0..each {
                sample.push(block, lognormal(&mut random), 1.0);
            }
        }
        sample
    }

    #[test]
    fn a_percentile_is_the_smallest_value_that_reaches_the_rank() {
        let mut sample = BlockSample::default();
        for value in 1..=20 {
            sample.push(value % 3, f64::from(value), 1.0);
        }
        assert_eq!(sample.statistic(Statistic::Quantile(0.95)), Some(19.0));
        assert_eq!(sample.statistic(Statistic::Quantile(0.5)), Some(10.0));
        assert_eq!(sample.statistic(Statistic::Mean), Some(10.5));
    }

    #[test]
    fn what_is_no_value_counts_for_nothing() {
        let mut sample = BlockSample::default();
        sample.push(0, f64::NAN, 1.0);
        sample.push(0, 1.0, 0.0);
        sample.push(0, 1.0, f64::INFINITY);
        assert_eq!(sample.blocks(), 0);
        assert_eq!(sample.statistic(Statistic::Mean), None);
    }

    #[test]
    fn few_blocks_have_no_errors() {
        let errors = sample(7, 50, 1).standard_errors(&WANTED, Scale::Ratio, 0);
        assert_eq!(errors, [None; 3]);
        let errors = sample(8, 50, 1).standard_errors(&WANTED, Scale::Ratio, 0);
        assert!(errors.iter().all(Option::is_some));
    }

    #[test]
    fn a_seed_gives_the_same_errors() {
        let sample = sample(12, 60, 1);
        let errors = |seed| sample.standard_errors(&WANTED, Scale::Ratio, seed);
        assert_eq!(errors(3), errors(3));
        assert_ne!(errors(3), errors(4));
    }

    #[test]
    fn the_mean_of_independent_values_has_the_usual_error() {
        let error = sample(200, 50, 5).standard_errors(&WANTED, Scale::Ratio, 0)[0].unwrap();
        // Of a lognormal with sigma 0.5: sqrt(exp(0.25) - 1) / sqrt(n).
        let usual = 0.25_f64.exp_m1().sqrt() / 10_000_f64.sqrt();
        assert!((error / usual - 1.0).abs() < 0.15, "{error} {usual}");
    }

    #[test]
    fn shares_that_are_zero_have_errors_of_difference_only() {
        let mut sample = BlockSample::default();
        for block in 0..10 {
            sample.push(block, 0.0, 1.0);
        }
        let errors = |scale| sample.standard_errors(&[Statistic::Mean], scale, 0);
        assert_eq!(errors(Scale::Difference), [Some(0.0)]);
        assert_eq!(errors(Scale::Ratio), [None]);
    }

    proptest::proptest! {
        #[test]
        fn thinning_keeps_weight_mean_and_nearly_quantiles(
            values in proptest::collection::vec((0.001_f64..1e6, 0.1_f64..1000.0), 1..6000),
        ) {
            let mut sample = BlockSample::default();
            for (value, weight) in &values {
                sample.push(0, *value, *weight);
            }
            let block = &sample.blocks[&0];
            proptest::prop_assert!(block.points.len() <= BLOCK_POINTS);
            let total: f64 = values.iter().map(|(_, weight)| weight).sum();
            proptest::prop_assert!((block.weight() / total - 1.0).abs() < 1e-9);
            let mean = values.iter().map(|(value, weight)| value * weight).sum::<f64>() / total;
            let found = sample.statistic(Statistic::Mean).unwrap();
            proptest::prop_assert!((found / mean - 1.0).abs() < 1e-9);
            for rank in [0.5, 0.9, 0.95, 0.99] {
                let found = sample.statistic(Statistic::Quantile(rank)).unwrap();
                let below: f64 = values.iter().filter(|(value, _)| *value < found).map(|(_, weight)| weight).sum();
                let reached: f64 = values.iter().filter(|(value, _)| *value <= found).map(|(_, weight)| weight).sum();
                let slack = 0.03 * total;
                proptest::prop_assert!(below - slack <= rank * total && rank * total <= reached + slack);
            }
        }
    }
}
