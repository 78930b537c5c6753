//! From tokens to a tree.

use std::ops::Range;

use super::ast::{Action, Arm, Block, BlockKind, Node, Pipeline, Term, TermKind};
use super::lexer::{Lexeme, Piece, Token, pieces};
use crate::import::source::Trouble;

/// Deeper nesting than this is nobody's template.
const DEEPEST: usize = 100;

/// Reads a template.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, Trouble> {
    let mut pieces = pieces(text)?;
    pieces.reverse();
    let mut parser = Parser { pieces, depth: 0 };
    let (nodes, stop) = parser.nodes()?;
    match stop {
        None => Ok(nodes),
        Some(stop) => Err(Trouble::new(
            &stop.action.span,
            "nothing is open here that this could belong to",
        )),
    }
}

struct Parser {
    /// What is left, the next one last.
    pieces: Vec<Piece>,
    depth: usize,
}

/// `else` or `end`, with what follows the word.
struct Stop {
    action: Action,
    is_end: bool,
    words: Vec<Lexeme>,
}

impl Parser {
    fn nodes(&mut self) -> Result<(Vec<Node>, Option<Stop>), Trouble> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.pop() {
            let (action, words) = match piece {
                Piece::Text(span) => {
                    nodes.push(Node::Text(span));
                    continue;
                }
                Piece::Comment(action, text) => {
                    nodes.push(Node::Comment { action, text });
                    continue;
                }
                Piece::Action(action, words) => (action, words),
            };
            match keyword(&words) {
                Some(word @ ("end" | "else")) => {
                    let is_end = word == "end";
                    let words = words.into_iter().skip(1).collect();
                    return Ok((
                        nodes,
                        Some(Stop {
                            action,
                            is_end,
                            words,
                        }),
                    ));
                }
                Some("if") => nodes.push(self.block(BlockKind::If, action, &words)?),
                Some("with") => nodes.push(self.block(BlockKind::With, action, &words)?),
                Some("range") => nodes.push(self.block(BlockKind::Range, action, &words)?),
                Some(word @ ("define" | "block")) => {
                    let keyword = word.to_owned();
                    let span = action.span.start..self.skipped(&action)?.span.end;
                    nodes.push(Node::Other {
                        action,
                        keyword,
                        span,
                    });
                }
                Some(word @ ("template" | "break" | "continue")) => {
                    let (keyword, span) = (word.to_owned(), action.span.clone());
                    nodes.push(Node::Other {
                        action,
                        keyword,
                        span,
                    });
                }
                _ => nodes.push(plain(action, &words)?),
            }
        }
        Ok((nodes, None))
    }

    /// Passes over a body, up to its end.
    fn skipped(&mut self, opened: &Action) -> Result<Action, Trouble> {
        match self.body(opened)? {
            (_, stop) if stop.is_end => Ok(stop.action),
            (_, stop) => Err(Trouble::new(
                &stop.action.span,
                "`else` has no meaning here",
            )),
        }
    }

    fn body(&mut self, opened: &Action) -> Result<(Vec<Node>, Stop), Trouble> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Trouble::new(&opened.span, "it is nested too deeply"));
        }
        let (nodes, stop) = self.nodes()?;
        self.depth -= 1;
        let unclosed = || Trouble::new(&opened.span, "it is not closed: `{{ end }}` is missing");
        Ok((nodes, stop.ok_or_else(unclosed)?))
    }

    fn block(
        &mut self,
        kind: BlockKind,
        action: Action,
        words: &[Lexeme],
    ) -> Result<Node, Trouble> {
        let mut arms = Vec::new();
        let (mut action, mut words) = (action, words.get(1..).unwrap_or_default().to_vec());
        loop {
            let (variables, declares, pipeline) = head(&action, &words)?;
            let (body, stop) = self.body(&action)?;
            arms.push(Arm {
                action,
                variables,
                declares,
                pipeline,
                body,
            });
            if stop.is_end {
                return finished(kind, arms, None, stop);
            }
            let again = match (kind, keyword(&stop.words)) {
                (_, None) => false,
                (BlockKind::If, Some("if")) | (BlockKind::With, Some("with")) => true,
                (_, Some(_)) => {
                    return Err(Trouble::new(
                        &stop.action.span,
                        "this `else` does not fit what it belongs to",
                    ));
                }
            };
            if !again {
                let (body, end) = self.body(&stop.action)?;
                if !end.is_end {
                    return Err(Trouble::new(&end.action.span, "there was an `else` before"));
                }
                return finished(kind, arms, Some((stop.action, body)), end);
            }
            action = stop.action;
            words = stop.words.into_iter().skip(1).collect();
        }
    }
}

fn finished(
    kind: BlockKind,
    arms: Vec<Arm>,
    otherwise: Option<(Action, Vec<Node>)>,
    stop: Stop,
) -> Result<Node, Trouble> {
    match stop.words.first() {
        Some(word) => Err(Trouble::new(&word.span, "nothing may follow `end`")),
        None => Ok(Node::Block(Block {
            kind,
            arms,
            otherwise,
            end: stop.action,
        })),
    }
}

