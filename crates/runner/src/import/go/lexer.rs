//! From text to tokens.

use std::ops::Range;

use super::ast::Action;
use crate::import::source::Trouble;

/// Text, or what stands between braces.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(Range<usize>),
    Comment(Action, String),
    Action(Action, Vec<Lexeme>),
}

/// A token; `spaced` if white space stands before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lexeme {
    pub(super) span: Range<usize>,
    pub(super) spaced: bool,
    pub(super) token: Token,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Field(String),
    Variable(String),
    Text(String),
    Integer(i64),
    Float(String),
    Dot,
    Pipe,
    Comma,
    Assign,
    Declare,
    Open,
    Close,
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Cuts a template into pieces.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Trouble> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(found) = rest(text, at).find(OPEN) {
        let start = at + found;
        if start > at {
            pieces.push(Piece::Text(at..start));
        }
        let piece = Lexer { text, at: start }.piece()?;
        at = match &piece {
            Piece::Text(span) => span.end,
            Piece::Comment(action, _) | Piece::Action(action, _) => action.span.end,
        };
        pieces.push(piece);
    }
    if at < text.len() {
        pieces.push(Piece::Text(at..text.len()));
    }
    Ok(pieces)
}

fn rest(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        rest(self.text, self.at)
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    fn eat_while(&mut self, accepted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|character| !accepted(character))
            .unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// The end of an action, if it is here: its length, and whether it takes white space away.
    fn closing(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with(CLOSE) {
            return Some((CLOSE.len(), false));
        }
        let inner = rest.trim_start_matches(is_space);
        let dashed = inner.len() < rest.len() && inner.starts_with("-}}");
        dashed.then(|| (rest.len() - inner.len() + "-}}".len(), true))
    }

    fn piece(&mut self) -> Result<Piece, Trouble> {
        let start = self.at;
        self.at += OPEN.len();
        let mut after = self.rest().chars();
        let trims_left = after.next() == Some('-') && after.next().is_some_and(is_space);
        if trims_left {
            self.at += 1;
        }
        let comment = self.rest().trim_start_matches(is_space).starts_with("/*");
        if comment {
            self.eat_while(is_space);
            return self.comment(start, trims_left);
        }
        let mut lexemes = Vec::new();
        loop {
            if let Some((length, trims_right)) = self.closing() {
                self.at += length;
                let span = start..self.at;
                return Ok(Piece::Action(
                    Action {
                        span,
                        trims_left,
                        trims_right,
                    },
                    lexemes,
                ));
            }
            let spaced = !self.eat_while(is_space).is_empty();
            if self.closing().is_some() {
                continue;
            }
            if self.rest().is_empty() {
                let opened = start..start + OPEN.len();
                return Err(Trouble::new(
                    &opened,
                    "the braces are not closed: `}}` is missing",
                ));
            }
            let from = self.at;
            let token = self.token()?;
            lexemes.push(Lexeme {
                span: from..self.at,
                spaced,
                token,
            });
        }
    }

    fn comment(&mut self, start: usize, trims_left: bool) -> Result<Piece, Trouble> {
        let opened = start..self.at + "/*".len();
        let unclosed = |advice: &str| Trouble::new(&opened, advice);
        self.at += "/*".len();
        let inner = self.rest();
        let length = inner
            .find("*/")
            .ok_or_else(|| unclosed("the comment is not closed: `*/` is missing"))?;
        self.at += length + "*/".len();
        let Some((closing, trims_right)) = self.closing() else {
            return Err(unclosed(
                "a comment stands alone between its braces: `{{/* … */}}`",
            ));
        };
        self.at += closing;
        let span = start..self.at;
        let text = inner.get(..length).unwrap_or_default().trim().to_owned();
        Ok(Piece::Comment(
            Action {
                span,
                trims_left,
                trims_right,
            },
            text,
        ))
    }

    fn token(&mut self) -> Result<Token, Trouble> {
        let start = self.at;
        for (text, token) in [
            (":=", Token::Declare),
            ("=", Token::Assign),
            ("|", Token::Pipe),
            (",", Token::Comma),
            ("(", Token::Open),
            (")", Token::Close),
        ] {
            if self.eat(text) {
                return Ok(token);
            }
        }
        match self.peek() {
            Some('"') => self.quoted(),
            Some('`') => self.raw(),
            Some('\'') => self.character(),
            Some('.')
                if !self
                    .rest()
                    .chars()
                    .nth(1)
                    .is_some_and(|it| it.is_ascii_digit()) =>
            {
                self.at += 1;
                let name = self.eat_while(is_word);
                Ok(if name.is_empty() {
                    Token::Dot
                } else {
                    Token::Field(name.to_owned())
                })
            }
            Some('$') => {
                self.at += 1;
                Ok(Token::Variable(self.eat_while(is_word).to_owned()))
            }
            Some(digit) if digit.is_ascii_digit() || matches!(digit, '+' | '-' | '.') => {
                self.number()
            }
            Some(letter) if is_word(letter) => Ok(Token::Word(self.eat_while(is_word).to_owned())),
            other => {
                let length = other.map_or(0, char::len_utf8);
                let advice = "this character has no meaning between braces";
                Err(Trouble::new(&(start..start + length), advice))
            }
        }
    }

    fn number(&mut self) -> Result<Token, Trouble> {
        let start = self.at;
        let sign = self.eat_while(|it| matches!(it, '+' | '-'));
        let digits = self.eat_while(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | '_'));
        let exponent = digits.ends_with(['e', 'E']) && !digits.starts_with("0x");
        let tail = if exponent && matches!(self.peek(), Some('+' | '-')) {
            self.at += 1;
            self.eat_while(|it| it.is_ascii_digit());
            rest(self.text, start)
                .get(sign.len() + digits.len()..self.at - start)
                .unwrap_or_default()
        } else {
            ""
        };
        let plain = format!("{sign}{digits}{tail}").replace('_', "");
        let whole = integer(&plain).map(Token::Integer);
        let float = || plain.parse::<f64>().ok().filter(|it| it.is_finite());
        whole
            .or_else(|| float().map(|value| Token::Float(format!("{value:?}"))))
            .ok_or_else(|| Trouble::new(&(start..self.at), "this is no number"))
    }

    fn raw(&mut self) -> Result<Token, Trouble> {
        let start = self.at;
        self.at += 1;
        let text = self.eat_while(|it| it != '`').to_owned();
        if self.eat("`") {
            return Ok(Token::Text(text));
        }
        Err(Trouble::new(
            &(start..start + 1),
            "the text is not closed: a backquote is missing",
        ))
    }

    fn character(&mut self) -> Result<Token, Trouble> {
        let start = self.at;
        self.at += 1;
        let value = self.unescaped(start)?;
        if !self.eat("'") {
            return Err(Trouble::new(
                &(start..self.at),
                "this is no single character",
            ));
        }
        Ok(Token::Integer(i64::from(u32::from(value))))
    }

    fn quoted(&mut self) -> Result<Token, Trouble> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while !self.eat("\"") {
            text.push(self.unescaped(start)?);
        }
        Ok(Token::Text(text))
    }

    /// The next character of a text that began at `start`.
    fn unescaped(&mut self, start: usize) -> Result<char, Trouble> {
        let unclosed = || {
            Trouble::new(
                &(start..start + 1),
                "the text is not closed: a quote is missing",
            )
        };
        let first = self.peek().filter(|it| *it != '\n').ok_or_else(unclosed)?;
        self.at += first.len_utf8();
        if first != '\\' {
            return Ok(first);
        }
        let from = self.at - 1;
        let letter = self.peek().ok_or_else(unclosed)?;
        self.at += letter.len_utf8();
        let simple = match letter {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '"' | '\'' => letter,
            _ => '\0',
        };
        if simple != '\0' {
            return Ok(simple);
        }
        let (digits, radix) = match letter {
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => {
                self.at -= 1;
                (3, 8)
            }
            _ => (0, 16),
        };
        let code = self.rest().get(..digits).unwrap_or_default();
        let value = u32::from_str_radix(code, radix)
            .ok()
            .filter(|_| code.len() == digits);
        self.at += code.len();
        // A byte above ASCII is a part of a character, and cannot stand alone here.
        let whole = |value: &u32| matches!(letter, 'u' | 'U') || *value < 0x80;
        let character = value.filter(whole).and_then(char::from_u32);
        character.ok_or_else(|| Trouble::new(&(from..self.at), "this escape is unknown"))
    }
}

/// A whole number as Go writes it.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.get(..2) {
        Some("0x") => (lower.get(2..)?, 16),
        Some("0b") => (lower.get(2..)?, 2),
        Some("0o") => (lower.get(2..)?, 8),
        Some(_) if lower.starts_with('0') && lower.bytes().all(|it| it.is_ascii_digit()) => {
            (lower.get(1..)?, 8)
        }
        _ => (&*lower, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}
