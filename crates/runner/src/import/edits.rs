//! Changes to a skeleton's text, and the template that comes of them.

use std::ops::Range;

use super::skeleton::Skeleton;

/// What stands in place of a piece of the text.
pub(super) type Edit = (Range<usize>, String);

/// The text with all changes; what is left of constructs is put in as it is.
pub(super) fn applied(skeleton: &Skeleton, mut edits: Vec<Edit>) -> String {
    edits.extend(
        skeleton
            .padding
            .iter()
            .map(|span| (span.clone(), String::new())),
    );
    let replaced: Vec<Range<usize>> = edits.iter().map(|(span, _)| span.clone()).collect();
    for (at, character) in skeleton.text.char_indices() {
        let covered = |span: &Range<usize>| span.contains(&at);
        if let Some(atom) = skeleton
            .atom(character)
            .filter(|_| !replaced.iter().any(covered))
        {
            edits.push((at..at + character.len_utf8(), atom.raw.clone()));
        }
    }
    // Stable: what stands at the same place keeps its order.
    edits.sort_by_key(|(span, _)| (span.start, span.end));
    let mut text = String::new();
    let mut at = 0;
    for (span, put_in) in edits {
        if span.start < at {
            continue;
        }
        let kept = skeleton.text.get(at..span.start).unwrap_or_default();
        push_escaped(&mut text, kept, put_in.starts_with('{'));
        text.push_str(&put_in);
        at = span.end;
    }
    push_escaped(
        &mut text,
        skeleton.text.get(at..).unwrap_or_default(),
        false,
    );
    text
}

/// Text that minijinja would take for a statement or a comment is put in as a value.
fn push_escaped(text: &mut String, kept: &str, before_brace: bool) {
    let mut characters = kept.chars().peekable();
    while let Some(character) = characters.next() {
        let opens = match characters.peek() {
            Some(next) => matches!(next, '%' | '#'),
            None => before_brace,
        };
        if character == '{' && opens {
            text.push_str("{{ \"{\" | safe }}");
        } else {
            text.push(character);
        }
    }
}
