//! The index template is made from the documents' schemas and from kube-burner's fields.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

use std::fs;
use std::path::Path;

use guidellm_results_model::schema;
use serde_json::{Map, Value, json};

/// Longest text that is indexed as a term: Lucene takes 32,766 bytes, a character has up to four.
const LONGEST_TERM: u32 = 8191;

fn keyword() -> Value {
    // Orion and kube-burner's dashboards ask for `uuid.keyword`, as dynamic mappings make it.
    let term = json!({ "type": "keyword", "ignore_above": LONGEST_TERM });
    json!({ "type": "keyword", "ignore_above": LONGEST_TERM, "fields": { "keyword": term } })
}

fn text() -> Value {
    let term = json!({ "type": "keyword", "ignore_above": LONGEST_TERM });
    json!({ "type": "text", "fields": { "keyword": term } })
}

/// Fields by blanks, and what they are.
type List = (&'static str, fn() -> Value);

fn of_kind(kind: &str) -> Value {
    json!({ "type": kind })
}

/// The field for a member of a document.
fn field(name: &str, member: &Value) -> Value {
    match name {
        "error_message" | "failure_reason" => return text(),
        "log_tail" => return of_kind("text"),
        // As many as documents, or nearly: one copy of their terms is enough.
        "document_id" | "request_id" | "response_id" | "conversation_id" => {
            return of_kind("keyword");
        }
        _ => {}
    }
    let kind = member.get("type").and_then(Value::as_str);
    match (kind, member.get("format").and_then(Value::as_str)) {
        (Some("string"), Some("date-time")) => of_kind("date"),
        (Some("string") | None, _) => keyword(),
        (Some("number"), _) => of_kind("double"),
        (Some("integer"), _) => of_kind("long"),
        (Some("boolean"), _) => of_kind("boolean"),
        (Some("object"), _) => of_kind("flat_object"),
        (Some("array"), _) if member.pointer("/items/type") == Some(&"string".into()) => keyword(),
        (Some("array"), _) => json!({ "type": "object", "enabled": false }),
        (Some(other), _) => panic!("{name}: no field for {other}"),
    }
}

/// Fields of kube-burner's documents: metrics, job summaries with the cluster's metadata, alerts,
/// and quantiles.
fn kube_burner() -> Map<String, Value> {
    let lists: [List; 9] = [
        ("endTimestamp churnStartTimestamp churnEndTimestamp", || {
            of_kind("date")
        }),
        ("value elapsedTime achievedQps P99 P95 P50 max avg", || {
            of_kind("double")
        }),
        (
            "churnMetric duringLoad passed fips ipsec microshift",
            || of_kind("boolean"),
        ),
        (
            "masterNodesCount infraNodesCount workerNodesCount otherNodesCount totalNodes",
            || of_kind("long"),
        ),
        (
            "incrementalLoadUUID version severity quantileName distribution stream \
             microshiftVersion microshiftMajorVersion platform clusterType ocpVersion \
             ocpMajorVersion k8sVersion masterNodesType workerNodesType infraNodesType sdnType \
             clusterName region publish workerArch controlPlaneArch ipsecMode buildUrl",
            keyword,
        ),
        // What llm-d-scale tells of what was under test.
        (
            "eppImage eppConfigHash gatewayClass gatewayImage gpuModel modelServerImage \
             modelServerConfigHash modelServerArgs modelServerRoles",
            keyword,
        ),
        ("eppReplicas modelServerReplicas", || of_kind("long")),
        ("loadStartTimestamp loadEndTimestamp", || of_kind("date")),
        ("query description executionErrors", text),
    ];
    let mut fields = Map::new();
    for (names, field) in lists {
        fields.extend(
            names
                .split_whitespace()
                .map(|name| (name.to_owned(), field())),
        );
    }
    fields.insert("metadata".to_owned(), of_kind("flat_object"));
    let job = json!({
        "name": keyword(), "namespace": keyword(), "jobIterations": of_kind("long"),
        "qps": of_kind("long"), "burst": of_kind("long"),
    });
    fields.insert(
        "jobConfig".to_owned(),
        json!({ "dynamic": false, "properties": job }),
    );
    fields
}

fn template() -> Value {
    let mut fields = kube_burner();
    for schema in [schema::summary(), schema::request(), schema::failed_run()] {
        let members = schema["properties"].as_object().unwrap().clone();
        for (name, member) in members {
            let field = field(&name, &member);
            let before = fields.insert(name.clone(), field.clone());
            assert!(
                before.is_none_or(|before| before == field),
                "{name} is of two types"
            );
        }
    }
    // A data stream asks for it.
    fields.insert("@timestamp".to_owned(), of_kind("date"));
    json!({
        "index_patterns": ["guidellm"],
        "priority": 200,
        "template": { "mappings": { "dynamic": false, "properties": fields } },
        "_meta": { "description": "GuideLLM results beside kube-burner's documents" },
    })
}

#[test]
fn the_template_is_that_of_the_types() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/index-templates/guidellm.json");
    let text = serde_json::to_string_pretty(&template()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(
        written == text,
        "it is out of date; UPDATE_SCHEMAS=1 writes it again"
    );
}
