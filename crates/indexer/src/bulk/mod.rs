//! Documents into an index, none lost and none twice.
//!
//! [`BulkSink`] takes documents one by one, sends them in batches, several at once, and goes on
//! with what a server did not take until it does or a deadline passes. Each document ends in
//! exactly one count of a [`Tally`]: the server has it, or a file has it.

mod batch;
mod deliver;
mod judge;
mod report;
mod sink;
mod stop;
mod taken;
mod undelivered;

pub(crate) use batch::Stamped;
pub use sink::BulkSink;
pub use stop::Stop;
pub(crate) use taken::{Taken, for_each, indices};
pub(crate) use undelivered::{Undelivered, check, tell_of_torn};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use guidellm_results_model::Exit;
use serde::{Deserialize, Serialize};

/// What a document is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A benchmark.
    Summary,
    /// A request.
    Request,
    /// A sample of a metric, as kube-burner writes it.
    Metric,
    /// A job of a run, as kube-burner writes it.
    JobSummary,
    /// An alert, as kube-burner writes it.
    Alert,
}

impl Kind {
    /// All kinds, in the order in which counts of them are told.
    pub const ALL: [Self; 5] = [
        Self::Summary,
        Self::Request,
        Self::Metric,
        Self::JobSummary,
        Self::Alert,
    ];
}

/// What happens where a document's id is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It is replaced
    #[default]
    Index,
    /// It stays; what a data stream takes
    Create,
}

impl Operation {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "what serde's skip_serializing_if asks for"
    )]
    fn is_index(&self) -> bool {
        *self == Self::Index
    }
}

/// How documents are sent.
#[derive(Debug, Clone)]
pub struct BulkOptions {
    /// Where they go.
    pub index: Arc<str>,
    /// Where requests go, if not there.
    pub request_index: Option<Arc<str>>,
    /// What happens to those that are already there.
    pub operation: Operation,
    /// Most documents of a batch.
    pub batch_documents: usize,
    /// A batch is full once it has as many bytes, before compression.
    pub batch_bytes: usize,
    /// Batches sent at once.
    pub in_flight: usize,
    /// Compress them.
    pub gzip: bool,
    /// How long a server may take nothing before the rest goes to `unsent`.
    pub give_up_after: Duration,
    /// File for documents that the server will never take.
    pub rejected: PathBuf,
    /// File for documents that it did not take in time.
    pub unsent: PathBuf,
    /// Ends it before its time.
    pub stop: Stop,
}

impl BulkOptions {
    /// The defaults, into an index.
    #[must_use]
    pub fn new(index: impl Into<Arc<str>>) -> Self {
        Self {
            index: index.into(),
            request_index: None,
            operation: Operation::default(),
            batch_documents: 2000,
            batch_bytes: 4 << 20,
            in_flight: 2,
            gzip: true,
            give_up_after: Duration::from_mins(5),
            rejected: "guidellm-rejected.ndjson".into(),
            unsent: "guidellm-unsent.ndjson".into(),
            stop: Stop::default(),
        }
    }

    pub(crate) fn index_of(&self, kind: Kind) -> &Arc<str> {
        match (kind, &self.request_index) {
            (Kind::Request, Some(index)) => index,
            _ => &self.index,
        }
    }
}

/// What became of documents of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// They were not there before.
    pub created: u64,
    /// They replaced others with their ids.
    pub updated: u64,
    /// Others with their ids were there and stayed.
    pub unchanged: u64,
    /// The server will not take them; they are in [`BulkOptions::rejected`].
    pub rejected: u64,
    /// The server did not take them in time; they are in [`BulkOptions::unsent`].
    pub unsent: u64,
    /// Nor could they be written to these files.
    pub lost: u64,
}

