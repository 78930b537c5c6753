//! The tests from outside, in one program: each would be linked with all of polars.

mod analysis;
mod archive;
mod cli;
mod common;
mod compare;
mod index_template;
mod interruptions;
mod judged;
mod manifests;
mod output;
#[cfg(feature = "report")]
mod report;
mod verify;
