//! The error of a figure that follows from the requests of one sample: a block bootstrap.
//!
//! Requests near each other in time are alike (a queue that fills slows all of them), so that
//! drawing requests one by one would make the error too small. Blocks of time are drawn instead.

use fastrand::Rng;

/// Draws of a bootstrap.
const DRAWS: usize = 400;

/// With fewer blocks that hold anything, the error cannot be told.
const FEWEST_BLOCKS: usize = 8;

/// Points that a block keeps; twice as many are thinned to as many.
const POINTS: usize = 2048;

/// Halvings that find a quantile at most, and the relative width at which it is found: far below its
/// error.
const HALVINGS: usize = 60;
const PRECISION: f64 = 1e-6;

/// A statistic of weighted values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The weighted mean.
    Mean,
    /// The smallest value whose cumulative weight reaches this share, 0 to 1.
    Quantile(f64),
}

/// Values of one metric in one sample, by blocks of time. What it keeps is bounded.
#[derive(Debug, Clone, Default)]
pub struct BlockSample {
    blocks: Vec<Block>,
}

/// Values with weights.
#[derive(Debug, Clone, Default)]
struct Block {
    points: Vec<(f64, f64)>,
    sum: f64,
    weight: f64,
}

impl Block {
    fn push(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weight += weight;
        self.points.push((value, weight));
        if self.points.len() >= 2 * POINTS {
            self.thin();
        }
    }

    /// Of each two neighbours, one stands for both: the lower and the upper by turns.
    fn thin(&mut self) {
        self.points
            .sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let mut upper = false;
        let thinned = self.points.chunks(2).map(|pair| {
            upper = !upper;
            let kept = if upper { pair.last() } else { pair.first() };
            let weight = pair.iter().map(|(_, weight)| weight).sum();
            (kept.map_or(0.0, |(value, _)| *value), weight)
        });
        self.points = thinned.collect();
    }

    /// Sorted, each point with the weight up to it.
    fn cumulated(mut self) -> Self {
        self.points
            .sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let mut sum = 0.0;
        for (_, weight) in &mut self.points {
            sum += *weight;
            *weight = sum;
        }
        self
    }

    /// The weight of the values up to one, once it is cumulated.
    fn weight_up_to(&self, value: f64) -> f64 {
        let count = self.points.partition_point(|(point, _)| *point <= value);
        let last = count.checked_sub(1).and_then(|last| self.points.get(last));
        last.map_or(0.0, |(_, weight)| *weight)
    }
}

impl BlockSample {
    /// Adds a value to a block; only positive, finite values and weights count.
    pub fn push(&mut self, block: usize, value: f64, weight: f64) {
        if !(value > 0.0 && value.is_finite() && weight > 0.0 && weight.is_finite()) {
            return;
        }
        if self.blocks.len() <= block {
            self.blocks.resize_with(block + 1, Block::default);
        }
        if let Some(block) = self.blocks.get_mut(block) {
            block.push(value, weight);
        }
    }

    /// The standard errors of statistics' natural logarithms; `None` for too few blocks.
    #[must_use]
    pub fn standard_errors(self, statistics: &[Statistic], seed: u64) -> Option<Vec<f64>> {
        let blocks = self.blocks.into_iter().filter(|block| block.weight > 0.0);
        let blocks: Vec<Block> = blocks.map(Block::cumulated).collect();
        if blocks.len() < FEWEST_BLOCKS {
            return None;
        }
        let ends = blocks.iter().flat_map(|block| {
            let ends = [block.points.first(), block.points.last()];
            ends.into_iter().flatten().map(|(value, _)| *value)
        });
        let (low, high) = ends.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let mut random = Rng::with_seed(seed);
        let mut moments = vec![(0.0, 0.0); statistics.len()];
        let mut times = vec![0.0; blocks.len()];
        for _ in 0..DRAWS {
            times.fill(0.0);
            for _ in 0..blocks.len() {
                if let Some(time) = times.get_mut(random.usize(0..blocks.len())) {
                    *time += 1.0;
                }
            }
            let drawn = Drawn {
                blocks: &blocks,
                times: &times,
            };
            for (statistic, (sum, squares)) in statistics.iter().zip(&mut moments) {
                let value = drawn.statistic(*statistic, low, high).ln();
                *sum += value;
                *squares += value * value;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let draws = DRAWS as f64;
        // Draws vary less than the truth by the blocks' own mean.
        #[expect(clippy::cast_precision_loss, reason = "blocks are few")]
        let count = blocks.len() as f64;
        let widened = count / (count - 1.0);
        let error = |(sum, squares): (f64, f64)| {
            let mean = sum / draws;
            let variance = (squares / draws - mean * mean).max(0.0) * draws / (draws - 1.0);
            (variance * widened).sqrt()
        };
        Some(moments.into_iter().map(error).collect())
    }
}

/// Blocks, and how often each was drawn.
struct Drawn<'a> {
    blocks: &'a [Block],
    times: &'a [f64],
}

impl Drawn<'_> {
    fn sum(&self, of: impl Fn(&Block) -> f64) -> f64 {
        let blocks = self.blocks.iter().zip(self.times);
        let drawn = blocks.filter(|(_, times)| **times > 0.0);
        drawn.map(|(block, times)| of(block) * times).sum()
    }

