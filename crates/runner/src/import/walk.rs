//! A template of objects is gone through from top to bottom: from Go's statements to minijinja's.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::expression::{Expr, Kind, Quotes, is_name};
use super::go::{Action, Block, BlockKind, Node};
use super::manifest::{Draft, Names, RESERVED, Statement, Variable, mark};
use super::skeleton::{Atom, Skeleton, choice, encoded, is_inline, output};
use super::source::{Source, Trouble};
use super::translate;

/// Reads a template; `inputs` says what the fields of `inputVars` are here.
pub(super) fn draft(
    source: &Source,
    nodes: &[Node],
    inputs: &BTreeMap<String, Expr>,
) -> Result<Draft, Trouble> {
    Skeleton::check(source)?;
    let mut walker = Walker {
        source,
        names: Names {
            inputs,
            variables: vec![BTreeMap::new()],
            dots: Vec::new(),
            env: RefCell::default(),
        },
        taken: RESERVED
            .iter()
            .map(ToString::to_string)
            .chain(inputs.keys().cloned())
            .collect(),
        draft: Draft {
            skeleton: Skeleton::default(),
            statements: Vec::new(),
            regions: Vec::new(),
            findings: Vec::new(),
            env: BTreeSet::new(),
        },
        open: Vec::new(),
        blocks: 0,
        loops: 0,
    };
    walker.nodes(nodes)?;
    walker.draft.env = walker.names.env.into_inner();
    Ok(walker.draft)
}

pub(super) struct Walker<'a> {
    pub(super) source: &'a Source,
    pub(super) names: Names<'a>,
    /// Names that cannot be given to a variable.
    taken: BTreeSet<String>,
    draft: Draft,
    open: Vec<(usize, usize)>,
    blocks: usize,
    loops: usize,
}

/// How a block begins here.
pub(super) struct Opening {
    pub(super) statement: String,
    pub(super) variables: Vec<(String, Expr)>,
    pub(super) dot: Option<Expr>,
}

