//! The index's mappings: installed before the first document, and checked where they are there.
//!
//! One template serves both products; `schemas/index-templates/guidellm.json` is made from the
//! documents' types and has kube-burner's fields beside them. Other fields of a document are kept
//! in its source, but not indexed: a stranger's fields cannot blow up the index.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::cluster::{Call, Cluster, ClusterError, Method, Product, encoded};
use crate::tell;

/// The template, as OpenSearch takes it.
pub const TEMPLATE: &str = include_str!("../../../schemas/index-templates/guidellm.json");

/// The version of [`TEMPLATE`]; an older one on the server is replaced.
const VERSION: u64 = 6;

/// Fields that are texts of digits here, and that the seed's parser left as numbers.
const DIGITS: [&str; 2] = ["prompt_tokens", "output_tokens"];

/// What is taken over from a template that ours goes before.
const KEPT: [&str; 5] = [
    "template",
    "composed_of",
    "ignore_missing_component_templates",
    "data_stream",
    "allow_auto_create",
];

type Fields = Map<String, Value>;

fn template() -> Value {
    serde_json::from_str(TEMPLATE).unwrap_or_default()
}

/// The fields and their types, for a product.
fn fields(product: Product) -> Fields {
    let template = template();
    let fields = template.pointer("/template/mappings/properties");
    let mut fields = fields
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for field in fields.values_mut() {
        if field.get("type").is_some_and(|kind| kind == "flat_object") {
            *field = labels(product);
        }
    }
    fields
}

/// How a product indexes an object of any members as one field.
fn labels(product: Product) -> Value {
    match product {
        Product::OpenSearch { major, minor } if (major, minor) >= (2, 7) => {
            json!({ "type": "flat_object" })
        }
        Product::OpenSearch { .. } => json!({ "type": "object", "enabled": false }),
        Product::Elasticsearch { .. } => json!({ "type": "flattened" }),
    }
}

