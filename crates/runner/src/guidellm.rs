//! How a release of GuideLLM is told what to do: by its command line and its environment, so that
//! its image stays as it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::suite::{RateType, Scenario};

/// A release of GuideLLM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Release {
    major: u32,
    minor: u32,
    patch: u32,
}

/// It is no release of GuideLLM that can be run.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no release of GuideLLM from 0.3 on, such as 0.8.1")]
pub struct UnknownRelease(String);

/// One sample of a scenario.
#[derive(Debug, Clone, Copy)]
pub struct Benchmark<'a> {
    /// What is asked of the server.
    pub scenario: &'a Scenario,
    /// URL of the server.
    pub target: &'a str,
    /// The model, and whose tokenizer counts tokens.
    pub model: &'a str,
    /// Random seed, in digits; Kubernetes may put some of them in.
    pub seed: &'a str,
    /// Path of the report.
    pub report: &'a str,
}

impl Release {
    /// The first whose rate types are profiles.
    const PROFILED: Self = Self::new(0, 4, 0);
    /// The first that is told by a specification.
    const SPECIFIED: Self = Self::new(0, 7, 0);
    /// The first whose reports and options are known.
    const FIRST: Self = Self::new(0, 3, 0);

    /// A release by its numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// The command line.
    #[must_use]
    pub fn command(self) -> &'static [&'static str] {
        if self < Self::SPECIFIED {
            &["guidellm", "benchmark", "run"]
        } else {
            &["guidellm", "run", "--disable-console-interactive"]
        }
    }

    /// The environment: names and values.
    #[must_use]
    pub fn environment(self, benchmark: &Benchmark<'_>) -> Vec<(&'static str, String)> {
        if self < Self::SPECIFIED {
            options(self < Self::PROFILED, benchmark)
        } else {
            specification(benchmark)
        }
    }
}

/// Each option of `benchmark run` has a variable of its name. To 0.3 the profile is a rate type; later
/// releases would take no notice of that name, and sweep.
fn options(rate_type: bool, benchmark: &Benchmark<'_>) -> Vec<(&'static str, String)> {
    let scenario = benchmark.scenario;
    let (prompt, output) = (scenario.prompt_tokens, scenario.output_tokens);
    let profile = if rate_type {
        ["GUIDELLM_RATE_TYPE", "GUIDELLM_DISABLE_PROGRESS"]
    } else {
        ["GUIDELLM_PROFILE", "GUIDELLM_DISABLE_CONSOLE_INTERACTIVE"]
    };
    let rate = match scenario.rate_type {
        // It takes no rate there, and this for the most requests in flight.
        RateType::Throughput if rate_type => "GUIDELLM__MAX_CONCURRENCY",
        _ => "GUIDELLM_RATE",
    };
    let mut variables = vec![
        ("GUIDELLM_TARGET", benchmark.target.to_owned()),
        ("GUIDELLM_MODEL", benchmark.model.to_owned()),
        ("GUIDELLM_PROCESSOR", benchmark.model.to_owned()),
        (profile[0], scenario.rate_type.to_string()),
        (rate, scenario.rate.to_string()),
        ("GUIDELLM_MAX_SECONDS", scenario.seconds.to_string()),
        (
            "GUIDELLM_DATA",
            format!("prompt_tokens={prompt},output_tokens={output}"),
        ),
        ("GUIDELLM_RANDOM_SEED", benchmark.seed.to_owned()),
        ("GUIDELLM_OUTPUT_PATH", benchmark.report.to_owned()),
        (profile[1], "true".to_owned()),
    ];
    if !rate_type {
        // The images set it, and 0.6 refuses both.
        variables.push(("GUIDELLM_OUTPUT_DIR", String::new()));
    }
    variables
}

