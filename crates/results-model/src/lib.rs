//! Reads GuideLLM benchmark reports of every release into one schema.
//!
//! GuideLLM, the load generator of the vLLM project, changed the layout of its report with nearly
//! every release. [`read`] takes a report of any of them (JSON or YAML; plain, gzip or zstd) and
//! hands its [`documents`] to a [`Consumer`]: a [`Summary`](documents::Summary) for each
//! benchmark, a [`Request`](documents::Request) for each of its records. JSON is read in bounded
//! memory, whatever its size.
//!
//! This crate knows no network, no wall clock and no randomness: a source and a [`RunContext`] go
//! in, documents come out, and the same in always gives the same out, ids included.
//!
//! ```
//! use guidellm_results_model::documents::{Request, Summary};
//! use guidellm_results_model::{Consumer, ReadOptions, RunContext, Source, read};
//!
//! #[derive(Default)]
//! struct WorstLatency(f64);
//!
//! impl Consumer for WorstLatency {
//!     type Error = std::convert::Infallible;
//!
//!     fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
//!         let latencies = requests.iter().filter_map(|request| request.request_latency_seconds);
//!         self.0 = latencies.fold(self.0, f64::max);
//!         Ok(())
//!     }
//!
//!     fn summary(&mut self, _: Summary) -> Result<(), Self::Error> {
//!         Ok(())
//!     }
//! }
//!
//! let report = concat!(
//!     env!("CARGO_MANIFEST_DIR"),
//!     "/../../fixtures/reports/0.8.1/constant_mixed.json"
//! );
//! let mut worst = WorstLatency::default();
//! read(Source::path(report), &RunContext::default(), &ReadOptions::default(), &mut worst)?;
//! assert!(worst.0 > 0.2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "frames")]
pub mod analysis;
mod error;
mod exit;
pub mod figures;
#[cfg(feature = "frames")]
pub mod frames;
mod generation;
mod generations;
mod identity;
#[cfg(feature = "frames")]
pub mod inference;
mod over_time;
mod passes;
mod pipeline;
mod read;
mod recompute;
mod report;
mod scan;
mod scenario;
#[cfg(feature = "schema")]
pub mod schema;
pub mod slo;
mod source;
mod statistics;
mod summarise;
mod verify;
mod windows;

pub mod benchmark_report;
pub mod documents;

pub use error::{Place, ReadError};
pub use exit::Exit;
pub use generation::Generation;
pub use identity::RunContext;
pub use read::{Consumer, Interrupted, ReadOptions, ReadOutcome, read};
pub use scenario::{Load, ScenarioKey};
pub use source::{Position, Progress, Source};
pub use verify::{Difference, Verdict, Verification};
