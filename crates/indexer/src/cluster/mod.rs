//! Talking to OpenSearch and Elasticsearch: which one it is, and single calls to it.
//!
//! Nothing here retries, and nothing knows of documents: a call gives an answer of any status,
//! or says that no node could be reached.

#![cfg_attr(
    not(any(feature = "opensearch", feature = "elasticsearch")),
    allow(
        dead_code,
        unused_variables,
        reason = "without a client, no call is made"
    )
)]

mod causes;
#[cfg(any(feature = "opensearch", feature = "elasticsearch"))]
mod client;
mod connection;
mod error;
mod nodes;
mod product;
mod search;
mod signing;

pub use causes::{chain, is_untrusted};
pub(crate) use connection::is_none;
pub use connection::{Connection, Credentials, Secret, without_user};
pub use error::ClusterError;
pub use nodes::Cluster;
pub(crate) use nodes::reason;
pub use product::Product;
pub(crate) use search::{Of, Search};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

/// Method of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query, without a leading slash.
    pub(crate) path: String,
    pub(crate) body: Option<Body>,
}

/// A body, encoded once however often it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: &'static str,
    /// Whether `bytes` are compressed by gzip.
    pub(crate) gzip: bool,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            path: path.into(),
            body: None,
        }
    }

    pub(crate) fn json(method: Method, path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self {
            method,
            path: path.into(),
            body: Some(Body {
                bytes: body.to_string().into(),
                content_type: "application/json",
                gzip: false,
            }),
        }
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self {
            method: Method::Post,
            path: path.into(),
            body: None,
        }
    }
}

/// A name as a part of a path.
pub(crate) fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// Whether a status, of a call or of a bulk item, may be another one later. 402 is what Amazon
/// OpenSearch Serverless answers while it scales up.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 402 | 429 | 502 | 503 | 504)
}

/// Whether the answer to a call that says nothing of documents may be another one later: the server
/// fails, or something before it does.
pub(crate) fn may_pass(status: u16) -> bool {
    is_passing(status) || status == 408 || status >= 500
}

/// Why a node gave no answer, in words that hold no secret.
#[derive(Debug, Clone)]
pub(crate) enum Unreachable {
    /// It may be there later.
    Away(String),
    /// Its certificate is of nobody who is trusted.
    Untrusted(String),
    /// It is not the server to ask.
    Elsewhere(String),
}

type Sent<'a> = Pin<Box<dyn Future<Output = Result<Answer, Unreachable>> + Send + 'a>>;

/// One node, through the client of its product.
trait Node: Send + Sync {
    fn send(&self, call: Call) -> Sent<'_>;
}
