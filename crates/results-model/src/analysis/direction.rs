//! Where a figure goes.

use std::cmp::Ordering;

use serde::Serialize;

use crate::figures::{Better, Figure};

/// Where a figure goes from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It improves.
    Better,
    /// It gets worse.
    Worse,
    /// It stays the same.
    Same,
    /// It changes, and neither direction is an improvement.
    Other,
}

impl Direction {
    /// Of a figure, from one value to another.
    #[must_use]
    pub fn of(figure: Figure, from: f64, to: f64) -> Self {
        match (figure.better(), to.total_cmp(&from)) {
            (_, Ordering::Equal) => Self::Same,
            (Better::Neither, _) => Self::Other,
            (Better::Lower, Ordering::Less) | (Better::Higher, Ordering::Greater) => Self::Better,
            _ => Self::Worse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_better_for_latencies_alone() {
        let of = |name: &str, to| Direction::of(name.parse().unwrap(), 1.0, to);
        assert_eq!(of("ttft_p95_ms", 0.9), Direction::Better);
        assert_eq!(of("ttft_p95_ms", 1.1), Direction::Worse);
        assert_eq!(of("throughput_mean_rps", 1.1), Direction::Better);
        assert_eq!(of("throughput_mean_rps", 0.9), Direction::Worse);
        assert_eq!(of("total_requests", 2.0), Direction::Other);
        assert_eq!(of("ttft_p95_ms", 1.0), Direction::Same);
    }
}
