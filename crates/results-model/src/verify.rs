//! Whether a report's own statistics follow from its records.
//!
//! GuideLLM writes both. Where they disagree, one of them was changed or is wrong, and figures
//! that are pooled from the records do not belong to the summary's.

use std::io;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::documents::{Request, RequestStatus, Statistics, Summary, SummaryMetrics};
use crate::generations::{BenchmarkFacts, Clocks, StatusCounts};
use crate::recompute::Recomputed;
use crate::statistics::Accumulation;
use crate::windows::{Instants, Window, Windowing, is_windowed};

/// Relative difference of two means or deviations that were added up in another order.
const TOLERANCE: f64 = 1e-9;

/// What came of comparing one benchmark's figures with its records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Position of the benchmark in its report, from 0.
    pub benchmark_index: u32,
    /// The outcome.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Verification {
    /// Whether the report's figures contradict its records.
    #[must_use]
    pub fn is_contradicted(&self) -> bool {
        matches!(self.verdict, Verdict::Disagrees { .. })
    }
}

/// The outcome of a verification.
///
/// Compared are the number of successful requests, their mean token counts, and the statistics of
/// TTFT, ITL, TPOT and request latency: percentiles, minimum and maximum to the last bit, means
/// and standard deviations within a relative 1e-9. Rates and concurrency are not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Every figure follows from the records.
    Agrees {
        /// How many figures were compared.
        figures: usize,
    },
    /// Some figures do not.
    Disagrees {
        /// How many figures were compared.
        figures: usize,
        /// Those that differ.
        differences: Vec<Difference>,
    },
    /// The report does not have all that the figures were made of.
    NotVerifiable {
        /// What is missing.
        reason: String,
    },
}

/// A figure that does not follow from the records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The summary's field.
    pub field: String,
    /// What the report says.
    pub reported: Option<f64>,
    /// What its records say.
    pub recomputed: Option<f64>,
}

/// Statistics as GuideLLM takes them, over the successful records of one benchmark.
#[derive(Debug)]
pub(crate) struct Recheck {
    /// Absent if nothing is counted.
    windowing: Option<Windowing>,
    accumulation: Accumulation,
    successful: u64,
    samples: Recomputed,
    /// How many successful records make the figures.
    counted: Option<u64>,
    unverifiable: Option<String>,
}

impl Recheck {
    pub(crate) fn new(facts: &BenchmarkFacts, salvaged: bool) -> Self {
        let generation = facts.settings.report_generation;
        let windowed = is_windowed(generation);
        let ends = facts.origin.measured_start.zip(facts.origin.measured_end);
        let window = ends.map(|(start, end)| Window { start, end });
        let release = facts.settings.guidellm_version.as_deref();
        let windowing = Windowing::new(generation, release, window.filter(|_| windowed));
        let missing = match () {
            () if salvaged => Some("the report was cut off"),
            () if facts.metrics.is_none() => Some("its release writes no statistics"),
            () if windowed && window.is_none() => Some("its measured window is missing"),
            () if windowing.is_none() => Some("it does not name GuideLLM's release"),
            () => None,
        };
        let StatusCounts { successful, .. } = facts.totals;
        Self {
            windowing: windowing.filter(|_| missing.is_none()),
            accumulation: if windowed {
                Accumulation::DistinctValues
            } else {
                Accumulation::EachValue
            },
            successful: 0,
            samples: Recomputed::default(),
            counted: facts.run.successful.filter(|_| windowed).or(successful),
            unverifiable: missing.map(str::to_owned),
        }
    }

    /// Counts a record in.
    pub(crate) fn push(&mut self, request: &Request, clocks: &Clocks) -> io::Result<()> {
        let Some(windowing) = self.windowing else {
            return Ok(());
        };
        if request.status != RequestStatus::Successful {
            return Ok(());
        }
        let counted = windowing.counted(&Instants {
            start: clocks.start,
            first_token: clocks.first_token,
            end: clocks.end,
        });
        // GuideLLM counts a time that was not measured as 0.
        let time = Option::unwrap_or_default;
        let tokens = request.output_token_count;
        let samples = &mut self.samples;
        if counted.request {
            self.successful += 1;
            let latency = time(request.request_latency_seconds);
            samples.request_latency.push(latency, 1.0)?;
            let tpot = time(request.tpot_ms);
            let weight = count(tokens.unwrap_or_default());
            samples.time_per_output_token.push(tpot, weight)?;
            let prompt = count(request.prompt_token_count.unwrap_or_default());
            samples.prompt_token_count.push(prompt, 1.0)?;
            samples.output_token_count.push(weight, 1.0)?;
        }
        if counted.first_token {
            let ttft = time(request.ttft_ms);
            samples.time_to_first_token.push(ttft, 1.0)?;
        }
        if counted.decoding {
            let gaps = count(tokens.unwrap_or(1).saturating_sub(1));
            samples
                .inter_token_latency
                .push(time(request.itl_ms), gaps)?;
        }
        Ok(())
    }

