//! One batch, from the first try until each of its documents is somewhere.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

use super::batch::Packed;
use super::judge::{Verdict, judge};
use super::undelivered::{Undelivered, UndeliveredFile};
use super::{BulkOptions, Kind, Shipped, Tally};
use crate::backoff::Backoff;
use crate::cluster::{Answer, Call, Cluster, Method, Unreachable, reason};

/// Only what is judged comes back: `items.*.status`, `.result`, `.error.type`, `.error.reason`,
/// `.error.caused_by.reason`. Encoded, since a signature is of the encoded form.
const ANSWER: &str = "_bulk?filter_path=items.%2A.status%2Citems.%2A.result%2C\
                      items.%2A.error.type%2Citems.%2A.error.reason%2C\
                      items.%2A.error.caused_by.reason";

/// However soon it is to be given up, a server has as long to answer.
const LEAST: Duration = Duration::from_secs(1);

/// What all batches share.
pub(super) struct Delivery {
    /// `None` if it was never reached.
    cluster: Option<Cluster>,
    options: BulkOptions,
    state: Mutex<State>,
    /// The server took nothing for too long, or refuses all: nothing more is sent.
    given_up: AtomicBool,
    /// A worker is gone, and its batch with it.
    bereft: AtomicBool,
    /// Told of each batch that is dealt with.
    delivered: Notify,
}

struct State {
    shipped: Shipped,
    rejected: UndeliveredFile,
    unsent: UndeliveredFile,
    /// When the server last took anything, or the start.
    taken: Instant,
}

/// One of a tally's counts.
type Count = fn(&mut Tally) -> &mut u64;

/// What to do next with documents that were sent.
enum Next {
    /// These are still to be sent, after a wait.
    Again(Vec<usize>, Option<Duration>, String),
    /// Too much at once.
    Halve,
    /// The server refuses every call.
    GiveUp(String),
}

impl Delivery {
    pub(super) fn new(cluster: Option<Cluster>, options: BulkOptions) -> Self {
        let state = State {
            shipped: Shipped::default(),
            rejected: UndeliveredFile::new(&options.rejected),
            unsent: UndeliveredFile::new(&options.unsent),
            taken: Instant::now(),
        };
        Self {
            options,
            state: Mutex::new(state),
            given_up: AtomicBool::new(cluster.is_none()),
            bereft: AtomicBool::new(false),
            delivered: Notify::new(),
            cluster,
        }
    }

    /// What became of everything so far.
    pub(super) fn shipped(&self) -> Shipped {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shipped.clone()
    }

    /// Waits until as many documents are with the server or in a file, or some never will be.
    pub(super) async fn settled(&self, documents: u64) {
        loop {
            let more = self.delivered.notified();
            let bereft = self.bereft.load(Ordering::Relaxed);
            if bereft || self.shipped().count(Tally::total) >= documents {
                return;
            }
            more.await;
        }
    }

    /// To be called when a worker panics.
    pub(super) fn worker_died(&self) {
        self.bereft.store(true, Ordering::Relaxed);
        self.delivered.notify_waiters();
    }

    /// Sends a batch; returns once each document is with the server or in a file.
    pub(super) async fn deliver(&self, batch: &Packed) {
        let mut parts = VecDeque::from([(0..batch.kinds.len()).collect::<Vec<_>>()]);
        while let Some(pending) = parts.pop_front() {
            if let Some((one, other)) = self.deliver_part(batch, pending).await {
                parts.push_front(other);
                parts.push_front(one);
            }
        }
        self.delivered.notify_waiters();
    }

    /// Sends some documents of a batch until all are dealt with; or gives both halves back, if
    /// they are too much at once.
    async fn deliver_part(
        &self,
        batch: &Packed,
        mut pending: Vec<usize>,
    ) -> Option<(Vec<usize>, Vec<usize>)> {
        let mut backoff = Backoff::default();
        let began = Instant::now();
        let mut body = None;
        while !pending.is_empty() {
            let cluster = match self.reachable() {
                Ok(cluster) => cluster,
                Err(why) => {
                    self.keep_unsent(batch, &pending, why);
                    return None;
                }
            };
            let sent = match &mut body {
                Some(body) => body,
                None => match batch.body(&pending) {
                    Ok(encoded) => body.insert(encoded),
                    Err(error) => {
                        self.keep_unsent(batch, &pending, &error.to_string());
                        return None;
                    }
                },
            };
            let call = Call {
                method: Method::Post,
                path: ANSWER.to_owned(),
                body: Some(sent.clone()),
            };
            let stop = &self.options.stop;
            self.note_sending(sent.bytes.len());
            let answer = self.answer(cluster, call, began);
            let Some(answer) = stop.unless_stopped(answer).await else {
                continue;
            };
            match self.settle(batch, &pending, answer) {
                Next::Halve => {
                    let other = pending.split_off(pending.len() / 2);
                    return Some((pending, other));
                }
                Next::GiveUp(why) => {
                    self.given_up.store(true, Ordering::Relaxed);
                    self.keep_unsent(batch, &pending, &why);
                    return None;
                }
                Next::Again(again, retry_after, why) => {
                    if again.len() < pending.len() {
                        backoff = Backoff::default();
                        body = None;
                    }
                    pending = again;
                    if pending.is_empty() {
                        return None;
                    }
                    let left = self.left(began);
                    if left.is_zero() {
                        self.given_up.store(true, Ordering::Relaxed);
                        self.keep_unsent(batch, &pending, &why);
                        return None;
                    }
                    // Whatever the wait, it is tried at the end of the time once more.
                    let wait = backoff.next(retry_after, fastrand::f64()).min(left);
                    self.note_retry(pending.len());
                    stop.unless_stopped(tokio::time::sleep(wait)).await;
                }
            }
        }
        None
    }

