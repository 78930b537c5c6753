//! Reads GuideLLM benchmark reports of every release into one schema.

mod error;
mod generation;
mod generations;
mod identity;
mod passes;
mod pipeline;
mod read;
mod recompute;
mod report;
mod scan;
mod source;
mod statistics;
mod summarise;

pub mod documents;

pub use error::{Place, ReadError};
pub use generation::Generation;
pub use identity::RunContext;
pub use read::{Consumer, Interrupted, ReadOptions, ReadOutcome, read};
pub use source::{Progress, Source};
