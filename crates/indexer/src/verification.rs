//! What `--verify` found, in words.

use guidellm_results_model::{Difference, Verdict, Verification};

/// Differences worth a line; a report that was changed has dozens.
const SHOWN: usize = 5;

/// Tells of each benchmark; if `quiet`, only of those that contradict their records.
pub(crate) fn tell(report: &str, verifications: &[Verification], quiet: bool) {
    for verification in verifications {
        let contradicted = verification.is_contradicted();
        if contradicted || !quiet {
            let kind = if contradicted { "error: " } else { "" };
            crate::tell(&format!("{kind}{report}: {}", line(verification)));
        }
    }
}

fn line(verification: &Verification) -> String {
    let index = verification.benchmark_index;
    format!("benchmark {index}: {}", words(&verification.verdict))
}

fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Agrees { figures: 1 } => "its 1 figure follows from its records".to_owned(),
        Verdict::Agrees { figures } => format!("its {figures} figures follow from its records"),
        Verdict::NotVerifiable { reason } => format!("not verifiable: {reason}"),
        Verdict::Disagrees {
            figures,
            differences,
        } => {
            let shown: Vec<String> = differences.iter().take(SHOWN).map(difference).collect();
            let more = match differences.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let count = differences.len();
            let shown = shown.join(", ");
            format!("{count} of its {figures} figures contradict its records: {shown}{more}")
        }
    }
}

fn difference(difference: &Difference) -> String {
    let figure = |figure: Option<f64>| figure.map_or("nothing".to_owned(), |it| it.to_string());
    let (reported, recomputed) = (difference.reported, difference.recomputed);
    format!(
        "{} is {}, its records give {}",
        difference.field,
        figure(reported),
        figure(recomputed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contradiction_names_field_and_both_figures() {
        let verification = Verification {
            benchmark_index: 1,
            verdict: Verdict::Disagrees {
                figures: 34,
                differences: vec![Difference {
                    field: "ttft_p95_ms".to_owned(),
                    reported: Some(35.5),
                    recomputed: None,
                }],
            },
        };
        assert_eq!(
            line(&verification),
            "benchmark 1: 1 of its 34 figures contradict its records: \
             ttft_p95_ms is 35.5, its records give nothing"
        );
    }
}
