//! JSON Schema of suites, from their types and doc comments, for editors and other validators.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{Body, Given, LLM_D_SCALE, Period, Suite};
use crate::guidellm::Release;

const EXPRESSION: &str = "#/$defs/expression";

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(0|([0-9]+ *[a-zA-Z]+ *)+)$" })
    }
}

impl JsonSchema for Release {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Release".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^v?[0-9]+\\.[0-9]+\\.[0-9]+$" })
    }
}

/// The schema of suites as people write them.
fn generate() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Body>();
    let mut schema = written(schema.to_value());
    // Names are free there, and none has to be.
    if let Some(vars) = schema.pointer_mut("/properties/vars/anyOf/0") {
        vars["additionalProperties"] = json!(true);
        vars.as_object_mut().unwrap().remove("required");
    }
    let vars = &mut schema["properties"]["vars"];
    let kept = vars["anyOf"].as_array().unwrap().iter();
    vars["anyOf"] = kept
        .filter(|it| it["$ref"] != EXPRESSION)
        .cloned()
        .collect();
    schema["title"] = json!("Suite of llm-d-scale");
    schema["description"] = json!("What `llm-d-scale run` runs: jobs, then scenarios.");
    schema["$defs"] = json!({ "expression": {
        "description": "A Jinja2 expression over `vars` and `env`; one that is the whole text has its own type.",
        "type": "string",
        "pattern": "\\{\\{|\\{%",
    }});
    schema
}

/// A type's schema, as it is written: expressions stand for values, null for what is so by default,
/// and `when` in items says whether they take part.
fn written(mut schema: Value) -> Value {
    for name in ["format", "title"] {
        schema.as_object_mut().unwrap().remove(name);
    }
    if let Some(text) = schema["description"].as_str() {
        schema["description"] = text.split_whitespace().collect::<Vec<_>>().join(" ").into();
    }
    if let Some(items) = schema.get_mut("items") {
        *items = item(items.take());
    }
    let required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        for (name, member) in members.iter_mut() {
            let is_optional = !required.contains(&json!(name));
            *member = value(written(member.take()), is_optional);
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.as_object_mut().unwrap().remove("default");
    }
    schema
}

/// An item of a list.
fn item(schema: Value) -> Value {
    let mut schema = written(schema);
    if schema["type"] == "object" {
        schema["properties"]["when"] = json!({
            "description": "An expression without braces, such as vars.gaie: the item is left out if it is false.",
            "type": ["string", "boolean"],
        });
    }
    value(schema, false)
}

/// What may stand where a value of a type stands.
fn value(schema: Value, is_optional: bool) -> Value {
    let Value::Object(mut core) = schema else {
        return schema;
    };
    let mut outer = Map::new();
    for name in ["description", "default"] {
        outer.extend(core.remove_entry(name));
    }
    let is_null = |name: &Value| name == "null";
    let mut is_optional = is_optional;
    if let Some(Value::Array(types)) = core.get_mut("type") {
        is_optional |= types.iter().any(is_null);
        types.retain(|name| !is_null(name));
        core["type"] = core["type"][0].clone();
    }
    let mut choices = vec![];
    match core.remove("anyOf") {
        Some(Value::Array(inner)) => {
            choices.extend(inner.into_iter().filter(|it| it["type"] != "null"));
        }
        _ => choices.push(Value::Object(core)),
    }
    let is_text = choices
        .iter()
        .all(|it| it["type"] == "string" && it.get("pattern").is_none());
    if !is_text {
        choices.push(json!({ "$ref": EXPRESSION }));
    }
    if is_optional {
        choices.push(json!({ "type": "null" }));
    }
    match <[Value; 1]>::try_from(choices) {
        Ok([Value::Object(only)]) => outer.extend(only),
        Ok([only]) => return only,
        Err(choices) => {
            outer.insert("anyOf".to_owned(), choices.into());
        }
    }
    Value::Object(outer)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_schema_is_that_of_the_types() {
    let path = root().join("schemas/suite.schema.json");
    let text = serde_json::to_string_pretty(&generate()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == text,
        "{} is out of date; UPDATE_SCHEMAS=1 writes it again",
        path.display()
    );
}

#[test]
fn every_member_is_described() {
    fn look(schema: &Value, path: &str, found: &mut Vec<String>) {
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if !member["description"].is_string() {
                found.push(path.clone());
            }
            look(member, &path, found);
        }
        for part in schema["anyOf"].as_array().into_iter().flatten() {
            look(part, path, found);
        }
        if schema["items"].is_object() {
            look(&schema["items"], path, found);
        }
    }
    let mut found = Vec::new();
    let schema = generate();
    look(&schema, "", &mut found);
    assert_eq!(found, Vec::<String>::new());
    let members = schema["properties"].as_object().unwrap();
    assert_eq!(members.len(), 5, "{members:?}");
}

#[test]
fn what_the_schema_says_is_so_by_default_is() {
    let text = "jobs: [{name: a, objects: [{objectTemplate: t}]}]\nscenarios: [{name: b, rateType: poisson, rate: 1, promptTokens: 1, outputTokens: 1, seconds: 1}]\nmetricsEndpoints: [{}]\n";
    let suite = Suite::read(text, &Given::default()).unwrap();
    let schema = generate();
    let defaults = |path: &str, read: Value| {
        let members = schema.pointer(path).and_then(Value::as_object).unwrap();
        let told: Vec<_> = members
            .iter()
            .filter_map(|(name, member)| Some((name, member.get("default")?)))
            .collect();
        assert!(!told.is_empty(), "{path}");
        for (name, default) in told {
            let read = read.get(name).unwrap_or(&Value::Null);
            // Some are not written if they are empty.
            let is_left_out = read.is_null() && default.as_object().is_some_and(Map::is_empty);
            let is_replaced = name == "objects";
            assert!(
                read == default || is_left_out || is_replaced,
                "{path} {name}: {read}"
            );
        }
    };
    let of = |value: Result<Value, serde_json::Error>| value.unwrap();
    defaults(
        "/properties/global/anyOf/0/properties",
        of(serde_json::to_value(&suite.global)),
    );
    let item = "/anyOf/0/items/anyOf/0/properties";
    defaults(
        &format!("/properties/jobs{item}"),
        of(serde_json::to_value(&suite.jobs[0])),
    );
    defaults(
        &format!("/properties/scenarios{item}"),
        of(serde_json::to_value(&suite.scenarios[0])),
    );
    defaults(
        &format!("/properties/jobs{item}/objects{item}"),
        of(serde_json::to_value(&suite.jobs[0].objects[0])),
    );
}

#[test]
fn the_default_suite_names_its_schema_for_editors() {
    let first = LLM_D_SCALE.lines().next().unwrap();
    let path = first
        .strip_prefix("# yaml-language-server: $schema=")
        .unwrap();
    let schema = root().join("manifests/suites").join(path);
    assert!(schema.is_file(), "{}", schema.display());
}
