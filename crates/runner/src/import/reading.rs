//! A config is gone through from top to bottom: what its variables hold changes on the way.

use std::collections::BTreeMap;
use std::ops::Range;

use super::config::{Branch, Config, Construct, Version};
use super::expression::{Expr, Kind};
use super::go::{Action, Block, BlockKind, Node, Pipeline};
use super::names::{Names, Variable};
use super::skeleton::{Atom, Skeleton, choice, is_inline, output};
use super::source::{Source, Trouble};
use super::translate;
use super::yaml::Comments;

/// Reads a config.
pub(super) fn read(source: &Source, nodes: &[Node]) -> Result<Config, Trouble> {
    Skeleton::check(source)?;
    let mut walker = Walker {
        source,
        config: Config::default(),
        names: Names::default(),
        open: Vec::new(),
        set_last: None,
    };
    walker.names.scopes.push(BTreeMap::new());
    walker.nodes(nodes)?;
    let declared = walker
        .names
        .variables
        .iter()
        .filter(|variable| !variable.local);
    walker.config.finals = declared.map(|variable| variable.current).collect();
    Ok(walker.config)
}

struct Walker<'a> {
    source: &'a Source,
    config: Config,
    names: Names,
    open: Vec<Branch>,
    /// The version that was set just before.
    set_last: Option<usize>,
}

