//! A template's text with one character in place of each construct, so that it can be read as YAML.

use std::ops::Range;

use super::expression::Expr;
use super::go::{Action, Block, BlockKind, Node, Pipeline, TermKind};
use super::source::{Source, Trouble};
use super::translate::{self, Scope};
use super::yaml::{Meaning, meaning};

/// The first of the characters that stand for constructs: private ones, which YAML allows.
const FIRST: u32 = 0xf_0000;
const LAST: u32 = 0xf_fffd;

/// A construct that puts something in.
#[derive(Debug, Clone)]
pub(super) struct Atom {
    pub(super) action: Action,
    /// Its value in a text.
    pub(super) value: Result<Expr, Trouble>,
    /// Its value if it is all of a scalar without quotes.
    pub(super) plain: Result<Expr, Trouble>,
    /// What it is in a template where no value can stand.
    pub(super) raw: String,
    /// What it encodes in base64, if that is what it does.
    pub(super) encoded: Option<Expr>,
    /// Why it has no counterpart, if it has none in any place.
    pub(super) trouble: Option<Trouble>,
}

#[derive(Debug, Default)]
pub(super) struct Skeleton {
    pub(super) text: String,
    pub(super) atoms: Vec<Atom>,
    /// White space that stands for what a construct indents.
    pub(super) padding: Vec<Range<usize>>,
    /// Where pieces of the text come from.
    origins: Vec<(usize, usize)>,
}

/// A part of a scalar.
#[derive(Debug)]
pub(super) enum Part<'a> {
    Text(String),
    Atom(&'a Atom),
}

impl Skeleton {
    /// Texts that have such characters themselves cannot be read.
    pub(super) fn check(source: &Source) -> Result<(), Trouble> {
        let private = |character: char| (FIRST..=LAST).contains(&u32::from(character));
        match source.text.find(private) {
            Some(at) => Err(Trouble::new(
                &(at..at),
                "characters of this plane cannot be read; take them out",
            )),
            None => Ok(()),
        }
    }

    pub(super) fn push_text(&mut self, source: &Source, span: &Range<usize>) {
        self.origins.push((self.text.len(), span.start));
        self.text.push_str(source.slice(span));
    }

    pub(super) fn push_atom(&mut self, atom: Atom) -> Result<(), Trouble> {
        let number = u32::try_from(self.atoms.len())
            .ok()
            .and_then(|it| FIRST.checked_add(it));
        let character = number.filter(|it| *it <= LAST).and_then(char::from_u32);
        let many = || {
            Trouble::new(
                &atom.action.span,
                "there are too many constructs in this file",
            )
        };
        let character = character.ok_or_else(many)?;
        self.origins.push((self.text.len(), atom.action.span.start));
        self.text.push(character);
        self.atoms.push(atom);
        Ok(())
    }

    /// Puts white space before a construct that begins a line and indents what it puts in.
    pub(super) fn pad(&mut self, pipeline: &Pipeline) {
        let line = self.text.rfind('\n').map_or(0, |at| at + 1);
        let before = self.text.get(line..).unwrap_or_default();
        let width = indentation(pipeline).unwrap_or_default();
        if before.trim().is_empty() && before.len() < width {
            let start = self.text.len();
            self.text.push_str(&" ".repeat(width - before.len()));
            self.padding.push(start..self.text.len());
        }
    }

    /// Where something comes from.
    pub(super) fn origin(&self, at: usize) -> usize {
        let next = self.origins.partition_point(|(start, _)| *start <= at);
        let found = next
            .checked_sub(1)
            .and_then(|index| self.origins.get(index));
        found.map_or(at, |(start, origin)| origin + (at - start))
    }

    /// The construct that a character stands for.
    pub(super) fn atom(&self, character: char) -> Option<&Atom> {
        let number = u32::from(character).checked_sub(FIRST)?;
        self.atoms.get(usize::try_from(number).ok()?)
    }

    /// A scalar's parts; white space that a construct takes away is not among them.
    pub(super) fn parts<'a>(&'a self, value: &str) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut trims = false;
        for character in value.chars() {
            let Some(atom) = self.atom(character) else {
                text.push(character);
                continue;
            };
            push_trimmed(&mut parts, &text, trims, atom.action.trims_left);
            text.clear();
            parts.push(Part::Atom(atom));
            trims = atom.action.trims_right;
        }
        push_trimmed(&mut parts, &text, trims, false);
        parts
    }

    /// Whether constructs are in a piece of it.
    pub(super) fn has_atoms(&self, piece: &str) -> bool {
        piece
            .chars()
            .any(|character| self.atom(character).is_some())
    }
}

