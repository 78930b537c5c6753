//! The load scenarios that llm-d's inference scheduler is judged by.
//!
//! This crate will drive them on a cluster; so far it reads a suite and knows what is valid.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The suite of llm-d-scale: `manifests/suites/llm-d-scale.yaml`.
pub const LLM_D_SCALE: &str = include_str!("../../../manifests/suites/llm-d-scale.yaml");

/// Kubernetes names end at 63 characters; a pod's adds the run, the sample and five of its own.
const LONGEST_NAME: usize = 40;

/// Scenarios that run one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// In the order in which they run.
    pub scenarios: Vec<Scenario>,
}

/// How a scenario's requests are scheduled: GuideLLM's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateType {
    /// At a constant rate.
    Constant,
    /// At random, with a mean rate.
    Poisson,
    /// As many as the server takes, up to a number in flight.
    Throughput,
}

/// One load scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Its name, and the `job_name` of its documents.
    pub name: String,
    /// How requests are scheduled.
    pub rate_type: RateType,
    /// Requests per second; of `throughput`, the most requests in flight.
    pub rate: f64,
    /// Tokens of each synthetic prompt.
    pub prompt_tokens: u32,
    /// Tokens of each output.
    pub output_tokens: u32,
    /// Length of a sample, in seconds.
    pub seconds: u32,
    /// How often it runs.
    pub samples: u32,
}

/// Why a suite cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// It is not YAML, or has a field that is unknown or missing.
    #[error("not a suite: {0}")]
    Format(#[from] Box<serde_saphyr::Error>),
    /// A scenario makes no sense.
    #[error("scenario `{name}`: {reason}")]
    Scenario {
        /// Which one.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Suite {
    /// Reads a suite.
    ///
    /// # Errors
    ///
    /// If it is malformed, or a scenario makes no sense.
    pub fn from_yaml(text: &str) -> Result<Self, SuiteError> {
        let suite: Self = serde_saphyr::from_str(text).map_err(Box::new)?;
        let mut names = BTreeSet::new();
        for scenario in &suite.scenarios {
            let reason = scenario.fault().or_else(|| {
                let again = !names.insert(&scenario.name);
                again.then_some("its name is not the only one")
            });
            if let Some(reason) = reason {
                let name = scenario.name.clone();
                return Err(SuiteError::Scenario { name, reason });
            }
        }
        Ok(suite)
    }
}

impl Scenario {
    fn fault(&self) -> Option<&'static str> {
        let name = self.name.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let edges = [name.first(), name.last()];
        match () {
            () if !name.iter().all(|byte| plain(byte) || *byte == b'-')
                || !edges.iter().all(|edge| edge.is_some_and(plain)) =>
            {
                Some("its name must be lower-case letters, digits and inner hyphens")
            }
            () if name.len() > LONGEST_NAME => Some("its name is longer than 40 characters"),
            () if !(self.rate.is_finite() && self.rate > 0.0) => Some("its rate is not positive"),
            () if self.seconds == 0 => Some("it lasts no time"),
            () if self.samples == 0 => Some("it has no sample"),
            () if self.prompt_tokens == 0 || self.output_tokens == 0 => Some("it has no tokens"),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_has_its_nine_scenarios() {
        let suite = Suite::from_yaml(LLM_D_SCALE).unwrap();
        let names: Vec<&str> = suite.scenarios.iter().map(|it| it.name.as_str()).collect();
        let expected = [
            "steady-chat-10",
            "steady-chat-20",
            "steady-chat-40",
            "steady-rag-10",
            "steady-rag-20",
            "steady-rag-40",
            "throughput-chat",
            "poisson-chat",
            "poisson-rag",
        ];
        assert_eq!(names, expected);
        assert!(suite.scenarios.iter().all(|it| it.samples == 3));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let wrong = [
            ("name: steady-chat-10", "name: Steady", "lower-case"),
            (
                "name: steady-chat-10",
                "name: steady-chat-20",
                "not the only one",
            ),
            ("rate: 10,", "rate: 0,", "not positive"),
            ("rate: 10,", "rate: .nan,", "not positive"),
            ("seconds: 60", "seconds: 0", "no time"),
            ("seconds: 60", "second: 60", "second"),
            ("rateType: constant", "rateType: steady", "steady"),
        ];
        for (right, wrong, reason) in wrong {
            let text = LLM_D_SCALE.replacen(right, wrong, 1);
            let error = Suite::from_yaml(&text).unwrap_err().to_string();
            assert!(error.contains(reason), "{wrong}: {error}");
        }
    }
}
