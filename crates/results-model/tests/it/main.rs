//! The tests from outside, in one program: each would be linked with all of polars.

mod compact;
mod damaged_reports;
mod golden;
mod schemas;
