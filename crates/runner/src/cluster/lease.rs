//! The sign that a run is being run: a Lease beside its objects, renewed as long as a process is at it. The
//! lock of the run's folder is not seen from another folder or another machine.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease as Sign, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams, Preconditions};
use sha1::{Digest, Sha1};
use tokio::time::sleep;

use super::{Cluster, ClusterError};
use crate::objects::{HELD, MANAGED_BY, MANAGER};

/// A sign that was not renewed for so long is of a process that was killed.
pub(crate) const DURATION: Duration = Duration::from_secs(30);
/// How often it is renewed.
pub(crate) const RENEWAL: Duration = Duration::from_secs(3);

/// A run, and who is at it.
#[derive(Clone)]
pub(crate) struct Lease {
    cluster: Cluster,
    namespace: String,
    run: String,
    /// For people: a folder and a host.
    place: String,
    /// Tells whoever has the run's folder from all others.
    token: String,
}

impl Lease {
    /// Of a run in a namespace; nothing is asked yet.
    pub(crate) fn new(
        cluster: &Cluster,
        namespace: &str,
        run: &str,
        (place, token): (String, String),
    ) -> Self {
        Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            run: run.to_owned(),
            place,
            token,
        }
    }

    /// Takes it, or renews it.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Live`] if another process is at the run, others as the cluster answers.
    pub(crate) async fn take(&self) -> Result<(), ClusterError> {
        let api = self.api();
        let name = name(&self.run);
        let doing = || format!("take the lease of run {}", self.run);
        let wrong = |error| ClusterError::of(error, doing());
        let Some(mut found) = api.get_opt(&name).await.map_err(wrong)? else {
            let made = api.create(&PostParams::default(), &self.sign()).await;
            return made.map(drop).map_err(|error| raced(error, doing()));
        };
        if !self.is_own(&found) && self.is_live(&api, &found).await? {
            return Err(self.live(&found));
        }
        // With the version of what was looked at: of two who find a dead one, one takes it.
        found.spec = self.sign().spec;
        let taken = api.replace(&name, &PostParams::default(), &found).await;
        taken.map(drop).map_err(|error| raced(error, doing()))
    }

    /// Lets it go, so that the run can go on elsewhere at once. Where that fails, it ends by itself.
    pub(crate) async fn let_go(&self) {
        let (api, name) = (self.api(), name(&self.run));
        let found = api.get_opt(&name).await.ok().flatten();
        if let Some(found) = found.filter(|it| self.is_own(it)) {
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: found.metadata.uid,
                    resource_version: found.metadata.resource_version,
                }),
                ..DeleteParams::default()
            };
            drop(api.delete(&name, &params).await);
        }
    }

    fn api(&self) -> Api<Sign> {
        Api::namespaced(self.cluster.client().clone(), &self.namespace)
    }

    fn sign(&self) -> Sign {
        let labels = [(HELD, &*self.run), (MANAGED_BY, MANAGER)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Sign {
            metadata: ObjectMeta {
                name: Some(name(&self.run)),
                labels: Some(labels.into()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(format!("{}#{}", self.place, self.token)),
                lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
                renew_time: Some(MicroTime(Timestamp::now())),
                ..LeaseSpec::default()
            }),
        }
    }

    fn is_own(&self, sign: &Sign) -> bool {
        parts(sign).1 == self.token
    }

    fn live(&self, sign: &Sign) -> ClusterError {
        ClusterError::Live {
            run: self.run.clone(),
            holder: parts(sign).0.to_owned(),
        }
    }

    /// Whether its holder is there. Clocks differ: one that seems to be old is watched for a while.
    async fn is_live(&self, api: &Api<Sign>, sign: &Sign) -> Result<bool, ClusterError> {
        if is_fresh(sign, Timestamp::now()) {
            return Ok(true);
        }
        sleep(RENEWAL * 2).await;
        let later = api.get_opt(&name(&self.run)).await;
        let later = later
            .map_err(|error| ClusterError::of(error, format!("watch the lease of {}", self.run)))?;
        Ok(later.is_some_and(|it| it.metadata.resource_version != sign.metadata.resource_version))
    }
}

/// Place and token of its holder.
fn parts(sign: &Sign) -> (&str, &str) {
    let holder = sign
        .spec
        .as_ref()
        .and_then(|it| it.holder_identity.as_deref());
    let holder = holder.unwrap_or_default();
    holder.rsplit_once('#').unwrap_or((holder, ""))
}

fn is_fresh(sign: &Sign, now: Timestamp) -> bool {
    let renewed = sign.spec.as_ref().and_then(|it| it.renew_time.as_ref());
    let age = renewed.map(|it| now.as_microsecond() - it.0.as_microsecond());
    let longest = i64::try_from(DURATION.as_micros()).unwrap_or(i64::MAX);
    age.is_some_and(|age| age.abs() < longest)
}

/// Who was faster is asked again for what it is.
fn raced(error: kube::Error, doing: String) -> ClusterError {
    match error {
        kube::Error::Api(status) if status.code == 409 => ClusterError::Unavailable {
            doing,
            reason: status.message.clone(),
        },
        error => ClusterError::of(error, doing),
    }
}

/// A run is a label's value, which need not be a name.
fn name(run: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if run.bytes().all(plain) {
        return format!("{MANAGER}-{run}");
    }
    let digest = Sha1::digest(run);
    let digest = digest.iter().map(|byte| format!("{byte:02x}"));
    format!("{MANAGER}-{}", digest.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(renewed: i64, holder: &str) -> Sign {
        let time = Timestamp::from_second(renewed).unwrap();
        Sign {
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                renew_time: Some(MicroTime(time)),
                ..LeaseSpec::default()
            }),
            ..Sign::default()
        }
    }

    #[test]
    fn who_has_renewed_it_lately_is_there() {
        let now = Timestamp::from_second(1_764_000_100).unwrap();
        for (renewed, fresh) in [
            (1_764_000_099, true),
            (1_764_000_071, true),
            (1_764_000_069, false),
        ] {
            assert_eq!(is_fresh(&sign(renewed, "x#1"), now), fresh, "{renewed}");
        }
        // Another machine's clock is ahead; by an hour, it is watched instead.
        assert!(is_fresh(&sign(1_764_000_105, "x#1"), now));
        assert!(!is_fresh(&sign(1_764_003_700, "x#1"), now));
        assert!(!is_fresh(&Sign::default(), now));
    }

    #[test]
    fn a_holder_is_known_by_its_token() {
        assert_eq!(
            parts(&sign(1, "/a#b/run on host#t")),
            ("/a#b/run on host", "t")
        );
        assert_eq!(parts(&sign(1, "somebody else")), ("somebody else", ""));
        assert_eq!(parts(&Sign::default()), ("", ""));
    }

    #[test]
    fn a_run_gives_a_name_that_kubernetes_takes() {
        assert_eq!(name("0f4c-1"), "llm-d-scale-0f4c-1");
        let odd = name("Nightly_7.-x");
        assert!(odd.len() == 52 && odd != name("nightly_7.-x"), "{odd}");
    }
}
