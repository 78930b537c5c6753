//! YAML as it is written: blocks, with comments.

use std::fmt::Write;

use super::expression::{Expr, Kind, Quotes};
use super::yaml::{Comments, Meaning, meaning};

#[derive(Debug, Clone)]
pub(super) enum Out {
    /// As it is.
    Ready(String),
    /// Several lines.
    Block(String),
    /// The value of an expression.
    Value(Expr),
    /// An expression without braces.
    Bare(Expr),
    /// Expressions within a text.
    Mixed(Vec<Expr>),
    List(Vec<(Comments, Out)>),
    Flow(Vec<Out>),
    Map(Vec<OutEntry>),
}

#[derive(Debug, Clone)]
pub(super) struct OutEntry {
    pub(super) key: String,
    pub(super) value: Out,
    pub(super) comments: Comments,
}

impl OutEntry {
    pub(super) fn new(key: &str, value: Out) -> Self {
        let (key, comments) = (key.to_owned(), Comments::default());
        Self {
            key,
            value,
            comments,
        }
    }

    /// A comment alone.
    pub(super) fn remark(comments: Vec<String>) -> Self {
        let comments = Comments {
            above: comments,
            ..Comments::default()
        };
        Self {
            key: String::new(),
            value: Out::Ready(String::new()),
            comments,
        }
    }
}

impl Out {
    /// A text, with quotes if it needs them.
    pub(super) fn text(text: &str) -> Self {
        if is_template(text) {
            return Self::Value(Expr::text(text));
        }
        Self::Ready(scalar(text))
    }

    /// Its comments, if there is nothing else in it.
    fn only_remarks(&self) -> Option<Vec<&String>> {
        match self {
            Self::Map(entries) if entries.iter().all(|entry| entry.key.is_empty()) => Some(
                entries
                    .iter()
                    .flat_map(|entry| &entry.comments.above)
                    .collect(),
            ),
            Self::List(items) => {
                let mut remarks = Vec::new();
                for (comments, item) in items {
                    remarks.extend(&comments.above);
                    match item {
                        Self::Ready(text) if text.is_empty() => {}
                        item => remarks.extend(item.only_remarks()?),
                    }
                }
                Some(remarks)
            }
            _ => None,
        }
    }

    /// All expressions in it.
    pub(super) fn expressions<'a>(&'a self, found: &mut Vec<&'a Expr>) {
        match self {
            Self::Ready(_) | Self::Block(_) => {}
            Self::Value(value) | Self::Bare(value) => found.push(value),
            Self::Mixed(parts) => found.extend(parts),
            Self::List(items) => items.iter().for_each(|(_, item)| item.expressions(found)),
            Self::Flow(items) => items.iter().for_each(|item| item.expressions(found)),
            Self::Map(entries) => entries
                .iter()
                .for_each(|entry| entry.value.expressions(found)),
        }
    }

    /// It has lists in it.
    fn is_long(&self) -> bool {
        let list = |entry: &OutEntry| matches!(entry.value, Self::List(_));
        matches!(self, Self::Map(entries) if entries.iter().any(list))
    }

    fn inline(&self, resolve: &dyn Fn(&Expr) -> Expr) -> Option<String> {
        Some(match self {
            Self::Ready(text) => text.clone(),
            Self::Value(value) => {
                let value = resolve(value);
                match &value {
                    Expr::Integer(_) | Expr::Float(_) | Expr::Bool(_) => {
                        value.written(Quotes::Single)
                    }
                    Expr::Null => "null".to_owned(),
                    Expr::Text(text) if !is_template(text) => scalar(text),
                    _ => quoted(&format!("{{{{ {} }}}}", value.written(Quotes::Single))),
                }
            }
            Self::Bare(value) => scalar(&resolve(value).written(Quotes::Single)),
            Self::Mixed(parts) => {
                let mut text = String::new();
                for part in parts {
                    match resolve(part) {
                        Expr::Text(part) if !is_template(&part) => text.push_str(&part),
                        part => {
                            let part = part.printable().written(Quotes::Single);
                            let _ = write!(text, "{{{{ {part} }}}}");
                        }
                    }
                }
                quoted(&text)
            }
            Self::Flow(items) => {
                let items: Option<Vec<String>> =
                    items.iter().map(|item| item.inline(resolve)).collect();
                format!("[{}]", items?.join(", "))
            }
            Self::List(_) if self.only_remarks().is_some() => "[]".to_owned(),
            Self::Map(_) if self.only_remarks().is_some() => "{}".to_owned(),
            Self::Block(_) | Self::List(_) | Self::Map(_) => return None,
        })
    }

    /// Writes the members of a map.
    pub(super) fn written(entries: &[OutEntry], resolve: &dyn Fn(&Expr) -> Expr) -> String {
        let mut writer = Writer {
            text: String::new(),
            resolve,
        };
        writer.entries(entries, 0, false);
        writer.text
    }
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// What a text is in YAML.
pub(super) fn scalar(text: &str) -> String {
    let first =
        |character: char| character.is_alphanumeric() || matches!(character, '/' | '.' | '_' | '(');
    let inner = |character: char| {
        !character.is_control() && !matches!(character, '{' | '}' | '[' | ']' | ',')
    };
    let safe = text.starts_with(first)
        && text.chars().all(inner)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' ']);
    if safe && meaning(text) == Meaning::Text {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// In double quotes.
pub(super) fn quoted(text: &str) -> String {
    // JSON is YAML.
    serde_json::Value::from(text).to_string()
}

struct Writer<'a> {
    text: String,
    resolve: &'a dyn Fn(&Expr) -> Expr,
}