    /// The answer to a call, unless the server takes nothing from anybody for too long.
    async fn answer(
        &self,
        cluster: &Cluster,
        call: Call,
        began: Instant,
    ) -> Result<Answer, Unreachable> {
        let mut answer = pin!(cluster.send(call));
        loop {
            match timeout(self.left(began).max(LEAST), &mut answer).await {
                Ok(answer) => return answer,
                Err(_) if self.left(began).is_zero() => {
                    let patience = humantime::format_duration(self.options.give_up_after);
                    let reason = format!("no answer within {patience}");
                    return Err(Unreachable::Away(reason));
                }
                // Others had theirs meanwhile.
                Err(_) => {}
            }
        }
    }

    /// The cluster, if there is still sense in sending.
    fn reachable(&self) -> Result<&Cluster, &'static str> {
        if self.options.stop.is_stopped() {
            return Err("sending was stopped");
        }
        let given_up = self.given_up.load(Ordering::Relaxed);
        let cluster = self.cluster.as_ref().filter(|_| !given_up);
        cluster.ok_or("the server stays away")
    }

    fn note_sending(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shipped.sent_bytes += bytes as u64;
    }

    fn note_retry(&self, documents: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shipped.retried += documents as u64;
    }

    /// Counts what an answer settles, and says what to do with the rest.
    fn settle(
        &self,
        batch: &Packed,
        pending: &[usize],
        answer: Result<Answer, Unreachable>,
    ) -> Next {
        let all = || pending.to_vec();
        let answer = match answer {
            Ok(answer) => answer,
            Err(Unreachable::Away(reason)) => return Next::Again(all(), None, reason),
            Err(Unreachable::Untrusted(reason) | Unreachable::Elsewhere(reason)) => {
                return Next::GiveUp(reason);
            }
        };
        let (status, retry_after) = (answer.status, answer.retry_after);
        let why = || format!("HTTP {status}: {}", reason(&answer.body));
        match status {
            200..300 => self.settle_each(batch, pending, &answer),
            401 | 403 | 407 => Next::GiveUp(why()),
            413 if pending.len() > 1 => Next::Halve,
            _ if is_of_documents(&answer) => {
                let reason = reason(&answer.body);
                let verdicts = vec![Verdict::Rejected { status, reason }; pending.len()];
                self.count(batch, pending, verdicts);
                Next::Again(Vec::new(), None, String::new())
            }
            // A fault that passes, or a proxy's page.
            _ => Next::Again(all(), retry_after, why()),
        }
    }

    /// The same of an answer that should say what became of each document.
    fn settle_each(&self, batch: &Packed, pending: &[usize], answer: &Answer) -> Next {
        let Some(verdicts) = judge(&answer.body, pending.len()) else {
            let why = "its answer to a bulk request is not one".to_owned();
            return Next::Again(pending.to_vec(), answer.retry_after, why);
        };
        let (again, why) = self.count(batch, pending, verdicts);
        Next::Again(again, answer.retry_after, why)
    }

    /// Counts verdicts and keeps what is rejected; returns what is to be sent again, and why.
    fn count(
        &self,
        batch: &Packed,
        pending: &[usize],
        verdicts: Vec<Verdict>,
    ) -> (Vec<usize>, String) {
        let (mut again, mut why) = (Vec::new(), String::new());
        let mut rejected = Vec::new();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (&index, verdict) in pending.iter().zip(verdicts) {
            let Some(kind) = batch.kinds.get(index) else {
                continue;
            };
            let tally = state.shipped.of_mut(*kind);
            match verdict {
                Verdict::Created => tally.created += 1,
                Verdict::Updated => tally.updated += 1,
                Verdict::Unchanged => tally.unchanged += 1,
                Verdict::Again { status, reason } => {
                    if again.is_empty() {
                        why = format!("HTTP {status}: {reason}");
                    }
                    again.push(index);
                }
                Verdict::Rejected { status, reason } => {
                    rejected.push((index, Some(status), reason));
                }
            }
        }
        if again.len() < pending.len() {
            state.taken = Instant::now();
        }
        if let Some((_, Some(status), reason)) = rejected.first() {
            let reason = format!("HTTP {status}: {reason}");
            state.shipped.add_reason("rejected", &reason);
        }
        let kept = lines(batch, &rejected).and_then(|lines| state.rejected.append_some(&lines));
        let kinds = rejected
            .iter()
            .filter_map(|(index, ..)| batch.kinds.get(*index));
        state.note(kinds, kept, |tally| &mut tally.rejected);
        (again, why)
    }

    /// Writes documents into the file of the unsent.
    pub(super) fn keep_unsent(&self, batch: &Packed, pending: &[usize], why: &str) {
        let unsent: Vec<Kept> = pending
            .iter()
            .map(|index| (*index, None, why.to_owned()))
            .collect();
        let lines = lines(batch, &unsent);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shipped.add_reason("unsent", why);
        let kept = lines.and_then(|lines| state.unsent.append_some(&lines));
        let kinds = pending.iter().filter_map(|index| batch.kinds.get(*index));
        state.note(kinds, kept, |tally| &mut tally.unsent);
    }

    /// Counts documents that can neither be sent nor kept.
    pub(super) fn lose(&self, kinds: &[Kind], error: &io::Error) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shipped.add_reason("lost", &error.to_string());
        kinds
            .iter()
            .for_each(|kind| state.shipped.of_mut(*kind).lost += 1);
    }

    /// How long it may still take nothing, since a batch was begun.
    fn left(&self, began: Instant) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = began.max(state.taken).elapsed();
        self.options.give_up_after.saturating_sub(idle)
    }

    /// What became of everything, which is on disk now.
    pub(super) fn finish(&self) -> Shipped {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shipped = state.shipped.clone();
        let files: [(_, Count); 2] = [
            (&state.rejected, |tally| &mut tally.rejected),
            (&state.unsent, |tally| &mut tally.unsent),
        ];
        for (file, count) in files {
            if let Err(error) = file.sync() {
                shipped.add_reason("lost", &format!("cannot write to a file: {error}"));
                for kind in Kind::ALL {
                    let tally = shipped.of_mut(kind);
                    tally.lost += std::mem::take(count(tally));
                }
            }
        }
        // A full disk may have taken nothing.
        if shipped.count(|it| it.rejected) > 0 {
            shipped.rejected_file = state.rejected.written().map(Into::into);
        }
        if shipped.count(|it| it.unsent) > 0 {
            shipped.unsent_file = state.unsent.written().map(Into::into);
        }
        shipped
    }
}

