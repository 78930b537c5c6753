//! YAML as a tree that knows its places and its comments.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Range;

use granit_parser::{Event, Parser, Placement, ScalarStyle, Span, StrInput, StructureStyle};

use super::source::Trouble;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Scalar(Scalar),
    List(List),
    Map(Map),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scalar {
    /// Without quotes and escapes.
    pub(super) value: String,
    pub(super) style: ScalarStyle,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct List {
    pub(super) items: Vec<Item>,
    pub(super) flow: bool,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Map {
    pub(super) entries: Vec<Entry>,
    pub(super) flow: bool,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) node: Node,
    pub(super) comments: Comments,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: Scalar,
    pub(super) node: Node,
    pub(super) comments: Comments,
}

/// What stands above and to the right, without the number sign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comments {
    pub(super) above: Vec<String>,
    pub(super) right: Option<String>,
    /// Behind the last member of a map, as far in as the members.
    pub(super) below: Vec<String>,
}

/// A text's documents, and where its comments are.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) roots: Vec<Node>,
    pub(super) comments: Vec<Range<usize>>,
    /// Comments behind the last node.
    pub(super) trailing: Vec<String>,
}

impl Node {
    pub(super) fn span(&self) -> &Range<usize> {
        match self {
            Self::Scalar(scalar) => &scalar.span,
            Self::List(list) => &list.span,
            Self::Map(map) => &map.span,
        }
    }

    pub(super) fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(super) fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        self.as_map()?.get(name).map(|entry| &entry.node)
    }

    /// All scalars in it, keys too.
    pub(super) fn scalars<'a>(&'a self, found: &mut Vec<&'a Scalar>) {
        match self {
            Self::Scalar(scalar) => found.push(scalar),
            Self::List(list) => list.items.iter().for_each(|item| item.node.scalars(found)),
            Self::Map(map) => {
                for entry in &map.entries {
                    found.push(&entry.key);
                    entry.node.scalars(found);
                }
            }
        }
    }
}

impl Map {
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key.value == name)
    }
}

impl Scalar {
    pub(super) fn is_plain(&self) -> bool {
        self.style == ScalarStyle::Plain
    }

    pub(super) fn is_block(&self) -> bool {
        matches!(self.style, ScalarStyle::Literal | ScalarStyle::Folded)
    }
}

/// What a plain scalar means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text,
}

/// What YAML's core schema makes of a plain scalar.
pub(super) fn meaning(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "true" | "True" | "TRUE" => return Meaning::Bool(true),
        "false" | "False" | "FALSE" => return Meaning::Bool(false),
        _ => {}
    }
    let radix = |prefix: &str, radix| {
        let digits = text.strip_prefix(prefix)?;
        i64::from_str_radix(digits, radix)
            .ok()
            .filter(|_| !digits.starts_with(['+', '-']))
    };
    if let Some(value) = text
        .parse()
        .ok()
        .or_else(|| radix("0x", 16))
        .or_else(|| radix("0o", 8))
    {
        return Meaning::Integer(value);
    }
    let digits = text.bytes().any(|it| it.is_ascii_digit());
    let float = text
        .bytes()
        .all(|it| it.is_ascii_digit() || matches!(it, b'.' | b'+' | b'-' | b'e' | b'E'));
    match text.parse() {
        Ok(value) if digits && float => Meaning::Float(value),
        _ => Meaning::Text,
    }
}

/// Reads all documents of a text.
pub(super) fn read(text: &str) -> Result<Documents, Trouble> {
    let options = granit_parser::options! { max_buffered_comment_events: 100_000 };
    let mut reader = Reader {
        events: Parser::new_from_str_with_options(text, options).peekable(),
        documents: Documents::default(),
        pending: Vec::new(),
        anchors: BTreeMap::new(),
    };
    while let Some((event, span)) = reader.next()? {
        if event.is_node() {
            let root = reader.node(&event, &range(span))?;
            reader.documents.roots.push(root);
        }
    }
    reader.documents.trailing = reader.above();
    Ok(reader.documents)
}

fn range(span: Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}

struct Reader<'a> {
    events: Peekable<Parser<'a, StrInput<'a>>>,
    documents: Documents,
    /// Comments that belong to what comes next, each with its column.
    pending: Vec<(usize, String)>,
    anchors: BTreeMap<usize, Node>,
}

