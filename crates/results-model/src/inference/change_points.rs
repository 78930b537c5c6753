//! Where a series changed its level: E-divisive (Matteson and James, 2014) with a permutation test,
//! as continuous benchmarking commonly uses it.

use fastrand::Rng;
use serde::Serialize;

use super::{Scale, mean, number};

/// Values on each side of a change: fewer are an outlier, not a level.
const FEWEST_EACH_SIDE: usize = 3;

const PERMUTATIONS: u32 = 1999;

/// As many permutations that divide as well show that a division is nothing; the rest need not be
/// tried.
const PERMUTATIONS_AS_GOOD: u32 = 200;

/// How changes are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// On which scale values are compared.
    pub scale: Scale,
    /// Largest p-value of a change: about the share of quiet series in which one is found.
    pub significance: f64,
    /// From which the permutations follow.
    pub seed: u64,
}

impl Default for Detection {
    fn default() -> Self {
        Self {
            scale: Scale::Ratio,
            significance: 0.05,
            seed: 0,
        }
    }
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChangePoint {
    /// Position of the first value of the new level.
    pub index: usize,
    /// Level before, from the change before it on: on a ratio scale the geometric mean.
    pub before: f64,
    /// Level after, up to the next change.
    pub after: f64,
    /// Relative change (0.05 is +5 %), or the difference on a scale of differences.
    pub change: f64,
    /// Share of orders of the values that divide as well.
    pub p_value: f64,
}

/// Finds where a series changed its level, first to last.
///
/// The series is divided where the two parts differ most (in all of their distribution, by energy
/// distance), if few random orders of the same values divide as well, and so is each part again.
/// Three values on each side are the fewest, and so few can hardly be told from chance: of six
/// values a tenth of all orders divides as well as any step. About eight are needed for a clear
/// step to show. Values that are not on the scale are passed over. Costs grow with the square of
/// the length.
#[must_use]
pub fn change_points(values: &[f64], detection: Detection) -> Vec<ChangePoint> {
    let (places, series): (Vec<usize>, Vec<f64>) = values
        .iter()
        .enumerate()
        .filter_map(|(place, value)| Some((place, detection.scale.of(*value)?)))
        .unzip();
    let mut random = Rng::with_seed(detection.seed);
    let mut divisions = Vec::new();
    divide(
        &series,
        0,
        detection.significance,
        &mut random,
        &mut divisions,
    );
    divisions.sort_by_key(|(at, _)| *at);
    levels(&places, &series, &divisions, detection.scale)
}

/// Divides a part of the series that begins at `offset`, and the parts of it.
fn divide(
    part: &[f64],
    offset: usize,
    significance: f64,
    random: &mut Rng,
    divisions: &mut Vec<(usize, f64)>,
) {
    let Some((at, strength)) = best_division(part) else {
        return;
    };
    let p_value = p_value(part, strength, random);
    if p_value > significance {
        return;
    }
    divisions.push((offset + at, p_value));
    if let Some((before, after)) = part.split_at_checked(at) {
        divide(before, offset, significance, random, divisions);
        divide(after, offset + at, significance, random, divisions);
    }
}

/// Where a part is best divided, and how well; absent if it is too short, or all values are equal.
fn best_division(part: &[f64]) -> Option<(usize, f64)> {
    let count = part.len();
    let distances =
        |value: f64, to: &[f64]| -> f64 { to.iter().map(|other| (value - other).abs()).sum() };
    let (mut before, mut across) = (0.0, 0.0);
    let mut after: f64 = part
        .iter()
        .enumerate()
        .map(|(place, value)| distances(*value, part.get(..place).unwrap_or_default()))
        .sum();
    let mut best: Option<(usize, f64)> = None;
    for (place, value) in part.iter().enumerate() {
        let to_before = distances(*value, part.get(..place).unwrap_or_default());
        let to_after = distances(*value, part.get(place + 1..).unwrap_or_default());
        before += to_before;
        after -= to_after;
        across += to_after - to_before;
        let at = place + 1;
        if at < FEWEST_EACH_SIDE || count - at < FEWEST_EACH_SIDE {
            continue;
        }
        let (left, right) = (number(at), number(count - at));
        let energy = 2.0 * across / (left * right)
            - 2.0 * before / (left * (left - 1.0))
            - 2.0 * after / (right * (right - 1.0));
        let strength = energy * left * right / (left + right);
        if strength > 0.0 && best.is_none_or(|(_, other)| strength > other) {
            best = Some((at, strength));
        }
    }
    best
}

/// Share of random orders of a part's values that divide as well.
fn p_value(part: &[f64], strength: f64, random: &mut Rng) -> f64 {
    let mut order = part.to_vec();
    let (mut as_good, mut tried) = (0_u32, 0_u32);
    while tried < PERMUTATIONS && as_good < PERMUTATIONS_AS_GOOD {
        random.shuffle(&mut order);
        tried += 1;
        // The same values in another order add up a little differently.
        let reached = |(_, other): (usize, f64)| other >= strength * (1.0 - 1e-9);
        as_good += u32::from(best_division(&order).is_some_and(reached));
    }
    f64::from(as_good + 1) / f64::from(tried + 1)
}

/// The levels between divisions.
fn levels(
    places: &[usize],
    series: &[f64],
    divisions: &[(usize, f64)],
    scale: Scale,
) -> Vec<ChangePoint> {
    let value = |level: f64| match scale {
        Scale::Ratio => level.exp(),
        Scale::Difference => level,
    };
    let ends = divisions.iter().skip(1).map(|(at, _)| *at);
    let ends = ends.chain([series.len()]);
    let mut start = 0;
    let mut points = Vec::with_capacity(divisions.len());
    for ((at, p_value), end) in divisions.iter().zip(ends) {
        let level = |from: usize, to: usize| mean(series.get(from..to).unwrap_or_default());
        if let (Some(before), Some(after), Some(index)) =
            (level(start, *at), level(*at, end), places.get(*at))
        {
            points.push(ChangePoint {
                index: *index,
                before: value(before),
                after: value(after),
                change: scale.change(after - before),
                p_value: *p_value,
            });
        }
        start = *at;
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(levels: &[(usize, f64)], seed: u64) -> Vec<f64> {
        let mut random = Rng::with_seed(seed);
        let mut values = Vec::new();
        for (count, level) in levels {
            values.extend((0..*count).map(|_| level * (1.0 + 0.02 * (random.f64() - 0.5))));
        }
        values
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let points = change_points(&noisy(&[(10, 100.0), (8, 110.0)], 1), Detection::default());
        let [point] = points[..] else {
            panic!("{points:?}")
        };
        assert_eq!(point.index, 10);
        assert!((point.change - 0.1).abs() < 0.01, "{point:?}");
        assert!((point.before - 100.0).abs() < 1.0 && (point.after - 110.0).abs() < 1.0);
        assert!(point.p_value < 0.01);
    }

    #[test]
    fn two_steps_have_a_level_between_them() {
        let values = noisy(&[(8, 100.0), (8, 120.0), (8, 90.0)], 2);
        let points = change_points(&values, Detection::default());
        let indices: Vec<_> = points.iter().map(|point| point.index).collect();
        assert_eq!(indices, [8, 16]);
        assert!((points[0].after - points[1].before).abs() < 1e-9);
    }

    #[test]
    fn short_and_constant_series_have_none() {
        assert_eq!(change_points(&[], Detection::default()), []);
        assert_eq!(
            change_points(&[1.0, 1.0, 1.0, 2.0, 2.0], Detection::default()),
            []
        );
        assert_eq!(change_points(&[5.0; 40], Detection::default()), []);
        let six = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0];
        assert_eq!(change_points(&six, Detection::default()), []);
    }

    #[test]
    fn one_outlier_is_no_level() {
        let mut values = noisy(&[(20, 100.0)], 3);
        values[9] = 300.0;
        assert_eq!(change_points(&values, Detection::default()), []);
    }

    #[test]
    fn what_was_not_measured_keeps_its_place() {
        let mut values = noisy(&[(10, 100.0), (8, 110.0)], 1);
        values.insert(4, f64::NAN);
        let points = change_points(&values, Detection::default());
        assert_eq!(points[0].index, 11);
    }

    #[test]
    fn a_seed_gives_the_same_p_value() {
        let values = noisy(&[(6, 100.0), (6, 101.0)], 4);
        let found = |seed| {
            change_points(
                &values,
                Detection {
                    significance: 1.0,
                    seed,
                    ..Detection::default()
                },
            )
        };
        assert_eq!(found(1), found(1));
    }
}
