//! Takes out of records what no document needs, before they are typed.
//!
//! Prompts, responses and arguments are most of a record's text. A typed parser would look at each
//! of their bytes just to pass over them; here they are passed over 64 bytes at a step.

use memchr::memmem::Finder;

use super::structure::{StringState, end_of_container, step_at};

/// Members to take out, in the order in which GuideLLM writes them.
pub(crate) struct HeavyMembers {
    /// Each one's key with its colon. In JSON such text is a key, never a part of a string, in
    /// which its second quote would be escaped.
    keys: Vec<Finder<'static>>,
}

impl HeavyMembers {
    pub(crate) fn new(names: &[&str]) -> Self {
        let key = |name: &&str| Finder::new(format!("\"{name}\":").as_bytes()).into_owned();
        Self {
            keys: names.iter().map(key).collect(),
        }
    }

    /// Copies `record` to `light`, with null for each heavy value. A member that stands in
    /// another order, or is not whole, is copied as it is. What is taken out is not looked at,
    /// but for where it ends.
    pub(crate) fn take_out(&self, record: &str, light: &mut String) {
        light.clear();
        let mut copied = 0;
        for key in &self.keys {
            let rest = record.get(copied..).unwrap_or_default();
            let Some(found) = key.find(rest.as_bytes()) else {
                continue;
            };
            let after_key = found + key.needle().len();
            let value = rest.get(after_key..).unwrap_or_default();
            let value = value.trim_start_matches(' ');
            let Some(length) = length_of_value(value.as_bytes()) else {
                continue;
            };
            light.push_str(rest.get(..after_key).unwrap_or_default());
            light.push_str("null");
            copied = record.len() - value.len() + length;
        }
        light.push_str(record.get(copied..).unwrap_or_default());
    }
}

/// Length of the string, object or list that starts `text`; `None` if it is something else, or
/// does not end.
fn length_of_value(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => length_of_string(text),
        b'{' | b'[' => {
            let (mut state, mut depth) = (StringState::default(), 0);
            let (used, closed) = end_of_container(text, true, &mut state, &mut depth);
            closed.then_some(used)
        }
        _ => None,
    }
}

fn length_of_string(text: &[u8]) -> Option<usize> {
    let mut state = StringState::default();
    let mut used = 0;
    while let Some((step, length)) = step_at(text, used, true) {
        let outside = !state.strings(&step);
        if outside != 0 {
            // The first bit outside is the closing quote itself.
            return Some(used + outside.trailing_zeros() as usize + 1);
        }
        used += length;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn light(names: &[&str], record: &str) -> String {
        let mut light = "left over".to_owned();
        HeavyMembers::new(names).take_out(record, &mut light);
        light
    }

    #[test]
    fn strings_objects_and_lists_become_null() {
        let record = r#"{"a": "x\\", "b":{"c": "}\""}, "d": 1, "e": [[2], "]"], "f": "g"}"#;
        let expected = r#"{"a":null, "b":null, "d": 1, "e":null, "f": "g"}"#;
        assert_eq!(light(&["a", "b", "e"], record), expected);
    }

    #[test]
    fn keys_inside_strings_are_no_keys() {
        let record = r#"{"p": "say \"a\": \"b\"", "a": "z"}"#;
        assert_eq!(
            light(&["a"], record),
            r#"{"p": "say \"a\": \"b\"", "a":null}"#
        );
    }

    #[test]
    fn numbers_and_what_does_not_end_stay() {
        for record in [
            r#"{"a": 12}"#,
            r#"{"a": "x"#,
            r#"{"a": {"b": 1"#,
            r#"{"a":"#,
        ] {
            assert_eq!(light(&["a"], record), record);
        }
    }

    proptest! {
        #[test]
        fn all_else_stays_as_it_was(
            first in ".{0,100}", heavy in ".{0,200}", list in prop::collection::vec(".{0,30}", 0..9)
        ) {
            let record = json!({ "a": first, "b": heavy, "c": {"d": list}, "e": first });
            let light: Value = serde_json::from_str(&light(&["b", "c"], &record.to_string())).unwrap();
            prop_assert_eq!(light, json!({ "a": first, "b": null, "c": null, "e": first }));
        }
    }
}
