//! A benchmark by the second.

use serde::Serialize;

use super::statistics::Units;
use crate::documents::{
    Request, RequestStatus, RequestTimestampSource, Summary, Timestamp, TpotDefinition,
};
use crate::over_time::{Bucket, OverTime};

/// Buckets that are kept: a day of seconds.
const BUCKETS: usize = 86_400;

/// Figures of the successful requests by the second, over the whole benchmark: with its warm-up and
/// its cool-down, which `run.time` leaves out. A benchmark that is longer than a day has as many
/// powers of two of a second in each point as it needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimeSeries {
    /// How long requests took; absent where nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencySeries>,
    /// How many at a time; absent where the report kept a part of its requests alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<ThroughputSeries>,
}

/// Latencies. There are points of the seconds in which there is a value.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LatencySeries {
    /// Time to first token, in ms, of the requests whose first token came in the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_first_token: Option<Series<Spread>>,
    /// Of the requests that ended in the second, in ms/token; each counts by its output tokens.
    /// From 0.4 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized_time_per_output_token: Option<Series<Spread>>,
    /// GuideLLM's time per output token, of the requests that ended in the second, in ms/token; each
    /// counts by its output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_per_output_token: Option<Series<Spread>>,
    /// Inter-token latency of the requests that ended in the second, in ms/token; each counts by
    /// its output tokens less one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inter_token_latency: Option<Series<Spread>>,
    /// Latency of the requests that ended in the second, in s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_latency: Option<Series<Spread>>,
}

/// Throughputs. There is a point of each second from the first start of a request to the last end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThroughputSeries {
    /// Prompt tokens of the requests that ended in the second, in tokens/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_token_rate: Option<Series<Value>>,
    /// Output tokens of the requests that ended in the second, in tokens/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_token_rate: Option<Series<Value>>,
    /// Both, in tokens/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_token_rate: Option<Series<Value>>,
    /// Requests that ended in the second, in queries/s.
    pub request_rate: Series<Value>,
}

/// Values over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series<T> {
    /// Unit of all values.
    pub units: Units,
    /// In the order of time.
    pub series: Vec<Point<T>>,
}

/// What was measured in a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point<T> {
    /// Its start.
    pub ts: Timestamp,
    /// What it is.
    #[serde(flatten)]
    pub value: T,
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Value {
    /// It, in the series' unit.
    pub value: f64,
}

/// A distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Arithmetic mean, weighted where the metric is.
    pub mean: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

/// Requests of one benchmark, as they come; bounded, however many there are.
#[derive(Debug, Default)]
pub struct Requests(OverTime<Second, BUCKETS>);

/// What is kept of a second.
#[derive(Debug, Default)]
struct Second {
    time_to_first_token: Sum,
    time_per_output_token: Sum,
    inter_token_latency: Sum,
    request_latency: Sum,
    completed: f64,
    /// `None` as long as nobody counted any.
    prompt_tokens: Option<f64>,
    output_tokens: Option<f64>,
}

impl Bucket for Second {
    fn merge(&mut self, next: Self) {
        self.time_to_first_token.merge(&next.time_to_first_token);
        self.time_per_output_token
            .merge(&next.time_per_output_token);
        self.inter_token_latency.merge(&next.inter_token_latency);
        self.request_latency.merge(&next.request_latency);
        self.completed += next.completed;
        add(&mut self.prompt_tokens, next.prompt_tokens);
        add(&mut self.output_tokens, next.output_tokens);
    }
}

fn add(sum: &mut Option<f64>, more: Option<f64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or_default() + more);
    }
}

