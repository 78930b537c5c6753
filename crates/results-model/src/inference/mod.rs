//! How sure one can be: errors of figures, differences of samples, changes in a series.
//!
//! Random draws come from a seed that is given: the same in gives the same out.

use serde::Serialize;

mod blocks;
mod change_points;
mod difference;

pub use blocks::{BlockSample, Statistic};
pub use change_points::{ChangePoint, change_points};
pub use difference::{Difference, Method, Observation, Scale, difference, mean_interval};

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}
