//! `llm-d-scale collect`: metrics and alerts of a time that has passed.

use std::io::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use guidellm_indexer::bulk::{Shipped, Stop};
use guidellm_indexer::cli::{SendingArguments, TargetArguments};
use guidellm_indexer::cluster::Secret;
use guidellm_indexer::kube_burner::{Destinations, Metadata};
use guidellm_results_model::Exit;
use guidellm_results_model::documents::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cluster::Cluster;
use crate::metrics::{
    AlertProfile, Alerted, Authorities, Authorization, Client, Context, MetricProfile, Options,
    PrometheusError, Scraped, Window, alerts, openshift, scrape,
};
use crate::run::ClusterArguments;
use crate::tell;

/// The profile of llm-d-scale: `manifests/metrics/llm-d-scale.yml`.
pub const METRICS: &str = include_str!("../../../manifests/metrics/llm-d-scale.yml");

/// Of its help.
pub(crate) const EXAMPLES: &str = "Examples:
  llm-d-scale collect -u http://prometheus:9090 --start 1764000000 --end 1764000600 -o metrics.json
  llm-d-scale collect -u https://thanos:9091 --token-file token -m metrics.yml -a alerts.yml \\
      --start 2025-11-24T16:00:00Z --end 2025-11-24T16:10:00Z --uuid \"$UUID\" -j steady-chat-10 \\
      --es-server https://search:9200 --es-index guidellm
  PROMETHEUS_TOKEN=$(oc whoami -t) llm-d-scale collect -u \"$URL\" --start 1764000000 --end 1764000600 \\
      -s 15s --store results
  llm-d-scale collect --start 1764000000 --end 1764000600 --store results    # OpenShift's own

Exit codes: 0 all done; 1 a query or a document failed; 2 wrong usage or nothing reachable;
3 an alert of severity error or critical fired; 4 a deadline passed or a server stayed away.";

/// Its name in messages.
const METRICS_NAME: &str = "metrics/llm-d-scale.yml (built in)";

/// How Prometheus is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Prometheus")]
pub struct PrometheusArguments {
    /// Server that speaks Prometheus' HTTP API [default: `OpenShift`'s own, with a token for it]
    #[arg(
        long,
        short = 'u',
        value_name = "URL",
        env = "PROMETHEUS_URL",
        hide_env_values = true
    )]
    pub prometheus_url: Option<String>,
    /// File with a bearer token, read before each request. `PROMETHEUS_TOKEN` does without a file
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// User; the password is `PROMETHEUS_PASSWORD`, or in the file of `PROMETHEUS_PASSWORD_FILE`
    #[arg(long, value_name = "NAME", env = "PROMETHEUS_USERNAME")]
    pub username: Option<String>,
    /// Certificate authority of Prometheus to trust, instead of the system's, and of `OpenShift`'s own
    #[arg(long, value_name = "PEM")]
    pub prometheus_cacert: Option<PathBuf>,
    /// Trust any certificate of Prometheus
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true"
    )]
    pub skip_tls_verify: bool,
    /// How long to wait for an answer before the same is asked again
    #[arg(long, value_name = "TIME", default_value = "1m")]
    pub query_timeout: humantime::Duration,
    /// How long to go on with a query that is not answered
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub query_give_up_after: humantime::Duration,
    /// Queries at once
    #[arg(long, value_name = "N", default_value = "4")]
    pub queries_in_flight: NonZero<usize>,
    /// How often Prometheus scrapes: the end of the time is asked about two of these after it
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub scrape_interval: humantime::Duration,
}

