//! Statistics with their unit.

use serde::Serialize;

use crate::documents::Statistics as Measured;

/// Units that are used here, as the schema spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Units {
    /// Of tokens.
    #[serde(rename = "count")]
    Count,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds per token.
    #[serde(rename = "ms/token")]
    MillisecondsPerToken,
    /// Tokens per second.
    #[serde(rename = "tokens/s")]
    TokensPerSecond,
    /// Requests per second.
    #[serde(rename = "queries/s")]
    QueriesPerSecond,
}

/// What is known of a distribution. The schema wants a mean: without one, there are no statistics.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// Unit of all members.
    pub units: Units,
    /// Arithmetic mean.
    pub mean: f64,
    /// Population standard deviation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stddev: Option<f64>,
    /// Smallest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// 50th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    /// 90th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90: Option<f64>,
    /// 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    /// Largest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl Statistics {
    /// A metric of our documents, whose values are in these units already.
    pub(super) fn of(units: Units, metric: impl Into<Measured>) -> Option<Self> {
        let metric = metric.into();
        Some(Self {
            units,
            mean: metric.mean?,
            stddev: metric.stddev,
            min: metric.min,
            p50: metric.p50,
            p90: metric.p90,
            p95: metric.p95,
            p99: metric.p99,
            max: metric.max,
        })
    }

    /// Where nothing but the mean is known.
    pub(super) fn mean(units: Units, mean: Option<f64>) -> Option<Self> {
        Self::of(
            units,
            Measured {
                mean,
                ..Measured::default()
            },
        )
    }
}
