//! From what the user says of a server to a sink for documents.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bulk::{BulkOptions, BulkSink, Shipped, Stop, check};
use crate::cli::{SendingArguments, ServerArguments};
use crate::cluster::{ClusterError, Connection, Credentials, Secret};
use crate::tell;

/// Between two tries to reach a server.
const PAUSE: Duration = Duration::from_secs(1);

impl ServerArguments {
    /// How the server is reached; `None` without one.
    pub(crate) fn connection(&self) -> Result<Option<Connection>, ClusterError> {
        let server = self.es_server.as_deref().unwrap_or_default();
        let Some(mut connection) = Connection::parse(server)? else {
            return Ok(None);
        };
        if let Some(own) = self.credentials()? {
            if connection.credentials != Credentials::None && connection.credentials != own {
                let reason = "credentials are given twice, in the URL and beside it; leave one out";
                return Err(ClusterError::Configuration(reason.to_owned()));
            }
            connection.credentials = own;
        }
        connection.ca_certificate.clone_from(&self.cacert);
        connection.insecure = self.insecure;
        connection.timeout = self.request_timeout.into();
        connection.answers_within(self.patience());
        Ok(Some(connection))
    }

    /// How long the server may do nothing; no clock goes further.
    pub(crate) fn patience(&self) -> Duration {
        const LONGEST: Duration = Duration::from_hours(365 * 24);
        LONGEST.min(self.give_up_after.into())
    }

    /// The index of requests, if it is one of its own: a template may leave it empty.
    fn requests_index(&self) -> Option<&str> {
        let index = self.es_requests_index.as_deref();
        index.filter(|index| !index.is_empty())
    }

    /// The indices that documents are read from.
    pub(crate) fn indices(&self) -> Result<Vec<&str>> {
        let index = self.es_index.as_deref().filter(|index| !index.is_empty());
        let Some(index) = index else {
            bail!("--es-server needs --es-index NAME (or ES_INDEX)");
        };
        let mut indices = vec![index];
        indices.extend(self.requests_index());
        Ok(indices)
    }

    /// From flags and the environment. Secrets come from the environment alone: a process's
    /// arguments can be read by everybody.
    fn credentials(&self) -> Result<Option<Credentials>, ClusterError> {
        let password = secret("ES_PASSWORD")?.unwrap_or_else(|| Secret::new(String::new()));
        let basic = self.es_username.clone();
        let basic = basic.map(|username| Credentials::Basic { username, password });
        let key = secret("ES_API_KEY")?.map(Credentials::ApiKey);
        let token = secret("ES_BEARER_TOKEN")?.map(Credentials::Bearer);
        let certificate = self.cert.clone().map(Credentials::Certificate);
        let signed = self.aws_sigv4.then_some(Credentials::AwsSigV4);
        let mut given = [basic, key, token, certificate, signed]
            .into_iter()
            .flatten();
        match (given.next(), given.next()) {
            (Some(_), Some(_)) => Err(ClusterError::Configuration(
                "give one of --es-username, --cert, --aws-sigv4, ES_API_KEY and ES_BEARER_TOKEN"
                    .to_owned(),
            )),
            (only, _) => Ok(only),
        }
    }