/// Arguments of `collect`.
#[derive(Debug, Args)]
pub struct CollectArguments {
    /// Profile of metrics; can be repeated [default: that of llm-d-scale]
    #[arg(long, short = 'm', value_name = "FILE")]
    pub metrics_profile: Vec<PathBuf>,
    /// Profile of alerts; can be repeated. Alone, no metrics are collected
    #[arg(long, short = 'a', value_name = "FILE")]
    pub alert_profile: Vec<PathBuf>,
    /// Start: seconds since 1970, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub start: Timestamp,
    /// End: seconds since 1970, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub end: Timestamp,
    /// Start of the load itself: samples from then on to its end are marked `duringLoad`
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "load_end")]
    pub load_start: Option<Timestamp>,
    /// End of the load itself
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "load_start")]
    pub load_end: Option<Timestamp>,
    /// Time between two samples
    #[arg(long, short = 's', value_name = "TIME", default_value = "30s")]
    pub step: humantime::Duration,
    /// The run, and the uuid of the documents [default: a new one]
    #[arg(long, env = "UUID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub uuid: Option<String>,
    /// The job
    #[arg(long, short = 'j', value_name = "NAME", default_value = "")]
    pub job_name: String,
    /// Kubernetes namespace, where a query asks for one
    #[arg(long, short, value_name = "NAME", default_value = "llm-d-scale")]
    pub namespace: String,
    /// YAML file whose members become each document's `metadata`
    #[arg(long, value_name = "FILE")]
    pub user_metadata: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
    /// How Prometheus is reached.
    #[command(flatten)]
    pub prometheus: PrometheusArguments,
    /// The cluster whose Prometheus it is, if none is named.
    #[command(flatten)]
    pub cluster: ClusterArguments,
    /// Where the documents go.
    #[command(flatten)]
    pub targets: TargetArguments,
    /// Send the documents to a server.
    #[command(flatten)]
    pub sending: SendingArguments,
}

/// What came of it, for machines.
#[derive(Debug, Serialize)]
struct Outcome {
    uuid: Arc<str>,
    metrics: Scraped,
    alerts: Alerted,
    /// What a server took.
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<Shipped>,
}

/// Runs the command.
///
/// # Errors
///
/// If nothing could be collected or written.
pub fn run(arguments: &CollectArguments) -> Result<Exit> {
    let (metric_profiles, alert_profiles) = arguments.profiles()?;
    let window = arguments.window()?;
    let context = arguments.context()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let client = runtime.block_on(arguments.client())?;
    match runtime.block_on(client.check(tell)) {
        Ok(()) => {}
        Err(error @ PrometheusError::Away { .. }) => {
            tell(&format!("error: {error}"));
            return Ok(Exit::DeadlinePassed);
        }
        Err(error) => return Err(error.into()),
    }
    let sink = Arc::new(arguments.destinations()?);
    let collected = runtime.block_on(async {
        let metrics = scrape(&client, &metric_profiles, &window, &context, &sink).await?;
        let alerts = alerts(&client, &alert_profiles, &window, &context, &sink).await?;
        anyhow::Ok((metrics, alerts))
    });
    drop(runtime);
    let (metrics, alerts) = collected?;
    let sink = Arc::into_inner(sink).context("documents are still being written")?;
    let (documents, failures) = sink.end();
    let uuid = Arc::clone(&context.uuid);
    let outcome = Outcome {
        uuid,
        metrics,
        alerts,
        documents,
    };
    outcome.tell(arguments)?;
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(outcome.exit()),
    }
}

impl PrometheusArguments {
    /// A client, with secrets out of the environment: a process's arguments can be read by everybody.
    ///
    /// # Errors
    ///
    /// If the arguments do not go together, or make no sense.
    pub fn client(&self, url: &str) -> Result<Client> {
        self.client_of(url, None, None)
    }

    /// The same for `OpenShift`'s own Prometheus; `None` if the cluster is not `OpenShift`. What is not
    /// said of certificates and of who asks, is asked of the cluster.
    ///
    /// # Errors
    ///
    /// The same, and if the cluster does not tell where it is.
    pub(crate) async fn found(&self, cluster: &Cluster) -> Result<Option<Client>> {
        let Some(url) = openshift::url(cluster).await? else {
            return Ok(None);
        };
        let authorities = if self.skip_tls_verify || self.prometheus_cacert.is_some() {
            None
        } else {
            openshift::authorities(cluster).await?
        };
        let tokens = openshift::tokens(cluster);
        self.client_of(&url, Some(tokens), authorities).map(Some)
    }

