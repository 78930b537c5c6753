//! For a terminal.

use guidellm_results_model::analysis::Direction;
use guidellm_results_model::analysis::compare::{Comparison, ScenarioComparison};
use guidellm_results_model::figures::Figure;

use super::{change, explained, fact, interval, number, one_sided, p_value, verdict};
use crate::table;

pub(super) fn written(comparison: &Comparison, shown: &[Figure]) -> String {
    let mut lines: Vec<String> = comparison.verdicts.iter().map(verdict).collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    let facts = comparison.facts.iter();
    lines.extend(facts.map(|it| format!("differs: {}", fact(it))));
    for scenario in &comparison.scenarios {
        lines.push(of_scenario(scenario, shown));
    }
    lines.extend(one_sided(comparison));
    lines.push(explained(comparison));
    lines.join("\n") + "\n"
}

fn of_scenario(scenario: &ScenarioComparison, shown: &[Figure]) -> String {
    let headings = ["FIGURE", "BASE", "CANDIDATE", "CHANGE", "INTERVAL", "P", ""];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for figure in shown {
        let found = scenario.figures.iter().find(|it| it.figure == *figure);
        rows.extend(found.map(|it| {
            let mark = if it.significant { "* " } else { "" };
            let meaning = match it.direction {
                Direction::Better => "better",
                Direction::Worse => "worse",
                Direction::Same | Direction::Other => "",
            };
            vec![
                it.figure.to_string(),
                number(it.base),
                number(it.candidate),
                it.change
                    .map_or_else(|| "-".to_owned(), |by| change(it.figure, by)),
                interval(it),
                p_value(it),
                format!("{mark}{meaning}"),
            ]
        }));
    }
    let (base, candidate) = (scenario.base_samples, scenario.candidate_samples);
    let mut lines = vec![format!("{} ({base} and {candidate} samples)", scenario.key)];
    if rows.len() > 1 {
        lines.push(table::aligned(&rows).trim_end().to_owned());
    }
    let refusals = scenario.refusals.iter();
    lines.extend(refusals.map(|it| format!("not comparable: {}", it.reason)));
    lines.extend(scenario.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n") + "\n"
}
