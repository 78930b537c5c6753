//! The variables of a suite: those that the program knows, and the user's own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SuiteError;
use super::nearest;
use super::tree::{Key, Node, Shape};
use super::typed;
use crate::guidellm::Release;

/// The variables that the program itself needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    model: String,
    target: String,
    samples: u32,
    parallelism: u32,
    gaie: bool,
    simulator: bool,
    guidellm_version: Release,
    guidellm_image: Option<String>,
    indexer_image: String,
    namespace: String,
    hf_token: String,
    seed: Option<u32>,
}

/// A seed is followed by the scenario and the sample, and is one of 32 bits then.
const LARGEST_SEED: u32 = 41_999;

const KNOWN: [&str; 12] = [
    "model",
    "target",
    "samples",
    "parallelism",
    "gaie",
    "simulator",
    "guidellmVersion",
    "guidellmImage",
    "indexerImage",
    "namespace",
    "hfToken",
    "seed",
];

/// What all jobs share.
#[derive(Clone, PartialEq)]
pub struct Vars {
    known: Known,
    all: Map<String, Value>,
}

impl Default for Vars {
    fn default() -> Self {
        let known = Known {
            model: "Qwen/Qwen3-0.6B".to_owned(),
            target: "http://llm-d-scale-istio".to_owned(),
            samples: 3,
            parallelism: 1,
            gaie: true,
            simulator: true,
            guidellm_version: Release::new(0, 8, 1),
            guidellm_image: None,
            indexer_image: concat!("guidellm-indexer:", env!("CARGO_PKG_VERSION")).to_owned(),
            namespace: "llm-d-scale".to_owned(),
            hf_token: String::new(),
            seed: None,
        };
        let all = match serde_json::to_value(&known) {
            Ok(Value::Object(all)) => all,
            _ => Map::new(),
        };
        Self { known, all }
    }
}

impl std::fmt::Debug for Vars {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A token is among them.
        let names: Vec<&String> = self.all.keys().collect();
        formatter.debug_tuple("Vars").field(&names).finish()
    }
}

impl Vars {
    /// Takes evaluated variables; `declared` says where they stand.
    pub(super) fn read(
        declared: &[(Key, Node)],
        all: Map<String, Value>,
    ) -> Result<Self, SuiteError> {
        for (key, _) in declared {
            let own = !KNOWN.contains(&&*key.name);
            if let Some(near) = nearest(&key.name, KNOWN).filter(|_| own) {
                return Err(SuiteError::Misfit {
                    line: key.line,
                    reason: format!(
                        "the variable `{}` is too much like `{near}`, which is meant by that name alone",
                        key.name
                    ),
                });
            }
        }
        let line = |name: &str| {
            let found = declared.iter().find(|(key, _)| key.name == name);
            found.map_or(0, |(_, node)| node.line)
        };
        let members = KNOWN.iter().filter_map(|name| {
            let key = Key {
                line: line(name),
                name: (*name).to_owned(),
            };
            let node = Node {
                line: key.line,
                ..Node::placeless(all.get(*name)?.clone())
            };
            Some((key, node))
        });
        let shape = Shape::Map(members.collect());
        let known: Known = typed(&Node { line: 0, shape })?;
        if known.seed > Some(LARGEST_SEED) {
            let line = line("seed");
            let reason = format!("`seed` is over {LARGEST_SEED}");
            return Err(SuiteError::Misfit { line, reason });
        }
        Ok(Self { known, all })
    }

    /// All of them, for templates.
    #[must_use]
    pub fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// The model under test, and whose tokenizer counts tokens.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.known.model
    }

    /// URL of the server under test, as pods reach it.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.known.target
    }

    /// Samples of a scenario that does not say how many.
    #[must_use]
    pub fn samples(&self) -> u32 {
        self.known.samples
    }

    /// Samples of a scenario that run at once.
    #[must_use]
    pub fn parallelism(&self) -> u32 {
        self.known.parallelism
    }

    /// Release of GuideLLM, which decides how it is told what to do.
    #[must_use]
    pub fn release(&self) -> Release {
        self.known.guidellm_version
    }

    /// GuideLLM's image.
    #[must_use]
    pub fn guidellm_image(&self) -> String {
        let official = || format!("ghcr.io/vllm-project/guidellm:v{}", self.release());
        self.known.guidellm_image.clone().unwrap_or_else(official)
    }

    /// Namespace of what has none of its own.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.known.namespace
    }

    /// What the random seed of each sample is made from, if not from the run.
    #[must_use]
    pub fn seed(&self) -> Option<u32> {
        self.known.seed
    }
}
