//! A text with a name, and what is said about places in it.

use std::fmt;
use std::ops::Range;

/// A file's text, in which offsets are bytes.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

/// Something that the author of a file should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// It was left out; otherwise it is only worth knowing.
    pub lost: bool,
    /// The construct or field, as it stands in the file.
    pub construct: String,
    /// Why, and what to do.
    pub advice: String,
}

/// What is wrong with a part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) span: Range<usize>,
    pub(super) advice: String,
}

impl Trouble {
    pub(super) fn new(span: &Range<usize>, advice: impl Into<String>) -> Self {
        let (span, advice) = (span.clone(), advice.into());
        Self { span, advice }
    }
}

impl Source {
    pub(super) fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// Line and column of an offset.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = self.text.get(..offset).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        (
            line,
            before.get(start..).unwrap_or_default().chars().count() + 1,
        )
    }

    fn finding(&self, span: &Range<usize>, lost: bool, advice: &str) -> Finding {
        let (line, column) = self.place(span.start);
        Finding {
            file: self.name.clone(),
            line,
            column,
            lost,
            construct: brief(self.slice(span)),
            advice: advice.to_owned(),
        }
    }

    /// Something that could not be turned.
    pub(super) fn lost(&self, trouble: &Trouble) -> Finding {
        self.finding(&trouble.span, true, &trouble.advice)
    }

    /// Something worth knowing.
    pub(super) fn note(&self, span: &Range<usize>, advice: &str) -> Finding {
        self.finding(span, false, advice)
    }
}

/// The first line of a construct, if it is short enough to be quoted.
fn brief(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.trim().lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(LONGEST).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    short
}

impl Finding {
    /// The mark that is left in the written file.
    pub(super) fn mark(&self) -> String {
        let Self {
            file,
            line,
            column,
            construct,
            advice,
            ..
        } = self;
        format!("import: could not turn {file}:{line}:{column}: `{construct}`: {advice}")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            lost,
            construct,
            advice,
        } = self;
        let what = if *lost { "could not turn" } else { "note:" };
        write!(
            formatter,
            "{file}:{line}:{column}: {what} `{construct}`: {advice}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_from_one() {
        let source = Source {
            name: "a.yml".to_owned(),
            text: "ä: 1\nб: {{ x }}\n".to_owned(),
        };
        assert_eq!(source.place(0), (1, 1));
        assert_eq!(source.place(2), (1, 2));
        let at = source.text.find("{{").unwrap();
        assert_eq!(source.place(at), (2, 4));
        assert_eq!(source.place(9_999), (3, 1));
    }
}