impl Walker<'_> {
    fn nodes(&mut self, nodes: &[Node]) -> Result<(), Trouble> {
        for node in nodes {
            match node {
                Node::Text(span) => {
                    self.draft
                        .regions
                        .push((self.draft.skeleton.text.len(), self.open.clone()));
                    self.draft.skeleton.push_text(self.source, span);
                }
                Node::Comment { action, text } => {
                    let mark = format!("{{# {} #}}", text.replace("#}", "# }"));
                    let (left, right) = (action.trims_left, action.trims_right);
                    self.push(None, &mark, left, right);
                }
                Node::Output { action, pipeline } => {
                    let (value, plain) = output(pipeline, &self.names);
                    let raw = self.raw(action, &value);
                    let encoded = encoded(pipeline, &self.names);
                    let trouble = value.as_ref().err().cloned();
                    self.draft.skeleton.pad(pipeline);
                    self.atom(action, (value, plain), raw, (encoded, trouble))?;
                }
                Node::Set {
                    action,
                    name,
                    declares,
                    pipeline,
                } => {
                    let value = translate::pipeline(pipeline, &self.names);
                    let body = value.and_then(|value| self.set(action, name, *declares, &value));
                    self.state(action, body);
                }
                Node::Block(block) if is_inline(self.source, block) => {
                    let (value, plain) = choice(self.source, block, &self.names);
                    let raw = self.inline(block)?;
                    let action = Action {
                        span: block.span(),
                        trims_left: false,
                        trims_right: false,
                    };
                    self.atom(&action, (value, plain), raw, (None, None))?;
                }
                Node::Block(block) => self.block(block)?,
                Node::Other {
                    action,
                    keyword,
                    span,
                } => {
                    let advice = format!(
                        "`{keyword}` has no counterpart here; write out what it stands for"
                    );
                    let trouble = Trouble::new(span, advice);
                    self.state(action, Err(trouble));
                }
            }
        }
        Ok(())
    }

    fn atom(
        &mut self,
        action: &Action,
        (value, plain): (Result<Expr, Trouble>, Result<Expr, Trouble>),
        raw: String,
        (encoded, trouble): (Option<Expr>, Option<Trouble>),
    ) -> Result<(), Trouble> {
        self.draft
            .regions
            .push((self.draft.skeleton.text.len(), self.open.clone()));
        self.draft.skeleton.push_atom(Atom {
            action: action.clone(),
            value,
            plain,
            raw,
            encoded,
            trouble,
        })
    }

    /// A value where only text can stand.
    fn raw(&self, action: &Action, value: &Result<Expr, Trouble>) -> String {
        match value {
            Ok(value) => {
                let safe = value
                    .clone()
                    .printable()
                    .filter("safe", Vec::new(), Kind::Text);
                let sign = |trims| if trims { "-" } else { "" };
                let (left, right) = (sign(action.trims_left), sign(action.trims_right));
                format!("{{{{{left} {} {right}}}}}", safe.written(Quotes::Double))
            }
            Err(trouble) => mark(&self.source.lost(trouble)),
        }
    }

    fn lost(&mut self, trouble: &Trouble) -> String {
        let finding = self.source.lost(trouble);
        let mark = mark(&finding);
        self.draft.findings.push(finding);
        mark
    }

    fn push(&mut self, body: Option<String>, mark: &str, trims_left: bool, trims_right: bool) {
        let at = self.draft.skeleton.text.len();
        let mark = mark.to_owned();
        self.draft.statements.push(Statement {
            at,
            body,
            mark,
            trims_left,
            trims_right,
        });
    }

    fn state(&mut self, action: &Action, body: Result<String, Trouble>) {
        let (left, right) = (action.trims_left, action.trims_right);
        match body {
            Ok(body) => self.push(Some(body), "", left, right),
            Err(trouble) => {
                let mark = self.lost(&trouble);
                self.push(None, &mark, left, right);
            }
        }
    }

    fn set(
        &mut self,
        action: &Action,
        name: &str,
        declares: bool,
        value: &Expr,
    ) -> Result<String, Trouble> {
        let written = value.written(Quotes::Double);
        if declares {
            let unique = self.unique(name);
            let variable = (Expr::Name(unique.clone(), value.kind()), self.loops);
            self.bind(name, variable);
            return Ok(format!("set {unique} = {written}"));
        }
        let loops = self.loops;
        let found = self
            .names
            .variables
            .iter_mut()
            .rev()
            .find_map(|scope| scope.get_mut(name));
        match found {
            Some((Expr::Name(own, kind), declared)) if *declared == loops => {
                *kind = kind.or(value.kind());
                Ok(format!("set {own} = {written}"))
            }
            Some(_) => {
                let advice =
                    "a variable of the outside cannot be set in a loop; write out what it comes to";
                Err(Trouble::new(&action.span, advice))
            }
            None => Err(Trouble::new(
                &action.span,
                format!("there is no variable `${name}`"),
            )),
        }
    }

    fn bind(&mut self, name: &str, variable: Variable) {
        if let Some(scope) = self.names.variables.last_mut() {
            scope.insert(name.to_owned(), variable);
        }
    }

    /// A name for a variable that nothing else has.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let ascii = if is_name(name) { name } else { "value" };
        let mut unique = ascii.to_owned();
        let mut number = 2;
        while !self.taken.insert(unique.clone()) {
            unique = format!("{ascii}{number}");
            number += 1;
        }
        unique
    }

    fn enter(&mut self, opening: &Opening, is_loop: bool) {
        self.loops += usize::from(is_loop);
        self.names.variables.push(BTreeMap::new());
        for (name, value) in &opening.variables {
            // Not set by a statement, so not to be set again.
            self.bind(name, (value.clone(), usize::MAX));
        }
        self.names.dots.extend(opening.dot.clone());
    }

    fn leave(&mut self, opening: &Opening, is_loop: bool) {
        self.loops -= usize::from(is_loop);
        self.names.variables.pop();
        if opening.dot.is_some() {
            self.names.dots.pop();
        }
    }

    fn block(&mut self, block: &Block) -> Result<(), Trouble> {
        let is_loop = block.kind == BlockKind::Range;
        let word = if is_loop { "for" } else { "if" };
        let number = self.blocks;
        self.blocks += 1;
        for (position, arm) in block.arms.iter().enumerate() {
            let opening = match self.opening(block, position) {
                Ok(opening) => opening,
                Err(trouble) => {
                    // Without its head, nothing of the block means anything.
                    let trouble = Trouble {
                        span: block.span(),
                        ..trouble
                    };
                    if position > 0 {
                        self.push(Some("else".to_owned()), "", false, false);
                    }
                    self.state(&arm.action, Err(trouble));
                    if position > 0 {
                        self.push(Some(format!("end{word}")), "", false, false);
                    }
                    return Ok(());
                }
            };
            let keyword = if position == 0 { word } else { "elif" };
            self.state(&arm.action, Ok(format!("{keyword} {}", opening.statement)));
            self.open.push((number, position));
            self.enter(&opening, is_loop);
            self.nodes(&arm.body)?;
            self.leave(&opening, is_loop);
            self.open.pop();
        }
        if let Some((action, body)) = &block.otherwise {
            self.state(action, Ok("else".to_owned()));
            self.open.push((number, block.arms.len()));
            let opening = Opening {
                statement: String::new(),
                variables: Vec::new(),
                dot: None,
            };
            self.enter(&opening, false);
            self.nodes(body)?;
            self.leave(&opening, false);
            self.open.pop();
        }
        self.state(&block.end, Ok(format!("end{word}")));
        Ok(())
    }

    /// A block as it is written within a line.
    fn inline(&mut self, block: &Block) -> Result<String, Trouble> {
        let skeleton = std::mem::take(&mut self.draft.skeleton);
        let statements = std::mem::take(&mut self.draft.statements);
        let regions = std::mem::take(&mut self.draft.regions);
        let walked = self.block(block);
        let inner = std::mem::replace(&mut self.draft.skeleton, skeleton);
        let inner_statements = std::mem::replace(&mut self.draft.statements, statements);
        self.draft.regions = regions;
        walked?;
        for trouble in inner.atoms.iter().filter_map(|atom| atom.trouble.as_ref()) {
            self.draft.findings.push(self.source.lost(trouble));
        }
        let edits = inner_statements
            .iter()
            .map(|it| (it.at..it.at, it.exact()))
            .collect();
        Ok(super::edits::applied(&inner, edits))
    }
}
