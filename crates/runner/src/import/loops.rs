//! How `if`, `with` and `range` begin here.

use super::expression::{Expr, Kind, Quotes};
use super::go::{Block, BlockKind};
use super::source::Trouble;
use super::translate;
use super::walk::{Opening, Walker};

/// What a loop goes through: an `if` behind it would be the loop's.
fn iterable(over: &Expr) -> String {
    let written = over.written(Quotes::Double);
    if matches!(over, Expr::Choice(_)) {
        format!("({written})")
    } else {
        written
    }
}

impl Walker<'_> {
    pub(super) fn opening(&mut self, block: &Block, arm: usize) -> Result<Opening, Trouble> {
        let Some(arm) = block.arms.get(arm) else {
            return Err(Trouble::new(&block.end.span, "this block has no arm"));
        };
        let span = &arm.pipeline.span;
        if !arm.declares && !arm.variables.is_empty() {
            return Err(Trouble::new(span, "set the variable before, not here"));
        }
        if block.kind == BlockKind::Range {
            let over = match translate::counted(&arm.pipeline, &self.names)? {
                Some(numbers) => numbers,
                None => translate::pipeline(&arm.pipeline, &self.names)?,
            };
            return Ok(self.repeat(&arm.variables, over));
        }
        let value = translate::pipeline(&arm.pipeline, &self.names)?;
        Ok(Opening {
            statement: value.written(Quotes::Double),
            variables: arm
                .variables
                .iter()
                .map(|name| (name.clone(), value.clone()))
                .collect(),
            dot: (block.kind == BlockKind::With).then_some(value),
        })
    }

    /// Go goes through maps in the order of their keys.
    fn repeat(&mut self, variables: &[String], over: Expr) -> Opening {
        let element = over.kind().element();
        let sensitive = || vec![Expr::Named("case_sensitive", Box::new(Expr::Bool(true)))];
        let sorted = || over.clone().filter("dictsort", sensitive(), Kind::List);
        let is_map = || over.clone().test("mapping", Vec::new());
        let value = |walker: &mut Self, name: &str, kind| Expr::Name(walker.unique(name), kind);
        let Some((second, [first])) = variables.split_last().filter(|(_, rest)| !rest.is_empty())
        else {
            let name = variables.first().map_or("item", |name| name);
            let item = value(
                self,
                name,
                if over.kind().is_list() {
                    element
                } else {
                    Kind::Unknown
                },
            );
            let items = match over.kind() {
                kind if kind.is_list() => over,
                kind => {
                    let attribute = Expr::Named("attribute", Box::new(Expr::Integer(1)));
                    let values = sorted().filter("map", vec![attribute], Kind::List);
                    if kind.is_map() {
                        values
                    } else {
                        Expr::choice(values, is_map(), over.clone())
                    }
                }
            };
            let statement = format!("{} in {}", item.written(Quotes::Double), iterable(&items));
            let variables = variables
                .iter()
                .map(|name| (name.clone(), item.clone()))
                .collect();
            return Opening {
                statement,
                variables,
                dot: Some(item),
            };
        };
        let key_kind = match over.kind() {
            kind if kind.is_list() => Kind::Integer,
            _ => Kind::Plain,
        };
        let (key, item) = (value(self, first, key_kind), value(self, second, element));
        let length = over.clone().filter("length", Vec::new(), Kind::Integer);
        let numbers = Expr::Call("range", vec![length], Kind::List);
        let numbered = numbers.filter("zip", vec![over.clone()], Kind::List);
        let pairs = match over.kind() {
            kind if kind.is_map() => sorted(),
            kind if kind.is_list() => numbered,
            _ => Expr::choice(sorted(), is_map(), numbered),
        };
        let (key_name, item_name) = (key.written(Quotes::Double), item.written(Quotes::Double));
        Opening {
            statement: format!("{key_name}, {item_name} in {}", iterable(&pairs)),
            variables: vec![(first.clone(), key), (second.clone(), item.clone())],
            dot: Some(item),
        }
    }
}