    /// Compares with the report's own figures; `kept` is how many successful records there were.
    pub(crate) fn verdict(self, summary: &Summary) -> io::Result<Verdict> {
        let kept = summary.counts.successful_records;
        let reason = match (self.unverifiable, self.counted) {
            (Some(reason), _) => Some(reason),
            (None, None) => Some("it does not say how many requests there were".to_owned()),
            (None, Some(counted)) if kept < counted => {
                Some(format!("it kept {kept} of {counted} successful records"))
            }
            _ => None,
        };
        if let Some(reason) = reason {
            return Ok(Verdict::NotVerifiable { reason });
        }
        let mut recomputed = figures(&measured_only(&self.samples.metrics(self.accumulation)?));
        let mut reported = figures(&summary.metrics);
        recomputed.insert("successful_requests".to_owned(), self.successful.into());
        let successful = summary.counts.successful_requests;
        reported.extend(successful.map(|it| ("successful_requests".to_owned(), it.into())));
        let (figures, differences) = compare(&reported, &recomputed);
        Ok(if differences.is_empty() {
            Verdict::Agrees { figures }
        } else {
            Verdict::Disagrees {
                figures,
                differences,
            }
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "token counts are far below 2^52"
)]
fn count(tokens: u64) -> f64 {
    tokens as f64
}

/// A time that no request has is filled up with zeros; documents then leave it out.
fn measured_only(metrics: &SummaryMetrics) -> SummaryMetrics {
    fn measured<M: From<Statistics> + Default + Copy>(metric: M) -> M
    where
        Statistics: From<M>,
    {
        let statistics = Statistics::from(metric);
        if statistics.max.is_some_and(|max| max > 0.0) {
            metric
        } else {
            M::default()
        }
    }
    SummaryMetrics {
        time_to_first_token: measured(metrics.time_to_first_token),
        inter_token_latency: measured(metrics.inter_token_latency),
        time_per_output_token: measured(metrics.time_per_output_token),
        request_latency: measured(metrics.request_latency),
        ..*metrics
    }
}

/// The figures that can be recomputed, by their fields.
fn figures(metrics: &SummaryMetrics) -> Map<String, Value> {
    let comparable = SummaryMetrics {
        time_to_first_token: metrics.time_to_first_token,
        inter_token_latency: metrics.inter_token_latency,
        time_per_output_token: metrics.time_per_output_token,
        request_latency: metrics.request_latency,
        prompt_token_count_mean: metrics.prompt_token_count_mean,
        output_token_count_mean: metrics.output_token_count_mean,
        ..SummaryMetrics::default()
    };
    match serde_json::to_value(comparable) {
        Ok(Value::Object(figures)) => figures,
        _ => Map::new(),
    }
}

/// How many figures there are on either side, and those that differ.
fn compare(
    reported: &Map<String, Value>,
    recomputed: &Map<String, Value>,
) -> (usize, Vec<Difference>) {
    let more = recomputed
        .keys()
        .filter(|&field| !reported.contains_key(field));
    let fields: Vec<&String> = reported.keys().chain(more).collect();
    let figure = |figures: &Map<String, Value>, field: &str| figures.get(field)?.as_f64();
    let differences = fields
        .iter()
        .map(|field| Difference {
            field: (*field).clone(),
            reported: figure(reported, field),
            recomputed: figure(recomputed, field),
        })
        .filter(Difference::is_one)
        .collect();
    (fields.len(), differences)
}

impl Difference {
    fn is_one(&self) -> bool {
        let (Some(reported), Some(recomputed)) = (self.reported, self.recomputed) else {
            return self.reported != self.recomputed;
        };
        let added_up = self.field.contains("_mean") || self.field.contains("_stddev");
        let allowed = if added_up {
            TOLERANCE * reported.abs().max(1.0)
        } else {
            0.0
        };
        (reported - recomputed).abs() > allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(field: &str, reported: f64, recomputed: f64) -> Difference {
        Difference {
            field: field.to_owned(),
            reported: Some(reported),
            recomputed: Some(recomputed),
        }
    }

    #[test]
    fn percentiles_must_be_equal_and_means_nearly() {
        assert!(!difference("ttft_mean_ms", 30.0, 30.000_000_001).is_one());
        assert!(difference("ttft_mean_ms", 30.0, 30.000_001).is_one());
        assert!(difference("ttft_p95_ms", 30.0, 30.000_000_001).is_one());
        assert!(!difference("ttft_p95_ms", 30.0, 30.0).is_one());
    }
}
