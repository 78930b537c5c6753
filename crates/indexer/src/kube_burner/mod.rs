//! kube-burner's documents, so that what was measured beside a benchmark lies where users of
//! kube-burner look for it: samples of metrics, summaries of jobs, and alerts.
//!
//! Their fields are kube-burner's own. Ids follow from identity, so that what is written again is
//! there once.

mod destinations;
mod documents;
#[cfg(feature = "store")]
mod frames;
mod identity;

pub use destinations::{Destinations, DocumentSink};
pub use documents::{
    Alert, AlertMetricName, Document, JobSummary, JobSummaryMetricName, Labels, Metadata, Metric,
    Severity,
};
#[cfg(feature = "store")]
pub(crate) use frames::frame;

#[cfg(test)]
pub(crate) use documents::tests;
