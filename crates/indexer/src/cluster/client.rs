//! Nodes through the `opensearch` and the `elasticsearch` crate, whose transports are alike.
//!
//! Their credentials are not used, so that no type of theirs holds a secret that it might print:
//! `Authorization` is a header of ours, marked as sensitive. What else they add to a call is
//! overridden where the other product, or a version, would not take it.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use super::causes::{chain, is_untrusted};
use super::signing::Signing;
use super::{ClusterError, Credentials, Secret, Unreachable};

/// The value of `Authorization`.
fn authorization(credentials: &Credentials) -> Option<String> {
    let basic = |username: &str, password: &Secret| {
        let pair = format!("{username}:{}", password.reveal());
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    };
    match credentials {
        Credentials::None | Credentials::Certificate(_) | Credentials::AwsSigV4 => None,
        Credentials::Basic { username, password } => Some(basic(username, password)),
        Credentials::ApiKey(key) => Some(format!("ApiKey {}", key.reveal())),
        Credentials::Bearer(token) => Some(format!("Bearer {}", token.reveal())),
    }
}

fn unreachable(error: &(dyn std::error::Error + 'static), url: &Url) -> Unreachable {
    let reason = chain(error);
    if is_untrusted(error) {
        return Unreachable::Untrusted(reason);
    }
    let variable = proxy_variable(url.scheme(), |name| {
        std::env::var_os(name).is_some_and(|value| !value.is_empty())
    });
    Unreachable::Away(match variable {
        Some(variable) => format!(
            "{reason}; {variable} is set: is its proxy there? NO_PROXY names hosts without one"
        ),
        None => reason,
    })
}

/// The variable that names a proxy for a scheme; its value may hold a password.
fn proxy_variable(scheme: &str, is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    let names: &[&str] = match scheme {
        "https" => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    names.iter().copied().find(|name| is_set(name))
}

/// Whether an answer is to what was asked: where a client is sent elsewhere, it turns documents into
/// a question.
fn is_of(asked: &Url, path: &str, answered: &Url) -> Result<(), Unreachable> {
    let asked = asked.join(path).unwrap_or_else(|_| asked.clone());
    let place = |url: &Url| (url.origin(), url.path().to_owned());
    if place(&asked) == place(answered) {
        return Ok(());
    }
    Err(Unreachable::Elsewhere(format!(
        "it sends clients on to {}; name that server",
        answered.origin().ascii_serialization()
    )))
}

/// How long a server asks to be left alone: seconds, or until a date by its own clock.
fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = date.and_then(|date| httpdate::parse_http_date(date).ok());
    let now = now.unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or_default())
}

/// Whether a client can prove with it who it is.
fn proves(pem: &[u8]) -> Result<(), String> {
    let certificate = CertificateDer::from_pem_slice(pem);
    certificate.map_err(|error| format!("no certificate in it: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(pem);
    key.map_err(|error| format!("no private key beside the certificate in it: {error}"))?;
    Ok(())
}

macro_rules! client {
    ($product:ident, $feature:literal, $sign:ident) => {
        #[cfg(feature = $feature)]
        pub(super) mod $product {
            use std::path::Path;
            use std::time::Duration;

            use ::$product::auth::{ClientCertificate, Credentials as Auth};
            use ::$product::cert::{Certificate, CertificateValidation};
            use ::$product::http::headers::{HeaderMap, HeaderValue};
            use ::$product::http::transport::{
                SingleNodeConnectionPool, Transport, TransportBuilder,
            };
            use ::$product::http::{Method as Verb, headers};
            use bytes::Bytes;
            use url::Url;

            use super::super::causes::chain;
            use super::super::signing::Signing;
            use super::super::{
                Answer, Call, ClusterError, Connection, Credentials, Method, Node, Sent,
                Unreachable,
            };
            use super::{authorization, is_of, unreachable};

            struct Client {
                url: Url,
                transport: Transport,
                authorization: Option<HeaderValue>,
                timeout: Duration,
            }

            pub(in super::super) fn node(
                connection: &Connection,
                signing: Option<&Signing>,
                url: &Url,
            ) -> Result<Box<dyn Node>, ClusterError> {
                let wrong = |reason: String| ClusterError::Configuration(reason);
                let read = |path: &Path| {
                    let place = path.display();
                    std::fs::read(path).map_err(|error| wrong(format!("{place}: {error}")))
                };
                let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url.clone()));
                if let Credentials::Certificate(path) = &connection.credentials {
                    let pem = read(path)?;
                    super::proves(&pem)
                        .map_err(|reason| wrong(format!("{}: {reason}", path.display())))?;
                    builder = builder.auth(Auth::Certificate(ClientCertificate::Pem(pem)));
                }
                if connection.insecure {
                    builder = builder.cert_validation(CertificateValidation::None);
                } else if let Some(path) = &connection.ca_certificate {
                    let place = path.display();
                    let authority = Certificate::from_pem(&read(path)?)
                        .map_err(|error| wrong(format!("{place}: {}", chain(&error))))?;
                    builder = builder.cert_validation(CertificateValidation::Full(authority));
                }
                if let Some(signing) = signing {
                    builder = super::$sign(signing, builder, url)?;
                }
                // Its error has no cause; this is the one that is left.
                let transport = builder.build().map_err(|error| {
                    let reason = chain(&error);
                    wrong(format!(
                        "{url}: cannot set up TLS: {reason}; are there certificate authorities on \
                         this machine? SSL_CERT_FILE names a file of them"
                    ))
                })?;
                let authorization = authorization(&connection.credentials)
                    .map(|value| {
                        let mut value = HeaderValue::from_str(&value)
                            .map_err(|_| wrong("the credentials are no header's value".into()))?;
                        value.set_sensitive(true);
                        Ok(value)
                    })
                    .transpose()?;
                Ok(Box::new(Client {
                    url: url.clone(),
                    transport,
                    authorization,
                    timeout: connection.timeout,
                }))
            }

            impl Client {
                async fn answer(&self, call: Call) -> Result<Answer, Unreachable> {
                    let method = match call.method {
                        Method::Get => Verb::Get,
                        Method::Post => Verb::Post,
                        Method::Put => Verb::Put,
                        Method::Delete => Verb::Delete,
                    };
                    let mut sent = HeaderMap::new();
                    let plain = HeaderValue::from_static("application/json");
                    sent.insert(headers::ACCEPT, plain);
                    if let Some(value) = &self.authorization {
                        sent.insert(headers::AUTHORIZATION, value.clone());
                    }
                    let body = call.body.map(|body| {
                        let kind = HeaderValue::from_static(body.content_type);
                        sent.insert(headers::CONTENT_TYPE, kind);
                        if body.gzip {
                            let gzip = HeaderValue::from_static("gzip");
                            sent.insert(headers::CONTENT_ENCODING, gzip);
                        }
                        body.bytes
                    });
                    let timeout = Some(self.timeout);
                    let path = call.path.as_str();
                    let response = self
                        .transport
                        .send::<Bytes, ()>(method, path, sent, None, body, timeout)
                        .await
                        .map_err(|error| unreachable(&error, &self.url))?;
                    is_of(&self.url, path, response.url())?;
                    let status = response.status_code().as_u16();
                    let header = |name| response.headers().get(name)?.to_str().ok();
                    let retry_after = header(headers::RETRY_AFTER)
                        .and_then(|value| super::retry_after(value, header(headers::DATE)));
                    let body = response.bytes().await;
                    Ok(Answer {
                        status,
                        retry_after,
                        body: body.map_err(|error| unreachable(&error, &self.url))?,
                    })
                }
            }

            impl Node for Client {
                fn send(&self, call: Call) -> Sent<'_> {
                    Box::pin(self.answer(call))
                }
            }
        }
    };
}