/// Values with their weights.
#[derive(Debug, Clone, Copy)]
struct Sum {
    weight: f64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            weight: 0.0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Sum {
    fn push(&mut self, value: Option<f64>, weight: f64) {
        if let Some(value) = value.filter(|_| weight > 0.0) {
            self.merge(&Self {
                weight,
                sum: value * weight,
                min: value,
                max: value,
            });
        }
    }

    fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    fn spread(&self) -> Option<Spread> {
        (self.weight > 0.0).then(|| Spread {
            mean: self.sum / self.weight,
            min: self.min,
            max: self.max,
        })
    }
}

impl Requests {
    /// Takes a request in.
    pub fn push(&mut self, request: &Request) {
        if request.status != RequestStatus::Successful {
            return;
        }
        if request.timestamp_source == RequestTimestampSource::RequestStart {
            self.0.reach(request.timestamp);
        }
        if let Some(first_token) = request.first_token_timestamp {
            self.0.add(first_token, |second| {
                second.time_to_first_token.push(request.ttft_ms, 1.0);
            });
        }
        let Some(end) = request.end_timestamp else {
            return;
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "token counts are far below 2^52"
        )]
        let tokens = |count: Option<u64>| count.map(|it| it as f64);
        let (prompt, output) = (
            tokens(request.prompt_token_count),
            tokens(request.output_token_count),
        );
        self.0.add(end, |second| {
            let weight = output.unwrap_or_default();
            let latency = request.request_latency_seconds;
            second.time_per_output_token.push(request.tpot_ms, weight);
            second
                .inter_token_latency
                .push(request.itl_ms, weight - 1.0);
            second.request_latency.push(latency, 1.0);
            second.completed += 1.0;
            add(&mut second.prompt_tokens, prompt);
            add(&mut second.output_tokens, output);
        });
    }

    /// Their series; `None` where no request was successful. `summary` is their benchmark's.
    #[must_use]
    pub fn series(&self, summary: &Summary) -> Option<TimeSeries> {
        let latency = self.latency(summary.origin.tpot_definition);
        let whole = !summary.counts.records_sampled && !summary.origin.salvaged;
        let throughput = whole.then(|| self.throughput()).flatten();
        (latency.is_some() || throughput.is_some()).then_some(TimeSeries {
            latency,
            throughput,
        })
    }

    fn latency(&self, definition: TpotDefinition) -> Option<LatencySeries> {
        let per_token = Units::MillisecondsPerToken;
        let spread =
            |units, of: fn(&Second) -> &Sum| self.points(units, |second| of(second).spread());
        let time_per_output_token = spread(per_token, |it| &it.time_per_output_token);
        let latency = LatencySeries {
            time_to_first_token: spread(Units::Milliseconds, |it| &it.time_to_first_token),
            normalized_time_per_output_token: match definition {
                TpotDefinition::IncludesTimeToFirstToken => time_per_output_token.clone(),
                TpotDefinition::ExcludesTimeToFirstToken => None,
            },
            time_per_output_token,
            inter_token_latency: spread(per_token, |it| &it.inter_token_latency),
            request_latency: spread(Units::Seconds, |it| &it.request_latency),
        };
        (latency != LatencySeries::default()).then_some(latency)
    }

    fn throughput(&self) -> Option<ThroughputSeries> {
        let seconds = self.0.width_seconds();
        let rate = |units, of: &dyn Fn(&Second) -> f64| {
            let value = |second: &Second| Value {
                value: of(second) / seconds,
            };
            self.points(units, |second| Some(value(second)))
        };
        let known = |of: fn(&Second) -> Option<f64>| {
            let mut seconds = self.0.buckets();
            seconds.any(|(_, second)| of(second).is_some())
        };
        let (prompt, output) = (known(|it| it.prompt_tokens), known(|it| it.output_tokens));
        let tokens = |known: bool, of: &dyn Fn(&Second) -> f64| {
            known.then(|| rate(Units::TokensPerSecond, of)).flatten()
        };
        let prompts = |it: &Second| it.prompt_tokens.unwrap_or_default();
        let outputs = |it: &Second| it.output_tokens.unwrap_or_default();
        Some(ThroughputSeries {
            input_token_rate: tokens(prompt, &prompts),
            output_token_rate: tokens(output, &outputs),
            total_token_rate: tokens(prompt && output, &|it| prompts(it) + outputs(it)),
            request_rate: rate(Units::QueriesPerSecond, &|it| it.completed)?,
        })
    }

