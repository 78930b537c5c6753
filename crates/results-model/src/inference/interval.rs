//! Where a mean is expected to lie.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{mean, number, variance};

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Student's interval of a mean; `None` for less than two values.
#[must_use]
pub fn mean_interval(values: &[f64], level: f64) -> Option<Interval> {
    let (mean, variance) = (mean(values)?, variance(values)?);
    let count = number(values.len());
    let student = StudentsT::new(0.0, 1.0, count - 1.0).ok()?;
    let reach = student.inverse_cdf(0.5 + level / 2.0) * (variance / count).sqrt();
    Some(Interval {
        low: mean - reach,
        high: mean + reach,
    })
}