client!(opensearch, "opensearch", sign);
client!(elasticsearch, "elasticsearch", refuse_to_sign);

#[cfg(feature = "opensearch")]
fn sign(
    signing: &Signing,
    builder: ::opensearch::http::transport::TransportBuilder,
    url: &Url,
) -> Result<::opensearch::http::transport::TransportBuilder, ClusterError> {
    #[cfg(feature = "sigv4")]
    return signing.add_to(builder, url);
    #[cfg(not(feature = "sigv4"))]
    {
        let _ = (builder, url);
        match *signing {}
    }
}

#[cfg(feature = "elasticsearch")]
fn refuse_to_sign(
    _: &Signing,
    _: ::elasticsearch::http::transport::TransportBuilder,
    url: &Url,
) -> Result<::elasticsearch::http::transport::TransportBuilder, ClusterError> {
    Err(ClusterError::Configuration(format!(
        "{url}: it is Elasticsearch, whose requests are not signed; use a user or an API key"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_elsewhere_is_none() {
        let url = |text: &str| Url::parse(text).unwrap();
        let node = url("http://one:9200/es/");
        let of = |answered: &str| is_of(&node, "_bulk?filter_path=a%2Cb", &url(answered));
        assert!(of("http://one:9200/es/_bulk?filter_path=a%2Cb").is_ok());
        for elsewhere in [
            "https://one:9200/es/_bulk?filter_path=a%2Cb",
            "http://me:hunter2@two:9200/es/_bulk?filter_path=a%2Cb",
            "http://one:9200/login?token=hunter2",
        ] {
            let told = of(elsewhere).unwrap_err();
            let Unreachable::Elsewhere(reason) = &told else {
                panic!("{told:?}");
            };
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn a_proxy_is_named_by_its_variable() {
        let of = |scheme, set: &[&str]| proxy_variable(scheme, |name| set.contains(&name));
        assert_eq!(
            of("http", &["HTTPS_PROXY", "http_proxy"]),
            Some("http_proxy")
        );
        assert_eq!(of("https", &["http_proxy", "ALL_PROXY"]), Some("ALL_PROXY"));
        assert_eq!(of("https", &["HTTP_PROXY", "NO_PROXY"]), None);
    }

    #[test]
    fn a_server_may_ask_for_seconds_or_a_date() {
        assert_eq!(retry_after("7", None), Some(Duration::from_secs(7)));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_mins(1));
        let left = retry_after(&date, None).unwrap().as_secs();
        assert!((55..=60).contains(&left), "{left}");
        let past = retry_after("Wed, 21 Oct 2015 07:28:00 GMT", None);
        assert_eq!(past, Some(Duration::ZERO));
        assert_eq!(retry_after("soon", None), None);
        // Its clock may be another one.
        let (now, until) = (
            "Wed, 21 Oct 2015 07:28:00 GMT",
            "Wed, 21 Oct 2015 07:28:09 GMT",
        );
        assert_eq!(retry_after(until, Some(now)), Some(Duration::from_secs(9)));
    }

    #[test]
    fn a_file_that_proves_nothing_is_told() {
        let pem = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n");
        let (certificate, key) = (pem("CERTIFICATE"), pem("PRIVATE KEY"));
        let told = |text: &str| proves(text.as_bytes()).unwrap_err();
        assert!(told("rubbish").starts_with("no certificate in it"));
        assert!(told(&key).starts_with("no certificate in it"));
        assert!(told(&certificate).starts_with("no private key beside"));
        assert_eq!(proves((key + &certificate).as_bytes()), Ok(()));
    }
}
