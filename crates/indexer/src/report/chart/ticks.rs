//! From where to where an axis goes, and where it has its marks.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;

use super::Scale;

/// Most marks that have room.
const MOST: usize = 6;

/// An axis' ends and its marks, all of them values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Extent {
    scale: Scale,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<f64>,
}

impl Extent {
    /// How far along the axis a value is, 0 to 1.
    pub(super) fn part(&self, value: f64) -> f64 {
        let [low, high, at] = [self.low, self.high, value].map(|it| self.scale.place(it));
        (at - low) / (high - low)
    }
}

impl Ranged for Extent {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(0.0..1.0).map(&self.part(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// An axis for values from `low` to `high`; on a log scale both are above 0. The marks of a linear
/// one are so far apart at least.
pub(super) fn extent(low: f64, high: f64, scale: Scale, least: f64) -> Extent {
    match scale {
        Scale::Linear => linear(low, high, least),
        Scale::Log => log(low, high),
    }
}

/// From mark to mark, in steps of 1, 2 or 5 times a power of ten.
fn linear(low: f64, high: f64, least: f64) -> Extent {
    let span = if high > low {
        high - low
    } else {
        // A single value has an axis around it.
        low.abs().max(1.0)
    };
    let high = low + span;
    let power = 10_f64.powf((span / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0].map(|it| it * power);
    let reach = |step: f64| ((low / step).floor(), (high / step - 1e-9).ceil());
    let fits = |step: &f64| {
        let (first, last) = reach(*step);
        last - first < 6.5
    };
    let step = steps.into_iter().find(fits).unwrap_or(power * 50.0);
    let step = step.max(least);
    let (first, last) = reach(step);
    let mut ticks = Vec::new();
    let mut at = first;
    while at <= last {
        ticks.push(at * step);
        at += 1.0;
    }
    Extent {
        scale: Scale::Linear,
        low: first * step,
        high: last * step,
        ticks,
    }
}

/// Powers of ten, with 2 and 5 times of them (then all times) as long as there is room.
fn log(low: f64, high: f64) -> Extent {
    let (low, high) = if high > low * 1.05 {
        (low, high)
    } else {
        (low / 1.5, high * 1.5)
    };
    let candidates = |factors: &[f64]| {
        let mut ticks = Vec::new();
        let mut power = low.log10().floor();
        while power <= high.log10().ceil() {
            ticks.extend(factors.iter().map(|factor| factor * 10_f64.powf(power)));
            power += 1.0;
        }
        ticks.retain(|tick| *tick >= low * 0.999 && *tick <= high * 1.001);
        ticks
    };
    let finer: [&[f64]; 4] = [
        &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
        &[1.0, 2.0, 3.0, 5.0, 7.0],
        &[1.0, 2.0, 5.0],
        &[1.0, 3.0],
    ];
    let fitting = finer.into_iter().map(candidates);
    let mut fitting = fitting.filter(|ticks| ticks.len() <= MOST);
    let ticks = match fitting.next() {
        Some(ticks) if ticks.len() >= 2 => ticks,
        // Within a factor of less than two, a linear axis marks better.
        Some(_) => {
            let mut ticks = linear(low, high, 0.0).ticks;
            ticks.retain(|tick| *tick >= low && *tick <= high);
            ticks
        }
        None => {
            let powers = candidates(&[1.0]);
            let every = powers.len().div_ceil(MOST).max(1);
            powers.into_iter().step_by(every).collect()
        }
    };
    Extent {
        scale: Scale::Log,
        low,
        high,
        ticks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_ends_on_its_marks() {
        let axis = extent(0.0, 97.0, Scale::Linear, 0.0);
        assert_eq!(axis.ticks, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!((axis.low, axis.high), (0.0, 100.0));
    }

    #[test]
    fn a_log_axis_has_fewer_marks_the_further_it_goes() {
        assert_eq!(extent(1.0, 10.0, Scale::Log, 0.0).ticks.len(), 6);
        assert_eq!(extent(1.0, 1000.0, Scale::Log, 0.0).ticks.len(), 4);
        assert_eq!(
            extent(12.0, 90.0, Scale::Log, 0.0).ticks,
            [20.0, 30.0, 50.0, 70.0]
        );
    }

    #[test]
    fn whole_numbers_have_whole_marks() {
        let axis = extent(0.0, 3.0, Scale::Linear, 1.0);
        assert_eq!(axis.ticks, [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_single_value_has_an_axis() {
        for scale in [Scale::Linear, Scale::Log] {
            let axis = extent(7.0, 7.0, scale, 0.0);
            assert!(axis.low <= 7.0 && axis.high >= 7.0 && axis.high > axis.low);
            assert!(axis.ticks.len() >= 2, "{axis:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn marks_are_few_and_within(low in 1e-6..1e6_f64, factor in 1.0..1e6_f64) {
            for scale in [Scale::Linear, Scale::Log] {
                let axis = extent(low, low * factor, scale, 0.0);
                proptest::prop_assert!((2..=7).contains(&axis.ticks.len()), "{:?}", axis);
                proptest::prop_assert!(axis.low <= low * 1.000_001);
                proptest::prop_assert!(axis.high >= low * factor * 0.999_999);
                for tick in &axis.ticks {
                    proptest::prop_assert!(*tick >= axis.low * 0.998 && *tick <= axis.high * 1.002);
                }
            }
        }
    }
}
