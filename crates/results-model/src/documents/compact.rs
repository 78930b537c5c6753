//! Requests that wait for something, in a form that is made quickly and takes little room.

use std::iter;
use std::sync::Arc;

use bitcode::Buffer;

use super::{Origin, Request, SCHEMA_VERSION, TpotDefinition};

/// Makes bytes of requests, a third of what they take as JSON. The bytes are for the process that made
/// them: what they mean may change with any release.
#[derive(Default)]
pub struct Compactor(Buffer);

/// What requests that became bytes share: their origins, and how many one after another have each.
#[derive(Debug)]
pub struct Origins(Vec<(Arc<Origin>, usize)>);

/// Why bytes do not become requests.
#[derive(Debug, thiserror::Error)]
pub enum NotCompact {
    /// They were not made of requests.
    #[error("the bytes are no requests: {0}")]
    Bytes(Box<str>),
    /// They were made of others.
    #[error("the bytes are {found} requests, not {expected}")]
    Count {
        /// Requests that the origins are of.
        expected: usize,
        /// Requests that the bytes are.
        found: usize,
    },
}

impl Compactor {
    /// Makes bytes of requests; what they share is not in them.
    pub fn compact(&mut self, requests: &[Request]) -> (&[u8], Origins) {
        let mut origins: Vec<(Arc<Origin>, usize)> = Vec::new();
        for request in requests {
            match origins.last_mut() {
                Some((origin, count)) if Arc::ptr_eq(origin, &request.origin) => *count += 1,
                _ => origins.push((Arc::clone(&request.origin), 1)),
            }
        }
        (self.0.encode(requests), Origins(origins))
    }
}

impl Origins {
    /// Makes requests of their bytes again.
    ///
    /// # Errors
    ///
    /// If these are not the bytes that [`Compactor::compact`] gave along.
    pub fn requests(&self, bytes: &[u8]) -> Result<Vec<Request>, NotCompact> {
        let decoded = bitcode::decode(bytes);
        let mut requests: Vec<Request> =
            decoded.map_err(|error| NotCompact::Bytes(error.to_string().into()))?;
        let expected = self.0.iter().map(|(_, count)| count).sum();
        if requests.len() != expected {
            let found = requests.len();
            return Err(NotCompact::Count { expected, found });
        }
        let origins = self.0.iter();
        let origins = origins.flat_map(|(origin, count)| iter::repeat_n(origin, *count));
        for (request, origin) in requests.iter_mut().zip(origins) {
            request.origin = Arc::clone(origin);
        }
        Ok(requests)
    }
}

/// An origin that says nothing: what a request has until its own is put in its place.
impl Default for Origin {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            uuid: Arc::default(),
            job_name: Arc::default(),
            kube_burner_job_name: Arc::default(),
            sample: 0,
            run_id: None,
            benchmark_id: Arc::default(),
            benchmark_index: 0,
            strategy: Arc::default(),
            rate: None,
            streams: None,
            tpot_definition: TpotDefinition::IncludesTimeToFirstToken,
            salvaged: false,
        }
    }
}
