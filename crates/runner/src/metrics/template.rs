//! Texts of profiles: queries, and what alerts say. They take kube-burner's Go form, `{{.elapsed}}` and
//! `{{$labels.pod}}`, and Jinja2's, `{{ elapsed }}` and `{{ labels.pod }}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use guidellm_indexer::kube_burner::Labels;
use minijinja::value::{Object, Serde};
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

/// What a query may name.
const NAMES: [&str; 6] = ["elapsed", "namespace", "uuid", "jobName", "vars", "env"];

/// What the text of an alert may name.
const ALERT_NAMES: [&str; 2] = ["labels", "value"];

/// A query, filled in for each job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query(String);

/// What an alert says, filled in for each series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description(String);

/// What queries are filled in with.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Values<'a> {
    pub(super) elapsed: String,
    pub(super) namespace: &'a str,
    pub(super) uuid: &'a str,
    pub(super) job_name: &'a str,
    pub(super) vars: &'a serde_json::Map<String, serde_json::Value>,
    pub(super) env: &'a BTreeMap<String, String>,
}

impl Query {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// In words, if it is no template, or names what nobody knows.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // kube-burner puts the environment's variables at the top.
        let plain = plain(text, '.', |name| {
            let known = NAMES.contains(&name);
            if known {
                String::new()
            } else {
                "env.".to_owned()
            }
        });
        check(&plain, &NAMES)?;
        Ok(Self(plain))
    }

    pub(super) fn render(&self, values: &Values<'_>) -> Result<String, String> {
        let rendered = environment().render_str(&self.0, Serde(values));
        rendered.map_err(|error| reason(&error))
    }
}

impl Description {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// In words, if it is no template, or names what nobody knows.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let plain = plain(text, '$', |_| String::new());
        check(&plain, &ALERT_NAMES)?;
        Ok(Self(plain))
    }

    /// Of a series and its value, of which three decimals are told.
    pub(super) fn render(&self, labels: &Arc<Labels>, value: f64) -> Result<String, String> {
        let labels = Value::from_object(SeriesLabels(Arc::clone(labels)));
        let values = BTreeMap::from([("labels", labels), ("value", rounded(value))]);
        let rendered = environment().render_str(&self.0, values);
        rendered.map_err(|error| reason(&error))
    }
}

fn rounded(value: f64) -> Value {
    let rounded = (value * 1000.0).round() / 1000.0;
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the check")]
    if rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        Value::from(rounded as i64)
    } else {
        Value::from(rounded)
    }
}

/// Labels of a series. One that it lacks is empty, as in Go: an alert has to be told in any case.
#[derive(Debug)]
struct SeriesLabels(Arc<Labels>);

impl Object for SeriesLabels {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = key.as_str().and_then(|name| self.0.get(name));
        Some(Value::from(value.map_or("", |value| value)))
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

fn check(text: &str, known: &[&str]) -> Result<(), String> {
    let environment = environment();
    let template = environment.template_from_str(text);
    let template = template.map_err(|error| reason(&error))?;
    let names = template.undeclared_variables(false);
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => {
            let known = known.join(", ");
            Err(format!(
                "nothing is known of `{unknown}`; it may name {known}"
            ))
        }
        None => Ok(()),
    }
}

fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.to_string(),
    }
}

/// A text in Jinja2's form: at the start of each `{{ }}`, a mark before a name makes way for what is
/// to stand before that name.
fn plain(text: &str, mark: char, before: impl Fn(&str) -> String) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let (outside, inside) = rest.split_at(open + 2);
        plain.push_str(outside);
        let start = inside.trim_start_matches(['-', ' ', '\t', '\n']);
        let (blank, start) = inside.split_at(inside.len() - start.len());
        plain.push_str(blank);
        rest = match start.strip_prefix(mark) {
            Some(name) if name.starts_with(|it: char| it.is_alphabetic() || it == '_') => {
                let end = name.find(|it: char| !it.is_alphanumeric() && it != '_');
                plain.push_str(&before(
                    name.get(..end.unwrap_or(name.len())).unwrap_or(name),
                ));
                name
            }
            _ => start,
        };
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rendered(query: &str) -> Result<String, String> {
        let vars = json!({ "model": "m" });
        let env = BTreeMap::from([("REGION".to_owned(), "eu".to_owned())]);
        Query::parse(query)?.render(&Values {
            elapsed: "61s".to_owned(),
            namespace: "llm-d",
            uuid: "u",
            job_name: "j",
            vars: vars.as_object().unwrap(),
            env: &env,
        })
    }

    #[test]
    fn both_forms_are_filled_in() {
        for (query, expected) in [
            ("rate(x[{{.elapsed}}])", "rate(x[61s])"),
            ("rate(x[{{ .elapsed }}])", "rate(x[61s])"),
            ("rate(x[{{- .elapsed -}} ])", "rate(x[61s])"),
            ("x{n=\"{{ namespace }}\"}", "x{n=\"llm-d\"}"),
            (
                "x{a=\"{{.uuid}}\",b=\"{{.jobName}}\"}",
                "x{a=\"u\",b=\"j\"}",
            ),
            ("x{m=\"{{ vars.model }}\"}", "x{m=\"m\"}"),
            ("x{r=\"{{.REGION}}\"}", "x{r=\"eu\"}"),
            ("x{r=\"{{ env.REGION }}\"}", "x{r=\"eu\"}"),
            ("x{p=~\"a{2}.*\"} > 0.5", "x{p=~\"a{2}.*\"} > 0.5"),
        ] {
            assert_eq!(rendered(query).as_deref(), Ok(expected), "{query}");
        }
    }

    #[test]
    fn what_nobody_knows_is_told() {
        for (query, reason) in [
            ("x[{{ elapst }}]", "nothing is known of `elapst`"),
            ("x[{{ .elapsed | }}]", "unexpected"),
            ("x[{{ vars.other }}]", "undefined"),
            ("x[{{ .OTHER }}]", "undefined"),
            ("x[{{ elapsed ]", "unexpected"),
        ] {
            let error = rendered(query).unwrap_err();
            assert!(error.contains(reason), "{query}: {error}");
        }
    }

    #[test]
    fn alerts_name_labels_and_value_with_three_decimals() {
        let labels = Labels::from([("pod".to_owned(), "epp-0".to_owned())]);
        let labels = Arc::new(labels);
        for (text, value, expected) in [
            (
                "{{$labels.pod}} has {{$value}}",
                0.123_456,
                "epp-0 has 0.123",
            ),
            ("{{ $labels.pod }}: {{ value }}", 2.0, "epp-0: 2"),
            ("{{ labels.pod }}: {{ $value }}", 1e9, "epp-0: 1000000000"),
            ("on {{$labels.node}}!", 0.0, "on !"),
            ("costs $5", 0.0, "costs $5"),
        ] {
            let description = Description::parse(text).unwrap();
            assert_eq!(description.render(&labels, value).as_deref(), Ok(expected));
        }
        assert!(Description::parse("{{ $lables.pod }}").is_err());
        assert!(Description::parse("{{ printf \"%d\" .Value }}").is_err());
    }

    proptest! {
        #[test]
        fn what_is_outside_of_braces_stays(text in "[^{]*") {
            prop_assert_eq!(plain(&text, '.', |_| "env.".to_owned()), text);
        }

        #[test]
        fn no_text_is_too_odd(text in "[{}.$\\- a-c]*") {
            drop(Query::parse(&text));
            drop(Description::parse(&text));
        }
    }
}