impl Tally {
    /// All counts, by their names.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, u64); 6] {
        let Self {
            created,
            updated,
            unchanged,
            rejected,
            unsent,
            lost,
        } = *self;
        [
            ("created", created),
            ("updated", updated),
            ("unchanged", unchanged),
            ("rejected", rejected),
            ("unsent", unsent),
            ("lost", lost),
        ]
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts().iter().map(|(_, count)| count).sum()
    }

    /// Whether there was no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    fn plus(self, other: Self) -> Self {
        Self {
            unsent: self.unsent + other.unsent,
            lost: self.lost + other.lost,
            ..self.then(other)
        }
    }

    /// What was unsent or lost was sent once more.
    fn then(self, again: Self) -> Self {
        Self {
            created: self.created + again.created,
            updated: self.updated + again.updated,
            unchanged: self.unchanged + again.unchanged,
            rejected: self.rejected + again.rejected,
            unsent: again.unsent,
            lost: again.lost,
        }
    }
}

/// What became of all documents.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Shipped {
    /// Of the summaries.
    pub summaries: Tally,
    /// Of the requests.
    pub requests: Tally,
    /// Of the samples of metrics.
    #[serde(skip_serializing_if = "Tally::is_empty")]
    pub metrics: Tally,
    /// Of the summaries of jobs.
    #[serde(skip_serializing_if = "Tally::is_empty")]
    pub job_summaries: Tally,
    /// Of the alerts.
    #[serde(skip_serializing_if = "Tally::is_empty")]
    pub alerts: Tally,
    /// How often a document was sent again.
    pub retried: u64,
    /// Bytes of the bodies that were sent, as they were sent.
    pub sent_bytes: u64,
    /// The file with rejected documents, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_file: Option<PathBuf>,
    /// The file with unsent documents, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsent_file: Option<PathBuf>,
    /// Why documents are unsent, rejected or lost: the first reason of each.
    pub reasons: Vec<String>,
}

impl Shipped {
    /// How a command ends that sent them.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.count(|it| it.unsent + it.lost) > 0 {
            Exit::DeadlinePassed
        } else if self.count(|it| it.rejected) > 0 {
            Exit::SomeFailed
        } else {
            Exit::Done
        }
    }

    /// Of documents of which those that were unsent or lost were all sent once more.
    #[must_use]
    pub fn then(self, again: Self) -> Self {
        Self {
            summaries: self.summaries.then(again.summaries),
            requests: self.requests.then(again.requests),
            metrics: self.metrics.then(again.metrics),
            job_summaries: self.job_summaries.then(again.job_summaries),
            alerts: self.alerts.then(again.alerts),
            retried: self.retried + again.retried,
            sent_bytes: self.sent_bytes + again.sent_bytes,
            rejected_file: again.rejected_file.or(self.rejected_file),
            unsent_file: again.unsent_file,
            reasons: again.reasons,
        }
    }

    /// What became of documents of all kinds, in words: those counts that are not 0.
    pub(crate) fn in_words(&self, counts: &[&str]) -> Vec<String> {
        let all = Kind::ALL.map(|kind| self.of(kind)).into_iter();
        all.reduce(Tally::plus)
            .unwrap_or_default()
            .counts()
            .into_iter()
            .filter(|(name, count)| counts.contains(name) && *count > 0)
            .map(|(name, count)| format!("{count} {name}"))
            .collect()
    }

    /// What became of documents of one kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Tally {
        match kind {
            Kind::Summary => self.summaries,
            Kind::Request => self.requests,
            Kind::Metric => self.metrics,
            Kind::JobSummary => self.job_summaries,
            Kind::Alert => self.alerts,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Tally {
        match kind {
            Kind::Summary => &mut self.summaries,
            Kind::Request => &mut self.requests,
            Kind::Metric => &mut self.metrics,
            Kind::JobSummary => &mut self.job_summaries,
            Kind::Alert => &mut self.alerts,
        }
    }

    /// How many documents a count of all kinds says.
    #[must_use]
    pub fn count(&self, of: impl Fn(&Tally) -> u64) -> u64 {
        Kind::ALL.iter().map(|kind| of(&self.of(*kind))).sum()
    }
}
