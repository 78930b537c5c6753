//! The figures of a summary by name: what is compared, judged and shown.
//!
//! A figure's name is its field in the documents, unit included: `ttft_p95_ms`,
//! `request_success_rate`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::documents::{Statistics, Summary, SummaryMetrics};

/// Which direction is an improvement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is better: latencies.
    Lower,
    /// More is better: throughput.
    Higher,
    /// Neither: it describes the load.
    Neither,
}

/// A metric with a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// `ttft_*_ms`
    TimeToFirstToken,
    /// `itl_*_ms`
    InterTokenLatency,
    /// `time_per_output_token_*_ms`
    TimePerOutputToken,
    /// `request_latency_*_seconds`
    RequestLatency,
    /// `throughput_*_rps`
    Throughput,
    /// `tokens_per_second_*`
    TokensPerSecond,
    /// `output_tokens_per_second_*`
    OutputTokensPerSecond,
    /// `prompt_tokens_per_second_*`
    PromptTokensPerSecond,
    /// `concurrency_*`
    Concurrency,
    /// `dispatch_delay_*_seconds`
    DispatchDelay,
    /// `generation_delay_*_seconds`
    GenerationDelay,
    /// `goodput_*_rps`
    Goodput,
}

/// A member of a metric's statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Member {
    /// Arithmetic mean.
    Mean,
    /// 50th percentile.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Population standard deviation.
    Stddev,
}

/// One figure of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Figure {
    /// A member of a metric's statistics.
    Statistic(Metric, Member),
    /// `request_success_rate`, 0 to 1.
    RequestSuccessRate,
    /// `incomplete_rate`, 0 to 1.
    IncompleteRate,
    /// `achieved_rate_rps`
    AchievedRate,
    /// `start_delay_mean_seconds`
    StartDelayMean,
    /// `slo_attainment`, 0 to 1.
    SloAttainment,
    /// `total_requests` in the measured window.
    TotalRequests,
    /// `errored_requests` in the measured window.
    ErroredRequests,
    /// `prompt_token_count_mean`
    PromptTokensMean,
    /// `output_token_count_mean`
    OutputTokensMean,
}

/// No figure has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no figure is named `{name}`{}", nearest.as_ref().map(|it| format!("; `{it}` is the nearest")).unwrap_or_default())]
pub struct UnknownFigure {
    /// What was asked for.
    pub name: String,
    /// The name that is most like it.
    pub nearest: Option<String>,
}

