//! The load scenarios that llm-d's inference scheduler is judged by.
//!
//! This crate will drive them on a cluster; so far it knows what they are.

use serde::Serialize;

/// How a scenario's requests are scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// At a constant rate, in requests per second.
    Constant {
        /// Requests per second.
        rate: f64,
    },
    /// At random with a mean rate.
    Poisson {
        /// Requests per second.
        rate: f64,
    },
    /// As many as the server takes, up to a number in flight.
    Throughput {
        /// Most requests in flight.
        max_concurrency: u32,
    },
}

/// One load scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scenario {
    /// Its name, and the `job_name` of its documents.
    pub name: &'static str,
    /// How requests are scheduled.
    pub load: Load,
    /// Tokens of each synthetic prompt.
    pub prompt_tokens: u32,
    /// Tokens of each output.
    pub output_tokens: u32,
    /// Length of a sample, in seconds.
    pub seconds: u32,
}

/// The nine scenarios of llm-d-scale.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    const CHAT: (u32, u32) = (256, 256);
    const RAG: (u32, u32) = (8192, 512);
    let scenario = |name, load, (prompt_tokens, output_tokens), seconds| Scenario {
        name,
        load,
        prompt_tokens,
        output_tokens,
        seconds,
    };
    vec![
        scenario("steady-chat-10", Load::Constant { rate: 10.0 }, CHAT, 60),
        scenario("steady-chat-20", Load::Constant { rate: 20.0 }, CHAT, 60),
        scenario("steady-chat-40", Load::Constant { rate: 40.0 }, CHAT, 60),
        scenario("steady-rag-10", Load::Constant { rate: 10.0 }, RAG, 60),
        scenario("steady-rag-20", Load::Constant { rate: 20.0 }, RAG, 60),
        scenario("steady-rag-40", Load::Constant { rate: 40.0 }, RAG, 60),
        scenario(
            "throughput-chat",
            Load::Throughput {
                max_concurrency: 20,
            },
            CHAT,
            30,
        ),
        scenario("poisson-chat", Load::Poisson { rate: 100.0 }, CHAT, 60),
        scenario("poisson-rag", Load::Poisson { rate: 100.0 }, RAG, 60),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_kubernetes_object() {
        let names: Vec<&str> = scenarios().iter().map(|scenario| scenario.name).collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), 9);
        for name in names {
            assert!(name.len() <= 50);
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            );
        }
    }
}
