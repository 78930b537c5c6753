//! How Prometheus is reached.

use std::path::PathBuf;
use std::time::Duration;

use guidellm_indexer::cluster::{chain, without_user};
use reqwest::{Certificate, redirect};
use url::Url;

use super::credentials::Authorization;
use super::error::PrometheusError;

/// How a server is reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// How one proves who one is; user and password in the URL do as well.
    pub authorization: Authorization,
    /// PEM file with the certificate authorities to trust, instead of the system's.
    pub ca_certificate: Option<PathBuf>,
    /// Certificate authorities to trust beside the system's, where no file names them.
    pub also_trusted: Option<Authorities>,
    /// Trust any certificate.
    pub insecure: bool,
    /// How long to wait for an answer.
    pub request_timeout: Duration,
    /// How long to go on with a query that is not answered.
    pub give_up_after: Duration,
    /// Requests at once.
    pub in_flight: usize,
    /// How often the server scrapes: the end of a window is asked about two of these after it.
    pub scrape_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            authorization: Authorization::None,
            ca_certificate: None,
            also_trusted: None,
            insecure: false,
            request_timeout: Duration::from_mins(1),
            give_up_after: Duration::from_mins(5),
            in_flight: 4,
            scrape_interval: Duration::from_secs(30),
        }
    }
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// Where they are from, for messages.
    pub source: String,
    /// Their own certificates, as PEM.
    pub pem: Vec<u8>,
}

impl Authorities {
    fn certificates(&self) -> Result<Vec<Certificate>, PrometheusError> {
        let wrong =
            |reason: &str| PrometheusError::Configuration(format!("{}: {reason}", self.source));
        let certificates = Certificate::from_pem_bundle(&self.pem);
        let certificates = certificates.map_err(|error| wrong(&chain(&error)))?;
        if certificates.is_empty() {
            return Err(wrong("there is no certificate in it"));
        }
        Ok(certificates)
    }
}

/// What sends requests.
pub(super) fn http(options: &Options) -> Result<reqwest::Client, PrometheusError> {
    let wrong = |reason: String| PrometheusError::Configuration(reason);
    let mut builder = reqwest::Client::builder()
        .timeout(options.request_timeout)
        .user_agent(concat!("llm-d-scale/", env!("CARGO_PKG_VERSION")))
        // A login page is no answer, and a token is for whom it was meant alone.
        .redirect(redirect::Policy::none());
    if options.insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    } else if let Some(path) = &options.ca_certificate {
        let source = path.display().to_string();
        let pem = std::fs::read(path).map_err(|error| wrong(format!("{source}: {error}")))?;
        builder = builder.tls_certs_only(Authorities { source, pem }.certificates()?);
    } else if let Some(authorities) = &options.also_trusted {
        builder = builder.tls_certs_merge(authorities.certificates()?);
    }
    builder
        .build()
        .map_err(|error| wrong(format!("cannot set up HTTP: {}", chain(&error))))
}

/// A URL, and what it says of a user.
pub(super) fn parse(text: &str) -> Result<(Url, Authorization), PrometheusError> {
    // A message must not repeat the URL: what cannot be parsed may hold a password.
    let wrong = |reason: &str| {
        PrometheusError::Configuration(format!(
            "URL of Prometheus: {reason}; expected http(s)://[user:password@]host[:port][/path]"
        ))
    };
    let (mut url, user) = without_user(Url::parse(text)).map_err(|reason| wrong(&reason))?;
    let authorization = user.map_or(Authorization::None, |(username, password)| {
        Authorization::Basic { username, password }
    });
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok((url, authorization))
}

#[cfg(test)]
mod tests {
    use guidellm_indexer::cluster::Secret;

    use super::super::Client;
    use super::*;

    #[test]
    fn a_path_stays_and_a_user_leaves_the_url() {
        let (url, own) = parse("https://me:p%40ss@one:9090/prometheus?x=1").unwrap();
        assert_eq!(url.as_str(), "https://one:9090/prometheus/");
        assert!(matches!(&own, Authorization::Basic { username, password }
                if username == "me" && password.reveal() == "p@ss"));
        assert!(!format!("{own:?}").contains("ss@"));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_without_its_password() {
        let twice = Options {
            authorization: Authorization::Bearer(Secret::new("hunter2")),
            ..Options::default()
        };
        for (url, options) in [
            ("ftp://me:hunter2@one", Options::default()),
            ("http://me:hunter2@", Options::default()),
            ("http://me:hunter2@one:port", Options::default()),
            ("me:hunter2@one", Options::default()),
            ("http://me:hunter2@one", twice),
        ] {
            let error = Client::new(url, options).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
    }
}
