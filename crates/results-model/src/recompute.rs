//! A benchmark's statistics, computed from its request documents.

use std::io;

use crate::documents::{Request, RequestStatus, Statistics, SummaryMetrics};
use crate::statistics::{Accumulation, WeightedSample};

/// Statistics over the successful requests, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Recomputed {
    pub(crate) time_to_first_token: WeightedSample,
    pub(crate) inter_token_latency: WeightedSample,
    pub(crate) time_per_output_token: WeightedSample,
    pub(crate) request_latency: WeightedSample,
    pub(crate) prompt_token_count: WeightedSample,
    pub(crate) output_token_count: WeightedSample,
}

impl Recomputed {
    /// Counts a request in, if it is successful.
    #[expect(
        clippy::cast_precision_loss,
        reason = "token counts are far below 2^52"
    )]
    pub(crate) fn push(&mut self, request: &Request) -> io::Result<()> {
        if request.status != RequestStatus::Successful {
            return Ok(());
        }
        let output = request.output_token_count.map(|tokens| tokens as f64);
        let prompt = request.prompt_token_count.map(|tokens| tokens as f64);
        let add = |sample: &mut WeightedSample, value: Option<f64>, weight: Option<f64>| {
            value
                .zip(weight)
                .map_or(Ok(()), |(value, weight)| sample.push(value, weight))
        };
        add(&mut self.time_to_first_token, request.ttft_ms, Some(1.0))?;
        let gaps = output.map(|tokens| tokens - 1.0);
        add(&mut self.inter_token_latency, request.itl_ms, gaps)?;
        add(&mut self.time_per_output_token, request.tpot_ms, output)?;
        add(
            &mut self.request_latency,
            request.request_latency_seconds,
            Some(1.0),
        )?;
        add(&mut self.prompt_token_count, prompt, Some(1.0))?;
        add(&mut self.output_token_count, output, Some(1.0))
    }

    /// The metrics that a request has; those over time stay absent.
    pub(crate) fn metrics(self, accumulation: Accumulation) -> io::Result<SummaryMetrics> {
        let statistics =
            |sample: WeightedSample| -> io::Result<Statistics> { sample.statistics(accumulation) };
        Ok(SummaryMetrics {
            time_to_first_token: statistics(self.time_to_first_token)?.into(),
            inter_token_latency: statistics(self.inter_token_latency)?.into(),
            time_per_output_token: statistics(self.time_per_output_token)?.into(),
            request_latency: statistics(self.request_latency)?.into(),
            prompt_token_count_mean: statistics(self.prompt_token_count)?.mean,
            output_token_count_mean: statistics(self.output_token_count)?.mean,
            ..SummaryMetrics::default()
        })
    }
}