impl State {
    fn note<'a>(
        &mut self,
        kinds: impl Iterator<Item = &'a Kind>,
        kept: io::Result<()>,
        count: Count,
    ) {
        let count = match kept {
            Ok(()) => count,
            Err(error) => {
                let reason = format!("cannot write to a file: {error}");
                self.shipped.add_reason("lost", &reason);
                lost
            }
        };
        for kind in kinds {
            *count(self.shipped.of_mut(*kind)) += 1;
        }
    }
}

impl UndeliveredFile {
    fn append_some(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            Ok(())
        } else {
            self.append(lines)
        }
    }
}

impl Shipped {
    /// The first reason of each count is enough to know what to do.
    fn add_reason(&mut self, count: &str, reason: &str) {
        let known = |known: &String| known.split(':').next() == Some(count);
        if !self.reasons.iter().any(known) {
            self.reasons.push(format!("{count}: {reason}"));
        }
    }
}

/// Whether an answer refuses the documents themselves: they are too large, or the search server says
/// what is wrong with them. Anything else says nothing of them.
fn is_of_documents(answer: &Answer) -> bool {
    let body: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let says_why = body.is_some_and(|body| body.get("error").is_some());
    answer.status == 413 || (answer.status == 400 && says_why)
}

fn lost(tally: &mut Tally) -> &mut u64 {
    &mut tally.lost
}

/// A document that goes into a file: its position, the server's status, and why.
type Kept = (usize, Option<u16>, String);

/// Documents as lines of a file of undelivered ones.
fn lines(batch: &Packed, kept: &[Kept]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for (index, status, reason) in kept {
        let entry = batch.entry(*index)?;
        let line = Undelivered {
            index: entry.index.into(),
            operation: entry.operation,
            kind: entry.kind,
            id: entry.id,
            status: *status,
            reason: reason.into(),
            document: serde_json::from_slice(entry.document)?,
        };
        serde_json::to_writer(&mut lines, &line)?;
        lines.push(b'\n');
    }
    Ok(lines)
}
