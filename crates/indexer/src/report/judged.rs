//! Comparisons and judgements as the page takes them.

use guidellm_results_model::analysis::ScenarioKey;
use guidellm_results_model::analysis::compare::{self, Comparison, ScenarioComparison};
use guidellm_results_model::figures::Figure;
use guidellm_results_model::slo;

use super::given::{Baseline, BaselineRow, BaselineScenario, Outcome, VerdictRow};
use crate::compare::known;

impl Baseline {
    /// A comparison whose candidate is on the page, by some of its figures; `name` is the base's.
    #[must_use]
    pub fn of(comparison: &Comparison, name: &str, figures: &[Figure]) -> Self {
        let scenarios = comparison.scenarios.iter();
        let texts = |values| known(values).unwrap_or_else(|| "not known".to_owned());
        let facts = comparison.facts.iter().map(|fact| {
            let (base, candidate) = (texts(&fact.base), texts(&fact.candidate));
            format!(
                "{} differs: {base} in the baseline, {candidate} here",
                fact.name
            )
        });
        let alone = |keys: &[ScenarioKey], whose: &str| {
            let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
            (!names.is_empty()).then(|| format!("only {whose}: {}", names.join(", ")))
        };
        let notes = comparison.scenarios.iter().flat_map(|scenario| {
            let notes = scenario.notes.iter();
            notes.map(|note| format!("{}: {note}", scenario.key))
        });
        Self {
            name: name.to_owned(),
            level: comparison.level,
            notes: facts
                .chain(alone(&comparison.only_base, "in the baseline"))
                .chain(alone(&comparison.only_candidate, "here"))
                .chain(notes)
                .collect(),
            scenarios: scenarios.map(|it| compared(it, figures)).collect(),
        }
    }
}

fn compared(scenario: &ScenarioComparison, figures: &[Figure]) -> BaselineScenario {
    let row = |figure: &Figure| {
        let found = scenario.figures.iter().find(|it| it.figure == *figure);
        let mut refusals = scenario.refusals.iter();
        let refusal = refusals.find(|it| it.concerns(*figure));
        BaselineRow {
            figure: *figure,
            base: found.map(|it| it.base),
            candidate: found.map(|it| it.candidate),
            change: found.and_then(|it| it.change),
            interval: found.and_then(|it| it.interval),
            significant: found.is_some_and(|it| it.significant),
            note: refusal.map(|it| it.reason.clone()),
        }
    };
    BaselineScenario {
        key: scenario.key.clone(),
        rows: figures.iter().map(row).collect(),
    }
}

impl VerdictRow {
    /// An objective, judged in a scenario, or in a job of which nothing was measured.
    #[must_use]
    pub fn of_slo(scenario: String, verdict: &slo::Verdict) -> Self {
        Self {
            expression: verdict.slo.expr.to_string(),
            scenario,
            figure: Some(verdict.slo.expr.figure),
            value: verdict.value,
            outcome: match verdict.met {
                slo::Outcome::Met => Outcome::Met,
                slo::Outcome::Missed => Outcome::Missed,
                slo::Outcome::NotMeasured => Outcome::NotMeasured,
            },
            severity: verdict.slo.severity.to_string(),
            description: verdict.slo.description.clone(),
        }
    }

    /// A threshold of a comparison; what is measured is the candidate's figure.
    #[must_use]
    pub fn of_threshold(verdict: &compare::Verdict) -> Self {
        let (outcome, description) = match &verdict.outcome {
            compare::Outcome::Passed => (Outcome::Met, None),
            compare::Outcome::NotSignificant => {
                let why = "crossed, but not significantly";
                (Outcome::Met, Some(why.to_owned()))
            }
            compare::Outcome::Failed => (Outcome::Missed, None),
            compare::Outcome::NotJudged { reason } => (Outcome::NotMeasured, Some(reason.clone())),
        };
        Self {
            // It is what must not be.
            expression: format!("not {}", verdict.threshold),
            scenario: verdict.scenario.to_string(),
            figure: Some(verdict.threshold.figure),
            value: verdict.figure.as_ref().map(|it| it.candidate),
            outcome,
            severity: slo::Severity::default().to_string(),
            description,
        }
    }
}