impl Metric {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::TimeToFirstToken,
        Self::InterTokenLatency,
        Self::TimePerOutputToken,
        Self::RequestLatency,
        Self::Throughput,
        Self::TokensPerSecond,
        Self::OutputTokensPerSecond,
        Self::PromptTokensPerSecond,
        Self::Concurrency,
        Self::DispatchDelay,
        Self::GenerationDelay,
        Self::Goodput,
    ];

    /// Those that each request has a value of, so that requests of several samples can be pooled.
    pub const OF_REQUESTS: [Self; 4] = [
        Self::TimeToFirstToken,
        Self::InterTokenLatency,
        Self::TimePerOutputToken,
        Self::RequestLatency,
    ];

    /// What stands before and after the member in a field's name.
    #[must_use]
    fn affixes(self) -> (&'static str, &'static str) {
        match self {
            Self::TimeToFirstToken => ("ttft_", "_ms"),
            Self::InterTokenLatency => ("itl_", "_ms"),
            Self::TimePerOutputToken => ("time_per_output_token_", "_ms"),
            Self::RequestLatency => ("request_latency_", "_seconds"),
            Self::Throughput => ("throughput_", "_rps"),
            Self::TokensPerSecond => ("tokens_per_second_", ""),
            Self::OutputTokensPerSecond => ("output_tokens_per_second_", ""),
            Self::PromptTokensPerSecond => ("prompt_tokens_per_second_", ""),
            Self::Concurrency => ("concurrency_", ""),
            Self::DispatchDelay => ("dispatch_delay_", "_seconds"),
            Self::GenerationDelay => ("generation_delay_", "_seconds"),
            Self::Goodput => ("goodput_", "_rps"),
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::TimeToFirstToken => "TTFT",
            Self::InterTokenLatency => "ITL",
            Self::TimePerOutputToken => "TPOT",
            Self::RequestLatency => "Request latency",
            Self::Throughput => "Throughput",
            Self::TokensPerSecond => "Tokens/s",
            Self::OutputTokensPerSecond => "Output tokens/s",
            Self::PromptTokensPerSecond => "Prompt tokens/s",
            Self::Concurrency => "In flight",
            Self::DispatchDelay => "Dispatch delay",
            Self::GenerationDelay => "Generation delay",
            Self::Goodput => "Goodput",
        }
    }

    /// Its unit; empty where it is a plain number.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::TimeToFirstToken | Self::InterTokenLatency | Self::TimePerOutputToken => "ms",
            Self::RequestLatency | Self::DispatchDelay | Self::GenerationDelay => "s",
            Self::Throughput | Self::Goodput => "req/s",
            Self::TokensPerSecond | Self::OutputTokensPerSecond | Self::PromptTokensPerSecond => {
                "tok/s"
            }
            Self::Concurrency => "requests",
        }
    }

    /// Which direction is an improvement.
    #[must_use]
    pub fn better(self) -> Better {
        match self {
            Self::TimeToFirstToken
            | Self::InterTokenLatency
            | Self::TimePerOutputToken
            | Self::RequestLatency
            | Self::DispatchDelay
            | Self::GenerationDelay => Better::Lower,
            Self::Throughput
            | Self::TokensPerSecond
            | Self::OutputTokensPerSecond
            | Self::PromptTokensPerSecond
            | Self::Goodput => Better::Higher,
            Self::Concurrency => Better::Neither,
        }
    }

    /// Its statistics in a summary.
    #[must_use]
    pub fn of(self, metrics: &SummaryMetrics) -> Statistics {
        match self {
            Self::TimeToFirstToken => metrics.time_to_first_token.into(),
            Self::InterTokenLatency => metrics.inter_token_latency.into(),
            Self::TimePerOutputToken => metrics.time_per_output_token.into(),
            Self::RequestLatency => metrics.request_latency.into(),
            Self::Throughput => metrics.throughput.into(),
            Self::TokensPerSecond => metrics.tokens_per_second.into(),
            Self::OutputTokensPerSecond => metrics.output_tokens_per_second.into(),
            Self::PromptTokensPerSecond => metrics.prompt_tokens_per_second.into(),
            Self::Concurrency => metrics.concurrency.into(),
            Self::DispatchDelay => metrics.dispatch_delay.into(),
            Self::GenerationDelay => metrics.generation_delay.into(),
            Self::Goodput => metrics.goodput.into(),
        }
    }
}

impl Member {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Mean,
        Self::P50,
        Self::P90,
        Self::P95,
        Self::P99,
        Self::Min,
        Self::Max,
        Self::Stddev,
    ];

    /// As in a field's name, and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Min => "min",
            Self::Max => "max",
            Self::Stddev => "stddev",
        }
    }

    /// The rank, 0 to 1, if it is a percentile.
    #[must_use]
    pub fn rank(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::Mean | Self::Min | Self::Max | Self::Stddev => None,
        }
    }

    /// It, of a metric's statistics.
    #[must_use]
    pub fn of(self, statistics: &Statistics) -> Option<f64> {
        match self {
            Self::Mean => statistics.mean,
            Self::P50 => statistics.p50,
            Self::P90 => statistics.p90,
            Self::P95 => statistics.p95,
            Self::P99 => statistics.p99,
            Self::Min => statistics.min,
            Self::Max => statistics.max,
            Self::Stddev => statistics.stddev,
        }
    }
}

impl Figure {
    /// Those that are no member of a metric's statistics.
    const OTHERS: [Self; 9] = [
        Self::RequestSuccessRate,
        Self::IncompleteRate,
        Self::AchievedRate,
        Self::StartDelayMean,
        Self::SloAttainment,
        Self::TotalRequests,
        Self::ErroredRequests,
        Self::PromptTokensMean,
        Self::OutputTokensMean,
    ];

    /// All figures there are.
    pub fn all() -> impl Iterator<Item = Self> {
        let members = |metric| Member::ALL.map(|member| Self::Statistic(metric, member));
        Metric::ALL
            .into_iter()
            .flat_map(members)
            .chain(Self::OTHERS)
    }

    /// Which direction is an improvement.
    #[must_use]
    pub fn better(self) -> Better {
        match self {
            // A spread is none of either: a server that is always slow has a small one.
            Self::Statistic(_, Member::Stddev)
            | Self::TotalRequests
            | Self::PromptTokensMean
            | Self::OutputTokensMean => Better::Neither,
            Self::Statistic(metric, _) => metric.better(),
            Self::RequestSuccessRate | Self::AchievedRate | Self::SloAttainment => Better::Higher,
            Self::IncompleteRate | Self::StartDelayMean | Self::ErroredRequests => Better::Lower,
        }
    }

