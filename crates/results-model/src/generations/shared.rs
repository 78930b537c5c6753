//! Shapes and readings that several generations have in common.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::documents::{ErrorClass, Request, RequestStatus, Statistics};

/// A distribution, from 0.2 on.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Distribution {
    mean: Option<f64>,
    median: Option<f64>,
    std_dev: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    count: Option<u64>,
    total_sum: Option<f64>,
    percentiles: Option<Percentiles>,
}

/// The percentiles that the documents keep.
#[derive(Debug, Clone, Default, Deserialize)]
struct Percentiles {
    /// Not in 0.2, whose `median` is the same.
    p50: Option<f64>,
    p90: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
}

impl Distribution {
    /// Absent where nothing was measured: GuideLLM then writes zeros with a `count` of 0.
    pub(super) fn statistics(&self) -> Statistics {
        if self.count == Some(0) {
            return Statistics::default();
        }
        let percentiles = self.percentiles.clone().unwrap_or_default();
        Statistics {
            mean: self.mean,
            p50: percentiles.p50.or(self.median),
            p90: percentiles.p90,
            p95: percentiles.p95,
            p99: percentiles.p99,
            min: self.min,
            max: self.max,
            stddev: self.std_dev,
        }
    }

    /// The same for a time that a request may not have: GuideLLM fills in 0 for each such
    /// request (a response that was not streamed has no first token), counting it.
    pub(super) fn statistics_of_time(&self) -> Statistics {
        match self.max {
            Some(max) if max > 0.0 => self.statistics(),
            _ => Statistics::default(),
        }
    }
}

/// A distribution for each status. Only that of the successful requests means anything in every
/// release: failures are filled up with zeros, and `total` has them in it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ByStatus {
    successful: Option<Distribution>,
}

impl ByStatus {
    pub(super) fn successful(metric: Option<&Self>) -> Statistics {
        Self::distribution(metric)
            .map(Distribution::statistics)
            .unwrap_or_default()
    }

    pub(super) fn successful_time(metric: Option<&Self>) -> Statistics {
        Self::distribution(metric)
            .map(Distribution::statistics_of_time)
            .unwrap_or_default()
    }

    pub(super) fn total_sum(metric: Option<&Self>) -> Option<f64> {
        Self::distribution(metric)
            .filter(|metric| metric.count != Some(0))?
            .total_sum
    }

    /// Whether it is of 0.2, the one release whose percentiles lack the 50th.
    pub(super) fn lacks_p50(metric: Option<&Self>) -> bool {
        let percentiles = Self::distribution(metric).and_then(|it| it.percentiles.as_ref());
        percentiles.is_some_and(|percentiles| percentiles.p50.is_none())
    }

    fn distribution(metric: Option<&Self>) -> Option<&Distribution> {
        metric?.successful.as_ref()
    }
}

/// Fills in the error of a failed request.
pub(super) fn fill_error(request: &mut Request, message: Option<Box<str>>) {
    if request.status == RequestStatus::Successful {
        return;
    }
    let (class, http_status) = classify(request.status, message.as_deref().unwrap_or_default());
    request.error_class = Some(class);
    request.http_status = http_status;
    request.error_message = message.filter(|message| !message.is_empty());
}

/// What kind of failure an error text tells of. The texts are those of Python's httpx, openai
/// and asyncio, as `str()` or `repr()`.
fn classify(status: RequestStatus, message: &str) -> (ErrorClass, Option<u16>) {
    // 0.2 and 0.3 write "TimeoutError" into requests that the end of the run cancelled.
    if status == RequestStatus::Incomplete {
        return (ErrorClass::Cancelled, None);
    }
    if let Some(http_status) = http_status(message) {
        return (ErrorClass::HttpStatus, Some(http_status));
    }
    let text = message.to_ascii_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
    let class = if has(&["timeout", "timed out"]) {
        ErrorClass::Timeout
    } else if has(&["cancelled", "canceled"]) {
        ErrorClass::Cancelled
    } else if has(&[
        "peer closed connection",
        "incomplete chunked read",
        "remoteprotocolerror",
        "readerror",
        "server disconnected",
        "connection reset",
        "connectionreset",
        "streamreset",
    ]) {
        ErrorClass::DroppedStream
    } else {
        ErrorClass::Other
    };
    (class, None)
}

/// The HTTP error status in `Server error '503 ...'`, `Client error '404 ...'` (httpx) or
/// `Error code: 500` (openai).
fn http_status(message: &str) -> Option<u16> {
    [
        "Server error '",
        "Client error '",
        "Redirect response '",
        "Error code: ",
    ]
    .iter()
    .find_map(|prefix| {
        let digits = message.split_once(prefix)?.1.get(..3)?;
        digits
            .parse()
            .ok()
            .filter(|status| (300..600).contains(status))
    })
}

/// A time that was measured: GuideLLM writes 0 for what was not.
pub(super) fn measured(time: Option<f64>) -> Option<f64> {
    time.filter(|time| *time > 0.0)
}

