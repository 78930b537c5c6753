//! The tests from outside, in one program: each would be linked with all it depends on.

mod import;
mod plan;
mod render;
mod suite;
