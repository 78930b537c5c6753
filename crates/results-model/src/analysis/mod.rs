//! From documents to answers: samples pooled into scenarios, and what came of them over time.
//!
//! [`Documents`] is where documents come from; this module reads them through it, in frames of
//! bounded height, and knows no files. What it makes ([`Analysis`]) is what is compared, judged and
//! shown.

mod model;

pub use model::{
    Analysis, Basis, Curve, ErrorCount, Goodput, Interval, Limits, Load, Options, PooledFigure,
    Resource, Run, Sample, Scenario, ScenarioKey, Second,
};
