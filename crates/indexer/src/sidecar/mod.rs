//! `guidellm-indexer sidecar`: waits for the benchmark in the same pod, and sends its report.

mod contract;
#[cfg(any(feature = "sidecar", feature = "store"))]
mod documents;
#[cfg(feature = "sidecar")]
mod hand_over;
#[cfg(feature = "sidecar")]
mod health;
#[cfg(feature = "sidecar")]
mod judging;
#[cfg(feature = "sidecar")]
mod pod;
#[cfg(feature = "sidecar")]
mod run;
#[cfg(feature = "sidecar")]
mod shipment;
#[cfg(feature = "sidecar")]
mod signals;
#[cfg(feature = "sidecar")]
mod volume;
#[cfg(feature = "sidecar")]
mod watch;

pub use contract::Contract;
#[cfg(feature = "store")]
pub use documents::{Received, receive};
#[cfg(feature = "sidecar")]
pub(crate) use hand_over::run as hand_over;
#[cfg(feature = "sidecar")]
pub(crate) use run::run;
