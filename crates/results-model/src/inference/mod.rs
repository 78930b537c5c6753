//! What can be concluded from samples: standard errors, comparisons, change points.
//!
//! Everything here is a function of what is given to it. Where random numbers are drawn, they
//! follow from a seed, so that the same documents always give the same answers.

mod blocks;
mod change_points;
mod interval;
mod test;

pub use blocks::{BlockSample, Statistic};
pub use change_points::{ChangePoint, Detection, change_points};
pub use interval::{Interval, mean_interval};
pub use test::{Method, Observation, Test, Unknown, Untestable, compare_samples};

use serde::Serialize;

/// On which scale values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// By their natural logarithms: latencies and rates, whose spread grows with their size.
    Ratio,
    /// As they are: shares.
    Difference,
}

impl Scale {
    /// A value on this scale; absent if it has no place there.
    #[must_use]
    pub fn of(self, value: f64) -> Option<f64> {
        let on_scale = match self {
            Self::Ratio => value.ln(),
            Self::Difference => value,
        };
        on_scale.is_finite().then_some(on_scale)
    }

    /// A difference on this scale as a change: relative (0.05 is +5 %), or in the value's unit.
    #[must_use]
    pub fn change(self, difference: f64) -> f64 {
        match self {
            Self::Ratio => difference.exp_m1(),
            Self::Difference => difference,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

/// Arithmetic mean; absent for no values.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / number(values.len()))
}

/// Variance of a sample, by one degree of freedom less than there are values; absent for fewer
/// than two.
pub(crate) fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / number(values.len() - 1))
}
