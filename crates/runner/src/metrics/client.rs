//! Talking to Prometheus, or to whoever speaks its HTTP API: Thanos or Mimir.
//!
//! A query is tried until it is answered, refused, or a deadline has passed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use guidellm_indexer::Backoff;
use guidellm_indexer::cluster::{chain, is_untrusted};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use tokio::sync::Semaphore;
use url::Url;
use url::form_urlencoded::Serializer;

use super::answer::{Answer, reason};
use super::credentials::Authorization;
use super::error::PrometheusError;
use super::options::{Options, http, parse};
use super::window::{Chunk, instant};

/// Of an answer this much is held in memory. A longer one is asked for in parts.
pub(super) const MOST_BYTES: usize = 16 << 20;

/// How rustls says that a server's certificate is one that signs others.
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// A client; a clone of it is the same one.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    base: Url,
    options: Options,
    in_flight: Semaphore,
    /// Some gateways let GET through alone.
    get_only: AtomicBool,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Client").field(&self.url()).finish()
    }
}

/// When a query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Instant(i64),
    Range(Chunk),
}

impl Client {
    /// Of a URL: nothing is sent yet.
    ///
    /// # Errors
    ///
    /// If URL or options make no sense.
    pub fn new(url: &str, mut options: Options) -> Result<Self, PrometheusError> {
        let (base, own) = parse(url)?;
        match (&options.authorization, own) {
            (_, Authorization::None) => {}
            (Authorization::None, own) => options.authorization = own,
            _ => {
                let reason = "credentials for Prometheus are given twice, in the URL and beside it; \
                              leave one out";
                return Err(PrometheusError::Configuration(reason.to_owned()));
            }
        }
        Ok(Self(Arc::new(Inner {
            http: http(&options)?,
            base,
            in_flight: Semaphore::new(options.in_flight.max(1)),
            options,
            get_only: AtomicBool::new(false),
        })))
    }

