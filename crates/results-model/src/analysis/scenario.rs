//! A scenario out of the summaries and requests of its samples.

use std::collections::{BTreeMap, HashMap};

use super::documents::{COLUMNS, Documents, Row, for_each_row};
use super::model::{Basis, ErrorCount, Goodput, Options, PooledFigure, Sample, Scenario};
use super::pool::{Counting, Pool};
use super::series::Series;
use super::spread::Spread;
use super::{doubts, resources};
use crate::documents::{ErrorClass, RequestStatus, Summary};
use crate::figures::{Figure, Metric};
use crate::inference::mean_interval;
use crate::scenario::ScenarioKey;
use crate::windows::Window;

/// Length of an error text that is shown, in characters.
const EXAMPLE_CHARACTERS: usize = 200;

/// What is counted while a scenario's requests are read.
struct Reading<'a> {
    options: &'a Options,
    pool: Pool,
    /// The present sample's own, if its window is not the report's.
    own: Option<Pool>,
    series: Series,
    /// The present sample's standard errors, if they are wanted.
    spread: Option<Spread>,
    errors: HashMap<(ErrorClass, Option<u16>), (u64, Option<String>)>,
}

pub(super) fn scenario<D: Documents>(
    documents: &D,
    key: ScenarioKey,
    summaries: Vec<Summary>,
    options: &Options,
) -> Result<Scenario, D::Error> {
    let trimmed = options.trim_start_seconds > 0.0 || options.trim_end_seconds > 0.0;
    let mut reading = Reading {
        options,
        pool: Pool::default(),
        own: None,
        series: Series::default(),
        spread: None,
        errors: HashMap::new(),
    };
    let mut samples = Vec::with_capacity(summaries.len());
    for summary in summaries {
        let counting = reading.open(&summary, trimmed);
        let origin = window(&summary).map(|window| window.start);
        let mut requests = 0;
        documents.requests(&summary, COLUMNS, &mut |frame| {
            requests += frame.height() as u64;
            Ok(for_each_row(frame, &mut |row| {
                reading.push(row, &counting, origin)
            })?)
        })?;
        let figures = match reading.own.take() {
            Some(own) => own.figures()?.0,
            None => figures_of(&summary),
        };
        let spread = reading.spread.take();
        let seed = summary.document_id.as_u64_pair().1;
        samples.push(Sample {
            summary,
            figures,
            requests,
            standard_errors: spread
                .map(|it| it.standard_errors(seed))
                .unwrap_or_default(),
        });
    }
    let whole = samples.iter().all(is_whole);
    let (good, ended, seconds) = reading.pool.goodput();
    let goodput = (!options.limits.is_empty() && ended > 0.0).then(|| Goodput {
        limits: options.limits,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        good_requests: good as u64,
        share: good / ended,
        rate_rps: if seconds > 0.0 { good / seconds } else { 0.0 },
    });
    let (pooled, curves) = reading.pool.figures()?;
    Ok(Scenario {
        figures: together(&samples, &pooled, whole, options.level),
        curves,
        seconds: reading.series.seconds(),
        errors: counted(reading.errors),
        goodput,
        resources: resources::of(documents, &samples)?,
        doubts: doubts::of(&samples),
        key,
        samples,
    })
}