fn push_trimmed(parts: &mut Vec<Part<'_>>, text: &str, left: bool, right: bool) {
    let text = if left { text.trim_start() } else { text };
    let text = if right { text.trim_end() } else { text };
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// The spaces by which a pipeline indents at last.
fn indentation(pipeline: &Pipeline) -> Option<usize> {
    let [name, width, ..] = &**pipeline.commands.last()? else {
        return None;
    };
    let indents = matches!(&name.kind, TermKind::Function(name) if name == "indent");
    match width.kind {
        TermKind::Integer(width) if indents => usize::try_from(width).ok().filter(|it| *it < 100),
        _ => None,
    }
}

/// What a pipeline that is put in comes to: in a text, and alone.
pub(super) fn output(
    pipeline: &Pipeline,
    scope: &dyn Scope,
) -> (Result<Expr, Trouble>, Result<Expr, Trouble>) {
    let value = translate::pipeline(pipeline, scope).and_then(|value| {
        let kind = value.kind();
        if kind.is_list() || kind.is_map() {
            let advice = "Go prints lists and maps in a form of its own; go through it by `range`, or use `join` or `toJson`";
            return Err(Trouble::new(&pipeline.span, advice));
        }
        Ok(value)
    });
    let plain = match unquoted(pipeline) {
        Some((inner, is_text)) => {
            translate::pipeline(&inner, scope).map(|it| if is_text { it.into_text() } else { it })
        }
        None => value.clone(),
    };
    (value, plain)
}

/// What a pipeline encodes in base64, if that is what it does at last.
pub(super) fn encoded(pipeline: &Pipeline, scope: &dyn Scope) -> Option<Expr> {
    let (inner, _) = without_last(pipeline, &["b64enc"])?;
    translate::pipeline(&inner, scope).ok().map(Expr::into_text)
}

/// Without a last `quote` or `toJson`, which YAML would take away again; and whether it is a text.
fn unquoted(pipeline: &Pipeline) -> Option<(Pipeline, bool)> {
    let (inner, name) = without_last(pipeline, &["quote", "squote", "toJson"])?;
    Some((inner, name != "toJson"))
}

/// Without its last function, if it is one of these and takes nothing else.
fn without_last(pipeline: &Pipeline, names: &[&str]) -> Option<(Pipeline, String)> {
    let mut inner = pipeline.clone();
    let count = inner.commands.len();
    let last = inner.commands.last_mut()?;
    let name = match &last.first()?.kind {
        TermKind::Function(name) if names.contains(&&**name) => name.clone(),
        _ => return None,
    };
    match (last.len(), count) {
        (1, 2..) => drop(inner.commands.pop()),
        (2, 1) => drop(last.remove(0)),
        _ => return None,
    }
    Some((inner, name))
}

/// A block that stands in one line, within a value.
pub(super) fn is_inline(source: &Source, block: &Block) -> bool {
    let mut has_content = false;
    let mut has_structure = false;
    visit(block, &mut |node| match node {
        Node::Text(span) => {
            let text = source.slice(span);
            has_content |= !text.trim().is_empty();
            has_structure |=
                text.contains(": ") || text.ends_with(':') || text.trim_start().starts_with("- ");
        }
        Node::Output { .. } => has_content = true,
        _ => {}
    });
    has_content && !has_structure && !source.slice(&block.span()).contains('\n')
}

fn visit(block: &Block, seen: &mut dyn FnMut(&Node)) {
    let bodies = block.arms.iter().map(|arm| &arm.body);
    let otherwise = block.otherwise.iter().map(|(_, body)| body);
    for node in bodies.chain(otherwise).flatten() {
        seen(node);
        if let Node::Block(inner) = node {
            visit(inner, seen);
        }
    }
}

/// An `if` within a value, as an expression: in a text, and alone.
pub(super) fn choice(
    source: &Source,
    block: &Block,
    scope: &dyn Scope,
) -> (Result<Expr, Trouble>, Result<Expr, Trouble>) {
    (
        chosen(source, block, scope, false),
        chosen(source, block, scope, true),
    )
}

fn chosen(source: &Source, block: &Block, scope: &dyn Scope, plain: bool) -> Result<Expr, Trouble> {
    let span = block.span();
    let simple = block.arms.iter().all(|arm| arm.variables.is_empty());
    if block.kind != BlockKind::If || !simple {
        return Err(Trouble::new(
            &span,
            "within a value, only `if` can be turned; move it into `vars`",
        ));
    }
    let mut value = match &block.otherwise {
        Some((_, body)) => inline_body(source, body, scope, plain)?,
        None if plain => Expr::Null,
        None => Expr::text(""),
    };
    for arm in block.arms.iter().rev() {
        let test = translate::pipeline(&arm.pipeline, scope)?;
        value = Expr::choice(inline_body(source, &arm.body, scope, plain)?, test, value);
    }
    Ok(value)
}

fn inline_body(
    source: &Source,
    body: &[Node],
    scope: &dyn Scope,
    plain: bool,
) -> Result<Expr, Trouble> {
    let alone = plain && body.len() == 1;
    let mut parts = Vec::new();
    for node in body {
        let trims = |span: &Range<usize>| source.slice(span).trim_matches(' ').to_owned();
        parts.push(match node {
            Node::Text(span) if alone => literal(&trims(span), span)?,
            Node::Text(span) => Expr::text(source.slice(span)),
            Node::Output { pipeline, .. } => output(pipeline, scope).0?,
            Node::Block(inner) => chosen(source, inner, scope, alone)?,
            Node::Comment { .. } => continue,
            Node::Set { action, .. } | Node::Other { action, .. } => {
                return Err(Trouble::new(
                    &action.span,
                    "this has no counterpart within a value",
                ));
            }
        });
    }
    match <[Expr; 1]>::try_from(parts) {
        Ok([only]) if alone => Ok(only),
        Ok([only]) => Ok(Expr::concat(vec![only])),
        Err(parts) if parts.is_empty() && plain => Ok(Expr::Null),
        Err(parts) => Ok(Expr::concat(parts)),
    }
}

/// What YAML makes of a text without quotes.
fn literal(text: &str, span: &Range<usize>) -> Result<Expr, Trouble> {
    if text.starts_with([
        '"', '\'', '[', '{', '&', '*', '!', '|', '>', '#', '@', '`', '%',
    ]) || text.contains(" #")
    {
        return Err(Trouble::new(span, "this is more than a plain value"));
    }
    Ok(match meaning(text) {
        Meaning::Null => Expr::Null,
        Meaning::Bool(value) => Expr::Bool(value),
        Meaning::Integer(value) => Expr::Integer(value),
        Meaning::Float(value) => Expr::Float(format!("{value:?}")),
        Meaning::Text => Expr::text(text),
    })
}
