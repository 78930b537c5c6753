//! Files of queries and alerts.

use std::ops::Range;

use super::expression::{Expr, Kind, Quotes, is_name};
use super::go::{self, Node, Pipeline, TermKind};
use super::source::{Finding, Source, Trouble};
use super::translate::{self, Scope};

/// What queries see, under kube-burner's names and the program's.
const GIVEN: [(&str, &str); 3] = [
    ("elapsed", "elapsed"),
    ("UUID", "uuid"),
    ("JobName", "jobName"),
];

struct Names;

impl Scope for Names {
    fn field(&self, name: &str, span: &Range<usize>) -> Result<Expr, Trouble> {
        if let Some((_, own)) = GIVEN.iter().find(|(given, _)| *given == name) {
            return Ok(Expr::Name((*own).to_owned(), Kind::Text));
        }
        if !is_name(name) {
            return Err(Trouble::new(
                span,
                "such a name cannot be given here; write the value down",
            ));
        }
        Ok(Expr::Name(format!("env.{name}"), Kind::Text))
    }

    fn variable(&self, name: &str, span: &Range<usize>) -> Result<Expr, Trouble> {
        Err(Trouble::new(
            span,
            format!("queries know no variable `${name}`; write the value down"),
        ))
    }

    fn dot(&self) -> Option<Expr> {
        None
    }

    fn env(&self, name: &str) -> Expr {
        Expr::Name(format!("env.{name}"), Kind::Text).filter(
            "default",
            vec![Expr::text("")],
            Kind::Text,
        )
    }
}

/// A profile with its queries' constructs turned.
pub(super) fn turned(source: &Source, is_alerts: bool) -> (String, Vec<Finding>) {
    let nodes = match go::parse(&source.text) {
        Ok(nodes) => nodes,
        Err(trouble) => {
            let finding = source.lost(&trouble);
            let text = format!("# {}\n{}", finding.mark(), source.text);
            return (text, vec![finding]);
        }
    };
    let mut text = String::new();
    let mut findings = Vec::new();
    for node in &nodes {
        let turned = match node {
            Node::Text(span) => Ok(source.slice(span).to_owned()),
            // An alert's text is filled in by these; they are known as they are.
            Node::Output { action, pipeline } if is_alerts && names_variable(pipeline) => {
                Ok(source.slice(&action.span).to_owned())
            }
            Node::Output { action, pipeline } => {
                translate::pipeline(pipeline, &Names).map(|value| {
                    let sign = |trims| if trims { "-" } else { "" };
                    let value = value.printable().written(Quotes::Single);
                    format!(
                        "{{{{{} {value} {}}}}}",
                        sign(action.trims_left),
                        sign(action.trims_right)
                    )
                })
            }
            Node::Comment { .. } => Ok(String::new()),
            Node::Set { .. } | Node::Block(_) | Node::Other { .. } => Err(Trouble::new(
                &node.span(),
                "queries take values only; write out what it comes to",
            )),
        };
        match turned {
            Ok(turned) => text.push_str(&turned),
            Err(trouble) => {
                let finding = source.lost(&trouble);
                let line = text.rfind('\n').map_or(0, |at| at + 1);
                text.insert_str(line, &format!("# {}\n", finding.mark()));
                text.push_str("import_could_not_turn");
                findings.push(finding);
            }
        }
    }
    (text, findings)
}

fn names_variable(pipeline: &Pipeline) -> bool {
    let mut terms = pipeline.commands.iter().flatten();
    terms.any(|term| matches!(term.kind, TermKind::Variable(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned_text(text: &str, is_alerts: bool) -> (String, usize) {
        let (name, text) = ("m.yml".to_owned(), text.to_owned());
        let (text, findings) = turned(&Source { name, text }, is_alerts);
        (text, findings.len())
    }

    #[test]
    fn queries_and_alerts_keep_what_they_say() {
        let query =
            "- query: avg_over_time(x{y=\"{{ .NS }}\"}[{{.elapsed}}:]) by (a) # {{- .elapsed }}\n";
        let expected = "- query: avg_over_time(x{y=\"{{ env.NS }}\"}[{{ elapsed }}:]) by (a) # {{- elapsed }}\n";
        assert_eq!(turned_text(query, false), (expected.to_owned(), 0));
        let alert = "- expr: up[{{.elapsed}}]\n  description: '{{$labels.pod}}: {{$value}}'\n";
        let expected = "- expr: up[{{ elapsed }}]\n  description: '{{$labels.pod}}: {{$value}}'\n";
        assert_eq!(turned_text(alert, true), (expected.to_owned(), 0));
        let (text, lost) = turned_text("- query: a{{ if .b }}c{{ end }}\n", false);
        assert_eq!(lost, 1);
        assert!(
            text.starts_with("# import: could not turn m.yml:1:11: "),
            "{text}"
        );
    }
}