impl Reading<'_> {
    fn open(&mut self, summary: &Summary, trimmed: bool) -> Counting {
        let window = window(summary).map(|window| Window {
            start: window.start + self.options.trim_start_seconds,
            end: window.end - self.options.trim_end_seconds,
        });
        let settings = &summary.settings;
        let release = settings.guidellm_version.as_deref();
        let counting = Counting::new(settings.report_generation, release, window, trimmed);
        self.pool.open(&counting);
        self.series.open();
        self.own = trimmed.then(|| {
            let mut own = Pool::default();
            own.open(&counting);
            own
        });
        let wanted = window.filter(|_| self.options.standard_errors);
        self.spread = wanted.map(Spread::new);
        counting
    }

    fn push(
        &mut self,
        row: &Row<'_>,
        counting: &Counting,
        origin: Option<f64>,
    ) -> std::io::Result<()> {
        let limits = &self.options.limits;
        self.pool.push(row, counting, limits)?;
        if let Some(own) = &mut self.own {
            own.push(row, counting, limits)?;
        }
        if let Some(spread) = &mut self.spread {
            spread.push(row, counting);
        }
        if let Some(origin) = origin {
            self.series.push(row, origin);
        }
        if row.status != RequestStatus::Successful {
            self.fail(row);
        }
        Ok(())
    }

    fn fail(&mut self, row: &Row<'_>) {
        let class = row.error_class.and_then(ErrorClass::named);
        let class = class.unwrap_or(ErrorClass::Other);
        let status = row.http_status.and_then(|it| u16::try_from(it).ok());
        let (count, example) = self.errors.entry((class, status)).or_default();
        *count += 1;
        if example.is_none() {
            let text = row.error_message.map(str::chars);
            *example = text.map(|text| text.take(EXAMPLE_CHARACTERS).collect());
        }
    }
}

/// The measured window, epoch seconds.
fn window(summary: &Summary) -> Option<Window> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "epoch microseconds are below 2^53"
    )]
    let seconds = |it: crate::documents::Timestamp| it.epoch_micros() as f64 / 1e6;
    let ends = summary
        .window
        .start_timestamp
        .zip(summary.window.end_timestamp);
    ends.map(|(start, end)| Window {
        start: seconds(start),
        end: seconds(end),
    })
}

/// Whether all its records are there, so that figures of its requests can be made of them.
fn is_whole(sample: &Sample) -> bool {
    let Summary { counts, origin, .. } = &sample.summary;
    !counts.records_sampled && !origin.salvaged && sample.requests == counts.records()
}

fn figures_of(summary: &Summary) -> BTreeMap<Figure, f64> {
    Figure::all()
        .filter_map(|figure| Some((figure, figure.of(summary)?)))
        .collect()
}

/// The samples' figures together: of their requests where these say it, else the mean.
fn together(
    samples: &[Sample],
    pooled: &BTreeMap<Figure, f64>,
    whole: bool,
    level: f64,
) -> BTreeMap<Figure, PooledFigure> {
    let of = |figure: Figure| {
        let values: Vec<f64> = samples
            .iter()
            .filter_map(|sample| sample.figures.get(&figure).copied())
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "samples are few")]
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let of_requests = pooled
            .get(&figure)
            .filter(|_| whole && is_of_requests(figure));
        let (value, basis) = of_requests.map_or((mean, Basis::MeanOfSamples), |value| {
            (*value, Basis::PooledRequests)
        });
        let interval = mean_interval(&values, level);
        let pooled = PooledFigure {
            value,
            basis,
            interval,
        };
        Some((figure, pooled))
    };
    Figure::all().filter_map(of).collect()
}

/// Whether requests of several samples say it better than the samples' own figures.
fn is_of_requests(figure: Figure) -> bool {
    match figure {
        Figure::Statistic(metric, _) => Metric::OF_REQUESTS.contains(&metric),
        Figure::RequestSuccessRate
        | Figure::IncompleteRate
        | Figure::PromptTokensMean
        | Figure::OutputTokensMean => true,
        Figure::AchievedRate
        | Figure::StartDelayMean
        | Figure::SloAttainment
        | Figure::TotalRequests
        | Figure::ErroredRequests => false,
    }
}

fn counted(errors: HashMap<(ErrorClass, Option<u16>), (u64, Option<String>)>) -> Vec<ErrorCount> {
    let mut errors: Vec<ErrorCount> = errors
        .into_iter()
        .map(|((class, http_status), (count, example))| ErrorCount {
            class,
            http_status,
            count,
            example,
        })
        .collect();
    errors.sort_by_key(|it| {
        (
            std::cmp::Reverse(it.count),
            it.class.as_str(),
            it.http_status,
        )
    });
    errors
}