    /// The points that there are, if there are any.
    fn points<T>(&self, units: Units, of: impl Fn(&Second) -> Option<T>) -> Option<Series<T>> {
        let points = self.0.buckets().filter_map(|(start, second)| {
            Some(Point {
                ts: Timestamp::from_epoch_micros(start)?,
                value: of(second)?,
            })
        });
        let series: Vec<Point<T>> = points.collect();
        (!series.is_empty()).then_some(Series { units, series })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Consumer, ReadOptions, RunContext, Source, read};

    /// The series of a report's benchmarks, with their summaries.
    #[derive(Default)]
    struct All(BTreeMap<u32, Requests>, Vec<(Summary, Option<TimeSeries>)>);

    impl Consumer for All {
        type Error = std::convert::Infallible;

        fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
            for request in &requests {
                let index = request.origin.benchmark_index;
                self.0.entry(index).or_default().push(request);
            }
            Ok(())
        }

        fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
            let requests = self.0.get(&summary.origin.benchmark_index);
            let series = requests.and_then(|it| it.series(&summary));
            self.1.push((summary, series));
            Ok(())
        }
    }

    fn of(report: &str) -> Vec<(Summary, Option<TimeSeries>)> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/reports/");
        let (context, options) = (RunContext::default(), ReadOptions::default());
        let mut all = All::default();
        let source = Source::path(format!("{root}{report}"));
        read(source, &context, &options, &mut all).unwrap();
        all.1
    }

    #[test]
    fn each_successful_request_is_in_one_second() {
        for (summary, series) in of("0.8.1/constant_multirate.json") {
            let TimeSeries {
                latency,
                throughput,
            } = series.unwrap();
            let (latency, throughput) = (latency.unwrap(), throughput.unwrap());
            let sum = |series: &Series<Value>| -> f64 {
                series.series.iter().map(|it| it.value.value).sum()
            };
            #[expect(clippy::cast_precision_loss, reason = "a few requests")]
            let records = summary.counts.successful_records as f64;
            assert_eq!(sum(&throughput.request_rate).to_bits(), records.to_bits());
            let rates = [
                throughput.input_token_rate.unwrap(),
                throughput.output_token_rate.unwrap(),
            ];
            let both = rates.iter().map(sum).sum::<f64>();
            assert_eq!(
                sum(&throughput.total_token_rate.unwrap()).to_bits(),
                both.to_bits()
            );
            let (tpot, normalised) = (
                latency.time_per_output_token,
                latency.normalized_time_per_output_token,
            );
            assert!(tpot.is_some() && tpot == normalised);
            let ttft = latency.time_to_first_token.unwrap().series;
            assert!(ttft.is_sorted_by_key(|it| it.ts));
            let within = |it: &Spread| it.min <= it.mean && it.mean <= it.max;
            assert!(ttft.iter().all(|it| within(&it.value)));
        }
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let only = |report| of(report).remove(0).1;
        assert_eq!(only("0.8.1/all_errored.json"), None);
        // It kept some of its requests.
        let sampled = only("0.8.1/warmup_sampled.json").unwrap();
        assert!(sampled.throughput.is_none() && sampled.latency.is_some());
        let latency = only("0.7.3/nonstreaming.json").unwrap().latency.unwrap();
        assert!(latency.time_to_first_token.is_none() && latency.request_latency.is_some());
        // Its time per output token leaves the first one out.
        let latency = only("0.3.1/poisson.json").unwrap().latency.unwrap();
        assert!(latency.normalized_time_per_output_token.is_none());
        assert!(latency.time_per_output_token.is_some());
    }
}
