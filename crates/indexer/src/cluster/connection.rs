//! How a cluster is reached, from flags, URLs and the environment.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::ClusterError;

/// However short the time, a node has as long to answer.
const LEAST: Duration = Duration::from_secs(1);

/// Something that never shows: not in `Debug`, not in errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the wire only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// How one proves who one is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// User and password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// An API key, as base64 of `id:key`.
    ApiKey(Secret),
    /// A bearer token.
    Bearer(Secret),
    /// A client certificate with its private key, in one PEM file.
    Certificate(PathBuf),
    /// Each request is signed with AWS credentials, found as AWS tools find them (feature `sigv4`).
    AwsSigV4,
}

/// How a cluster is reached.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its nodes, without user and password.
    pub(super) nodes: Vec<Url>,
    /// The same for all nodes.
    pub credentials: Credentials,
    /// PEM file with the certificate authority to trust, instead of the system's.
    pub ca_certificate: Option<PathBuf>,
    /// Trust any certificate.
    pub insecure: bool,
    /// How long to wait for an answer.
    pub timeout: Duration,
}

impl Connection {
    /// From one URL, or several with commas between them. `None` for an empty one, or `none`:
    /// users set `ES_SERVER` so to do without a server.
    ///
    /// # Errors
    ///
    /// If a URL makes no sense, or two of them name different users.
    pub fn parse(servers: &str) -> Result<Option<Self>, ClusterError> {
        if is_none(servers) {
            return Ok(None);
        }
        let mut credentials = Credentials::None;
        let mut nodes = Vec::new();
        for server in servers.split(',').map(str::trim) {
            let (node, own) = parse_node(server)?;
            if own != Credentials::None {
                if credentials != Credentials::None && credentials != own {
                    let reason = "the nodes' URLs name different users; give one";
                    return Err(ClusterError::Configuration(reason.to_owned()));
                }
                credentials = own;
            }
            nodes.push(node);
        }
        Ok(Some(Self {
            nodes,
            credentials,
            ca_certificate: None,
            insecure: false,
            timeout: Duration::from_mins(1),
        }))
    }

    /// Asks each node for so short a time that all were asked within `patience`.
    pub fn answers_within(&mut self, patience: Duration) {
        let nodes = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let share = patience / nodes.max(1);
        self.timeout = self.timeout.min(share.max(LEAST));
    }

    /// The nodes' URLs, for messages.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.nodes.iter().map(Url::as_str).collect();
        names.join(", ")
    }
}

/// Whether what should name servers means that there is none.
pub(crate) fn is_none(servers: &str) -> bool {
    let servers = servers.trim();
    servers.is_empty() || servers.eq_ignore_ascii_case("none")
}

fn parse_node(server: &str) -> Result<(Url, Credentials), ClusterError> {
    // A message must not repeat the URL: what cannot be parsed may hold a password.
    let wrong = |reason: &str| {
        let reason =
            format!("--es-server: {reason}; expected http(s)://[user:password@]host[:port]");
        ClusterError::Configuration(reason)
    };
    let url = if server.contains("://") {
        Url::parse(server)
    } else {
        Url::parse(&format!("http://{server}"))
    };
    let (mut url, user) = without_user(url).map_err(|reason| wrong(&reason))?;
    let credentials = user.map_or(Credentials::None, |(username, password)| {
        Credentials::Basic { username, password }
    });
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("a server's URL has no `?` and no `#`"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok((url, credentials))
}

/// An HTTP URL without its user, and the user with its password.
///
/// # Errors
///
/// Why it is none, in words that do not repeat it: what cannot be parsed may hold a password.
pub fn without_user(
    url: Result<Url, url::ParseError>,
) -> Result<(Url, Option<(String, Secret)>), String> {
    let mut url = url.map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("its scheme is neither http nor https".to_owned());
    }
    let after_host = [Some(url.path()), url.query(), url.fragment()];
    if after_host
        .into_iter()
        .flatten()
        .any(|part| part.contains('@'))
    {
        return Err(
            "it has an `@` after its host; in user and password, `/` is written %2F, `?` %3F, `#` %23"
                .to_owned(),
        );
    }
    let decoded = |text: &str| {
        let text = percent_encoding::percent_decode_str(text).decode_utf8();
        text.map(std::borrow::Cow::into_owned)
            .map_err(|_| "user or password are not UTF-8".to_owned())
    };
    let user = match (url.username(), url.password()) {
        ("", None) => None,
        (username, password) => Some((
            decoded(username)?,
            Secret(decoded(password.unwrap_or_default())?),
        )),
    };
    // These fail only for URLs without a host.
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    stripped.map_err(|()| "it names no host".to_owned())?;
    Ok((url, user))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(servers: &str) -> Connection {
        Connection::parse(servers).unwrap().unwrap()
    }

    #[test]
    fn nothing_and_none_mean_no_server() {
        for servers in ["", " ", "none", "None"] {
            assert!(Connection::parse(servers).unwrap().is_none());
        }
    }

    #[test]
    fn user_and_password_leave_the_url() {
        let connection = parsed("https://me:p%40ss@one:9200,https://two:9200/es");
        let password = Secret::new("p@ss");
        let username = "me".to_owned();
        assert_eq!(
            connection.credentials,
            Credentials::Basic { username, password }
        );
        assert_eq!(
            connection.names(),
            "https://one:9200/, https://two:9200/es/"
        );
    }

    #[test]
    fn all_nodes_are_asked_within_a_time() {
        let within = |servers, seconds| {
            let mut connection = parsed(servers);
            connection.answers_within(Duration::from_secs(seconds));
            connection.timeout.as_secs()
        };
        assert_eq!(within("one", 300), 60);
        assert_eq!(within("one", 5), 5);
        assert_eq!(within("one,two,three,four,five,six", 300), 50);
        assert_eq!(within("one,two,three", 0), 1);
    }

    #[test]
    fn no_message_and_no_debug_form_holds_the_password() {
        let connection = parsed("http://me:hunter2@one");
        assert!(!format!("{connection:?}").contains("hunter2"));
        for wrong in [
            "ftp://me:hunter2@one",
            "http://me:hunter2@",
            "http://me:hunter2@one:port",
            "http://me:hunter2@one,http://me:hunter3@two",
            "https:/me:hunter2@one",
            "http://me:12/hunter2@one",
            "http://me:/hunter2@one",
            "http://one/x?token=hunter2",
            "http://one/#hunter2",
            "http://me:1#hunter2@one",
            "http://me:1?hunter2@one",
        ] {
            let error = Connection::parse(wrong).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("hunter"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_host_alone_is_reached_by_http() {
        assert_eq!(parsed("localhost:9200").names(), "http://localhost:9200/");
    }
}
