//! Where these documents go: a server, a file, a store, or several of them.

use anyhow::{Context, Result};

use super::Document;
use crate::bulk::{BulkSink, Shipped, Stop};
use crate::cli::{SendingArguments, TargetArguments};
use crate::output::Output;
use crate::sink::Sink;
#[cfg(feature = "store")]
use crate::store::Tables;
use crate::unfinished::Registry;

/// Somewhere that kube-burner's documents go.
///
/// Calls may wait for a server or a disk: async code makes them on a thread that may wait.
pub trait DocumentSink: Send + Sync {
    /// Takes documents.
    ///
    /// # Errors
    ///
    /// If they can neither be sent nor kept.
    fn add(&self, documents: Vec<Document>) -> Result<()>;

    /// Puts everything in its place, and says what a server took. Dropped without it, a file or a
    /// store has nothing of the documents.
    ///
    /// # Errors
    ///
    /// If something cannot be put in its place.
    fn finish(self: Box<Self>) -> Result<Option<Shipped>>;
}

impl DocumentSink for BulkSink {
    fn add(&self, documents: Vec<Document>) -> Result<()> {
        for document in &documents {
            let (kind, id, timestamp) = (document.kind(), document.id(), document.timestamp());
            self.add_at(kind, id, timestamp, document)
                .context("cannot write a document as JSON")?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Option<Shipped>> {
        Ok(Some((*self).finish()))
    }
}

impl DocumentSink for Output {
    fn add(&self, documents: Vec<Document>) -> Result<()> {
        documents
            .iter()
            .try_for_each(|document| self.add(document.id(), document))
    }

    fn finish(self: Box<Self>) -> Result<Option<Shipped>> {
        Sink::finish(self)
    }
}

#[cfg(feature = "store")]
impl DocumentSink for Tables {
    fn add(&self, documents: Vec<Document>) -> Result<()> {
        self.add(documents)
    }

    fn finish(self: Box<Self>) -> Result<Option<Shipped>> {
        self.commit().map(|()| None)
    }
}

/// All that a command writes to.
pub struct Destinations {
    sinks: Vec<Box<dyn DocumentSink>>,
    unfinished: Registry,
}

impl Destinations {
    /// What the user names: a server, a file, a store; the default store without any.
    ///
    /// # Errors
    ///
    /// If one of them cannot be opened.
    pub fn open(
        targets: &TargetArguments,
        sending: &SendingArguments,
        stop: &Stop,
    ) -> Result<Self> {
        targets.check()?;
        let unfinished = Registry::default();
        let mut sinks: Vec<Box<dyn DocumentSink>> = Vec::new();
        if let Some(server) = sending.open(&[], stop)? {
            sinks.push(Box::new(server));
        }
        if let Some(output) = targets.open_output(&unfinished)? {
            sinks.push(Box::new(output));
        }
        #[cfg(feature = "store")]
        if let Some(store) = targets.open_store(sinks.is_empty(), &unfinished)? {
            sinks.push(Box::new(store.tables()?));
        }
        if sinks.is_empty() {
            anyhow::bail!("where to? name a file with --output, or a server with --es-server");
        }
        Ok(Self { sinks, unfinished })
    }

    /// Some sinks of the caller's own.
    #[must_use]
    pub fn of(sinks: Vec<Box<dyn DocumentSink>>) -> Self {
        Self {
            sinks,
            unfinished: Registry::default(),
        }
    }

    /// Ends all, also when one fails: what a server took, and what could not be put in its place.
    #[must_use]
    pub fn end(self) -> (Option<Shipped>, Vec<anyhow::Error>) {
        let (mut shipped, mut failures) = (None, Vec::new());
        for sink in self.sinks {
            match sink.finish() {
                Ok(told) => shipped = told.or(shipped),
                Err(error) => failures.push(error),
            }
        }
        (shipped, failures)
    }

    /// From now on, SIGINT and SIGTERM remove files that are not finished, and then end the process.
    ///
    /// # Errors
    ///
    /// If signals cannot be watched for.
    pub fn remove_on_signals(&self) -> Result<()> {
        self.unfinished.remove_on_signals()
    }
}

impl DocumentSink for Destinations {
    fn add(&self, documents: Vec<Document>) -> Result<()> {
        let Some((last, others)) = self.sinks.split_last() else {
            return Ok(());
        };
        for sink in others {
            sink.add(documents.clone())?;
        }
        last.add(documents)
    }

    /// All are ended, also when one fails; the first failure is told.
    fn finish(self: Box<Self>) -> Result<Option<Shipped>> {
        let (shipped, failures) = self.end();
        match failures.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(shipped),
        }
    }
}
