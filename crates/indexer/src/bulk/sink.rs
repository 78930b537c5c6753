//! Where documents go in.

use std::array;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use guidellm_results_model::documents::{FailedRun, Timestamp};
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::batch::{Batch, Packed};
use super::deliver::Delivery;
use super::report::ReportOnItsWay;
use super::{BulkOptions, Kind, Operation, Shipped, Stop, Tally};
use crate::cluster::{Cluster, ClusterError, Connection};
use crate::mappings;
use crate::sink::{Sink, StagedReport};

/// Sends documents to a cluster. Adding waits while enough batches are on their way, so that
/// memory stays bounded however fast documents come.
///
/// It has threads of its own and waits for them: async code opens, fills and ends it on a thread that
/// may wait, as by `tokio::task::spawn_blocking`. One that is dropped before [`finish`](Self::finish)
/// does the same, but tells nobody.
pub struct BulkSink {
    runtime: Runtime,
    delivery: Arc<Delivery>,
    cluster: Option<Cluster>,
    options: BulkOptions,
    /// The batch that is being filled.
    open: Mutex<Batch>,
    /// `None` once it has ended.
    batches: Option<Sender<Packed>>,
    workers: JoinSet<()>,
    sent: Sent,
}

/// Documents that left for a worker, of each kind.
struct Sent([AtomicU64; Kind::ALL.len()]);

impl Sent {
    fn add(&self, kinds: &[Kind]) {
        for (kind, sent) in Kind::ALL.iter().zip(&self.0) {
            let more = kinds.iter().filter(|it| *it == kind).count();
            sent.fetch_add(more as u64, Ordering::Relaxed);
        }
    }

    fn counts(&self) -> impl Iterator<Item = (Kind, u64)> {
        let counts = self.0.iter().map(|sent| sent.load(Ordering::Relaxed));
        Kind::ALL.into_iter().zip(counts)
    }
}

impl BulkSink {
    /// Reaches the cluster; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// If it cannot be reached or is no search server.
    pub fn open(connection: &Connection, options: BulkOptions) -> Result<Self, ClusterError> {
        let runtime = runtime()?;
        let cluster = until_stopped(&runtime, &options.stop, Cluster::connect(connection))?;
        Ok(Self::start(runtime, Some(cluster), options))
    }

    /// A sink whose cluster cannot be reached: all documents go to [`BulkOptions::unsent`].
    ///
    /// # Errors
    ///
    /// If the system has no more threads.
    pub fn unreached(options: BulkOptions) -> Result<Self, ClusterError> {
        Ok(Self::start(runtime()?, None, options))
    }

    fn start(runtime: Runtime, cluster: Option<Cluster>, options: BulkOptions) -> Self {
        let delivery = Arc::new(Delivery::new(cluster.clone(), options.clone()));
        let (batches, waiting) = channel(1);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let mut workers = JoinSet::new();
        for _ in 0..options.in_flight.max(1) {
            let work = work(Arc::clone(&waiting), Arc::clone(&delivery));
            workers.spawn_on(work, runtime.handle());
        }
        Self {
            runtime,
            delivery,
            cluster,
            options,
            open: Mutex::default(),
            batches: Some(batches),
            workers,
            sent: Sent(array::from_fn(|_| AtomicU64::new(0))),
        }
    }

    /// How it sends.
    #[must_use]
    pub fn options(&self) -> &BulkOptions {
        &self.options
    }

    /// The cluster that it sends to, if it was reached.
    #[must_use]
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Installs the template of the indices of [`BulkOptions`], and checks those that are there.
    ///
    /// # Errors
    ///
    /// If the index cannot hold the documents, or the server refuses.
    pub fn prepare_index(&self) -> Result<(), ClusterError> {
        let BulkOptions {
            index,
            request_index,
            ..
        } = &self.options;
        let indices: Vec<_> = [Some(index), request_index.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        self.prepare(&indices)
    }

    pub(crate) fn prepare(&self, indices: &[Arc<str>]) -> Result<(), ClusterError> {
        match &self.cluster {
            Some(cluster) => {
                let preparing = mappings::prepare(cluster, indices);
                until_stopped(&self.runtime, &self.options.stop, preparing)
            }
            None => Ok(()),
        }
    }

    /// Takes a document; waits while enough is on its way.
    ///
    /// # Errors
    ///
    /// If the document cannot be written as JSON.
    pub fn add(
        &self,
        kind: Kind,
        id: Uuid,
        document: &(impl Serialize + ?Sized),
    ) -> serde_json::Result<()> {
        let (index, operation) = (self.options.index_of(kind), self.options.operation);
        self.add_to(index, operation, kind, id, document)
    }

    /// The same of a document that has a time, which a data stream asks for.
    ///
    /// # Errors
    ///
    /// If the document cannot be written as JSON.
    pub fn add_at(
        &self,
        kind: Kind,
        id: Uuid,
        timestamp: Timestamp,
        document: &(impl Serialize + ?Sized),
    ) -> serde_json::Result<()> {
        let mut open = self.filling();
        open.add_at(&self.options, kind, id, timestamp, document)?;
        self.send_if_full(open).map_err(serde_json::Error::io)
    }

    /// Takes a document into an index of its own, by an operation of its own.
    ///
    /// # Errors
    ///
    /// If the document cannot be written as JSON.
    pub fn add_to(
        &self,
        index: &Arc<str>,
        operation: Operation,
        kind: Kind,
        id: Uuid,
        document: &(impl Serialize + ?Sized),
    ) -> serde_json::Result<()> {
        let mut open = self.filling();
        open.add(operation, index, kind, id, document)?;
        self.send_if_full(open).map_err(serde_json::Error::io)
    }

    /// Adds a batch to the one that is being filled.
    pub(super) fn append(&self, more: &Batch) -> io::Result<()> {
        let mut open = self.filling();
        open.append(more);
        self.send_if_full(open)
    }

    /// Its threads.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    fn filling(&self) -> MutexGuard<'_, Batch> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_if_full(&self, mut open: MutexGuard<'_, Batch>) -> io::Result<()> {
        if !open.is_full(&self.options) {
            return Ok(());
        }
        let full = open.pack(self.options.gzip)?;
        // Sending waits; others may fill the next one meanwhile.
        drop(open);
        self.send(full);
        Ok(())
    }

