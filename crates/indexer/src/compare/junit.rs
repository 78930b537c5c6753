//! For CI: a test case for each threshold in each scenario.

use std::io;

use anyhow::Result;
use guidellm_results_model::analysis::compare::{Comparison, Outcome, Verdict};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::verdict;

pub(super) fn written(comparison: &Comparison) -> Result<String> {
    let verdicts = &comparison.verdicts;
    let count = |of: &dyn Fn(&Outcome) -> bool| {
        let counted = verdicts.iter().filter(|it| of(&it.outcome));
        counted.count().to_string()
    };
    let failures = count(&|it| *it == Outcome::Failed);
    let errors = count(&|it| matches!(it, Outcome::NotJudged { .. }));
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suite = writer
        .create_element("testsuite")
        .with_attribute(("name", "guidellm-indexer compare"))
        .with_attribute(("tests", &*verdicts.len().to_string()))
        .with_attribute(("failures", &*failures))
        .with_attribute(("errors", &*errors));
    suite.write_inner_content(|writer| verdicts.iter().try_for_each(|it| case(writer, it)))?;
    let mut text = String::from_utf8(writer.into_inner())?;
    text.push('\n');
    Ok(text)
}

fn case(writer: &mut Writer<Vec<u8>>, of: &Verdict) -> io::Result<()> {
    let class = allowed(&of.scenario.to_string());
    let name = allowed(&of.threshold.to_string());
    let element = writer
        .create_element("testcase")
        .with_attribute(("classname", &*class))
        .with_attribute(("name", &*name));
    let told = allowed(&verdict(of));
    let kind = match &of.outcome {
        Outcome::Passed | Outcome::NotSignificant => "system-out",
        Outcome::Failed => "failure",
        Outcome::NotJudged { .. } => "error",
    };
    element.write_inner_content(|writer| {
        let inner = writer.create_element(kind);
        let inner = if kind == "system-out" {
            inner
        } else {
            inner.with_attribute(("message", &*told))
        };
        inner.write_text_content(BytesText::new(&told)).map(|_| ())
    })?;
    Ok(())
}

/// A text without what XML has no place for, escaped or not: labels may hold anything.
fn allowed(text: &str) -> String {
    let is_allowed = |it: char| !it.is_control() || matches!(it, '\t' | '\n' | '\r');
    let is_allowed = |it: char| is_allowed(it) && !matches!(it, '\u{fffe}' | '\u{ffff}');
    text.replace(|it| !is_allowed(it), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(
            allowed("a\u{1}b\u{0}c\u{ffff}<é\t"),
            "a\u{fffd}b\u{fffd}c\u{fffd}<é\t"
        );
    }
}
