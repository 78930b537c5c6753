//! JSON Schemas of the documents, from their types and doc comments.

use schemars::generate::{Contract, SchemaSettings};
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::documents::{FailedRun, REQUEST_METRIC_NAME, Request, SUMMARY_METRIC_NAME, Summary};

/// Schema of a [`Summary`] as it is written.
#[must_use]
pub fn summary() -> Value {
    generate::<Summary>(SUMMARY_METRIC_NAME, Contract::Serialize)
}

/// Schema of a [`Request`] as it is written.
#[must_use]
pub fn request() -> Value {
    generate::<Request>(REQUEST_METRIC_NAME, Contract::Serialize)
}

/// Schema of a [`FailedRun`] as it is written.
#[must_use]
pub fn failed_run() -> Value {
    generate::<FailedRun>(
        "guidellmSummary of a run that left none",
        Contract::Serialize,
    )
}

/// Schema of a file of service level objectives.
#[must_use]
pub fn slo() -> Value {
    generate::<crate::slo::SloFile>("slo.yaml", Contract::Deserialize)
}

fn generate<T: JsonSchema>(title: &str, contract: Contract) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.contract = contract;
        })
        .with_transform(PlainDescriptions)
        .with_transform(NeverNull);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// Takes the links of Rust's documentation out of descriptions, and their line breaks.
#[derive(Debug, Clone)]
struct PlainDescriptions;

impl Transform for PlainDescriptions {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(description)) = schema.get_mut("description") {
            *description = plain(description);
        }
        transform_subschemas(self, schema);
    }
}

fn plain(description: &str) -> String {
    let mut text = description.split_whitespace().collect::<Vec<_>>().join(" ");
    while let Some((before, rest)) = text.split_once("[`") {
        let Some((name, after)) = rest.split_once("`]") else {
            break;
        };
        let after = match after
            .strip_prefix('(')
            .and_then(|link| link.split_once(')'))
        {
            Some((_, after)) => after,
            None => after,
        };
        text = format!("{before}`{name}`{after}");
    }
    text
}

/// What was not measured is absent: no member is ever written as null.
#[derive(Debug, Clone)]
struct NeverNull;

impl Transform for NeverNull {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(mut choices)) = schema.remove("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
            match choices.pop() {
                Some(Value::Object(only)) if choices.is_empty() => {
                    for (name, value) in only {
                        // The member's own description says more than its type's.
                        if schema.get(&name).is_none() {
                            schema.insert(name, value);
                        }
                    }
                }
                last => {
                    choices.extend(last);
                    schema.insert("anyOf".to_owned(), choices.into());
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_their_names() {
        assert_eq!(plain("See [`A`](super::A) and\n[`b`]."), "See `A` and `b`.");
    }
}
