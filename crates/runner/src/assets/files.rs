//! The files of `manifests/cluster`: which there are, in which order they go, what their heads say.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};

use crate::objects::Object;
use crate::templates::Files;

/// Each after those that it needs.
const ORDER: [&str; 7] = [
    "openshift-nfd-operator",
    "openshift-nfd-instance",
    "openshift-gpu-operator",
    "openshift-gpu-cluster-policy",
    "openshift-service-mesh-operator",
    "openshift-istio-cni",
    "istio",
];

/// Namespace of what says none.
const DEFAULT: &str = "default";

/// What an asset's controllers make that has to be ready too: asset, group and version, kind, name.
const MADE: [(&str, &str, &str, &str); 1] = [(
    "istio",
    "gateway.networking.k8s.io/v1",
    "GatewayClass",
    "istio",
)];

/// Something that a cluster needs once.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Asset {
    pub(super) name: &'static str,
    #[serde(flatten)]
    pub(super) about: About,
    /// What is applied, in order.
    #[serde(skip)]
    pub(super) objects: Vec<Object>,
    /// What its controllers make.
    #[serde(skip)]
    pub(super) made: Vec<Object>,
}

/// What the head of a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct About {
    #[serde(rename = "for")]
    pub(super) purpose: String,
    pub(super) platform: String,
    pub(super) ready: String,
}

impl Asset {
    /// All that has to be ready.
    pub(super) fn awaited(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().chain(&self.made)
    }
}

/// The assets of some names, or all, in their order.
pub(super) fn chosen(names: &[String], files: &Files) -> Result<Vec<Asset>> {
    for name in names {
        if !ORDER.contains(&&**name) {
            bail!("there is no `{name}`; there are {}", ORDER.join(", "));
        }
    }
    let wanted = |name: &&&str| names.is_empty() || names.iter().any(|it| it == **name);
    let chosen = ORDER.iter().filter(wanted);
    chosen.map(|name| read(name, files)).collect()
}

fn read(name: &'static str, files: &Files) -> Result<Asset> {
    let path = PathBuf::from(format!("cluster/{name}.yaml"));
    let text = files.read(&path)?;
    let objects = objects(&text).with_context(|| path.display().to_string())?;
    let made = MADE.iter().filter(|(asset, ..)| *asset == name);
    let made = made.map(|(_, api_version, kind, name)| Object {
        manifest: json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name } }),
        default_namespace: DEFAULT.to_owned(),
        wait: true,
    });
    Ok(Asset {
        name,
        about: about(&text),
        objects,
        made: made.collect(),
    })
}

fn objects(text: &str) -> Result<Vec<Object>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let mut objects = Vec::new();
    for (number, manifest) in documents.into_iter().enumerate() {
        if manifest.is_null() {
            continue;
        }
        let object = Object {
            manifest,
            default_namespace: DEFAULT.to_owned(),
            wait: true,
        };
        let needed = [object.api_version(), object.kind(), object.name()];
        if needed.iter().any(|it| it.is_empty()) {
            let number = number + 1;
            bail!("document {number} lacks apiVersion, kind or metadata.name");
        }
        objects.push(object);
    }
    Ok(objects)
}

/// Paragraphs of the comment at the head, each of which begins with a word and a colon.
fn about(text: &str) -> About {
    let mut about = About::default();
    let mut passed_over = String::new();
    let mut paragraph = &mut passed_over;
    for line in text.lines() {
        let Some(comment) = line.strip_prefix('#') else {
            break;
        };
        let (word, rest) = comment.trim().split_once(':').unwrap_or_default();
        let rest = match word {
            "For" => (&mut about.purpose, rest),
            "Platform" => (&mut about.platform, rest),
            "Ready" => (&mut about.ready, rest),
            "Then" => (&mut passed_over, rest),
            _ => (paragraph, comment),
        };
        paragraph = rest.0;
        if !paragraph.is_empty() {
            paragraph.push(' ');
        }
        paragraph.push_str(rest.1.trim());
    }
    about
}

