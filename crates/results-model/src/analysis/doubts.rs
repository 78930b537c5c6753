//! What makes a scenario's figures doubtful, in words.

use std::collections::BTreeSet;

use super::model::Sample;
use crate::windows::Windowing;

/// What is said of samples, and of how many.
pub(super) fn of(samples: &[Sample]) -> Vec<String> {
    let all = samples.len();
    let mut doubts = Vec::new();
    let mut say = |text: &str, is_so: &dyn Fn(&Sample) -> bool| {
        let count = samples.iter().filter(|&sample| is_so(sample)).count();
        if count > 0 {
            let of = if all > 1 {
                format!(" ({count} of {all} samples)")
            } else {
                String::new()
            };
            doubts.push(format!("{text}{of}"));
        }
    };
    say(
        "the load generator offered less than was asked for",
        &|it| it.summary.validity.rate_missed == Some(true),
    );
    say(
        "the report kept a part of its records: percentiles are the means of the samples' own",
        &|it| it.summary.counts.records_sampled,
    );
    say(
        "the report was cut off, and its whole records salvaged",
        &|it| it.summary.origin.salvaged,
    );
    let unlike = samples
        .iter()
        .filter(|it| it.requests != it.summary.counts.records());
    let (came, records) = unlike.fold((0, 0), |(came, records), it| {
        (came + it.requests, records + it.summary.counts.records())
    });
    say(
        &format!(
            "{came} request documents are there, of {records} records (rejected, deleted, or in \
             another index?): percentiles are the means of the samples' own"
        ),
        &|it| it.requests != it.summary.counts.records(),
    );
    say("the benchmark's process failed", &|it| {
        it.summary.outcome.passed == Some(false)
    });
    say(
        "GuideLLM's release is not told: TTFT and ITL are counted as before 0.8",
        &|it| {
            let settings = &it.summary.settings;
            let release = settings.guidellm_version.as_deref();
            Windowing::new(settings.report_generation, release, None).is_none()
        },
    );
    say("prompts are counted twice in tokens per second", &|it| {
        it.summary.metrics.tokens_per_second_counts_prompt_twice
    });
    say("no request was successful", &|it| {
        it.summary.counts.successful_requests == Some(0)
    });
    let warnings: BTreeSet<&String> = samples
        .iter()
        .flat_map(|it| &it.summary.validity.warning_codes)
        .collect();
    for code in warnings {
        say(&format!("GuideLLM warns: {code}"), &|it| {
            it.summary.validity.warning_codes.contains(code)
        });
    }
    doubts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::by_hand;
    use super::*;

    #[test]
    fn requests_that_are_missing_are_told() {
        let sample = |requests| Sample {
            requests,
            ..by_hand::sample("u", "j", 0, &[], &json!({ "guidellm_version": "0.8.1" }))
        };
        assert_eq!(of(&[sample(100)]), Vec::<String>::new());
        let told = of(&[sample(90), sample(100), sample(0)]);
        assert_eq!(
            told,
            [
                "90 request documents are there, of 200 records (rejected, deleted, or in another \
              index?): percentiles are the means of the samples' own (2 of 3 samples)"
            ]
        );
    }
}
