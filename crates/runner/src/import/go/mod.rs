//! Go's text/template, read into a tree with places.

mod ast;
mod lexer;
mod parser;

pub(super) use ast::{Action, Block, BlockKind, Node, Pipeline, Term, TermKind};
pub(super) use parser::parse;

#[cfg(test)]
mod tests;