    /// The server, for messages.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.base.as_str()
    }

    /// Whether it is there and answers: to be asked before a run, not after it. What is waited for is told
    /// by `warn`, once: a URL that is wrong would be waited for as well.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn check(&self, warn: impl Fn(&str) + Sync) -> Result<(), PrometheusError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or_default());
        let is_told = AtomicBool::new(false);
        let failed = |reason: &str| {
            if !is_told.swap(true, Ordering::Relaxed) {
                let (url, patience) = (self.url(), self.0.options.give_up_after);
                warn(&format!(
                    "warning: Prometheus at {url}: {reason}; trying again for {} \
                     (--query-give-up-after); is the URL right (--prometheus-url)?",
                    humantime::format_duration(patience)
                ));
            }
        };
        self.asked("vector(1)", At::Instant(now), &failed)
            .await
            .map(drop)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.0.options.in_flight.max(1)
    }

    /// Waits until what was measured up to a time has been scraped.
    pub(super) async fn wait_for_last_scrape(&self, end: i64) {
        let scraped = Duration::from_millis(u64::try_from(end).unwrap_or_default())
            + self.0.options.scrape_interval * 2;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let left = scraped.saturating_sub(now.unwrap_or_default());
        // A window of the future is no reason to wait for it.
        if left <= self.0.options.scrape_interval * 2 {
            tokio::time::sleep(left).await;
        }
    }

    /// Asks a query, until there is an answer.
    pub(super) async fn query(&self, query: &str, at: At) -> Result<Answer, PrometheusError> {
        self.asked(query, at, &|_| ()).await
    }

    async fn asked(
        &self,
        query: &str,
        at: At,
        failed: &(dyn Fn(&str) + Sync),
    ) -> Result<Answer, PrometheusError> {
        let (path, form) = form(query, at)?;
        let body = self.ask(path, &form, failed).await?;
        Answer::read(&body).map_err(|reason| PrometheusError::WrongProduct {
            url: self.url().to_owned(),
            reason,
        })
    }

    /// Each try that is made again is told by `failed`.
    async fn ask(
        &self,
        path: &str,
        form: &str,
        failed: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<u8>, PrometheusError> {
        let mut backoff = Backoff::default();
        let began = Instant::now();
        let mut refused = false;
        loop {
            let next = match self.send(path, form, refused).await {
                Ok(reply) => self.judge(reply, refused)?,
                Err(next) => next?,
            };
            let (retry_after, reason, slow) = match next {
                Next::Done(body) => return Ok(body),
                Next::AtOnce { refused: again } => {
                    refused = again;
                    continue;
                }
                Next::Later {
                    retry_after,
                    reason,
                    slow,
                } => (retry_after, reason, slow),
            };
            refused = false;
            let patience = self.0.options.give_up_after;
            let wait = backoff.next(retry_after, fastrand::f64());
            if began.elapsed() + wait > patience {
                let url = self.url().to_owned();
                let patience = patience.into();
                return Err(if slow {
                    PrometheusError::Slow { url, reason }
                } else {
                    PrometheusError::Away {
                        url,
                        patience,
                        reason,
                    }
                });
            }
            failed(&reason);
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a request once. An error is what to do instead of reading a reply.
    async fn send(
        &self,
        path: &str,
        form: &str,
        refused: bool,
    ) -> Result<Reply, Result<Next, PrometheusError>> {
        let Inner {
            http,
            base,
            options,
            in_flight,
            get_only,
        } = &*self.0;
        let failed = |error: &dyn fmt::Display| {
            Err(PrometheusError::Configuration(format!("{base}: {error}")))
        };
        let _permit = in_flight.acquire().await.map_err(|error| failed(&error))?;
        let mut url = base.join(path).map_err(|error| failed(&error))?;
        let header = options.authorization.header(refused).await;
        let header = header.map_err(|error| {
            let (url, reason) = (base.to_string(), format!("{error:#}"));
            Err(PrometheusError::NoToken { url, reason })
        })?;
        let mut headers = HeaderMap::new();
        headers.extend(header.map(|value| (AUTHORIZATION, value)));
        let request = if get_only.load(Ordering::Relaxed) {
            url.set_query(Some(form));
            http.request(Method::GET, url)
        } else {
            http.request(Method::POST, url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.to_owned())
        };
        let reply = async {
            let response = request.headers(headers).send().await?;
            Reply::read(response).await
        };
        reply.await.map_err(|error| self.unreachable(error))
    }

    fn unreachable(&self, error: reqwest::Error) -> Result<Next, PrometheusError> {
        // With GET, the URL is the query.
        let error = error.without_url();
        let reason = chain(&error);
        if is_untrusted(&error) {
            let url = self.url().to_owned();
            return Err(if reason.contains(AUTHORITY_AS_SERVER) {
                PrometheusError::OwnAuthority { url }
            } else {
                PrometheusError::Untrusted { url, reason }
            });
        }
        Ok(Next::later(None, reason))
    }

    fn judge(&self, reply: Reply, refused: bool) -> Result<Next, PrometheusError> {
        let Reply {
            status,
            retry_after,
            location,
            body,
        } = reply;
        let url = || self.url().to_owned();
        let body = match body {
            Some(body) => body,
            None if status.is_success() => return Err(PrometheusError::TooLarge),
            None => Vec::new(),
        };
        match status.as_u16() {
            200..300 => Ok(Next::Done(body)),
            401 if !refused && self.0.options.authorization.is_renewed() => {
                Ok(Next::AtOnce { refused: true })
            }
            401 => Err(PrometheusError::Unauthorized { url: url() }),
            405 | 501 if !self.0.get_only.swap(true, Ordering::Relaxed) => {
                Ok(Next::AtOnce { refused: false })
            }
            408 | 429 | 500..600 => {
                let (reason, slow) = reason(&body);
                let reason = format!("HTTP {status}: {reason}", status = status.as_u16());
                Ok(Next::Later {
                    retry_after,
                    reason,
                    slow,
                })
            }
            status => Err(PrometheusError::Refused {
                url: url(),
                status,
                reason: match location {
                    Some(location) => format!("it leads to {location}; name that URL"),
                    None => reason(&body).0,
                },
            }),
        }
    }
}

/// Where a query is asked, and its parameters.
fn form(query: &str, at: At) -> Result<(&'static str, String), PrometheusError> {
    let time = |millis| {
        let reason = || format!("{millis} ms is no time that Prometheus knows");
        let time = instant(millis).ok_or_else(|| PrometheusError::Configuration(reason()))?;
        Ok(time.to_string())
    };
    let mut form = Serializer::new(String::new());
    form.append_pair("query", query);
    let path = match at {
        At::Instant(millis) => {
            form.append_pair("time", &time(millis)?);
            "api/v1/query"
        }
        At::Range(Chunk { start, end, step }) => {
            form.append_pair("start", &time(start)?);
            form.append_pair("end", &time(end)?);
            let step = format!("{}.{:03}", step / 1000, step % 1000);
            form.append_pair("step", &step);
            "api/v1/query_range"
        }
    };
    Ok((path, form.finish()))
}

/// What to do after a request.
enum Next {
    Done(Vec<u8>),
    /// The same again, with another token or method.
    AtOnce {
        refused: bool,
    },
    /// The same again, after a while.
    Later {
        retry_after: Option<Duration>,
        reason: String,
        /// Whether it is the query that takes too long.
        slow: bool,
    },
}

impl Next {
    fn later(retry_after: Option<Duration>, reason: String) -> Self {
        Self::Later {
            retry_after,
            reason,
            slow: false,
        }
    }
}

/// What came back, whatever its status.
struct Reply {
    status: StatusCode,
    retry_after: Option<Duration>,
    /// Where it leads to; without what could be a secret.
    location: Option<String>,
    /// `None` if it is larger than can be held.
    body: Option<Vec<u8>>,
}

impl Reply {
    async fn read(mut response: reqwest::Response) -> reqwest::Result<Self> {
        let header = |name| response.headers().get(name)?.to_str().ok();
        let retry_after = header(RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        let location = header(LOCATION).and_then(|text| text.split('?').next());
        let mut reply = Self {
            status: response.status(),
            retry_after: retry_after.map(Duration::from_secs),
            location: location.map(ToOwned::to_owned),
            body: None,
        };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Ok(reply);
            }
            body.extend_from_slice(&chunk);
        }
        reply.body = Some(body);
        Ok(reply)
    }
}