/// The members of a specification have variables by their paths; lists are JSON.
fn specification(benchmark: &Benchmark<'_>) -> Vec<(&'static str, String)> {
    let scenario = benchmark.scenario;
    let rate = match scenario.rate_type {
        RateType::Constant | RateType::Poisson => "GUIDELLM__SPEC__PROFILE__RATE",
        RateType::Throughput => "GUIDELLM__SPEC__PROFILE__MAX_CONCURRENCY",
    };
    let data = json!([{
        "kind": "synthetic_text",
        "prompt_tokens": scenario.prompt_tokens,
        "output_tokens": scenario.output_tokens,
    }]);
    let constraints = json!([{ "kind": "max_duration", "seconds": scenario.seconds }]);
    let outputs = json!([{ "kind": "json", "path": benchmark.report }]);
    vec![
        ("GUIDELLM__SPEC__BACKEND__KIND", "openai_http".to_owned()),
        (
            "GUIDELLM__SPEC__BACKEND__TARGET",
            benchmark.target.to_owned(),
        ),
        ("GUIDELLM__SPEC__BACKEND__MODEL", benchmark.model.to_owned()),
        ("GUIDELLM__SPEC__TOKENIZER__KIND", "hf_auto".to_owned()),
        (
            "GUIDELLM__SPEC__TOKENIZER__MODEL",
            benchmark.model.to_owned(),
        ),
        (
            "GUIDELLM__SPEC__PROFILE__KIND",
            scenario.rate_type.to_string(),
        ),
        (rate, scenario.rate.to_string()),
        ("GUIDELLM__SPEC__DATA", data.to_string()),
        ("GUIDELLM__SPEC__CONSTRAINTS", constraints.to_string()),
        ("GUIDELLM__SPEC__SEED__KIND", "static".to_owned()),
        ("GUIDELLM__SPEC__SEED__VALUE", benchmark.seed.to_owned()),
        ("GUIDELLM__SPEC__OUTPUTS", outputs.to_string()),
    ]
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            major,
            minor,
            patch,
        } = self;
        write!(formatter, "{major}.{minor}.{patch}")
    }
}

impl FromStr for Release {
    type Err = UnknownRelease;

    fn from_str(text: &str) -> Result<Self, UnknownRelease> {
        let unknown = || UnknownRelease(text.to_owned());
        let numbers: Vec<u32> = text
            .strip_prefix('v')
            .unwrap_or(text)
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| unknown())?;
        match *numbers {
            [major, minor, patch] if Self::new(major, minor, patch) >= Self::FIRST => {
                Ok(Self::new(major, minor, patch))
            }
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for Release {
    type Error = UnknownRelease;

    fn try_from(text: String) -> Result<Self, UnknownRelease> {
        text.parse()
    }
}

impl From<Release> for String {
    fn from(release: Release) -> Self {
        release.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{Given, LLM_D_SCALE, Suite};

    fn told(release: &str, scenario: &str) -> Vec<(&'static str, String)> {
        let suite = Suite::read(LLM_D_SCALE, &Given::default()).unwrap();
        let scenario = suite.scenarios.iter().find(|it| it.name == scenario);
        let release: Release = release.parse().unwrap();
        release.environment(&Benchmark {
            scenario: scenario.unwrap(),
            target: "http://model",
            model: "m",
            seed: "7",
            report: "/r/benchmarks.json",
        })
    }

    fn value(variables: &[(&'static str, String)], name: &str) -> Option<String> {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    }

    #[test]
    fn a_rate_type_is_a_profile_from_0_4_on() {
        for (release, name, other) in [
            ("0.3.1", "GUIDELLM_RATE_TYPE", "GUIDELLM_PROFILE"),
            ("v0.4.0", "GUIDELLM_PROFILE", "GUIDELLM_RATE_TYPE"),
            ("0.6.1", "GUIDELLM_PROFILE", "GUIDELLM_RATE_TYPE"),
            ("0.7.0", "GUIDELLM__SPEC__PROFILE__KIND", "GUIDELLM_PROFILE"),
        ] {
            let variables = told(release, "poisson-rag");
            assert_eq!(
                value(&variables, name).as_deref(),
                Some("poisson"),
                "{release}"
            );
            assert_eq!(value(&variables, other), None, "{release}");
        }
    }

    #[test]
    fn the_most_requests_in_flight_have_a_name_of_their_own() {
        for (release, name, rate) in [
            ("0.3.1", "GUIDELLM__MAX_CONCURRENCY", "GUIDELLM_RATE"),
            ("0.5.4", "GUIDELLM_RATE", "GUIDELLM__MAX_CONCURRENCY"),
            (
                "0.8.1",
                "GUIDELLM__SPEC__PROFILE__MAX_CONCURRENCY",
                "GUIDELLM__SPEC__PROFILE__RATE",
            ),
        ] {
            let variables = told(release, "throughput-chat");
            assert_eq!(value(&variables, name).as_deref(), Some("20"), "{release}");
            assert_eq!(value(&variables, rate), None, "{release}");
        }
    }

    #[test]
    fn what_is_no_release_is_refused() {
        for text in ["", "0.8", "0.2.1", "latest", "0.8.x", "0.8.1.2"] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
    }
}