    fn client_of(
        &self,
        url: &str,
        otherwise: Option<Authorization>,
        also_trusted: Option<Authorities>,
    ) -> Result<Client> {
        if self.skip_tls_verify {
            tell(
                "warning: --skip-tls-verify: anybody between here and Prometheus can read and change all",
            );
        }
        let options = Options {
            authorization: self.authorization()?.or(otherwise).unwrap_or_default(),
            ca_certificate: self.prometheus_cacert.clone(),
            also_trusted,
            insecure: self.skip_tls_verify,
            request_timeout: *self.query_timeout,
            give_up_after: *self.query_give_up_after,
            in_flight: self.queries_in_flight.get(),
            scrape_interval: *self.scrape_interval,
        };
        Ok(Client::new(url, options)?)
    }

    fn authorization(&self) -> Result<Option<Authorization>> {
        let password = Secret::from_environment("PROMETHEUS_PASSWORD")?;
        let basic = self.username.clone().map(|username| Authorization::Basic {
            username,
            password: password.unwrap_or_else(|| Secret::new(String::new())),
        });
        let token = Secret::from_environment("PROMETHEUS_TOKEN")?.map(Authorization::Bearer);
        let file = self.token_file.clone().map(Authorization::TokenFile);
        let mut given = [basic, token, file].into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(_), Some(_)) => {
                bail!("give one of --token-file, --username and PROMETHEUS_TOKEN")
            }
            (only, _) => Ok(only),
        }
    }
}

impl CollectArguments {
    /// Of the Prometheus that is named, or of `OpenShift`'s own.
    async fn client(&self) -> Result<Client> {
        const WHICH: &str = "which Prometheus? give --prometheus-url URL (or PROMETHEUS_URL)";
        let named = self.prometheus.prometheus_url.as_ref();
        if let Some(url) = named.filter(|url| !url.is_empty()) {
            return self.prometheus.client(url);
        }
        let cluster = self.cluster.connect().await;
        let cluster = cluster.with_context(|| format!("{WHICH}; to find OpenShift's own"))?;
        let found = self.prometheus.found(&cluster).await?;
        found.with_context(|| format!("{WHICH}: {} is not OpenShift", cluster.url()))
    }

    fn profiles(&self) -> Result<(Vec<MetricProfile>, Vec<AlertProfile>)> {
        let metrics = self.metrics_profile.iter();
        let mut metrics = metrics
            .map(|path| MetricProfile::read(path))
            .collect::<Result<Vec<_>, _>>()?;
        let alerts = self.alert_profile.iter();
        let alerts = alerts
            .map(|path| AlertProfile::read(path))
            .collect::<Result<Vec<_>, _>>()?;
        if metrics.is_empty() && alerts.is_empty() {
            metrics.push(MetricProfile::from_yaml(METRICS_NAME, METRICS)?);
        }
        Ok((metrics, alerts))
    }

    fn window(&self) -> Result<Window> {
        let window = Window::new(self.start, self.end, *self.step)?;
        Ok(match self.load_start.zip(self.load_end) {
            Some((start, end)) => window.with_load(start, end),
            None => window,
        })
    }

    fn context(&self) -> Result<Context> {
        let uuid = self.uuid.clone();
        let metadata = self.user_metadata.as_deref().map(metadata).transpose()?;
        Ok(Context {
            uuid: uuid.unwrap_or_else(|| Uuid::new_v4().to_string()).into(),
            job_name: self.job_name.as_str().into(),
            namespace: self.namespace.clone(),
            metadata: Arc::new(metadata.unwrap_or_default()),
            ..Context::default()
        })
    }

