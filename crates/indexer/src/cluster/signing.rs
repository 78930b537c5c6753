//! Requests that are signed with AWS credentials (Signature Version 4).

#[cfg(feature = "sigv4")]
pub(super) use signed::{Signing, find};
#[cfg(not(feature = "sigv4"))]
pub(super) use unsigned::{Signing, find};

#[cfg(feature = "sigv4")]
mod signed {
    use aws_config::{BehaviorVersion, SdkConfig};
    use opensearch::auth::Credentials;
    use opensearch::http::transport::TransportBuilder;
    use url::Url;

    use super::super::ClusterError;

    /// Where credentials and region come from; credentials are found again when they expire.
    pub(in super::super) struct Signing(SdkConfig);

    /// As all AWS tools find it: the environment, a profile, a web identity, the instance.
    pub(in super::super) async fn find() -> Result<Signing, ClusterError> {
        let found = aws_config::load_defaults(BehaviorVersion::latest()).await;
        if found.region().is_none() {
            let reason = "requests are to be signed, but no region is known; set AWS_REGION";
            return Err(ClusterError::Configuration(reason.to_owned()));
        }
        Ok(Signing(found))
    }

    impl Signing {
        /// Makes an OpenSearch client sign.
        pub(in super::super) fn add_to(
            &self,
            builder: TransportBuilder,
            url: &Url,
        ) -> Result<TransportBuilder, ClusterError> {
            let credentials = Credentials::try_from(&self.0)
                .map_err(|error| ClusterError::Configuration(error.to_string()))?;
            let serverless = super::super::product::is_serverless(url);
            let service = if serverless { "aoss" } else { "es" };
            Ok(builder.auth(credentials).service_name(service))
        }
    }
}

#[cfg(not(feature = "sigv4"))]
mod unsigned {
    use super::super::ClusterError;

    /// There is none in this build.
    pub(in super::super) enum Signing {}

    pub(in super::super) async fn find() -> Result<Signing, ClusterError> {
        Err(ClusterError::Configuration(
            "this build cannot sign requests; build it with `--features sigv4`".to_owned(),
        ))
    }
}
