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
            Ok(answer) => complete(cluster, index, &fields, &answer.json(&what)?).await?,
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

/// Adds the fields that an index lacks; fails at the first that does not fit.
async fn complete(
    cluster: &Cluster,
    index: &str,
    fields: &Fields,
    found: &Value,
) -> Result<(), ClusterError> {
    let mut missing = Fields::new();
    for concrete in found.as_object().into_iter().flatten().map(|(_, it)| it) {
        let present = concrete
            .pointer("/mappings/properties")
            .and_then(Value::as_object);
        for (name, wanted) in fields {
            match present.and_then(|present| present.get(name)) {
                None => drop(missing.insert(name.clone(), wanted.clone())),
                Some(present) if fits(name, kind(wanted), kind(present)) => {}
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
    }
    if !missing.is_empty() {
        let body = json!({ "properties": missing });
        let call = Call::json(Method::Put, format!("{}/_mapping", encoded(index)), &body);
        cluster
            .expect(call, &format!("add fields to {index}"))
            .await?;
    }
    Ok(())
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