impl<'a> Reader<'a> {
    /// The next event that is no comment.
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Trouble> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Err(error)) => {
                    let at = error.marker().byte_offset().unwrap_or_default();
                    return Err(Trouble::new(&(at..at), error.info()));
                }
                Some(Ok((Event::Comment(text, _), span))) => {
                    self.documents.comments.push(range(span));
                    self.pending.push((span.start.col(), text.into_owned()));
                }
                Some(Ok(other)) => return Ok(Some(other)),
            }
        }
    }

    /// The comments before what comes next.
    fn above(&mut self) -> Vec<String> {
        self.pending.drain(..).map(|(_, text)| text).collect()
    }

    /// A comment on the same line, if it is next.
    fn right(&mut self) -> Option<String> {
        let is_right = |event: &_| matches!(event, Ok((Event::Comment(_, Placement::Right), _)));
        match self.events.next_if(is_right) {
            Some(Ok((Event::Comment(text, _), span))) => {
                self.documents.comments.push(range(span));
                Some(text.into_owned())
            }
            _ => None,
        }
    }

    fn node(&mut self, event: &Event<'a>, span: &Range<usize>) -> Result<Node, Trouble> {
        let node = match event {
            Event::Scalar(value, style, ..) => Node::Scalar(Scalar {
                // What is not there has the value `~`.
                value: if span.is_empty() {
                    String::new()
                } else {
                    value.to_string()
                },
                style: *style,
                span: span.clone(),
            }),
            Event::SequenceStart(style, ..) => self.list(*style, span)?,
            Event::MappingStart(style, ..) => self.map(*style, span)?,
            Event::Alias(anchor) => {
                let found = self.anchors.get(anchor).cloned();
                return found.ok_or_else(|| Trouble::new(span, "this alias names nothing"));
            }
            _ => return Err(Trouble::new(span, "a value is missing here")),
        };
        if let Some(anchor) = event.anchor_id() {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, style: StructureStyle, span: &Range<usize>) -> Result<Node, Trouble> {
        let mut items = Vec::new();
        loop {
            let (event, found) = self
                .next()?
                .ok_or_else(|| Trouble::new(span, "this list has no end"))?;
            let found = range(found);
            if event == Event::SequenceEnd {
                let (flow, span) = (style == StructureStyle::Flow, span.start..found.end);
                return Ok(Node::List(List { items, flow, span }));
            }
            let above = self.above();
            let node = self.node(&event, &found)?;
            let right = self.right();
            items.push(Item {
                node,
                comments: Comments {
                    above,
                    right,
                    below: Vec::new(),
                },
            });
        }
    }

    fn map(&mut self, style: StructureStyle, span: &Range<usize>) -> Result<Node, Trouble> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut column = usize::MAX;
        loop {
            let open = || Trouble::new(span, "this map has no end");
            let (event, found) = self.next()?.ok_or_else(open)?;
            let within = found.start.col();
            let found = range(found);
            if event == Event::MappingEnd {
                let count = self
                    .pending
                    .iter()
                    .take_while(|(at, _)| *at >= column)
                    .count();
                let below = self.pending.drain(..count).map(|(_, text)| text);
                if let Some(last) = entries.last_mut() {
                    last.comments.below = below.collect();
                }
                let (flow, span) = (style == StructureStyle::Flow, span.start..found.end);
                return Ok(Node::Map(Map {
                    entries,
                    flow,
                    span,
                }));
            }
            column = within;
            let above = self.above();
            let Node::Scalar(key) = self.node(&event, &found)? else {
                return Err(Trouble::new(&found, "only texts can be keys"));
            };
            let beside_key = self.right();
            let (event, found) = self.next()?.ok_or_else(open)?;
            let node = self.node(&event, &range(found))?;
            let right = beside_key.or_else(|| self.right());
            entries.push(Entry {
                key,
                node,
                comments: Comments {
                    above,
                    right,
                    below: Vec::new(),
                },
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_belong_to_what_they_stand_at() {
        let text = "# head\na: 1 # one\nb: # two\n  # first\n  - x # ex\n  # second\n  - y: 1\n    # low\nc: 1\n# end\n";
        let documents = read(text).unwrap();
        let map = documents.roots[0].as_map().unwrap();
        let comments = |at: usize| map.entries[at].comments.clone();
        assert_eq!(comments(0).right.as_deref(), Some(" one"));
        assert_eq!(comments(1).right.as_deref(), Some(" two"));
        let Node::List(list) = &map.entries[1].node else {
            panic!("no list");
        };
        assert_eq!(list.items[0].comments.above, [" first"]);
        assert_eq!(list.items[0].comments.right.as_deref(), Some(" ex"));
        assert_eq!(list.items[1].comments.above, [" second"]);
        assert_eq!(
            list.items[1].node.as_map().unwrap().entries[0]
                .comments
                .below,
            [" low"]
        );
        assert_eq!(comments(2).below, [" end"]);
        assert_eq!(documents.comments.len(), 8);
    }

    #[test]
    fn spans_are_those_of_the_text() {
        let text = "a: \"x\\ty\"\nb: |\n  é\n  z\nc: [1, *k]\n";
        let text = text.replace("[1", "[&k 1");
        let documents = read(&text).unwrap();
        let mut scalars = Vec::new();
        documents.roots[0].scalars(&mut scalars);
        let sources: Vec<&str> = scalars.iter().map(|it| &text[it.span.clone()]).collect();
        assert_eq!(sources[..3], ["a", "\"x\\ty\"", "b"]);
        assert_eq!(scalars[3].value, "é\nz\n");
        assert_eq!(scalars[6].value, "1");
    }

    #[test]
    fn plain_scalars_have_meanings() {
        for (text, expected) in [
            ("", Meaning::Null),
            ("true", Meaning::Bool(true)),
            ("yes", Meaning::Text),
            ("12", Meaning::Integer(12)),
            ("0x1f", Meaning::Integer(31)),
            ("1.50", Meaning::Float(1.5)),
            ("1e3", Meaning::Float(1000.0)),
            ("nan", Meaning::Text),
            ("-", Meaning::Text),
            ("1.2.3", Meaning::Text),
            ("15s", Meaning::Text),
        ] {
            assert_eq!(meaning(text), expected, "{text}");
        }
    }
}
