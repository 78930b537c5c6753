//! Requests are the same after they were bytes.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::path::Path;
use std::sync::Arc;

use guidellm_results_model::documents::{Compactor, NotCompact, Request, Summary};
use guidellm_results_model::{Consumer, ReadOptions, RunContext, Source, read};
use proptest::prelude::*;
use serde_json::json;

use crate::golden::reports;

#[derive(Default)]
struct Requests(Vec<Request>);

impl Consumer for Requests {
    type Error = std::convert::Infallible;

    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
        self.0.extend(requests);
        Ok(())
    }

    fn summary(&mut self, _: Summary) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[test]
fn those_of_every_report_at_once() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let mut all = Requests::default();
    for report in reports(&fixtures.join("reports")) {
        let (context, options) = (RunContext::default(), ReadOptions::default());
        read(Source::path(&report), &context, &options, &mut all).unwrap();
    }
    let Requests(all) = all;
    assert!(all.len() > 1000, "{}", all.len());
    let mut compactor = Compactor::default();
    let (bytes, origins) = compactor.compact(&all);
    let json = serde_json::to_vec(&all).unwrap();
    assert!(
        bytes.len() * 3 < json.len(),
        "{} of {}",
        bytes.len(),
        json.len()
    );
    let again = origins.requests(bytes).unwrap();
    assert_eq!(again, all);
    let shared = |(one, other): (&Request, &Request)| Arc::ptr_eq(&one.origin, &other.origin);
    assert!(again.iter().zip(&all).all(shared));

    let bytes = bytes.to_vec();
    let (fewer, _) = compactor.compact(&all[1..]);
    let expected = all.len();
    assert!(matches!(
        origins.requests(fewer),
        Err(NotCompact::Count { expected: it, found }) if it == expected && found + 1 == it
    ));
    let cut = &bytes[..bytes.len() - 1];
    assert!(matches!(origins.requests(cut), Err(NotCompact::Bytes(_))));
}

fn request(text: Option<&str>, number: Option<f64>, count: Option<u64>, micros: i64) -> Request {
    let timestamp = |micros| {
        let timestamp = guidellm_results_model::documents::Timestamp::from_epoch_micros(micros);
        json!(timestamp.unwrap())
    };
    let mut request: Request = serde_json::from_value(json!({
        "metricName": "guidellmRequest",
        "document_id": "7a3e1c52-5f0e-5b6c-9d3e-0c6a1f2b3c4d",
        "timestamp": timestamp(micros),
        "timestamp_source": "queued",
        "schema_version": 1, "uuid": "u", "job_name": "j", "jobName": "j", "sample": 0,
        "benchmark_id": "b", "benchmark_index": 0, "strategy": "constant",
        "tpot_definition": "includes_time_to_first_token",
        "request_id": text.unwrap_or_default(),
        "status": "errored", "completed": false, "errored": true,
        "error_message": text, "error_class": "http_status", "http_status": 503,
        "output_token_count": count,
        "end_timestamp": timestamp(-micros),
    }))
    .unwrap();
    // JSON cannot say every one.
    request.start_delay_seconds = number;
    request
}

proptest! {
    #[test]
    fn whatever_their_values_are(
        values in prop::collection::vec(
            (
                prop::option::of(".{0,40}"),
                prop::option::of(any::<u64>()),
                prop::option::of(any::<u64>()),
                -62_000_000_000_000_000_i64..=62_000_000_000_000_000,
            ),
            0..40,
        )
    ) {
        let requests: Vec<Request> = values
            .iter()
            .map(|(text, bits, count, micros)| {
                request(text.as_deref(), bits.map(f64::from_bits), *count, *micros)
            })
            .collect();
        let mut compactor = Compactor::default();
        let (bytes, origins) = compactor.compact(&requests);
        let again = origins.requests(bytes).unwrap();
        let bits = |request: &Request| request.start_delay_seconds.map(f64::to_bits);
        prop_assert!(again.iter().map(bits).eq(requests.iter().map(bits)));
        let without = |requests: &[Request]| -> Vec<Request> {
            let without = |it: &Request| Request { start_delay_seconds: None, ..it.clone() };
            requests.iter().map(without).collect()
        };
        prop_assert_eq!(without(&again), without(&requests));
    }
}