    /// Sends a batch as it is; waits while enough is on its way.
    pub(super) fn send(&self, batch: Packed) {
        self.sent.add(&batch.kinds);
        let unsent = match &self.batches {
            Some(batches) => batches.blocking_send(batch).err().map(|unsent| unsent.0),
            None => Some(batch),
        };
        if let Some(unsent) = unsent {
            // Every worker is gone, which only a defect of ours can bring about.
            let all: Vec<usize> = (0..unsent.kinds.len()).collect();
            self.delivery
                .keep_unsent(&unsent, &all, "no worker is left");
        }
    }

    fn send_open(&self) {
        let mut open = self.filling();
        if open.is_empty() {
            return;
        }
        let packed = open.pack(self.options.gzip);
        match packed {
            Ok(batch) => {
                drop(open);
                self.send(batch);
            }
            Err(error) => self
                .delivery
                .lose(std::mem::take(&mut *open).kinds(), &error),
        }
    }

    /// Waits until everything that was added is with the server or in a file; says how much is
    /// not with the server, of all that was ever added.
    pub fn flush(&self) -> u64 {
        self.send_open();
        let sent = self.sent.counts().map(|(_, count)| count).sum::<u64>();
        self.runtime.block_on(self.delivery.settled(sent));
        let shipped = self.delivery.shipped();
        let undelivered = shipped.count(|tally| tally.rejected + tally.unsent + tally.lost);
        undelivered + sent.saturating_sub(shipped.count(Tally::total))
    }

    /// Tells at any time, from any thread, what became of the documents so far.
    pub fn watch(&self) -> impl Fn() -> Shipped + Send + Sync + use<> {
        let delivery = Arc::clone(&self.delivery);
        move || delivery.shipped()
    }

    /// Waits until every document is with the server or in a file.
    #[must_use]
    pub fn finish(mut self) -> Shipped {
        self.end();
        let mut shipped = self.delivery.finish();
        // A worker that died took its batch along.
        for (kind, sent) in self.sent.counts() {
            let tally = shipped.of_mut(kind);
            tally.lost += sent.saturating_sub(tally.total());
        }
        shipped
    }

    /// Waits until its workers have done all.
    fn end(&mut self) {
        self.send_open();
        self.batches = None;
        let Self {
            runtime, workers, ..
        } = self;
        runtime.block_on(async { while workers.join_next().await.is_some() {} });
    }
}

impl Drop for BulkSink {
    fn drop(&mut self) {
        if self.batches.is_some() {
            self.end();
        }
    }
}

impl Sink for BulkSink {
    /// Its documents wait, in a temporary file if they are many: what is sent cannot be taken back.
    fn stage(&self) -> anyhow::Result<Box<dyn StagedReport + '_>> {
        Ok(Box::new(ReportOnItsWay::new(self)))
    }

    fn failed_run(&self, run: &FailedRun) -> anyhow::Result<bool> {
        let added = self.add_at(Kind::Summary, run.document_id, run.timestamp, run);
        added.context("cannot write a document as JSON")?;
        Ok(true)
    }

    fn settle(&self) -> u64 {
        self.flush()
    }

    fn finish(self: Box<Self>) -> anyhow::Result<Option<Shipped>> {
        Ok(Some((*self).finish()))
    }
}

fn runtime() -> Result<Runtime, ClusterError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.map_err(|error| ClusterError::Configuration(format!("no threads: {error}")))
}

fn until_stopped<T>(
    runtime: &Runtime,
    stop: &Stop,
    work: impl Future<Output = Result<T, ClusterError>>,
) -> Result<T, ClusterError> {
    let done = runtime.block_on(stop.unless_stopped(work));
    done.unwrap_or(Err(ClusterError::Stopped))
}

async fn work(waiting: Arc<tokio::sync::Mutex<Receiver<Packed>>>, delivery: Arc<Delivery>) {
    let _watch = Watch(&delivery);
    loop {
        let next = waiting.lock().await.recv().await;
        let Some(batch) = next else { return };
        delivery.deliver(&batch).await;
    }
}

/// A worker that dies takes its batch along, for which nobody may wait.
struct Watch<'a>(&'a Delivery);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.worker_died();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_before_it_is_dropped_is_somewhere() {
        let folder = tempfile::tempdir().unwrap();
        let unsent = folder.path().join("unsent.ndjson");
        let sink = BulkSink::unreached(BulkOptions {
            unsent: unsent.clone(),
            ..BulkOptions::new("documents")
        })
        .unwrap();
        let document = serde_json::json!({});
        sink.add(Kind::Request, Uuid::from_u128(1), &document)
            .unwrap();
        drop(sink);
        let text = std::fs::read_to_string(unsent).unwrap();
        assert_eq!(text.lines().count(), 1);
    }
}
