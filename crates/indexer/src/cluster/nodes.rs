//! A cluster's nodes, of which some may be gone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

use super::product::is_serverless;
use super::signing::{self, Signing};
use super::{
    Answer, Call, ClusterError, Connection, Credentials, Node, Product, Unreachable, may_pass,
};

/// How long a node that gave no answer is left alone, while there are others: twice as long each
/// time, for it may take long until it is seen to give none.
const LEFT_ALONE: Duration = Duration::from_secs(10);

/// Most times that it doubles.
const DOUBLINGS: u32 = 4;

/// A cluster that was reached and told what it is.
#[derive(Clone)]
pub struct Cluster {
    nodes: Arc<[Slot]>,
    next: Arc<AtomicUsize>,
    names: Arc<str>,
    product: Product,
}

struct Slot {
    node: Box<dyn Node>,
    gone: Mutex<Option<Gone>>,
}

/// A node that gave no answer.
#[derive(Clone, Copy)]
struct Gone {
    until: Instant,
    times: u32,
}

impl Gone {
    /// After another time.
    fn again(before: Option<Self>, now: Instant) -> Self {
        // Calls that were on their way together are one time.
        match before {
            Some(gone) if now < gone.until => gone,
            before => {
                let times = before.map_or(0, |gone| gone.times);
                Self {
                    until: now + LEFT_ALONE * (1 << times.min(DOUBLINGS)),
                    times: times + 1,
                }
            }
        }
    }
}

impl Slot {
    fn new(node: Box<dyn Node>) -> Self {
        Self {
            node,
            gone: Mutex::default(),
        }
    }

    fn is_left_alone(&self) -> bool {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.is_some_and(|gone| Instant::now() < gone.until)
    }

    async fn send(&self, call: Call) -> Result<Answer, Unreachable> {
        let sent = self.node.send(call).await;
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        *gone = match sent {
            Ok(_) => None,
            Err(_) => Some(Gone::again(*gone, Instant::now())),
        };
        sent
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Cluster({} at {})", self.product, self.names)
    }
}

impl Cluster {
    /// Reaches a cluster and asks what it is.
    ///
    /// # Errors
    ///
    /// If no node answers, the credentials are refused, or it is something else.
    pub async fn connect(connection: &Connection) -> Result<Self, ClusterError> {
        // The two clients bring a provider of cryptography each, so that neither is the default.
        // Somebody else's choice is as good.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let signing = match connection.credentials {
            Credentials::AwsSigV4 => Some(signing::find().await?),
            _ => None,
        };
        let signing = signing.as_ref();
        let names: Arc<str> = connection.names().into();
        let nodes_of =
            |product| build(connection, |url| node_of(product, connection, signing, url));
        if signing.is_some() && connection.nodes.iter().all(is_serverless) {
            let product = Product::SERVERLESS;
            return Ok(Self::of(product, nodes_of(product)?, names));
        }
        // Either client can ask; only then is it known whose nodes these are.
        let nodes = build(connection, |url| any_node(connection, signing, url))?;
        let all: Vec<&Slot> = nodes.iter().collect();
        let tells = |answer: &Answer| matches!(answer.status, 200 | 401);
        let answer = first_answer(&all, &Call::get(""), tells).await;
        let answer = answer.map_err(|error| gone(&names, error))?;
        let product = match answer.status {
            200 => Product::detect(&answer.body),
            401 => {
                let nodes = names.to_string();
                return Err(ClusterError::Unauthorized { nodes });
            }
            status if may_pass(status) => {
                return Err(ClusterError::Refused {
                    what: names.to_string(),
                    status,
                    reason: reason(&answer.body),
                });
            }
            status => Err(format!("it answers GET / with HTTP {status}")),
        };
        let product = product.map_err(|reason| ClusterError::WrongProduct {
            nodes: names.to_string(),
            reason,
        })?;
        let nodes = if asks(product) {
            nodes
        } else {
            nodes_of(product)?
        };
        Ok(Self::of(product, nodes, names))
    }

    fn of(product: Product, nodes: Arc<[Slot]>, names: Arc<str>) -> Self {
        Self {
            nodes,
            next: Arc::default(),
            names,
            product,
        }
    }

    /// What it runs.
    #[must_use]
    pub fn product(&self) -> Product {
        self.product
    }

    /// Sends a call to one node after the other, until one gives an answer.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, Unreachable> {
        first_answer(&self.in_turn(), &call, |_| true).await
    }

    /// The nodes, each time another one first; those that gave no answer lately last.
    fn in_turn(&self) -> Vec<&Slot> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.nodes.len();
        let in_turn = |offset| self.nodes.get((start + offset) % count);
        let (alone, mut order): (Vec<&Slot>, Vec<&Slot>) = (0..count)
            .filter_map(in_turn)
            .partition(|slot| slot.is_left_alone());
        order.extend(alone);
        order
    }

    /// Sends a call that has to succeed; `what` says in an error what it is for.
    pub(crate) async fn expect(&self, call: Call, what: &str) -> Result<Answer, ClusterError> {
        let sent = first_answer(&self.in_turn(), &call, is_able).await;
        let answer = sent.map_err(|error| gone(&self.names, error))?;
        match answer.status {
            200..300 => Ok(answer),
            401 => Err(ClusterError::Unauthorized {
                nodes: self.names.to_string(),
            }),
            status => Err(ClusterError::Refused {
                what: what.to_owned(),
                status,
                reason: reason(&answer.body),
            }),
        }
    }
}