fn keyword(words: &[Lexeme]) -> Option<&str> {
    match &words.first()?.token {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

fn plain(action: Action, words: &[Lexeme]) -> Result<Node, Trouble> {
    let (mut variables, declares, pipeline) = head(&action, words)?;
    match variables.pop() {
        None => Ok(Node::Output { action, pipeline }),
        Some(name) if variables.is_empty() => Ok(Node::Set {
            action,
            name,
            declares,
            pipeline,
        }),
        Some(_) => Err(Trouble::new(
            &action.span,
            "two variables are set only by `range`",
        )),
    }
}

/// `$x := pipeline`, `$k, $v := pipeline` or a pipeline alone.
fn head(action: &Action, words: &[Lexeme]) -> Result<(Vec<String>, bool, Pipeline), Trouble> {
    let sets = |word: &Lexeme| matches!(word.token, Token::Assign | Token::Declare);
    let Some(at) = words.iter().position(sets) else {
        return Ok((Vec::new(), false, pipeline(action, words)?));
    };
    let (names, values) = words.split_at(at);
    let mut variables = Vec::new();
    for (number, word) in names.iter().enumerate() {
        match &word.token {
            Token::Variable(name) if number.is_multiple_of(2) && !name.is_empty() => {
                variables.push(name.clone());
            }
            Token::Comma if number == 1 => {}
            _ => return Err(Trouble::new(&word.span, "only variables can be set")),
        }
    }
    if variables.is_empty() || variables.len() * 2 - 1 != names.len() {
        return Err(Trouble::new(&action.span, "only variables can be set"));
    }
    let declares = values
        .first()
        .is_some_and(|word| word.token == Token::Declare);
    let values = values.get(1..).unwrap_or_default();
    Ok((variables, declares, pipeline(action, values)?))
}

fn pipeline(action: &Action, words: &[Lexeme]) -> Result<Pipeline, Trouble> {
    let mut reader = Reader {
        words,
        at: 0,
        depth: 0,
        whole: &action.span,
    };
    let pipeline = reader.pipeline()?;
    match words.get(reader.at) {
        Some(word) => Err(Trouble::new(
            &word.span,
            "this does not fit what stands before it",
        )),
        None => Ok(pipeline),
    }
}

struct Reader<'a> {
    words: &'a [Lexeme],
    at: usize,
    depth: usize,
    whole: &'a Range<usize>,
}

impl Reader<'_> {
    fn pipeline(&mut self) -> Result<Pipeline, Trouble> {
        let mut commands = Vec::new();
        loop {
            commands.push(self.command()?);
            match self.words.get(self.at).map(|word| &word.token) {
                Some(Token::Pipe) => self.at += 1,
                _ => break,
            }
        }
        let spans = commands.iter().flatten().map(|term: &Term| &term.span);
        let start = spans
            .clone()
            .map(|span| span.start)
            .min()
            .unwrap_or(self.whole.start);
        let end = spans.map(|span| span.end).max().unwrap_or(self.whole.end);
        Ok(Pipeline {
            span: start..end,
            commands,
        })
    }

    fn command(&mut self) -> Result<Vec<Term>, Trouble> {
        let mut terms = Vec::new();
        while let Some(term) = self.term()? {
            terms.push(term);
        }
        if terms.is_empty() {
            let span = self
                .words
                .get(self.at)
                .map_or(self.whole, |word| &word.span);
            return Err(Trouble::new(span, "a value is missing here"));
        }
        Ok(terms)
    }

    fn term(&mut self) -> Result<Option<Term>, Trouble> {
        let Some(word) = self.words.get(self.at) else {
            return Ok(None);
        };
        let mut chain = Vec::new();
        let kind = match &word.token {
            Token::Word(word) => match word.as_str() {
                "true" => TermKind::Bool(true),
                "false" => TermKind::Bool(false),
                "nil" => TermKind::Nil,
                _ => TermKind::Function(word.clone()),
            },
            Token::Field(name) => {
                chain.push(name.clone());
                TermKind::Dot
            }
            Token::Dot => TermKind::Dot,
            Token::Variable(name) => TermKind::Variable(name.clone()),
            Token::Text(text) => TermKind::Text(text.clone()),
            Token::Integer(value) => TermKind::Integer(*value),
            Token::Float(text) => TermKind::Float(text.clone()),
            Token::Open => self.nested(word)?,
            Token::Pipe | Token::Close => return Ok(None),
            Token::Comma | Token::Assign | Token::Declare => {
                return Err(Trouble::new(&word.span, "this has no meaning here"));
            }
        };
        let start = word.span.start;
        let mut end = self
            .words
            .get(self.at)
            .map_or(word.span.end, |word| word.span.end);
        self.at += 1;
        while let Some(Lexeme {
            span,
            spaced: false,
            token: Token::Field(name),
        }) = self.words.get(self.at)
        {
            chain.push(name.clone());
            end = span.end;
            self.at += 1;
        }
        Ok(Some(Term {
            span: start..end,
            kind,
            chain,
        }))
    }

    /// What stands in parentheses; `at` is then at the closing one.
    fn nested(&mut self, opened: &Lexeme) -> Result<TermKind, Trouble> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Trouble::new(&opened.span, "it is nested too deeply"));
        }
        self.at += 1;
        let inner = self.pipeline()?;
        self.depth -= 1;
        match self.words.get(self.at).map(|word| &word.token) {
            Some(Token::Close) => Ok(TermKind::Nested(Box::new(inner))),
            _ => Err(Trouble::new(
                &opened.span,
                "it is not closed: `)` is missing",
            )),
        }
    }
}