impl Walker<'_> {
    fn nodes(&mut self, nodes: &[Node]) -> Result<(), Trouble> {
        for (number, node) in nodes.iter().enumerate() {
            let set_last = self.set_last.take();
            match node {
                Node::Text(span) => {
                    let span = self.beside(span, set_last);
                    self.config
                        .regions
                        .push((self.config.skeleton.text.len(), self.open.clone()));
                    self.config.skeleton.push_text(self.source, &span);
                }
                Node::Comment { text, .. } => {
                    let ends = match nodes.get(number + 1) {
                        Some(Node::Text(span)) => self.source.slice(span).starts_with(['\n', '\r']),
                        Some(_) => false,
                        None => true,
                    };
                    if ends && !text.contains('\n') {
                        self.remark(text);
                    }
                }
                Node::Output { action, pipeline } => {
                    let (value, plain) = output(pipeline, &self.names);
                    self.atom(action, value, plain)?;
                }
                Node::Set {
                    action,
                    name,
                    declares,
                    pipeline,
                } => self.set(action, name, *declares, pipeline),
                Node::Block(block) if is_inline(self.source, block) => {
                    let (value, plain) = choice(self.source, block, &self.names);
                    let action = Action {
                        span: block.span(),
                        trims_left: false,
                        trims_right: false,
                    };
                    self.atom(&action, value, plain)?;
                }
                Node::Block(block) => self.block(block)?,
                Node::Other { keyword, span, .. } => {
                    let advice = format!(
                        "`{keyword}` has no counterpart here; write out what it stands for"
                    );
                    self.lost(&Trouble::new(span, advice));
                }
            }
        }
        Ok(())
    }

    fn atom(
        &mut self,
        action: &Action,
        value: Result<Expr, Trouble>,
        plain: Result<Expr, Trouble>,
    ) -> Result<(), Trouble> {
        let trouble = value.as_ref().err().cloned();
        let (raw, encoded) = (String::new(), None);
        self.config
            .regions
            .push((self.config.skeleton.text.len(), self.open.clone()));
        self.config.skeleton.push_atom(Atom {
            action: action.clone(),
            value,
            plain,
            raw,
            encoded,
            trouble,
        })
    }

    /// Leaves a comment, if nothing else stands on the line.
    fn remark(&mut self, text: &str) {
        let skeleton = &mut self.config.skeleton.text;
        let line = skeleton.rfind('\n').map_or(0, |at| at + 1);
        if skeleton.get(line..).unwrap_or_default().trim().is_empty() {
            skeleton.push_str("# ");
            skeleton.push_str(text);
        }
    }

    fn lost(&mut self, trouble: &Trouble) {
        let finding = self.source.lost(trouble);
        self.remark(&finding.mark());
        self.config.findings.push(finding);
    }

    /// A comment to the right of a variable is the variable's; what is left of the text.
    fn beside(&mut self, span: &Range<usize>, set_last: Option<usize>) -> Range<usize> {
        let text = self.source.slice(span);
        let line = text.lines().next().unwrap_or_default();
        let comment = line.trim_start().strip_prefix('#');
        let version = set_last.and_then(|it| self.config.versions.get_mut(it));
        let (Some(comment), Some(version)) = (comment, version) else {
            return span.clone();
        };
        version.comments.right = Some(comment.to_owned());
        span.start + line.len()..span.end
    }

    /// Comments above a variable at the head are the variable's.
    fn above(&mut self) -> Vec<String> {
        let skeleton = &mut self.config.skeleton.text;
        let content = |line: &str| {
            !line.trim().is_empty() && !line.trim_start().starts_with('#') && line.trim() != "---"
        };
        if skeleton.lines().any(content) {
            return Vec::new();
        }
        let mut comments = Vec::new();
        let mut kept = skeleton.trim_end_matches([' ', '\t']);
        while let Some(rest) = kept.strip_suffix('\n') {
            let start = rest.rfind('\n').map_or(0, |at| at + 1);
            let (before, line) = rest.split_at(start);
            let Some(comment) = line.trim_start().strip_prefix('#') else {
                break;
            };
            comments.insert(0, comment.to_owned());
            kept = before;
        }
        let length = kept.len();
        if !comments.is_empty() {
            skeleton.truncate(length);
        }
        comments
    }

    fn set(&mut self, action: &Action, name: &str, declares: bool, pipeline: &Pipeline) {
        let value = translate::pipeline(pipeline, &self.names);
        let comments = Comments {
            above: self.above(),
            ..Comments::default()
        };
        let known = self.names.find(name);
        if !declares && known.is_none() {
            self.lost(&Trouble::new(
                &action.span,
                format!("there is no variable `${name}`"),
            ));
            return;
        }
        if let Err(trouble) = &value {
            let finding = self.source.lost(trouble);
            self.config.findings.push(finding);
        }
        let number = match known.filter(|_| !declares) {
            Some(number) => number,
            None => self.declare(name),
        };
        self.assign(number, value, comments, &action.span);
    }

    fn declare(&mut self, name: &str) -> usize {
        let number = self.names.variables.len();
        let local = self.names.scopes.len() > 1;
        let name = name.to_owned();
        self.names.variables.push(Variable {
            name: name.clone(),
            current: 0,
            kind: Kind::Unknown,
            broken: false,
            local,
        });
        if let Some(scope) = self.names.scopes.last_mut() {
            scope.insert(name, number);
        }
        number
    }

    fn assign(
        &mut self,
        number: usize,
        value: Result<Expr, Trouble>,
        comments: Comments,
        span: &Range<usize>,
    ) {
        let version = self.config.versions.len();
        let Some(variable) = self.names.variables.get_mut(number) else {
            return;
        };
        variable.current = version;
        variable.kind = value.as_ref().map_or(Kind::Unknown, Expr::kind);
        variable.broken = value.is_err();
        let name = variable.name.clone();
        self.config.versions.push(Version {
            name,
            value,
            comments,
            span: span.clone(),
        });
        self.set_last = Some(version);
    }

    fn block(&mut self, block: &Block) -> Result<(), Trouble> {
        match self.heads(block) {
            Ok(heads) => self.arms(block, &heads),
            Err(trouble) => {
                self.lost(&trouble);
                for name in set_within(block) {
                    if let Some(number) = self.names.find(&name) {
                        self.assign(
                            number,
                            Err(trouble.clone()),
                            Comments::default(),
                            &block.span(),
                        );
                    }
                }
                Ok(())
            }
        }
    }

    /// What the arms ask, if all of it can be turned.
    fn heads(&self, block: &Block) -> Result<Vec<Expr>, Trouble> {
        if block.kind == BlockKind::Range {
            let advice = "a suite has no loops; write out the jobs or objects that it stands for";
            return Err(Trouble::new(&block.span(), advice));
        }
        let heads = block.arms.iter().map(|arm| {
            let test = translate::pipeline(&arm.pipeline, &self.names)?;
            match arm.variables.first() {
                Some(_) => Err(Trouble::new(
                    &arm.pipeline.span,
                    "set the variable before, not here",
                )),
                None => Ok(test),
            }
        });
        heads.collect()
    }

    fn arms(&mut self, block: &Block, tests: &[Expr]) -> Result<(), Trouble> {
        let number = self.config.constructs.len();
        let (has_else, span) = (block.otherwise.is_some(), block.span());
        self.config.constructs.push(Construct {
            tests: tests.to_vec(),
            has_else,
            span: span.clone(),
        });
        let before = self.names.variables.clone();
        let mut outcomes = Vec::new();
        let none = Vec::new();
        let bodies = block.arms.iter().map(|arm| &arm.body);
        let otherwise = block.otherwise.as_ref().map_or(&none, |(_, body)| body);
        for (arm, body) in bodies.chain([otherwise]).enumerate() {
            self.names.variables.truncate(before.len());
            self.names.variables.clone_from_slice(&before);
            self.names.scopes.push(BTreeMap::new());
            self.open.push((number, arm));
            let dot = tests
                .get(arm)
                .filter(|_| block.kind == BlockKind::With)
                .cloned();
            self.names.dots.extend(dot.clone());
            self.nodes(body)?;
            if dot.is_some() {
                self.names.dots.pop();
            }
            self.open.pop();
            self.names.scopes.pop();
            outcomes.push(
                self.names
                    .variables
                    .iter()
                    .take(before.len())
                    .cloned()
                    .collect(),
            );
        }
        self.set_last = None;
        self.names.variables = before;
        self.merge(tests, &outcomes, &span);
        Ok(())
    }

    /// A variable that was set in some arms holds what the conditions say.
    fn merge(&mut self, tests: &[Expr], outcomes: &[Vec<Variable>], span: &Range<usize>) {
        for number in 0..self.names.variables.len() {
            let after: Vec<&Variable> = outcomes.iter().filter_map(|arm| arm.get(number)).collect();
            let unchanged = self.names.variables.get(number).map(|it| it.current);
            if after.iter().all(|it| Some(it.current) == unchanged) {
                continue;
            }
            let value = if after.iter().any(|it| it.broken) {
                Err(Trouble::new(span, "what is set here could not be turned"))
            } else {
                let version = |it: &Variable| Expr::Version(it.current, it.kind);
                let last = after.last().map_or(Expr::Null, |it| version(it));
                let arms = tests.iter().zip(&after).rev();
                Ok(arms.fold(last, |otherwise, (test, it)| {
                    Expr::choice(version(it), test.clone(), otherwise)
                }))
            };
            let first = unchanged.and_then(|it| self.config.versions.get_mut(it));
            let comments = first
                .map(|it| std::mem::take(&mut it.comments))
                .unwrap_or_default();
            self.assign(number, value, comments, span);
        }
        self.set_last = None;
    }
}

/// Variables that a block sets.
fn set_within(block: &Block) -> Vec<String> {
    let bodies = block.arms.iter().map(|arm| &arm.body);
    let otherwise = block.otherwise.iter().map(|(_, body)| body);
    let mut names = Vec::new();
    for node in bodies.chain(otherwise).flatten() {
        match node {
            Node::Set {
                name,
                declares: false,
                ..
            } => names.push(name.clone()),
            Node::Block(inner) => names.extend(set_within(inner)),
            _ => {}
        }
    }
    names
}