/// Prompt and output tokens that synthetic data was configured with, as strings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ConfiguredTokens {
    pub(super) prompt: Option<String>,
    pub(super) output: Option<String>,
}

impl ConfiguredTokens {
    /// From `prompt_tokens=32,output_tokens=16`, or the same as JSON text. Anything else (a
    /// file, a data set's name) is not synthetic.
    pub(super) fn from_text(data: &str) -> Self {
        if let Ok(object) = serde_json::from_str::<Value>(data)
            && object.is_object()
        {
            return Self::from_value(&object);
        }
        let member = |names: &[&str]| {
            let mut members = data.split(',').filter_map(|member| member.split_once('='));
            members
                .find(|(name, _)| names.contains(&name.trim()))
                .map(|(_, value)| value.trim().to_owned())
                .filter(|value| value.parse::<u64>().is_ok())
        };
        Self {
            prompt: member(&["prompt_tokens"]),
            // 0.1 calls them so.
            output: member(&["output_tokens", "generated_tokens"]),
        }
    }

    /// From an object with these members.
    pub(super) fn from_value(data: &Value) -> Self {
        match data {
            Value::String(text) => Self::from_text(text),
            Value::Object(members) => {
                let member = |name: &str| {
                    members
                        .get(name)
                        .and_then(Value::as_u64)
                        .map(|tokens| tokens.to_string())
                };
                Self {
                    prompt: member("prompt_tokens"),
                    output: member("output_tokens"),
                }
            }
            _ => Self::default(),
        }
    }
}

/// A data description on one line: text as it is, an object as `name=value` pairs of what is
/// set in it.
pub(super) fn describe_data(data: &[Value]) -> Option<String> {
    let described: Vec<String> = data.iter().filter_map(describe_value).collect();
    (!described.is_empty()).then(|| described.join(" "))
}

fn describe_value(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Object(members) => {
            let set = members.iter().filter_map(|(name, value)| {
                let empty = value.as_object().is_some_and(serde_json::Map::is_empty)
                    || value.as_array().is_some_and(Vec::is_empty)
                    || value.is_null();
                (!empty).then(|| format!("{name}={}", plain(value)))
            });
            Some(set.collect::<Vec<_>>().join(","))
        }
        other => Some(plain(other)),
    }
}

/// A value as text, a string without its quotes.
pub(super) fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Labels as text.
pub(super) fn labels(labels: Option<&BTreeMap<String, Value>>) -> BTreeMap<String, String> {
    let labels = labels.into_iter().flatten();
    labels
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_classed_by_status_then_text() {
        use ErrorClass::*;
        let errored = RequestStatus::Errored;
        let cases = [
            (
                errored,
                "Server error '500 Internal Server Error' for url 'x'",
                HttpStatus,
                Some(500),
            ),
            (
                errored,
                "HTTPStatusError(\"Client error '404 Not Found' for",
                HttpStatus,
                Some(404),
            ),
            (
                errored,
                "Error code: 503 - overloaded",
                HttpStatus,
                Some(503),
            ),
            (errored, "ReadTimeout('')", Timeout, None),
            (
                errored,
                "RemoteProtocolError('peer closed connection",
                DroppedStream,
                None,
            ),
            (errored, "ReadError('')", DroppedStream, None),
            (errored, "Connection error.", Other, None),
            (
                errored,
                "ConnectError('All connection attempts failed')",
                Other,
                None,
            ),
            (errored, "", Other, None),
            (
                RequestStatus::Incomplete,
                "TimeoutError: The request timed out",
                Cancelled,
                None,
            ),
            (RequestStatus::Incomplete, "", Cancelled, None),
        ];
        for (status, message, class, http_status) in cases {
            assert_eq!(classify(status, message), (class, http_status), "{message}");
        }
    }

    #[test]
    fn configured_tokens_come_from_synthetic_data_only() {
        let tokens = |prompt: &str, output: &str| ConfiguredTokens {
            prompt: Some(prompt.to_owned()),
            output: Some(output.to_owned()),
        };
        let from_text = ConfiguredTokens::from_text;
        assert_eq!(
            from_text("prompt_tokens=32,output_tokens=16"),
            tokens("32", "16")
        );
        assert_eq!(
            from_text("prompt_tokens=32,generated_tokens=16"),
            tokens("32", "16")
        );
        assert_eq!(
            from_text("prompt_tokens=256,prompt_tokens_stdev=128,output_tokens=64"),
            tokens("256", "64")
        );
        assert_eq!(
            from_text(r#"{"prompt_tokens": 8, "output_tokens": 4}"#),
            tokens("8", "4")
        );
        assert_eq!(from_text("openai/gsm8k"), ConfiguredTokens::default());
        assert_eq!(
            from_text("file=prompts.csv,split=test"),
            ConfiguredTokens::default()
        );
    }
}
