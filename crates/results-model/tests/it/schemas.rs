//! The schemas in `schemas/` are those of the types, and the frames have the same members.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use guidellm_results_model::frames::{requests_frame, summaries_frame};
use guidellm_results_model::schema;
use serde_json::Value;

#[test]
fn the_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    for (name, schema) in [
        ("summary", schema::summary()),
        ("request", schema::request()),
        ("failed-run", schema::failed_run()),
        ("slo", schema::slo()),
    ] {
        let path = folder.join(format!("{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if update {
            fs::write(&path, &text).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap();
        assert!(
            written == text,
            "{} is out of date; UPDATE_SCHEMAS=1 writes it again",
            path.display()
        );
    }
}

#[test]
fn frames_have_the_schemas_members() {
    let members = |schema: &Value| -> BTreeSet<String> {
        let members = schema["properties"].as_object().unwrap();
        members.keys().cloned().collect()
    };
    let columns = |frame: polars::frame::DataFrame| -> BTreeSet<String> {
        let names = frame.get_column_names();
        names.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        columns(summaries_frame(&[]).unwrap()),
        members(&schema::summary())
    );
    assert_eq!(
        columns(requests_frame(&[]).unwrap()),
        members(&schema::request())
    );
}

#[test]
fn every_member_is_described() {
    for schema in [schema::summary(), schema::request(), schema::failed_run()] {
        for (name, member) in schema["properties"].as_object().unwrap() {
            let described = member["description"].is_string() || member["const"].is_string();
            assert!(described, "{name}: {member}");
        }
    }
}
