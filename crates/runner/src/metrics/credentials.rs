//! How one proves to Prometheus who one is. Nothing here prints a secret.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use guidellm_indexer::cluster::Secret;
use reqwest::header::HeaderValue;

/// A token that is on its way.
pub type Token<'a> = Pin<Box<dyn Future<Output = Result<Secret>> + Send + 'a>>;

/// Somebody who has tokens: one that renews them, such as by Kubernetes' `TokenRequest`.
///
/// A function that takes a bool and gives a future is one.
pub trait TokenProvider: Send + Sync {
    /// A token. It is asked for before each request, so that it may be one at hand; `refused` says
    /// that the last one was not accepted, and another is wanted.
    fn token(&self, refused: bool) -> Token<'_>;
}

impl<F, T> TokenProvider for F
where
    F: Fn(bool) -> T + Send + Sync,
    T: Future<Output = Result<Secret>> + Send + 'static,
{
    fn token(&self, refused: bool) -> Token<'_> {
        Box::pin(self(refused))
    }
}

/// How one proves who one is.
#[derive(Clone, Default)]
pub enum Authorization {
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
    /// A bearer token.
    Bearer(Secret),
    /// A file with a bearer token, read before each request: what is mounted into a pod is renewed.
    TokenFile(PathBuf),
    /// Whoever has bearer tokens.
    Provider(Arc<dyn TokenProvider>),
}

impl fmt::Debug for Authorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
            Self::TokenFile(_) => "TokenFile",
            Self::Provider(_) => "Provider",
        })
    }
}

impl Authorization {
    /// The value of the header `Authorization`.
    pub(super) async fn header(&self, refused: bool) -> Result<Option<HeaderValue>> {
        let token = match self {
            Self::None => return Ok(None),
            Self::Basic { username, password } => {
                let pair = format!("{username}:{}", password.reveal());
                return header("Basic", &BASE64_STANDARD.encode(pair)).map(Some);
            }
            Self::Bearer(token) => token.clone(),
            Self::TokenFile(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| format!("{}: no token", path.display()))?;
                Secret::new(text.trim())
            }
            Self::Provider(provider) => provider.token(refused).await?,
        };
        header("Bearer", token.reveal()).map(Some)
    }

    /// Whether another try may bring another token.
    pub(super) fn is_renewed(&self) -> bool {
        matches!(self, Self::TokenFile(_) | Self::Provider(_))
    }
}

fn header(scheme: &str, credentials: &str) -> Result<HeaderValue> {
    // The parser's own message could hold a part of it.
    let value = HeaderValue::from_str(&format!("{scheme} {credentials}"));
    let mut value = value.ok().context(
        "the token for Prometheus is no header's value; is there a line break or another odd character in it?",
    )?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(work)
    }

    #[test]
    fn a_function_provides_tokens() {
        let provider =
            |refused: bool| async move { Ok(Secret::new(if refused { "new" } else { "old" })) };
        let authorization = Authorization::Provider(Arc::new(provider));
        for (refused, expected) in [(false, "Bearer old"), (true, "Bearer new")] {
            let value = run(authorization.header(refused)).unwrap().unwrap();
            assert_eq!(value.to_str().unwrap(), expected);
        }
    }

    #[test]
    fn a_file_is_read_each_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let authorization = Authorization::TokenFile(file.path().to_path_buf());
        for token in ["one", "two"] {
            std::fs::write(file.path(), format!("{token}\n")).unwrap();
            let value = run(authorization.header(false)).unwrap().unwrap();
            assert_eq!(value.to_str().unwrap(), format!("Bearer {token}"));
        }
        drop(file);
        assert!(run(authorization.header(false)).is_err());
    }

    #[test]
    fn neither_errors_nor_debug_forms_hold_a_secret() {
        let password = Secret::new("hunter2");
        let basic = Authorization::Basic {
            username: "me".to_owned(),
            password: password.clone(),
        };
        let value = run(basic.header(false)).unwrap().unwrap();
        assert_eq!(value.to_str().unwrap(), "Basic bWU6aHVudGVyMg==");
        let broken = Authorization::Bearer(Secret::new("hunter2\n3"));
        let error = run(broken.header(false)).unwrap_err();
        let shown = format!("{error:#} {error:?} {value:?} {basic:?} {broken:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