impl Writer<'_> {
    fn line(&mut self, indent: usize, text: &str) {
        let line = format!("{}{text}", " ".repeat(indent));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn above(&mut self, comments: &Comments, indent: usize) {
        for comment in &comments.above {
            self.line(indent, &format!("#{comment}"));
        }
    }

    fn end_line(&mut self, comments: &Comments) {
        if let Some(comment) = &comments.right {
            let _ = write!(self.text, " #{comment}");
        }
        self.text.push('\n');
    }

    /// `started`: the first is on the line of its item.
    fn entries(&mut self, entries: &[OutEntry], indent: usize, mut started: bool) {
        for entry in entries {
            if !started {
                self.above(&entry.comments, indent);
            }
            if entry.key.is_empty() {
                continue;
            }
            if !started {
                for remark in entry.value.only_remarks().unwrap_or_default() {
                    self.line(indent, &format!("#{remark}"));
                }
                self.text.push_str(&" ".repeat(indent));
            }
            started = false;
            self.text.push_str(&scalar(&entry.key));
            self.text.push(':');
            self.value(&entry.value, &entry.comments, indent);
            for comment in &entry.comments.below {
                self.line(indent, &format!("#{comment}"));
            }
        }
    }

    fn value(&mut self, value: &Out, comments: &Comments, indent: usize) {
        if let Some(text) = value.inline(self.resolve) {
            if !text.is_empty() {
                self.text.push(' ');
                self.text.push_str(&text);
            }
            return self.end_line(comments);
        }
        match value {
            Out::Block(text) => self.block(text, comments, indent + 2),
            Out::Map(entries) => {
                self.end_line(comments);
                self.entries(entries, indent + 2, false);
            }
            Out::List(items) => {
                self.end_line(comments);
                self.items(items, indent + 2);
            }
            _ => self.end_line(comments),
        }
    }

    fn block(&mut self, text: &str, comments: &Comments, indent: usize) {
        let body = text.trim_end_matches('\n');
        self.text.push_str(match text.len() - body.len() {
            0 => " |-",
            1 => " |",
            _ => " |+",
        });
        self.end_line(comments);
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            let line = if line.is_empty() {
                String::new()
            } else {
                format!("{}{line}", " ".repeat(indent))
            };
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    fn items(&mut self, items: &[(Comments, Out)], indent: usize) {
        for (number, (comments, item)) in items.iter().enumerate() {
            if number > 0 && indent == 2 && item.is_long() {
                self.text.push('\n');
            }
            self.above(comments, indent);
            if let (Out::Map(_), Some(remarks)) = (item, item.only_remarks())
                && !remarks.is_empty()
            {
                remarks
                    .iter()
                    .for_each(|remark| self.line(indent, &format!("#{remark}")));
                continue;
            }
            if let Out::Map(entries) = item
                && let Some(first) = entries.iter().position(|entry| !entry.key.is_empty())
            {
                let (remarks, entries) = entries.split_at(first);
                remarks
                    .iter()
                    .for_each(|entry| self.above(&entry.comments, indent));
                if let Some(first) = entries.first() {
                    self.above(&first.comments, indent);
                }
                let _ = write!(self.text, "{}- ", " ".repeat(indent));
                self.entries(entries, indent + 2, true);
                continue;
            }
            if let Out::Ready(text) = item
                && text.is_empty()
            {
                // A comment alone.
                continue;
            }
            let _ = write!(self.text, "{}-", " ".repeat(indent));
            self.value(item, comments, indent);
        }
    }
}

/// A text of several lines: as a block, if a block can hold it.
pub(super) fn lines(text: &str) -> Out {
    let first = text
        .lines()
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let awkward = first.starts_with([' ', '\t']) || text.starts_with('\n') || is_template(text);
    let printable = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    if awkward || !text.contains('\n') || !text.chars().all(printable) || text.ends_with("\n\n") {
        return if is_template(text) {
            Out::Value(Expr::text(text))
        } else {
            Out::Ready(quoted(text))
        };
    }
    Out::Block(text.to_owned())
}

/// What an expression is as the text of something that takes a text.
pub(super) fn as_text(value: Expr) -> Out {
    match value.kind() {
        Kind::Text => Out::Value(value),
        _ => Out::Value(value.into_text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_they_were() {
        for text in [
            "plain",
            "",
            "12",
            "true",
            "a: b",
            "a #b",
            "- a",
            "{a",
            "it's",
            "\"q\"",
            "a\nb\n",
            "x ",
            "*a",
            "null",
            "0x1f",
            "http://a:80/b",
            "a,b",
            "\u{7}",
        ] {
            let written = format!("a: {}\n", scalar(text));
            let read = crate::import::yaml::read(&written).unwrap();
            let value = read.roots[0].member("a").unwrap().as_scalar().unwrap();
            assert_eq!(value.value, text, "{written}");
            assert!(
                !value.is_plain() || meaning(text) == Meaning::Text,
                "{written}"
            );
        }
    }

    #[test]
    fn blocks_are_read_as_they_were() {
        for text in [
            "a\nb\n", "a\n\n  b", "a\n\n\n", " a\nb\n", "\na\n", "a\tb\nc",
        ] {
            let entries = [OutEntry::new(
                "a",
                Out::Map(vec![OutEntry::new("b", lines(text))]),
            )];
            let written = Out::written(&entries, &Expr::clone);
            let read = crate::import::yaml::read(&written).unwrap();
            let value = read.roots[0]
                .member("a")
                .unwrap()
                .member("b")
                .unwrap()
                .as_scalar()
                .unwrap();
            assert_eq!(value.value, text, "{written}");
        }
    }
}
