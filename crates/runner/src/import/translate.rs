//! From Go's pipelines to expressions.

use std::ops::Range;

use super::expression::{Expr, Kind, Operator};
use super::functions;
use super::go::{Pipeline, Term, TermKind};
use super::source::Trouble;

/// What names mean where a pipeline stands.
pub(super) trait Scope {
    /// A field of the root.
    fn field(&self, name: &str, span: &Range<usize>) -> Result<Expr, Trouble>;
    /// A variable, without its dollar sign.
    fn variable(&self, name: &str, span: &Range<usize>) -> Result<Expr, Trouble>;
    /// The dot, if it is not the root.
    fn dot(&self) -> Option<Expr>;
    /// A variable of the process' environment; "" if it is not set.
    fn env(&self, name: &str) -> Expr;
}

/// A pipeline as an expression.
pub(super) fn pipeline(pipeline: &Pipeline, scope: &dyn Scope) -> Result<Expr, Trouble> {
    let mut value = None;
    for command in &pipeline.commands {
        value = Some(self::command(command, value, scope)?);
    }
    value.ok_or_else(|| Trouble::new(&pipeline.span, "it is empty"))
}

/// A list of values that `range` counts through, if the pipeline is one: `until 5`, or a number.
pub(super) fn counted(pipeline: &Pipeline, scope: &dyn Scope) -> Result<Option<Expr>, Trouble> {
    let [command] = &*pipeline.commands else {
        return Ok(None);
    };
    let limit = match &**command {
        [
            Term {
                kind: TermKind::Integer(value),
                ..
            },
        ] => Expr::Integer(*value),
        [
            Term {
                kind: TermKind::Function(name),
                ..
            },
            limit,
        ] if name == "until" => term(limit, scope)?,
        _ => return Ok(None),
    };
    Ok(Some(Expr::Call(
        "range",
        vec![limit.into_integer()],
        Kind::List,
    )))
}

fn command(command: &[Term], piped: Option<Expr>, scope: &dyn Scope) -> Result<Expr, Trouble> {
    let Some((first, rest)) = command.split_first() else {
        return Err(Trouble::new(&(0..0), "it is empty"));
    };
    let TermKind::Function(name) = &first.kind else {
        if let Some(extra) = rest.first() {
            return Err(Trouble::new(&extra.span, "a value takes no arguments"));
        }
        if piped.is_some() {
            return Err(Trouble::new(
                &first.span,
                "a value takes nothing from a pipe",
            ));
        }
        return term(first, scope);
    };
    let mut arguments = Vec::new();
    for argument in rest {
        arguments.push(term(argument, scope)?);
    }
    arguments.extend(piped);
    let span = first.span.start..rest.last().unwrap_or(first).span.end;
    function(name, arguments, &span, &first.chain, scope)
}

fn function(
    name: &str,
    arguments: Vec<Expr>,
    span: &Range<usize>,
    chain: &[String],
    scope: &dyn Scope,
) -> Result<Expr, Trouble> {
    let value = match (name, &*arguments) {
        ("env", [Expr::Text(variable)]) => scope.env(variable),
        _ => functions::call(name, arguments, span)?,
    };
    Ok(fields(value, chain))
}

fn fields(value: Expr, chain: &[String]) -> Expr {
    chain.iter().fold(value, |value, name| {
        Expr::Attribute(Box::new(value), name.clone())
    })
}

fn term(term: &Term, scope: &dyn Scope) -> Result<Expr, Trouble> {
    let span = &term.span;
    let whole = || {
        let advice = "the root as a whole has no name here: name its fields";
        Trouble::new(span, advice)
    };
    let (value, chain) = match &term.kind {
        TermKind::Text(text) => (Expr::text(text.clone()), &*term.chain),
        TermKind::Integer(value) => (Expr::Integer(*value), &*term.chain),
        TermKind::Float(text) => (Expr::Float(text.clone()), &*term.chain),
        TermKind::Bool(value) => (Expr::Bool(*value), &*term.chain),
        TermKind::Nil => (Expr::Null, &*term.chain),
        TermKind::Function(name) => return function(name, Vec::new(), span, &term.chain, scope),
        TermKind::Nested(inner) => {
            if let Some(value) = split_item(inner, &term.chain, scope)? {
                return Ok(value);
            }
            (pipeline(inner, scope)?, &*term.chain)
        }
        TermKind::Variable(name) if !name.is_empty() => (scope.variable(name, span)?, &*term.chain),
        TermKind::Variable(_) | TermKind::Dot => {
            let dot = scope.dot().filter(|_| term.kind == TermKind::Dot);
            match (dot, term.chain.split_first()) {
                (Some(dot), _) => (dot, &*term.chain),
                (None, Some((first, rest))) => (scope.field(first, span)?, rest),
                (None, None) => return Err(whole()),
            }
        }
    };
    Ok(fields(value, chain))
}

/// `(split "," .x)._1`: a map with names made of numbers, of which one is taken.
fn split_item(
    inner: &Pipeline,
    chain: &[String],
    scope: &dyn Scope,
) -> Result<Option<Expr>, Trouble> {
    let ([first], [command]) = (chain, &*inner.commands) else {
        return Ok(None);
    };
    let [
        Term {
            kind: TermKind::Function(name),
            ..
        },
        separator,
        text,
    ] = &**command
    else {
        return Ok(None);
    };
    let number = first
        .strip_prefix('_')
        .and_then(|digits| digits.parse().ok());
    let Some(number) = number.filter(|_| name == "split") else {
        return Ok(None);
    };
    let parts =
        term(text, scope)?
            .into_text()
            .filter("split", vec![term(separator, scope)?], Kind::List);
    Ok(Some(Expr::Item(
        Box::new(parts),
        Box::new(Expr::Integer(number)),
    )))
}

/// All conditions at once.
pub(super) fn all(conditions: Vec<Expr>) -> Option<Expr> {
    conditions
        .into_iter()
        .reduce(|before, condition| before.binary(Operator::And, condition))
}
