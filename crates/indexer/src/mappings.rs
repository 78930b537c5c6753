//! The index's mappings: installed before the first document, and checked where they are there.
//!
//! One template serves both products; `schemas/index-templates/guidellm.json` is made from the
//! documents' types and has kube-burner's fields beside them. Other fields of a document are kept
//! in its source, but not indexed: a stranger's fields cannot blow up the index.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::cluster::{Call, Cluster, ClusterError, Method, Product, encoded};

/// The template, as OpenSearch takes it.
pub const TEMPLATE: &str = include_str!("../../../schemas/index-templates/guidellm.json");

/// The version of [`TEMPLATE`]; an older one on the server is replaced.
const VERSION: u64 = 6;

/// Fields that are texts of digits here, and that the seed's parser left as numbers.
const DIGITS: [&str; 2] = ["prompt_tokens", "output_tokens"];

type Fields = Map<String, Value>;

/// The fields and their types, for a product.
fn fields(product: Product) -> Fields {
    let template: Value = serde_json::from_str(TEMPLATE).unwrap_or_default();
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
    let mut template: Value = serde_json::from_str(TEMPLATE).unwrap_or_default();
    if let Some(found) = template.pointer_mut("/template/mappings/properties") {
        *found = Value::Object(fields.clone());
    }
    if let Some(template) = template.as_object_mut() {
        template.insert(
            "index_patterns".into(),
            json!([index, format!("{index}-0*")]),
        );
        template.insert("version".into(), VERSION.into());
    }
    let what = "install the index template (or use --no-template)";
    cluster
        .expect(Call::json(Method::Put, name, &template), what)
        .await?;
    Ok(())
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
