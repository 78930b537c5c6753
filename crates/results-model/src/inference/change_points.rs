//! Where a figure changed its level in a series of runs.

use fastrand::Rng;
use serde::Serialize;

/// Permutations of a test.
const PERMUTATIONS: usize = 999;

/// Runs on either side of a change.
const SHORTEST: usize = 3;

/// A change of level between two runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChangePoint {
    /// Position of the first value of the new level, from 0.
    pub index: usize,
    /// Median of the values of the level before.
    pub before: f64,
    /// Median of those after, up to the next change.
    pub after: f64,
    /// How likely a shift as large is in a series in any order: of a permutation test.
    pub p_value: f64,
}

/// Changes of level, in order.
///
/// The split that tells two levels best apart is kept if hardly any order of the same values has one
/// that does it as well, and both parts are then searched again (binary segmentation). Values are
/// compared by their ranks, so that a single outlier is no change. Needs six values at least.
#[must_use]
pub fn change_points(values: &[f64], significance: f64, seed: u64) -> Vec<ChangePoint> {
    let mut random = Rng::with_seed(seed);
    let mut found = Vec::new();
    let mut segments = vec![(0, values.len())];
    while let Some((start, end)) = segments.pop() {
        let Some(segment) = values.get(start..end) else {
            continue;
        };
        let Some((split, p_value)) = split(segment, significance, &mut random) else {
            continue;
        };
        found.push((start + split, p_value));
        segments.push((start, start + split));
        segments.push((start + split, end));
    }
    found.sort_by_key(|(index, _)| *index);
    let ends = found.iter().skip(1).map(|(index, _)| *index);
    let ends: Vec<usize> = ends.chain([values.len()]).collect();
    let mut before = 0;
    let mut points = Vec::with_capacity(found.len());
    for ((index, p_value), end) in found.into_iter().zip(ends) {
        points.push(ChangePoint {
            index,
            before: median(values.get(before..index).unwrap_or_default()),
            after: median(values.get(index..end).unwrap_or_default()),
            p_value,
        });
        before = index;
    }
    points
}

/// The best split of a segment, if it is significant.
fn split(segment: &[f64], significance: f64, random: &mut Rng) -> Option<(usize, f64)> {
    let mut ranks = ranks(segment);
    let (split, observed) = best(&ranks)?;
    let mut as_well = 1;
    for _ in 0..PERMUTATIONS {
        random.shuffle(&mut ranks);
        let (_, permuted) = best(&ranks)?;
        as_well += usize::from(permuted >= observed);
    }
    #[expect(clippy::cast_precision_loss, reason = "a thousand")]
    let p_value = as_well as f64 / (PERMUTATIONS + 1) as f64;
    (p_value <= significance).then_some((split, p_value))
}

/// Where the mean ranks of both sides differ most, for their lengths.
#[expect(clippy::cast_precision_loss, reason = "runs are few")]
fn best(ranks: &[f64]) -> Option<(usize, f64)> {
    let count = ranks.len();
    let total: f64 = ranks.iter().sum();
    let mut sum: f64 = ranks.iter().take(SHORTEST.saturating_sub(1)).sum();
    let mut best: Option<(usize, f64)> = None;
    for split in SHORTEST..=count.checked_sub(SHORTEST)? {
        sum += ranks.get(split - 1)?;
        let (left, right) = (split as f64, (count - split) as f64);
        let gap = (sum / left - (total - sum) / right).abs();
        let weight = gap * (left * right / (left + right)).sqrt();
        if best.is_none_or(|(_, most)| weight > most) {
            best = Some((split, weight));
        }
    }
    best
}

/// Ranks from 1; equal values share their mean rank.
#[expect(clippy::cast_precision_loss, reason = "runs are few")]
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let above = values.iter().filter(|other| *other > value).count();
        let last = values.len() - above;
        f64::midpoint(below as f64 + 1.0, last as f64)
    };
    values.iter().map(rank).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(levels: &[(usize, f64)], seed: u64) -> Vec<f64> {
        let mut random = Rng::with_seed(seed);
        let of = |(count, level): &(usize, f64)| vec![*level; *count];
        let levels = levels.iter().flat_map(of);
        levels
            .map(|level| level * (0.98 + 0.04 * random.f64()))
            .collect()
    }

    #[test]
    fn steps_are_found_where_they_are() {
        let values = noisy(&[(12, 100.0), (10, 115.0), (9, 90.0)], 1);
        let points = change_points(&values, 0.05, 0);
        let indices: Vec<usize> = points.iter().map(|it| it.index).collect();
        assert_eq!(indices, [12, 22]);
        let first = points.first().unwrap();
        assert!((first.before - 100.0).abs() < 2.0 && (first.after - 115.0).abs() < 2.0);
    }

    #[test]
    fn noise_and_one_outlier_are_no_change() {
        let false_alarms = (0..100).filter(|seed| {
            let values = noisy(&[(20, 100.0)], *seed);
            !change_points(&values, 0.05, *seed).is_empty()
        });
        let count = false_alarms.count();
        assert!(count <= 10, "{count} of 100");
        let mut values = noisy(&[(20, 100.0)], 5);
        *values.get_mut(9).unwrap() = 400.0;
        assert_eq!(change_points(&values, 0.05, 0), []);
    }

    #[test]
    fn too_few_values_say_nothing() {
        assert_eq!(change_points(&[1.0, 1.0, 1.0, 9.0, 9.0], 0.05, 0), []);
        assert_eq!(change_points(&[], 0.05, 0), []);
    }
}
