//! A cluster: what is asked of Kubernetes, and nothing of suites.

mod apply;
mod error;
mod gc;
pub(crate) mod lease;
mod pace;
mod patience;

pub use apply::Applied;
pub use error::ClusterError;
use gc::waits_for;
pub use gc::{Left, Swept};
pub(crate) use lease::Lease;
pub use pace::Pace;
pub(crate) use patience::Patience;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope, pinned_kind};
use kube::{Client, Config};
use tokio::sync::Mutex;

use crate::objects::{MANAGED_BY, MANAGER, RUN};

/// How long to wait for an answer. (Watches are ended by the server, later.)
const ANSWER: Duration = Duration::from_mins(1);

type Kind = (ApiResource, Scope);

/// A connection to a cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    url: String,
    /// By group with version, and name.
    kinds: Arc<Mutex<BTreeMap<(String, String), Kind>>>,
    /// Where to look for objects, for who may not look everywhere.
    namespaces: Arc<[String]>,
    patience: Patience,
}

impl Cluster {
    /// Connects as kubectl does: by the named file, `KUBECONFIG`, `~/.kube/config`, or from within a
    /// pod.
    ///
    /// # Errors
    ///
    /// If there is no configuration, or it is wrong. The cluster itself is not asked yet.
    pub async fn connect(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
    ) -> Result<Self, ClusterError> {
        let options = KubeConfigOptions {
            context: context.map(ToOwned::to_owned),
            ..KubeConfigOptions::default()
        };
        let wrong = |error: &dyn std::fmt::Display| ClusterError::Configuration(error.to_string());
        let mut config = match (kubeconfig, context) {
            (None, None) => Config::infer().await.map_err(|error| wrong(&error))?,
            (None, Some(_)) => Config::from_kubeconfig(&options)
                .await
                .map_err(|error| wrong(&error))?,
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
                let config = Config::from_custom_kubeconfig(file, &options).await;
                config.map_err(|error| wrong(&error))?
            }
        };
        config.read_timeout = Some(ANSWER * 6);
        config.write_timeout = Some(ANSWER);
        config.connect_timeout = Some(Duration::from_secs(10));
        let url = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| wrong(&error))?;
        let kinds = Arc::default();
        let namespaces = Arc::default();
        Ok(Self {
            client,
            url,
            kinds,
            namespaces,
            patience: Patience::default(),
        })
    }

    /// The same; for who may not list objects of all namespaces, those of these are.
    #[must_use]
    pub fn within(self, namespaces: impl IntoIterator<Item = String>) -> Self {
        let namespaces: BTreeSet<String> = namespaces.into_iter().collect();
        Self {
            namespaces: namespaces.into_iter().collect(),
            ..self
        }
    }

    /// The client, for what is not here.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A kind, as the cluster knows it.
    ///
    /// # Errors
    ///
    /// [`ClusterError::UnknownKind`] if it does not.
    pub async fn kind(
        &self,
        api_version: &str,
        kind: &str,
    ) -> Result<(ApiResource, Scope), ClusterError> {
        let key = (api_version.to_owned(), kind.to_owned());
        if let Some(known) = self.kinds.lock().await.get(&key) {
            return Ok(known.clone());
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let wanted = GroupVersionKind::gvk(group, version, kind);
        let found = pinned_kind(&self.client, &wanted).await;
        let (resource, capabilities) = found.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => unknown(&key),
            kube::Error::Discovery(_) => unknown(&key),
            error => ClusterError::of(error, format!("ask for kind {kind} of {api_version}")),
        })?;
        let found = (resource, capabilities.scope);
        self.kinds.lock().await.insert(key, found.clone());
        Ok(found)
    }

    /// Where objects of a kind are, in a namespace if they are in any.
    pub(crate) fn api(
        &self,
        (resource, scope): &(ApiResource, Scope),
        namespace: &str,
    ) -> Api<DynamicObject> {
        match scope {
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), namespace, resource),
            Scope::Cluster => Api::all_with(self.client.clone(), resource),
        }
    }

    /// Makes a namespace, if it is not there; one that was there is nobody's of ours, and stays.
    ///
    /// # Errors
    ///
    /// If it is being deleted, or may not be made.
    pub async fn namespace(&self, name: &str, run: &str) -> Result<bool, ClusterError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let doing = || format!("make namespace {name}");
        let found = api.get_opt(name).await;
        if let Some(found) = found.map_err(|error| ClusterError::of(error, doing()))? {
            let ends = found.metadata.deletion_timestamp.is_some();
            return if ends {
                Err(ClusterError::Ending {
                    object: format!("namespace/{name}"),
                    reason: content(&found).unwrap_or_else(|| waits_for(&found)),
                })
            } else {
                Ok(false)
            };
        }
        let labels = [(RUN, run), (MANAGED_BY, MANAGER)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(labels.into()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let made = api.create(&PostParams::default(), &namespace).await;
        match made {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            made => made
                .map(|_| true)
                .map_err(|error| ClusterError::of(error, doing())),
        }
    }
}

/// What is in a namespace that is being deleted, as its controller tells it.
fn content(namespace: &Namespace) -> Option<String> {
    let conditions = namespace.status.iter().flat_map(|it| &it.conditions);
    let told = conditions.flatten().filter(|it| it.status == "True");
    let told: Vec<String> = told.filter_map(|it| it.message.clone()).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn unknown((api_version, kind): &(String, String)) -> ClusterError {
    ClusterError::UnknownKind {
        api_version: api_version.clone(),
        kind: kind.clone(),
    }
}
