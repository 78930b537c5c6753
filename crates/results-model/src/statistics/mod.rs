//! GuideLLM's statistics, computed from records in bounded memory.
//!
//! For reports that have none (0.1), and to verify those that have. Nothing here knows of
//! documents or of reports.

mod rates;
mod sample;

pub(crate) use rates::{Interval, Intervals};
pub(crate) use sample::{Accumulation, WeightedSample};