    /// Its unit; empty where it is a share or a plain number.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Statistic(metric, _) => metric.unit(),
            Self::AchievedRate => "req/s",
            Self::StartDelayMean => "s",
            Self::PromptTokensMean | Self::OutputTokensMean => "tokens",
            Self::TotalRequests | Self::ErroredRequests => "requests",
            Self::RequestSuccessRate | Self::IncompleteRate | Self::SloAttainment => "",
        }
    }

    /// Whether it is a share, 0 to 1, whose changes are differences and not ratios.
    #[must_use]
    pub fn is_share(self) -> bool {
        matches!(
            self,
            Self::RequestSuccessRate | Self::IncompleteRate | Self::SloAttainment
        )
    }

    /// It, of a summary; absent where it was not measured.
    #[must_use]
    pub fn of(self, summary: &Summary) -> Option<f64> {
        let counts = &summary.counts;
        let validity = &summary.validity;
        match self {
            Self::Statistic(metric, member) => member.of(&metric.of(&summary.metrics)),
            Self::RequestSuccessRate => counts.request_success_rate,
            Self::IncompleteRate => counts.incomplete_rate,
            Self::AchievedRate => validity.achieved_rate_rps,
            Self::StartDelayMean => validity.start_delay_mean_seconds,
            Self::SloAttainment => validity.slo_attainment,
            Self::TotalRequests => counts.total_requests.map(number),
            Self::ErroredRequests => counts.errored_requests.map(number),
            Self::PromptTokensMean => summary.metrics.prompt_token_count_mean,
            Self::OutputTokensMean => summary.metrics.output_token_count_mean,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Statistic(metric, member) => {
                let (before, after) = metric.affixes();
                return write!(formatter, "{before}{}{after}", member.name());
            }
            Self::RequestSuccessRate => "request_success_rate",
            Self::IncompleteRate => "incomplete_rate",
            Self::AchievedRate => "achieved_rate_rps",
            Self::StartDelayMean => "start_delay_mean_seconds",
            Self::SloAttainment => "slo_attainment",
            Self::TotalRequests => "total_requests",
            Self::ErroredRequests => "errored_requests",
            Self::PromptTokensMean => "prompt_token_count_mean",
            Self::OutputTokensMean => "output_token_count_mean",
        };
        formatter.write_str(name)
    }
}

impl FromStr for Figure {
    type Err = UnknownFigure;

    /// By the field's name; `tpot_…` stands for `time_per_output_token_…`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let full = name.strip_prefix("tpot_");
        let full = full.map(|member| format!("time_per_output_token_{member}"));
        let full = full.as_deref().unwrap_or(name);
        Self::all()
            .find(|figure| figure.to_string() == full)
            .ok_or_else(|| UnknownFigure {
                name: name.to_owned(),
                nearest: nearest(full),
            })
    }
}

fn nearest(name: &str) -> Option<String> {
    let likeness = |it: &String| strsim::damerau_levenshtein(it, name);
    let names = Figure::all().map(|figure| figure.to_string());
    let nearest = names.min_by_key(likeness)?;
    // A missing unit is three letters.
    let likely = (name.len() / 3).max(3);
    (likeness(&nearest) <= likely).then_some(nearest)
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_documents_fields() {
        let set = Statistics {
            mean: Some(0.0),
            p50: Some(0.0),
            p90: Some(0.0),
            p95: Some(0.0),
            p99: Some(0.0),
            min: Some(0.0),
            max: Some(0.0),
            stddev: Some(0.0),
        };
        let written = serde_json::to_value(SummaryMetrics::all(set)).unwrap();
        for name in written.as_object().unwrap().keys() {
            let figure: Figure = name.parse().unwrap();
            assert_eq!(figure.to_string(), *name);
        }
        let others = Figure::OTHERS.map(|figure| figure.to_string());
        assert!(others.iter().all(|name| name.parse::<Figure>().is_ok()));
    }

    #[test]
    fn tpot_is_short_for_what_it_is() {
        let figure: Figure = "tpot_p95_ms".parse().unwrap();
        assert_eq!(figure.to_string(), "time_per_output_token_p95_ms");
    }

    #[test]
    fn an_unknown_name_is_told_with_the_nearest() {
        let error = "ttft_p96_ms".parse::<Figure>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no figure is named `ttft_p96_ms`; `ttft_p90_ms` is the nearest"
        );
        assert_eq!("nonsense".parse::<Figure>().unwrap_err().nearest, None);
    }
}
