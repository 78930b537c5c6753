//! The structural pass over a report's JSON text.
//!
//! It knows where a report keeps its long lists (`benchmarks[].requests.*`, and for 0.1
//! `benchmarks[].benchmarks[].{results,errors,concurrencies}`), hands out their elements as raw
//! text, and copies everything else into small [`Skeleton`]s. It knows neither types nor
//! generations beyond the keys that tell them apart, and holds one block of text at a time.

mod block;
mod cursor;
mod list;
pub(crate) mod quick;
mod skeleton;
mod structure;
pub(crate) mod typed;
mod walk;

pub(crate) use block::{BlockPool, Records};
pub(crate) use cursor::Cursor;
pub(crate) use skeleton::Skeleton;
pub(crate) use walk::{Events, List, Walk, benchmark_path};
