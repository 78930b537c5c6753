//! Charts, drawn by plotters as SVG. Colours are names for the page's style sheet to fill in, so
//! that one drawing serves light and dark.

mod labels;
mod ticks;

use anyhow::{Result, anyhow};
use minijinja::Value;
use plotters::prelude::{
    ChartBuilder, Circle, EmptyElement, IntoDrawingArea, IntoFont, LineSeries, PathElement,
    RGBColor, SVGBackend, Text,
};
use plotters::style::{Color, TRANSPARENT};
use serde::Serialize;

use self::ticks::Extent;
use super::numbers;

/// The style sheet thinks of a chart as so many pixels wide and high.
const WIDTH: u32 = 480;
const HEIGHT: u32 = 280;
/// Plotters draws to whole units: these are parts of a pixel.
const SCALE: u32 = 4;
/// Series that a chart has colours for.
pub(super) const SERIES: usize = 10;

// The style sheet's names of colours.
const TEXT: RGBColor = RGBColor(0, 0, 1);
const GRID: RGBColor = RGBColor(0, 0, 2);
const AXIS: RGBColor = RGBColor(0, 0, 3);
const RULE: RGBColor = RGBColor(0, 0, 4);
const FIRST_SERIES: usize = 0x10;
/// Of steps every other one is dashed.
const FIRST_STEPS: [usize; 2] = [0x20, 0x30];

/// How values are laid out along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// Values above 0 only.
    Log,
}

impl Scale {
    /// Log, if values from `low` to `high` would crowd at one end of a linear axis.
    pub(super) fn fitting(low: f64, high: f64) -> Self {
        if low > 0.0 && high / low > 20.0 {
            Self::Log
        } else {
            Self::Linear
        }
    }

    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.log10(),
        }
    }
}

/// An axis.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// What it shows, with the unit.
    pub(super) label: String,
    pub(super) scale: Scale,
    /// A value that has to be on it.
    pub(super) includes: Option<f64>,
    /// Whether values are shares, and marked as percentages.
    pub(super) shares: bool,
    /// Whether only whole numbers are marked.
    pub(super) whole: bool,
}

/// A line, or points with a line through them.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    /// Name for the legend.
    pub(super) name: String,
    /// A point whose y is NaN interrupts the line.
    pub(super) points: Vec<(f64, f64)>,
    /// What stands beside points, which are drawn as dots then.
    pub(super) labels: Vec<String>,
}

/// A chart.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    /// For those who do not see it: what it is, and what it shows.
    pub(super) title: String,
    pub(super) description: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// At most [`SERIES`].
    pub(super) series: Vec<Series>,
    /// Where the x axis is divided.
    pub(super) rules: Vec<f64>,
    /// Whether the series are steps of something, and not different things.
    pub(super) ordinal: bool,
}

/// A chart as the page's template has it.
#[derive(Debug, Serialize)]
pub(super) struct Drawing {
    pub(super) title: String,
    description: String,
    width: u32,
    height: u32,
    /// What is in the `<svg>` element.
    body: Value,
    /// The series, unless there is one only.
    legend: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    color: String,
}

impl Chart {
    /// Whether there is anything to draw.
    pub(super) fn is_empty(&self) -> bool {
        !self.series.iter().any(|it| !self.drawn(it).is_empty())
    }

