//! The variables of a suite: those that the program knows, and the user's own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::tree::{Key, Node, Place, Shape};
use super::typed::{distance, nearest, typed};
use super::{SuiteError, label_fault};
use crate::guidellm::Release;

/// The variables that the program itself needs; others are free.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(super) struct Known {
    /// The model under test, and whose tokenizer counts tokens.
    model: String,
    /// URL of the server under test, as pods reach it.
    target: String,
    /// Samples of a scenario that does not say how many.
    samples: u32,
    /// Samples of a scenario that run at once.
    parallelism: u32,
    /// Requests go through the gateway and the endpoint picker.
    gaie: bool,
    /// The model servers are simulators, which need no GPU.
    simulator: bool,
    /// Release of GuideLLM, which decides how it is told what to do.
    guidellm_version: Release,
    /// Image of GuideLLM; by default the official one of that release.
    guidellm_image: Option<String>,
    /// Image of the sidecar that sends results to the search server.
    indexer_image: String,
    /// Namespace of what has none of its own.
    namespace: String,
    /// Token for models that are not public.
    hf_token: Option<String>,
    /// What the random seed of each sample is made from; by default the run's uuid.
    seed: Option<u32>,
}

/// A seed is followed by the scenario and the sample, and is one of 32 bits then.
const LARGEST_SEED: u32 = 41_999;
/// A variable of the user's own that is nearer to one of the program's than this is a slip.
const SLIP: usize = 2;
/// A name of a namespace is a label of DNS.
const LONGEST_NAMESPACE: usize = 63;

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

/// Those that may be null.
const OPTIONAL: [&str; 3] = ["guidellmImage", "hfToken", "seed"];

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
            hf_token: Some(String::new()),
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
            slip(key, declared)?;
        }
        let place = |name: &str| {
            let found = declared.iter().find(|(key, _)| key.name == name);
            found.map_or(Place::Unknown, |(_, node)| node.place.clone())
        };
        let members = KNOWN.iter().filter_map(|name| {
            let place = place(name);
            let node = Node::at(&place, all.get(*name)?.clone());
            let name = (*name).to_owned();
            Some((Key { place, name }, node))
        });
        let all_known = Node {
            place: Place::Unknown,
            shape: Shape::Map(members.collect()),
        };
        let needed = KNOWN.iter().find(|name| {
            let is_null = all_known.member(name).is_some_and(Node::is_null);
            is_null && !OPTIONAL.contains(name)
        });
        if let Some(name) = needed {
            return Err(SuiteError::Misfit {
                place: place(name),
                reason: format!("vars.{name}: it is null; without it, a default is taken"),
            });
        }
        let known: Known = typed(&all_known).map_err(|misfit| misfit.within("vars"))?;
        if let Some((name, reason)) = known.fault() {
            return Err(SuiteError::Misfit {
                place: place(name),
                reason: format!("vars.{name}: {reason}"),
            });
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

impl Known {
    /// Which variable makes no sense, and why, if one does not.
    fn fault(&self) -> Option<(&'static str, String)> {
        let url = url::Url::parse(&self.target);
        let is_served = url.is_ok_and(|it| matches!(it.scheme(), "http" | "https"));
        let namespace = self.namespace.as_str();
        Some(match () {
            () if self.model.is_empty() => ("model", "it is empty".to_owned()),
            () if !is_served => {
                let target = &self.target;
                let reason = format!("`{target}` is no URL that begins with http:// or https://");
                ("target", reason)
            }
            () if self.samples == 0 => ("samples", "it is 0".to_owned()),
            () if self.parallelism == 0 => ("parallelism", "it is 0".to_owned()),
            () if label_fault(namespace).is_some() || namespace.len() > LONGEST_NAMESPACE => (
                "namespace",
                format!(
                    "`{namespace}` is no namespace: up to {LONGEST_NAMESPACE} lower-case letters, \
                     digits and inner hyphens"
                ),
            ),
            () if self.seed > Some(LARGEST_SEED) => {
                ("seed", format!("it is over {LARGEST_SEED}, the largest"))
            }
            () => return None,
        })
    }
}

/// Whether a variable of the user's is another's name, misspelt: nobody would read it.
fn slip(key: &Key, declared: &[(Key, Node)]) -> Result<(), SuiteError> {
    let name = key.name.as_str();
    if KNOWN.contains(&name) {
        return Ok(());
    }
    let refused = |reason| {
        let place = key.place.clone();
        Err(SuiteError::Misfit { place, reason })
    };
    if let Some(near) = KNOWN.iter().find(|known| distance(name, known) < SLIP) {
        return refused(format!(
            "the variable `{name}` is too much like `{near}`, which is meant by that name alone"
        ));
    }
    let own = declared
        .iter()
        .filter(|(other, _)| !matches!(other.place, Place::Set(_)));
    let near = nearest(name, own.map(|(other, _)| &*other.name));
    match (&key.place, near) {
        (Place::Set(_), Some(near)) => refused(format!(
            "the suite has no variable `{name}`; did you mean `{near}`?"
        )),
        _ => Ok(()),
    }
}
