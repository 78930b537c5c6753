//! Which benchmarks are samples of the same thing.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::documents::Summary;

/// Which benchmarks are samples of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ScenarioKey {
    /// The job; empty for reports that were indexed without one.
    pub job_name: Arc<str>,
    /// How requests were scheduled.
    pub strategy: Arc<str>,
    /// How much load was asked for.
    pub load: Load,
}

/// How much load was asked for.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// Requests per second.
    Rate(f64),
    /// Streams.
    Streams(u32),
    /// Position in a sweep from 0, whose rates follow from what was measured before, and so differ
    /// from sample to sample.
    Sweep(u32),
    /// As much as there is.
    Unlimited,
}

impl Load {
    fn place(self) -> (u8, u64) {
        match self {
            Self::Unlimited => (0, 0),
            Self::Streams(streams) => (1, streams.into()),
            // Rates are positive, and so in the order of their bits.
            Self::Rate(rate) => (2, rate.to_bits()),
            Self::Sweep(position) => (3, position.into()),
        }
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Load {}

impl std::hash::Hash for Load {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(formatter, "{rate}/s"),
            Self::Streams(streams) => write!(formatter, "{streams} streams"),
            Self::Sweep(position) => write!(formatter, "sweep {position}"),
            Self::Unlimited => Ok(()),
        }
    }
}

impl Serialize for Load {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for ScenarioKey {
    /// `steady-chat-10 constant 10/s`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = self.load.to_string();
        let parts = [&*self.job_name, &*self.strategy, &load];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        formatter.write_str(&parts.join(" "))
    }
}

impl ScenarioKey {
    /// Of a benchmark.
    #[must_use]
    pub fn of(summary: &Summary) -> Self {
        let origin = &summary.origin;
        let load = match (&summary.settings.profile, origin.rate, origin.streams) {
            (Some(profile), ..) if profile == "sweep" => Load::Sweep(origin.benchmark_index),
            (_, Some(rate), _) => Load::Rate(rate),
            (_, None, Some(streams)) => Load::Streams(streams),
            (_, None, None) => Load::Unlimited,
        };
        Self {
            job_name: origin.job_name.clone(),
            strategy: origin.strategy.clone(),
            load,
        }
    }
}
