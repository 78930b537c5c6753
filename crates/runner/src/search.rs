//! How the sidecars reach the search server: as this program does.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::Args;
use guidellm_indexer::cli::ServerArguments;
use guidellm_indexer::cluster::Secret;

/// The index of documents, if the user names none.
const INDEX: &str = "guidellm";
/// What proves who one is, of the environment.
const CREDENTIALS: [&str; 3] = ["ES_PASSWORD", "ES_API_KEY", "ES_BEARER_TOKEN"];

/// What the sidecars are given.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// More arguments of theirs.
    pub arguments: Vec<String>,
    /// Their environment, in a Secret: the server and credentials. Empty without a server.
    pub environment: BTreeMap<String, String>,
    /// Files, in a Secret of their own: `ca.crt`, the authority of the server's certificate, and
    /// `client.pem`, the client's certificate and its key.
    pub files: BTreeMap<String, String>,
}

/// The server as pods see it.
#[derive(Debug, Clone, Args)]
pub struct PodsServer {
    /// Address of the search server as pods reach it, if it is another
    #[arg(
        long,
        value_name = "URL",
        env = "PODS_ES_SERVER",
        hide_env_values = true
    )]
    pods_es_server: Option<String>,
}

/// The server that documents go to; `None` for an empty one, or `none`.
pub(crate) fn server(arguments: &ServerArguments) -> Option<&str> {
    let server = arguments.es_server.as_deref()?.trim();
    (!server.is_empty() && !server.eq_ignore_ascii_case("none")).then_some(server)
}

/// The index that they go to.
pub(crate) fn index(arguments: &ServerArguments) -> &str {
    let named = arguments.es_index.as_deref();
    named.filter(|index| !index.is_empty()).unwrap_or(INDEX)
}

impl Search {
    /// What makes sidecars reach the server that the arguments name.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub(crate) fn of(arguments: &ServerArguments, pods: &PodsServer) -> Result<Self> {
        let Some(server) = server(arguments) else {
            return Ok(Self::default());
        };
        let server = pods.pods_es_server.as_deref().unwrap_or(server);
        Ok(Self {
            arguments: more(arguments),
            environment: environment(arguments, server)?,
            files: files(arguments)?,
        })
    }
}

fn more(arguments: &ServerArguments) -> Vec<String> {
    let flags = [
        ("--insecure", arguments.insecure),
        ("--aws-sigv4", arguments.aws_sigv4),
    ];
    let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
    let flags = flags.map(|(flag, _)| flag.to_owned());
    let requests = arguments.es_requests_index.iter();
    let requests = requests.flat_map(|index| ["--es-requests-index".to_owned(), index.clone()]);
    flags.chain(requests).collect()
}

fn environment(arguments: &ServerArguments, server: &str) -> Result<BTreeMap<String, String>> {
    let mut environment = BTreeMap::from([("ES_SERVER".to_owned(), server.to_owned())]);
    if let Some(user) = &arguments.es_username {
        environment.insert("ES_USERNAME".to_owned(), user.clone());
    }
    for name in CREDENTIALS {
        if let Some(value) = Secret::from_environment(name)? {
            environment.insert(name.to_owned(), value.reveal().to_owned());
        }
    }
    Ok(environment)
}

fn files(arguments: &ServerArguments) -> Result<BTreeMap<String, String>> {
    let named = [
        ("ca.crt", &arguments.cacert),
        ("client.pem", &arguments.cert),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, path)| Some((name, path.as_ref()?)));
    let read = named.map(|(name, path)| {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        Ok((name.to_owned(), text))
    });
    read.collect()
}