    fn destinations(&self) -> Result<Destinations> {
        let destinations = Destinations::open(&self.targets, &self.sending, &Stop::default())?;
        destinations.remove_on_signals()?;
        Ok(destinations)
    }
}

/// What a user says of a run: a file of YAML or JSON.
pub(crate) fn metadata(path: &Path) -> Result<Metadata> {
    let text = std::fs::read_to_string(path);
    let read = text.map_err(anyhow::Error::from).and_then(|text| {
        let read = serde_saphyr::from_str(&text);
        read.context("its members become metadata, so it has to be a map")
    });
    read.with_context(|| path.display().to_string())
}

impl Outcome {
    fn exit(&self) -> Exit {
        let sent = self.documents.as_ref().map_or(Exit::Done, Shipped::exit);
        sent.max(self.metrics.exit()).max(self.alerts.exit())
    }

    fn tell(&self, arguments: &CollectArguments) -> Result<()> {
        let Self {
            metrics, alerts, ..
        } = self;
        for warning in metrics.warnings.iter().chain(&alerts.warnings) {
            tell(&format!("warning: Prometheus says: {warning}"));
        }
        if !metrics.empty.is_empty() && !arguments.quiet {
            let names: Vec<&str> = metrics.empty.iter().map(|name| &**name).collect();
            tell(&format!("warning: no sample of {}", names.join(", ")));
        }
        for failed in metrics.failed.iter().chain(&alerts.failed) {
            tell(&format!("error: {}: {}", failed.name, failed.error));
        }
        for alert in &alerts.alerts {
            let (severity, time) = (alert.severity, alert.timestamp);
            tell(&format!(
                "alert: {severity} at {time}: {}",
                alert.description
            ));
        }
        if arguments.targets.json {
            let mut stdout = std::io::stdout().lock();
            serde_json::to_writer(&mut stdout, self)?;
            writeln!(stdout)?;
        } else if !arguments.quiet {
            tell(&self.in_words());
        }
        if let Some(documents) = &self.documents {
            let lines = documents.lines(arguments.quiet);
            lines.iter().for_each(|line| tell(line));
        }
        Ok(())
    }

    fn in_words(&self) -> String {
        let Scraped {
            queries,
            documents,
            left_out,
            failed,
            ..
        } = &self.metrics;
        let mut parts = vec![match failed.len() {
            0 => format!("run {}: {queries} queries", self.uuid),
            count => format!("run {}: {queries} queries, {count} failed", self.uuid),
        }];
        parts.push(match left_out {
            0 => format!("{documents} samples"),
            count => format!("{documents} samples, {count} that are no number left out"),
        });
        if !self.alerts.alerts.is_empty() {
            parts.push(format!("{} alerts", self.alerts.alerts.len()));
        }
        parts.join("; ")
    }
}

/// Seconds since 1970, or RFC 3339.
fn instant(text: &str) -> Result<Timestamp, String> {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    let read = if let Ok(seconds) = text.parse::<f64>() {
        Timestamp::from_epoch_seconds(seconds)
    } else {
        let text: StrDeserializer<'_, Error> = text.into_deserializer();
        Timestamp::deserialize(text).ok()
    };
    read.ok_or_else(|| "expected 1764000000, 1764000000.5 or 2025-11-24T16:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_epochs_or_texts() {
        for text in [
            "1764000000",
            "1764000000.0",
            "2025-11-24T16:00:00Z",
            "2025-11-24T17:00:00+01:00",
        ] {
            let time = instant(text).unwrap();
            assert_eq!(time.to_string(), "2025-11-24T16:00:00.000000Z", "{text}");
        }
        for text in ["", "now", "-5", "0", "2025-11-24"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_built_in_profile_is_one() {
        let profile = MetricProfile::from_yaml(METRICS_NAME, METRICS).unwrap();
        assert!(!profile.is_empty());
    }
}
