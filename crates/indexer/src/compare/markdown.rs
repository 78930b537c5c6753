//! For a pull request.

use guidellm_results_model::analysis::Direction;
use guidellm_results_model::analysis::compare::{Comparison, FigureComparison, ScenarioComparison};
use guidellm_results_model::figures::Figure;

use super::{change, explained, fact, interval, number, one_sided, p_value, verdict};

pub(super) fn written(comparison: &Comparison, shown: &[Figure]) -> String {
    let mut parts = vec![format!("**{}**", headline(comparison))];
    let verdicts = comparison.verdicts.iter().map(verdict);
    parts.extend(list(verdicts));
    parts.extend(list(comparison.facts.iter().map(fact)));
    for scenario in &comparison.scenarios {
        parts.push(of_scenario(scenario, shown));
    }
    parts.extend(list(one_sided(comparison)));
    parts.push(format!("<sub>{}</sub>", escaped(&explained(comparison))));
    parts.join("\n\n") + "\n"
}

fn headline(comparison: &Comparison) -> String {
    let figures = || comparison.scenarios.iter().flat_map(|it| &it.figures);
    let count = |direction| {
        let counted = figures().filter(|it| it.significant && it.direction == direction);
        counted.count()
    };
    let (better, worse) = (count(Direction::Better), count(Direction::Worse));
    let judged = match (comparison.verdicts.is_empty(), comparison.has_failed()) {
        (true, _) => "",
        (false, true) => "Regression. ",
        (false, false) if comparison.is_incomplete() => "Not all could be judged. ",
        (false, false) => "No threshold is crossed. ",
    };
    format!("{judged}{better} figures are significantly better, {worse} worse")
}

fn list(items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.map(|item| format!("- {}", escaped(&item))).collect();
    (!items.is_empty()).then(|| items.join("\n"))
}

fn of_scenario(scenario: &ScenarioComparison, shown: &[Figure]) -> String {
    let (base, candidate) = (scenario.base_samples, scenario.candidate_samples);
    let key = escaped(&scenario.key.to_string());
    let is_shown = |it: &&FigureComparison| shown.contains(&it.figure);
    let refusals = scenario.refusals.iter();
    let refusals = refusals.map(|it| format!("not comparable: {}", it.reason));
    let others = scenario.figures.iter().filter(|it| !is_shown(it));
    let mut parts = vec![
        format!("### {key}"),
        format!("{base} and {candidate} samples"),
        table(scenario.figures.iter().filter(is_shown)),
    ];
    parts.extend(list(refusals.chain(scenario.notes.iter().cloned())));
    parts.push(format!(
        "<details><summary>All other figures</summary>\n\n{}\n\n</details>",
        table(others)
    ));
    parts.join("\n\n")
}

fn table<'a>(figures: impl Iterator<Item = &'a FigureComparison>) -> String {
    let heading = [
        "| figure | base | candidate | change | interval | p | |".to_owned(),
        "|---|---:|---:|---:|---:|---:|---|".to_owned(),
    ];
    let rows = figures.map(|it| {
        let by = it
            .change
            .map_or_else(|| "-".to_owned(), |by| change(it.figure, by));
        let mark = if it.significant { "\\* " } else { "" };
        let meaning = match it.direction {
            Direction::Better => "better",
            Direction::Worse => "worse",
            Direction::Same | Direction::Other => "",
        };
        format!(
            "| `{}` | {} | {} | {by} | {} | {} | {mark}{meaning} |",
            it.figure,
            number(it.base),
            number(it.candidate),
            interval(it),
            escaped(&p_value(it)),
        )
    });
    let rows: Vec<String> = heading.into_iter().chain(rows).collect();
    rows.join("\n")
}

/// Names and reasons are others' text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '\n' | '\r' => escaped.push(' '),
            '*' | '_' | '`' | '|' | '[' | ']' | '\\' | '#' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}
