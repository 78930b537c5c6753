//! Where documents go in, one by one.

use std::sync::Arc;

use serde::Serialize;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::batch::Batch;
use super::deliver::Delivery;
use super::{BulkOptions, Kind, Shipped, Tally};
use crate::cluster::{Cluster, ClusterError, Connection};
use crate::mappings;

/// Sends documents to a cluster. Adding waits while enough batches are on their way, so that
/// memory stays bounded however fast documents come.
pub struct BulkSink {
    runtime: Runtime,
    delivery: Arc<Delivery>,
    cluster: Option<Cluster>,
    options: BulkOptions,
    batch: Batch,
    batches: Sender<Batch>,
    workers: JoinSet<()>,
    added: u64,
}

impl BulkSink {
    /// Reaches the cluster; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// If it cannot be reached or is no search server.
    pub fn open(connection: &Connection, options: BulkOptions) -> Result<Self, ClusterError> {
        let runtime = runtime()?;
        let cluster = runtime.block_on(Cluster::connect(connection))?;
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
        let waiting = Arc::new(Mutex::new(waiting));
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
            batch: Batch::default(),
            batches,
            workers,
            added: 0,
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
            Some(cluster) => self.runtime.block_on(mappings::prepare(cluster, indices)),
            None => Ok(()),
        }
    }

    /// Takes a document; waits while enough is on its way.
    ///
    /// # Errors
    ///
    /// If the document cannot be written as JSON.
    pub fn add(
        &mut self,
        kind: Kind,
        id: Uuid,
        document: &(impl Serialize + ?Sized),
    ) -> serde_json::Result<()> {
        let index = Arc::clone(self.options.index_of(kind));
        self.add_to(&index, kind, id, document)
    }

    /// The same into an index of its own.
    ///
    /// # Errors
    ///
    /// If the document cannot be written as JSON.
    pub fn add_to(
        &mut self,
        index: &Arc<str>,
        kind: Kind,
        id: Uuid,
        document: &(impl Serialize + ?Sized),
    ) -> serde_json::Result<()> {
        let operation = self.options.operation;
        self.batch.add(operation, index, kind, id, document)?;
        self.added += 1;
        if self.batch.is_full(&self.options) {
            self.send();
        }
        Ok(())
    }

    /// Waits until everything that was added is with the server or in a file; says how much is
    /// not with the server, of all that was ever added.
    pub fn flush(&mut self) -> u64 {
        self.send();
        let (delivery, added) = (&self.delivery, self.added);
        self.runtime.block_on(delivery.settled(added));
        let undelivered = |tally: &Tally| tally.rejected + tally.unsent + tally.lost;
        delivery.shipped().count(undelivered)
    }

    fn send(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return;
        }
        if let Err(unsent) = self.batches.blocking_send(batch) {
            // Every worker is gone, which only a defect of ours can bring about.
            let all: Vec<usize> = (0..unsent.0.entries.len()).collect();
            self.delivery
                .keep_unsent(&unsent.0, &all, "no worker is left");
        }
    }

    /// Waits until every document is with the server or in a file.
    #[must_use]
    pub fn finish(mut self) -> Shipped {
        self.send();
        let Self {
            runtime,
            delivery,
            batches,
            mut workers,
            added,
            ..
        } = self;
        drop(batches);
        runtime.block_on(async { while workers.join_next().await.is_some() {} });
        drop(runtime);
        let mut shipped = Arc::into_inner(delivery)
            .map(Delivery::finish)
            .unwrap_or_default();
        // A worker that died took its batch along.
        shipped.requests.lost += added.saturating_sub(shipped.count(Tally::total));
        shipped
    }
}

fn runtime() -> Result<Runtime, ClusterError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.map_err(|error| ClusterError::Configuration(format!("no threads: {error}")))
}

async fn work(waiting: Arc<Mutex<Receiver<Batch>>>, delivery: Arc<Delivery>) {
    loop {
        let next = waiting.lock().await.recv().await;
        let Some(batch) = next else { return };
        delivery.deliver(&batch).await;
    }
}
