//! OpenSearch or Elasticsearch, and which version.

use std::fmt;

use serde::Deserialize;
use url::Url;

/// What a cluster runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// OpenSearch 1 and newer.
    OpenSearch {
        /// Major version.
        major: u32,
        /// Minor version.
        minor: u32,
    },
    /// Elasticsearch 7 and newer.
    Elasticsearch {
        /// Major version.
        major: u32,
        /// Minor version.
        minor: u32,
    },
}

impl fmt::Display for Product {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, major, minor) = match self {
            Self::OpenSearch { major, minor } => ("OpenSearch", major, minor),
            Self::Elasticsearch { major, minor } => ("Elasticsearch", major, minor),
        };
        write!(formatter, "{name} {major}.{minor}")
    }
}

#[derive(Deserialize)]
struct Root {
    version: Version,
    #[serde(default)]
    tagline: String,
}

#[derive(Deserialize)]
struct Version {
    number: String,
    distribution: Option<String>,
}

/// Whether a node is one of Amazon OpenSearch Serverless, which has no call that tells what it is.
pub(super) fn is_serverless(node: &Url) -> bool {
    node.host_str()
        .is_some_and(|host| host.ends_with(".aoss.amazonaws.com"))
}

impl Product {
    /// What Amazon OpenSearch Serverless is compatible with.
    pub(super) const SERVERLESS: Self = Self::OpenSearch { major: 2, minor: 0 };

    /// From the answer to `GET /`; or what it is instead.
    pub(super) fn detect(body: &[u8]) -> Result<Self, String> {
        let root: Root = serde_json::from_slice(body)
            .map_err(|_| "its answer to GET / has no `version.number`".to_owned())?;
        let mut parts = root.version.number.split('.').map(str::parse::<u32>);
        let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
            return Err(format!("its version is `{}`", root.version.number));
        };
        match root.version.distribution.as_deref() {
            Some("opensearch") => Ok(Self::OpenSearch { major, minor }),
            Some(other) => Err(format!("it is `{other}`")),
            None if root.tagline != "You Know, for Search" => {
                Err("its tagline is not Elasticsearch's".to_owned())
            }
            None if major < 7 => Err(format!("Elasticsearch {major}.{minor} is older than 7")),
            None => Ok(Self::Elasticsearch { major, minor }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_tells_the_product() {
        let detect = |body: &str| Product::detect(body.as_bytes());
        let opensearch = r#"{"version": {"number": "2.19.6", "distribution": "opensearch"}}"#;
        let (major, minor) = (2, 19);
        assert_eq!(detect(opensearch), Ok(Product::OpenSearch { major, minor }));
        let tagline = r#""tagline": "You Know, for Search""#;
        let elasticsearch = format!(r#"{{"version": {{"number": "9.5.3"}}, {tagline}}}"#);
        let (major, minor) = (9, 5);
        assert_eq!(
            detect(&elasticsearch),
            Ok(Product::Elasticsearch { major, minor })
        );
        let old = format!(r#"{{"version": {{"number": "6.8.23"}}, {tagline}}}"#);
        assert!(detect(&old).unwrap_err().contains("older than 7"));
        assert!(detect("<html>").is_err());
        assert!(detect(r#"{"version": {"number": "1.0.0"}, "tagline": "other"}"#).is_err());
    }
}