/// How to get a kind that the cluster does not know.
pub(super) fn source(api_version: &str) -> &'static str {
    match api_version.split_once('/').map_or("", |(group, _)| group) {
        "operators.coreos.com" => {
            "it is of the Operator Lifecycle Manager, which OpenShift has; elsewhere, install the operator as \
             its own documentation says"
        }
        "nfd.openshift.io" => "apply openshift-nfd-operator first",
        "nvidia.com" => "apply openshift-gpu-operator first",
        "sailoperator.io" => {
            "apply openshift-service-mesh-operator first; elsewhere than on OpenShift, install the Sail operator"
        }
        "gateway.networking.k8s.io" => "install the definitions of the Gateway API first",
        _ => "install its definition first",
    }
}

/// Where a file is, for messages.
pub(super) fn file(asset: &Asset) -> String {
    Path::new("cluster")
        .join(asset.name)
        .with_extension("yaml")
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Asset> {
        chosen(&[], &Files::default()).unwrap()
    }

    fn text(name: &str) -> String {
        let path = PathBuf::from(format!("cluster/{name}.yaml"));
        Files::default().read(&path).unwrap()
    }

    #[test]
    fn all_files_are_there_and_none_is_forgotten() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/cluster");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|it| it.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let mut known: Vec<&str> = all().iter().map(|it| it.name).collect();
        known.sort_unstable();
        assert_eq!(files, known);
    }

    #[test]
    fn heads_say_what_it_is_for_and_where() {
        for asset in all() {
            let About {
                purpose,
                platform,
                ready,
            } = &asset.about;
            for part in [purpose, platform, ready] {
                assert!(part.ends_with('.'), "{}: {part}", asset.name);
            }
        }
    }

    /// "after X.yaml", "Then: Y.yaml".
    #[test]
    fn the_order_is_that_of_the_heads() {
        let place = |name: &str| ORDER.iter().position(|it| *it == name).unwrap();
        let mut told = 0;
        for asset in all() {
            let text = text(asset.name);
            for line in text.lines().take_while(|line| line.starts_with('#')) {
                let named = |rest: &str| {
                    let end = rest.find(".yaml").unwrap();
                    place(&rest[..end])
                };
                for (_, rest) in line
                    .match_indices("after ")
                    .map(|(at, it)| (at, &line[at + it.len()..]))
                {
                    assert!(named(rest) < place(asset.name), "{line}");
                    told += 1;
                }
                if let Some(rest) = line.strip_prefix("# Then:") {
                    assert!(place(asset.name) < named(rest.trim()), "{line}");
                    told += 1;
                }
            }
        }
        assert!(told > 6, "{told}");
    }

    /// What is waited for is what the heads name.
    #[test]
    fn heads_name_what_has_to_be_ready() {
        for asset in all() {
            let awaited: Vec<&Object> = asset
                .awaited()
                .filter(|it| super::super::judge::is_told(it) && it.kind() != "Namespace")
                .collect();
            assert!(!awaited.is_empty(), "{}", asset.name);
            for object in awaited {
                let place = match object.own_namespace() {
                    Some(namespace) => format!("{} {namespace}/{}", object.kind(), object.name()),
                    None => format!("{} {}", object.kind(), object.name()),
                };
                assert!(
                    asset.about.ready.contains(&place),
                    "{}: {place}",
                    asset.name
                );
            }
        }
    }

    #[test]
    fn names_are_put_in_order_and_unknown_ones_are_refused() {
        let names = ["istio", "openshift-istio-cni"].map(ToOwned::to_owned);
        let chosen_names: Vec<&str> = chosen(&names, &Files::default())
            .unwrap()
            .iter()
            .map(|it| it.name)
            .collect();
        assert_eq!(chosen_names, ["openshift-istio-cni", "istio"]);
        let refused = chosen(&["isto".to_owned()], &Files::default()).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("there is no `isto`; there are openshift-nfd")
        );
    }

    #[test]
    fn a_file_of_the_users_own_replaces_a_built_in_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("cluster")).unwrap();
        let own = folder.path().join("cluster/istio.yaml");
        std::fs::write(
            &own,
            "# For: me.\nkind: A\napiVersion: v1\nmetadata: {name: b}\n",
        )
        .unwrap();
        let files = Files::new(vec![folder.path().to_owned()]);
        let asset = read("istio", &files).unwrap();
        assert_eq!((asset.objects.len(), &*asset.about.purpose), (1, "me."));
        std::fs::write(&own, "kind: A\n").unwrap();
        let refused = read("istio", &files).unwrap_err();
        assert_eq!(
            format!("{refused:#}"),
            "cluster/istio.yaml: document 1 lacks apiVersion, kind or metadata.name"
        );
    }
}
