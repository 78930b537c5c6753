//! Several queries at once, whose answers come in the order in which they were named.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::answer::Answer;
use super::client::{At, Client};
use super::error::PrometheusError;

/// A query, and what it is for.
#[derive(Debug, Clone)]
pub(super) struct Request<T> {
    pub(super) of: T,
    pub(super) query: Arc<str>,
    pub(super) at: At,
}

type Answered = Result<Answer, PrometheusError>;

/// Asks ahead as far as the client may ask at once: what is held in memory is bounded by it.
pub(super) struct Fetch<T> {
    client: Client,
    waiting: VecDeque<Request<T>>,
    running: VecDeque<(Request<T>, Running)>,
}

impl<T: Clone> Fetch<T> {
    pub(super) fn new(client: &Client, requests: Vec<Request<T>>) -> Self {
        Self {
            client: client.clone(),
            waiting: requests.into(),
            running: VecDeque::new(),
        }
    }

    /// The next answer; `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<(Request<T>, Answered)> {
        loop {
            while self.running.len() < self.client.in_flight() {
                let Some(request) = self.waiting.pop_front() else {
                    break;
                };
                let running = self.start(&request);
                self.running.push_back((request, running));
            }
            let (request, running) = self.running.pop_front()?;
            match running.end().await {
                Err(PrometheusError::TooLarge) if self.halve(&request) => {}
                answered => return Some((request, answered)),
            }
        }
    }

    /// What is not asked any more.
    pub(super) fn give_up(self) -> impl Iterator<Item = Request<T>> {
        let running = self.running.into_iter().map(|(request, _)| request);
        running.chain(self.waiting)
    }

    /// Asks for both halves of a range in its place.
    fn halve(&mut self, request: &Request<T>) -> bool {
        let At::Range(chunk) = request.at else {
            return false;
        };
        let Some(halves) = chunk.halves() else {
            return false;
        };
        for half in halves.into_iter().rev() {
            let half = Request {
                at: At::Range(half),
                ..request.clone()
            };
            let running = self.start(&half);
            self.running.push_front((half, running));
        }
        true
    }

    fn start(&self, request: &Request<T>) -> Running {
        let (client, query, at) = (self.client.clone(), Arc::clone(&request.query), request.at);
        Running(tokio::spawn(async move { client.query(&query, at).await }))
    }
}

/// A query on its way; dropped, it is not.
struct Running(JoinHandle<Answered>);

impl Running {
    async fn end(mut self) -> Answered {
        (&mut self.0).await.unwrap_or_else(|error| {
            let reason = format!("a query ended before its time: {error}");
            Err(PrometheusError::Configuration(reason))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