    /// Tries to reach the server until it is there, or was away for too long, which is told; or
    /// is stopped.
    pub(crate) fn wait<T>(
        &self,
        stop: &Stop,
        reach: impl Fn() -> Result<T, ClusterError>,
    ) -> Result<Option<T>, ClusterError> {
        if self.insecure {
            tell(
                "warning: --insecure: anybody between here and the server can read and change all",
            );
        }
        let until = Instant::now() + self.patience();
        let mut told = false;
        loop {
            let error = match reach() {
                _ if stop.is_stopped() => return Ok(None),
                Err(error) if error.is_retryable() => error,
                reached => return reached.map(Some),
            };
            if Instant::now() + PAUSE > until {
                tell(&format!("error: {error}"));
                return Ok(None);
            }
            if !told {
                let patience = self.give_up_after;
                tell(&format!("warning: {error}; trying again for {patience}"));
                told = true;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl SendingArguments {
    /// How documents are sent; `index` is where they go if the user does not say.
    fn options(&self, index: Option<&str>) -> Result<BulkOptions> {
        let Self { server, bulk } = self;
        let index = server.es_index.as_deref().or(index);
        let Some(index) = index.filter(|it| !it.is_empty()) else {
            bail!("--es-server needs --es-index NAME (or ES_INDEX)");
        };
        Ok(BulkOptions {
            request_index: server.requests_index().map(Into::into),
            operation: bulk.op,
            batch_documents: bulk.batch_documents.get(),
            in_flight: bulk.in_flight.get(),
            gzip: !bulk.no_gzip,
            give_up_after: server.patience(),
            rejected: bulk.rejected.clone(),
            unsent: bulk.unsent.clone(),
            ..BulkOptions::new(index)
        })
    }

    /// Whether documents could be kept where the user says, before there are any.
    pub(crate) fn check_files(&self) -> Result<()> {
        if self.server.is_named() {
            check(&self.bulk.rejected).context("--rejected")?;
            check(&self.bulk.unsent).context("--unsent")?;
        }
        Ok(())
    }

    /// Opens the sink, if there is a server; waits for a server that is away, unless stopped.
    /// `known` are the indices that documents go to, if they are not those that the user names.
    pub(crate) fn open(&self, known: &[Arc<str>], stop: &Stop) -> Result<Option<BulkSink>> {
        let Some(connection) = self.server.connection()? else {
            return Ok(None);
        };
        let options = BulkOptions {
            stop: stop.clone(),
            ..self.options(known.first().map(|index| &**index))?
        };
        let reached = self
            .server
            .wait(stop, || self.reach(&connection, &options, known))?;
        Ok(Some(match reached {
            Some(sink) => sink,
            None => BulkSink::unreached(options)?,
        }))
    }

    /// Asks the server what it is, once; nothing is made or sent.
    ///
    /// # Errors
    ///
    /// If it cannot be reached, or is no search server.
    pub fn ask(&self) -> Result<String> {
        let Some(connection) = self.server.connection()? else {
            bail!("no server is named; give --es-server URL (or ES_SERVER)");
        };
        let sink = BulkSink::open(&connection, self.options(None)?)?;
        let product = sink.cluster().map(|cluster| cluster.product().to_string());
        drop(sink.finish());
        Ok(product.unwrap_or_default())
    }

    /// A sink that keeps everything.
    #[cfg(feature = "sidecar")]
    pub(crate) fn unreached(&self) -> Result<BulkSink> {
        Ok(BulkSink::unreached(self.options(None)?)?)
    }

    /// Whether the user said all that is needed.
    #[cfg(feature = "sidecar")]
    pub(crate) fn check(&self) -> Result<()> {
        self.options(None).map(drop)
    }

    fn reach(
        &self,
        connection: &Connection,
        options: &BulkOptions,
        known: &[Arc<str>],
    ) -> Result<BulkSink, ClusterError> {
        let sink = BulkSink::open(connection, options.clone())?;
        match known {
            _ if self.bulk.no_template => {}
            [] => sink.prepare_index()?,
            known => sink.prepare(known)?,
        }
        Ok(sink)
    }
}

impl Secret {
    /// A secret of the environment, or of a file that the environment names (`NAME_FILE`), as
    /// mounted Secrets are.
    ///
    /// # Errors
    ///
    /// If both are set, or the file cannot be read.
    pub fn from_environment(name: &str) -> Result<Option<Self>, ClusterError> {
        secret(name)
    }
}

fn secret(name: &str) -> Result<Option<Secret>, ClusterError> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let file = format!("{name}_FILE");
    let given = match (set(name), set(&file)) {
        (Some(_), Some(_)) => Err(format!("{name} and {file} are both set; leave one out")),
        (None, Some(path)) => match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim_end().to_owned())),
            Err(error) => Err(format!("{path} (named by {file}): {error}")),
        },
        (given, None) => Ok(given),
    };
    let given = given.map_err(ClusterError::Configuration)?;
    Ok(given.map(Secret::new))
}

/// Tells what became of the documents.
pub(crate) fn tell_of(shipped: &Shipped, quiet: bool) {
    shipped.lines(quiet).iter().for_each(|line| tell(line));
}

impl Shipped {
    /// What became of the documents, as lines for the user; quiet ones are errors alone.
    #[must_use]
    pub fn lines(&self, quiet: bool) -> Vec<String> {
        let counts = self.in_words(&[
            "created",
            "updated",
            "unchanged",
            "rejected",
            "unsent",
            "lost",
        ]);
        let told = !quiet && !counts.is_empty();
        let mut lines: Vec<String> = told
            .then(|| format!("documents: {}", counts.join(", ")))
            .into_iter()
            .collect();
        lines.extend(self.reasons.iter().map(|reason| format!("error: {reason}")));
        let files = [&self.rejected_file, &self.unsent_file];
        lines.extend(files.into_iter().flatten().map(|file| {
            let file = file.display();
            format!("error: they are in {file}; `guidellm-indexer replay {file}` sends them again")
        }));
        lines
    }
}