    /// It, for the page.
    ///
    /// # Errors
    ///
    /// If plotters refuses to draw it.
    pub(super) fn drawing(self) -> Result<Drawing> {
        let mut svg = String::new();
        let drawn = self.draw(&mut svg).map_err(|error| error.to_string());
        drawn.map_err(|error| anyhow!("{}: cannot draw it: {error}", self.title))?;
        let body = svg.split_once('>').map_or("", |(_, body)| body);
        // What is the same in all elements is left to the style sheet.
        let body = body
            .replace(" opacity=\"1\"", "")
            .replace(" font-family=\"sans-serif\"", "")
            .replace(" \"/>\n", "\"/>\n")
            .replace("</svg>", "");
        let colors = self.colors();
        let entries = self
            .series
            .into_iter()
            .zip(colors)
            .map(|(series, color)| Entry {
                name: series.name,
                color: format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2),
            });
        let legend: Vec<Entry> = entries.collect();
        Ok(Drawing {
            title: self.title,
            description: self.description,
            width: WIDTH * SCALE,
            height: HEIGHT * SCALE,
            body: Value::from_safe_string(body),
            legend: if legend.len() > 1 { legend } else { Vec::new() },
        })
    }

    /// The points of a series that can be drawn, in one piece or several.
    fn drawn<'a>(&self, series: &'a Series) -> Vec<&'a [(f64, f64)]> {
        let (x, y) = (self.x.scale, self.y.scale);
        let pieces = series
            .points
            .split(|point| !x.place(point.0).is_finite() || !y.place(point.1).is_finite());
        pieces.filter(|piece| !piece.is_empty()).collect()
    }

    /// The series' colours. Steps are apart as far as possible, whatever their number.
    fn colors(&self) -> Vec<RGBColor> {
        let count = self.series.len().min(SERIES);
        let places = (0..count).map(|place| match count {
            2.. if self.ordinal => {
                let [plain, dashed] = FIRST_STEPS;
                let first = if place.is_multiple_of(2) {
                    plain
                } else {
                    dashed
                };
                first + place * (SERIES - 1) / (count - 1)
            }
            _ => FIRST_SERIES + place,
        });
        // They are all below 0x40.
        let bytes = places.map(|place| u8::try_from(place).unwrap_or(u8::MAX));
        bytes.map(|byte| RGBColor(0, 0, byte)).collect()
    }

    /// From where to where an axis goes.
    fn extent(&self, axis: &Axis, of: fn(&(f64, f64)) -> f64) -> Extent {
        let points = self.series.iter().flat_map(|series| self.drawn(series));
        let values = points.flatten().map(of).chain(axis.includes);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        if axis.shares {
            high = 1.0;
        }
        ticks::extent(low, high, axis.scale, if axis.whole { 1.0 } else { 0.0 })
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let (x, y) = (
            self.extent(&self.x, |it| it.0),
            self.extent(&self.y, |it| it.1),
        );
        let area = SVGBackend::with_string(svg, (WIDTH * SCALE, HEIGHT * SCALE));
        let area = area.into_drawing_area();
        let text = ("sans-serif", 17 * SCALE).into_font().color(&TEXT);
        let mut chart = ChartBuilder::on(&area)
            .margin_top(28 * SCALE)
            .margin_right(20 * SCALE)
            .margin_bottom(4 * SCALE)
            .margin_left(4 * SCALE)
            .x_label_area_size(42 * SCALE)
            .y_label_area_size(52 * SCALE)
            .build_cartesian_2d(x.clone(), y.clone())?;
        let (x_marks, y_marks) = (marks(&self.x, &x), marks(&self.y, &y));
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(SCALE))
            .axis_style(AXIS.stroke_width(SCALE))
            .set_all_tick_mark_size(4 * SCALE)
            .label_style(text.clone())
            .x_labels(x.ticks.len())
            .y_labels(y.ticks.len())
            .x_label_formatter(&x_marks)
            .y_label_formatter(&y_marks)
            .axis_desc_style(text.clone())
            .x_desc(&*self.x.label)
            .draw()?;
        // Beside the axis it would stand on its head.
        let place = (i32::try_from(8 * SCALE)?, i32::try_from(4 * SCALE)?);
        area.draw(&Text::new(&*self.y.label, place, text.clone()))?;
        for rule in &self.rules {
            let ends = [(*rule, y.low), (*rule, y.high)];
            chart.draw_series([PathElement::new(ends, RULE.stroke_width(SCALE))])?;
        }
        for (series, color) in self.series.iter().zip(self.colors()) {
            let pieces = self.drawn(series);
            for piece in &pieces {
                let line = color.stroke_width(2 * SCALE);
                if let [alone] = piece {
                    chart.draw_series([Circle::new(*alone, 2 * SCALE, color.filled())])?;
                } else {
                    chart.draw_series(LineSeries::new(piece.iter().copied(), line))?;
                }
            }
            if series.labels.is_empty() {
                continue;
            }
            let dots = pieces.into_iter().flatten();
            let dots = dots.map(|it| Circle::new(*it, 4 * SCALE, color.filled()));
            chart.draw_series(dots)?;
            for label in labels::placed(series, &x, &y) {
                let style = text.clone().pos(label.anchor);
                let beside = Text::new(label.text.to_owned(), label.offset, style);
                chart.draw_series([EmptyElement::at(label.at) + beside])?;
            }
        }
        area.present()?;
        Ok(())
    }
}

/// What stands at an axis' marks.
fn marks(axis: &Axis, extent: &Extent) -> impl Fn(&f64) -> String + use<> {
    let (scale, shares) = (axis.scale, axis.shares);
    let step = match extent.ticks.as_slice() {
        [first, second, ..] => second - first,
        _ => extent.high,
    };
    move |value| match scale {
        _ if shares => numbers::percent(*value),
        // Marks of a linear axis have the decimals of the distance between them.
        Scale::Linear => numbers::tick(*value, step),
        Scale::Log => numbers::alone(*value),
    }
}