/// Makes the mappings of some indices right, before their first documents.
///
/// # Errors
///
/// [`ClusterError::Mapping`] if the index is there and cannot hold the documents; others if the
/// server cannot be asked, or refuses the template.
pub(crate) async fn prepare(cluster: &Cluster, indices: &[Arc<str>]) -> Result<(), ClusterError> {
    let fields = fields(cluster.product());
    for index in indices {
        install(cluster, index, &fields).await?;
        let call = Call::get(format!("{}/_mapping", encoded(index)));
        let what = format!("ask for the mappings of {index}");
        match cluster.expect(call, &what).await {
            Ok(answer) => complete(cluster, &fields, &answer.json(&what)?).await?,
            // The first document makes it, from the template.
            Err(ClusterError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn install(cluster: &Cluster, index: &str, fields: &Fields) -> Result<(), ClusterError> {
    let name = format!("_index_template/{}", encoded(&format!("guidellm-{index}")));
    let what = "ask for the index template (or use --no-template)";
    match cluster.expect(Call::get(&*name), what).await {
        Ok(answer) => {
            let found = answer.json(what)?;
            let version = found.pointer("/index_templates/0/index_template/version");
            if version.and_then(Value::as_u64) >= Some(VERSION) {
                return Ok(());
            }
        }
        Err(ClusterError::Refused { status: 404, .. }) => {}
        Err(error) => return Err(error),
    }
    let what = "ask for the other index templates (or use --no-template)";
    let all = cluster.expect(Call::get("_index_template"), what).await?;
    let all = all.json(what)?;
    let other = shadowed(&all, index);
    if let Some((other, _)) = other {
        tell(&format!(
            "warning: the index template {other} is for {index}: guidellm-{index} goes before it, \
             with its settings"
        ));
    }
    let template = ours(index, fields, other.map(|(_, template)| template));
    let what = "install the index template (or use --no-template)";
    cluster
        .expect(Call::json(Method::Put, name, &template), what)
        .await?;
    Ok(())
}

/// The template for an index: ours over the one that it goes before, of which the server takes nothing
/// then.
fn ours(index: &str, fields: &Fields, theirs: Option<&Value>) -> Value {
    let ours = template();
    let mut template = ours.as_object().cloned().unwrap_or_default();
    let theirs = theirs.and_then(Value::as_object).cloned();
    let mut theirs = theirs.unwrap_or_default();
    theirs.retain(|member, _| KEPT.contains(&&**member));
    let mut inner = members(theirs.remove("template"));
    let mut mappings = members(inner.remove("mappings"));
    let mut properties = members(mappings.remove("properties"));
    properties.extend(fields.clone());
    mappings.extend(members(ours.pointer("/template/mappings").cloned()));
    mappings.insert("properties".into(), properties.into());
    inner.insert("mappings".into(), mappings.into());
    let mut patterns = vec![index.to_owned()];
    if !theirs.contains_key("data_stream") {
        patterns.push(format!("{index}-0*"));
    }
    template.extend(theirs);
    template.insert("template".into(), inner.into());
    template.insert("index_patterns".into(), patterns.into());
    template.insert("version".into(), VERSION.into());
    template.into()
}

fn members(object: Option<Value>) -> Fields {
    match object {
        Some(Value::Object(members)) => members,
        _ => Fields::new(),
    }
}

/// The template that an index would be made from, by the answer for all of them, if ours would go
/// before it.
fn shadowed<'a>(all: &'a Value, index: &str) -> Option<(&'a str, &'a Value)> {
    let own = format!("guidellm-{index}");
    let ours = template();
    let priority = |it: &Value| it.get("priority").and_then(Value::as_u64).unwrap_or(0);
    let found = all.get("index_templates")?.as_array()?;
    let found = found.iter().filter_map(|it| {
        let name = it.get("name")?.as_str()?;
        let template = it.get("index_template")?;
        let patterns = template.get("index_patterns")?.as_array()?;
        let mut patterns = patterns.iter().filter_map(Value::as_str);
        let is_for = |name: &str, pattern: &str| is_match(pattern, name);
        let rolled = format!("{index}-000001");
        let matches = patterns.any(|it| is_for(index, it) || is_for(&rolled, it));
        (matches && name != own && priority(template) < priority(&ours)).then_some((name, template))
    });
    found.max_by_key(|(_, template)| priority(template))
}

/// Whether a server's pattern, in which `*` is all that is special, is for a name.
fn is_match(pattern: &str, name: &str) -> bool {
    let parts: Vec<String> = pattern.split('*').map(glob::Pattern::escape).collect();
    glob::Pattern::new(&parts.join("*")).is_ok_and(|pattern| pattern.matches(name))
}

/// Adds the fields that an index lacks; fails at the first that does not fit. Behind an alias, each
/// index lacks its own.
async fn complete(cluster: &Cluster, fields: &Fields, found: &Value) -> Result<(), ClusterError> {
    let mut all = Vec::new();
    for (index, concrete) in found.as_object().into_iter().flatten() {
        let missing = missing(index, fields, concrete)?;
        if !missing.is_empty() {
            all.push((index, missing));
        }
    }
    for (index, missing) in all {
        let body = json!({ "properties": missing });
        let call = Call::json(Method::Put, format!("{}/_mapping", encoded(index)), &body);
        cluster
            .expect(call, &format!("add fields to {index}"))
            .await?;
    }
    Ok(())
}

/// What a concrete index lacks, by its part of the answer for its mappings.
fn missing(index: &str, fields: &Fields, concrete: &Value) -> Result<Fields, ClusterError> {
    let present = concrete
        .pointer("/mappings/properties")
        .and_then(Value::as_object);
    let mut missing = Fields::new();
    for (name, wanted) in fields {
        match present.and_then(|present| present.get(name)) {
            None => drop(missing.insert(name.clone(), wanted.clone())),
            Some(present) if fits(name, kind(wanted), kind(present)) => {
                let whole = with_keyword(wanted, present);
                missing.extend(whole.map(|whole| (name.clone(), whole)));
            }
            Some(present) => {
                return Err(ClusterError::Mapping {
                    index: index.to_owned(),
                    field: name.clone(),
                    found: kind(present).to_owned(),
                    wanted: kind(wanted).to_owned(),
                });
            }
        }
    }
    Ok(missing)
}

/// A field as it is, with the `.keyword` that ours has and that questions are asked of; `None` if
/// it has it, or cannot have it.
fn with_keyword(wanted: &Value, present: &Value) -> Option<Value> {
    let keyword = wanted.pointer("/fields/keyword")?;
    let lacks = present.pointer("/fields/keyword").is_none();
    if !lacks || !matches!(kind(present), "keyword" | "text" | "wildcard") {
        return None;
    }
    let mut whole = present.as_object()?.clone();
    let inner = whole.entry("fields").or_insert_with(|| json!({}));
    inner
        .as_object_mut()?
        .insert("keyword".into(), keyword.clone());
    Some(whole.into())
}

/// The type of a field; an object has none in an answer.
fn kind(field: &Value) -> &str {
    field
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("object")
}

/// Whether a field of one type holds all values of another.
fn fits(name: &str, wanted: &str, found: &str) -> bool {
    let one_of = |kinds: &[&str]| kinds.contains(&found);
    let is_number = one_of(&["long", "integer", "double", "float"]);
    wanted == found
        || match wanted {
            "keyword" => {
                one_of(&["text", "wildcard", "constant_keyword"])
                    || (is_number && DIGITS.contains(&name))
            }
            "text" => one_of(&["keyword", "wildcard", "match_only_text"]),
            "double" => one_of(&["float", "half_float", "scaled_float"]),
            "long" => is_number || one_of(&["unsigned_long"]),
            "date" => found == "date_nanos",
            "flat_object" | "flattened" | "object" => {
                one_of(&["object", "nested", "flat_object", "flattened"])
            }
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_be_cut_do_not_fit() {
        assert!(!fits("rate", "double", "long"));
        assert!(fits("rate", "double", "float"));
        assert!(fits("sample", "long", "double"));
        assert!(!fits("sample", "long", "keyword"));
        assert!(fits("prompt_tokens", "keyword", "long"));
        assert!(!fits("strategy", "keyword", "long"));
        assert!(!fits("timestamp", "date", "text"));
    }

    #[test]
    fn an_index_lacks_fields_and_their_keywords() {
        let fields = json!({
            "uuid": { "type": "keyword", "fields": { "keyword": { "type": "keyword" } } },
            "rate": { "type": "double" },
        });
        let fields = fields.as_object().unwrap();
        let lacks = |properties: Value| {
            let concrete = json!({ "mappings": { "properties": properties } });
            missing("index", fields, &concrete).map(Value::from)
        };
        let rate = json!({ "type": "float" });
        assert_eq!(lacks(json!({})).unwrap(), Value::from(fields.clone()));
        assert_eq!(
            lacks(json!({ "rate": rate, "uuid": { "type": "text", "analyzer": "simple" } }))
                .unwrap(),
            json!({ "uuid": { "type": "text", "analyzer": "simple",
                "fields": { "keyword": { "type": "keyword" } } } })
        );
        let texts = json!({ "type": "text", "fields": { "keyword": { "type": "keyword" } } });
        assert_eq!(
            lacks(json!({ "rate": rate, "uuid": texts })).unwrap(),
            json!({})
        );
        let constant = json!({ "type": "constant_keyword" });
        assert_eq!(
            lacks(json!({ "rate": rate, "uuid": constant })).unwrap(),
            json!({})
        );
        assert!(lacks(json!({ "rate": { "type": "long" } })).is_err());
    }

    #[test]
    fn ours_takes_over_what_it_goes_before() {
        let template = |name: &str, patterns: &[&str], priority: u64| {
            json!({ "name": name, "index_template": {
                "index_patterns": patterns, "priority": priority, "data_stream": {},
                "composed_of": ["disks"], "created_date": 1, "_meta": { "team": "x" },
                "template": { "settings": { "index": { "number_of_shards": "3" } },
                    "mappings": { "dynamic": true, "properties": {
                        "rate": { "type": "long" }, "team": { "type": "keyword" } } } } } })
        };
        let all = json!({ "index_templates": [
            template("other", &["elsewhere-*"], 150),
            template("all", &["*"], 0),
            template("bench", &["x", "bench-*"], 100),
            template("after", &["bench-*"], 300),
            template("guidellm-bench-1", &["bench-1"], 199),
        ] });
        let (name, theirs) = shadowed(&all, "bench-1").unwrap();
        assert_eq!(name, "bench");
        assert_eq!(shadowed(&all, "what").unwrap().0, "all");
        assert_eq!(shadowed(&json!({ "index_templates": [] }), "what"), None);
        let fields = json!({ "rate": { "type": "double" } });
        let made = ours("bench-1", fields.as_object().unwrap(), Some(theirs));
        assert_eq!(made["index_patterns"], json!(["bench-1"]));
        assert_eq!(
            (&made["priority"], &made["data_stream"]),
            (&json!(200), &json!({}))
        );
        assert_eq!(made["composed_of"], json!(["disks"]));
        assert_eq!(made.get("created_date"), None);
        assert_eq!(
            made["template"],
            json!({ "settings": { "index": { "number_of_shards": "3" } },
                "mappings": { "dynamic": false, "properties": {
                    "rate": { "type": "double" }, "team": { "type": "keyword" } } } })
        );
        let alone = ours("bench-1", fields.as_object().unwrap(), None);
        assert_eq!(alone["index_patterns"], json!(["bench-1", "bench-1-0*"]));
    }

    #[test]
    fn a_pattern_has_stars_alone() {
        assert!(is_match("a-*-z", "a-b.c-z") && is_match("*", "x") && is_match("a", "a"));
        assert!(!is_match("a?", "ab") && !is_match("[ab]", "a") && !is_match("a-*", "b-a-"));
    }

    #[test]
    fn labels_are_what_the_product_has() {
        let of = |product| fields(product).get("labels").unwrap().to_string();
        let opensearch = |major, minor| Product::OpenSearch { major, minor };
        assert!(of(opensearch(2, 19)).contains("flat_object"));
        assert!(of(opensearch(2, 5)).contains("enabled"));
        let (major, minor) = (7, 17);
        assert!(of(Product::Elasticsearch { major, minor }).contains("flattened"));
    }

    #[test]
    fn another_template_has_another_version() {
        // Servers keep a template until a newer version comes.
        let digest = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, TEMPLATE.as_bytes());
        let known = (6, "502ee126-68af-5f11-ab19-f58420c2495f");
        assert_eq!(
            (VERSION, &*digest.to_string()),
            known,
            "the template changed: raise VERSION, note both here"
        );
    }
}