impl Answer {
    /// The body as JSON; what is none is told, not taken for nothing.
    pub(crate) fn json(&self, what: &str) -> Result<serde_json::Value, ClusterError> {
        serde_json::from_slice(&self.body).map_err(|_| ClusterError::Refused {
            what: what.to_owned(),
            status: self.status,
            reason: "its answer is no JSON".to_owned(),
        })
    }
}

/// Whether a node did what it was asked for, or never will: another one may be further on.
fn is_able(answer: &Answer) -> bool {
    !may_pass(answer.status)
}

/// The first answer that will do, else the last one.
async fn first_answer(
    nodes: &[&Slot],
    call: &Call,
    will_do: impl Fn(&Answer) -> bool,
) -> Result<Answer, Unreachable> {
    let mut last = Err(Unreachable::Away("it has no node".to_owned()));
    for slot in nodes {
        match slot.send(call.clone()).await {
            Ok(answer) if will_do(&answer) => return Ok(answer),
            // An answer says more than none.
            Err(_) if last.is_ok() => {}
            sent => last = sent,
        }
    }
    last
}

fn gone(nodes: &str, error: Unreachable) -> ClusterError {
    let nodes = nodes.to_owned();
    match error {
        Unreachable::Away(reason) => ClusterError::Unreachable { nodes, reason },
        Unreachable::Untrusted(reason) => ClusterError::Untrusted { nodes, reason },
        Unreachable::Elsewhere(reason) => ClusterError::WrongProduct { nodes, reason },
    }
}

/// The reason in an error's body, shortened.
pub(crate) fn reason(body: &[u8]) -> String {
    let value: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let error = value.as_ref().and_then(|value| value.get("error"));
    let text = match error {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(error) => ["type", "reason"]
            .iter()
            .filter_map(|member| error.get(member)?.as_str())
            .collect::<Vec<_>>()
            .join(": "),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(300).collect()
}

type Built = Result<Box<dyn Node>, ClusterError>;

fn build(
    connection: &Connection,
    node: impl Fn(&Url) -> Built,
) -> Result<Arc<[Slot]>, ClusterError> {
    let nodes = connection.nodes.iter();
    nodes.map(|url| node(url).map(Slot::new)).collect()
}

fn any_node(connection: &Connection, signing: Option<&Signing>, url: &Url) -> Built {
    #[cfg(feature = "opensearch")]
    return super::client::opensearch::node(connection, signing, url);
    #[cfg(all(feature = "elasticsearch", not(feature = "opensearch")))]
    return super::client::elasticsearch::node(connection, signing, url);
    #[cfg(not(any(feature = "opensearch", feature = "elasticsearch")))]
    {
        let _ = (connection, signing);
        Err(ClusterError::Configuration(format!(
            "{url}: this build has no client for a search server"
        )))
    }
}

/// Whether [`any_node`]'s client is that of a product: its connections are there already.
fn asks(product: Product) -> bool {
    match product {
        Product::OpenSearch { .. } => cfg!(feature = "opensearch"),
        Product::Elasticsearch { .. } => cfg!(not(feature = "opensearch")),
    }
}

fn node_of(
    product: Product,
    connection: &Connection,
    signing: Option<&Signing>,
    url: &Url,
) -> Built {
    match product {
        #[cfg(feature = "opensearch")]
        Product::OpenSearch { .. } => super::client::opensearch::node(connection, signing, url),
        #[cfg(feature = "elasticsearch")]
        Product::Elasticsearch { .. } => {
            super::client::elasticsearch::node(connection, signing, url)
        }
        #[cfg(not(all(feature = "opensearch", feature = "elasticsearch")))]
        other => Err(ClusterError::Configuration(format!(
            "{url}: this build has no client for {other}"
        ))),
    }
}