    fn statistic(&self, statistic: Statistic, low: f64, high: f64) -> f64 {
        let weight = self.sum(|block| block.weight);
        match statistic {
            Statistic::Mean => self.sum(|block| block.sum) / weight,
            Statistic::Quantile(rank) => {
                let reached = |value: f64| {
                    self.sum(|block| block.weight_up_to(value)) >= rank * weight * (1.0 - 1e-12)
                };
                let (mut below, mut at) = (low, high);
                if reached(low) {
                    return low;
                }
                for _ in 0..HALVINGS {
                    let middle = f64::midpoint(below, at);
                    if reached(middle) {
                        at = middle;
                    } else {
                        below = middle;
                    }
                    if at - below <= PRECISION * at {
                        break;
                    }
                }
                at
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small whole numbers")]
mod tests {
    use super::*;

    /// Values that are independent of each other: the error of their mean is known.
    fn independent(blocks: usize, each: usize) -> (BlockSample, f64) {
        let mut random = Rng::with_seed(7);
        let mut sample = BlockSample::default();
        let (mut sum, mut squares) = (0.0, 0.0);
        for block in 0..blocks {
            for _ in 0..each {
                let value = 1.0 + random.f64();
                sum += value;
                squares += value * value;
                sample.push(block, value, 1.0);
            }
        }
        let count = (blocks * each) as f64;
        let mean = sum / count;
        let error = ((squares / count - mean * mean) / count).sqrt();
        (sample, error / mean)
    }

    #[test]
    fn independent_requests_have_the_error_of_their_mean() {
        let (sample, expected) = independent(60, 100);
        let errors = sample.standard_errors(&[Statistic::Mean], 1).unwrap();
        let ratio = errors.first().unwrap() / expected;
        assert!((0.75..1.25).contains(&ratio), "{ratio}");
    }

    #[test]
    fn blocks_that_differ_make_a_larger_error() {
        let mut sample = BlockSample::default();
        let mut random = Rng::with_seed(7);
        for block in 0..60 {
            let level = 1.0 + random.f64();
            (0..100).for_each(|_| sample.push(block, level + 0.01 * random.f64(), 1.0));
        }
        let statistics = [Statistic::Mean, Statistic::Quantile(0.5)];
        let errors = sample.standard_errors(&statistics, 1).unwrap();
        // As if there were 60 requests, and not 6,000.
        assert!(errors.iter().all(|error| *error > 0.015), "{errors:?}");
    }

    #[test]
    fn thinning_keeps_the_error_and_memory_small() {
        let (thick, _) = independent(12, 1000);
        let (thin, _) = independent(12, 50_000);
        assert!(thin.blocks.iter().all(|it| it.points.len() < 2 * POINTS));
        let statistics = [Statistic::Mean, Statistic::Quantile(0.95)];
        let thick = thick.standard_errors(&statistics, 1).unwrap();
        let thin = thin.standard_errors(&statistics, 1).unwrap();
        for (thick, thin) in thick.iter().zip(&thin) {
            // Fifty times as many requests: seven times as exact.
            let ratio = thick / thin;
            assert!((4.0..12.0).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn too_few_blocks_say_nothing() {
        let (sample, _) = independent(FEWEST_BLOCKS - 1, 100);
        assert_eq!(sample.standard_errors(&[Statistic::Mean], 1), None);
    }

    #[test]
    fn the_same_seed_gives_the_same() {
        let of = |seed| {
            independent(10, 10)
                .0
                .standard_errors(&[Statistic::Quantile(0.9)], seed)
        };
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }
}
