//! What a template consists of.

use std::ops::Range;

/// One pair of braces.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Action {
    /// Braces and all.
    pub(crate) span: Range<usize>,
    /// White space before it is taken away.
    pub(crate) trims_left: bool,
    /// White space after it is taken away.
    pub(crate) trims_right: bool,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// As it stands.
    Text(Range<usize>),
    /// `{{/* … */}}`
    Comment { action: Action, text: String },
    /// A value that is put in.
    Output { action: Action, pipeline: Pipeline },
    /// `{{ $x := … }}` or `{{ $x = … }}`.
    Set {
        action: Action,
        name: String,
        declares: bool,
        pipeline: Pipeline,
    },
    /// `if`, `with` or `range`.
    Block(Block),
    /// What has no counterpart: its name, and all of it.
    Other {
        action: Action,
        keyword: String,
        span: Range<usize>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    If,
    With,
    Range,
}

/// Something that ends with `{{ end }}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    pub(crate) kind: BlockKind,
    /// The first, and one for each `else if` or `else with`.
    pub(crate) arms: Vec<Arm>,
    pub(crate) otherwise: Option<(Action, Vec<Node>)>,
    pub(crate) end: Action,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arm {
    pub(crate) action: Action,
    pub(crate) variables: Vec<String>,
    pub(crate) declares: bool,
    pub(crate) pipeline: Pipeline,
    pub(crate) body: Vec<Node>,
}

/// Commands, each of which takes the value of the one before as its last argument.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pipeline {
    pub(crate) span: Range<usize>,
    pub(crate) commands: Vec<Vec<Term>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Term {
    pub(crate) span: Range<usize>,
    pub(crate) kind: TermKind,
    /// Fields of it, from the outside in.
    pub(crate) chain: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TermKind {
    Text(String),
    Integer(i64),
    Float(String),
    Bool(bool),
    Nil,
    Dot,
    /// Without the dollar sign; the root has an empty name.
    Variable(String),
    Function(String),
    Nested(Box<Pipeline>),
}

impl Block {
    pub(crate) fn span(&self) -> Range<usize> {
        let start = self
            .arms
            .first()
            .map_or(self.end.span.start, |arm| arm.action.span.start);
        start..self.end.span.end
    }
}

impl Node {
    pub(crate) fn span(&self) -> Range<usize> {
        match self {
            Self::Text(span) | Self::Other { span, .. } => span.clone(),
            Self::Comment { action, .. }
            | Self::Output { action, .. }
            | Self::Set { action, .. } => action.span.clone(),
            Self::Block(block) => block.span(),
        }
    }
}
