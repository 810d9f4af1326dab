//! The sections of a page.

use serde::Serialize;

use crate::curves::ScoredSamples;
use crate::escape::{self, html};
use crate::report::{CurveSeries, OutputReport, PredictedValues, RunReport, TextTable};
use crate::{graph, pictures, tables};

/// The most points of a plot of predictions.
const DOTS: usize = 2000;

/// A section: its heading, and what is in it.
pub(crate) struct Section {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) content: String,
}

/// What the script is told of a chart.
#[derive(Serialize)]
struct Chart<'a> {
    title: &'a str,
    x: &'a str,
    series: Vec<&'a CurveSeries>,
    /// Whether both axes are from 0 to 1.
    unit: bool,
    /// Whether a straight line from corner to corner is what to compare with.
    diagonal: bool,
    /// Whether the points are not joined.
    dots: bool,
    /// Whether the vertical axis may be logarithmic.
    log: bool,
}

impl<'a> Chart<'a> {
    fn new(title: &'a str, x: &'a str, series: Vec<&'a CurveSeries>) -> Self {
        Self { title, x, series, unit: false, diagonal: false, dots: false, log: false }
    }

    /// The chart, for the script to draw, with its values for those who do not see it.
    fn html(&self, id: &str) -> String {
        let names: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        let label = format!("Chart of {} over {}: {}", self.title, self.x, names.join(", "));
        format!(
            "<figure class=\"card chart\" data-chart=\"{id}\"><figcaption>{}</figcaption><div class=\"plot\" role=\"group\" aria-label=\"{}\"></div>{}<script type=\"application/json\" id=\"{id}\">{}</script></figure>",
            html(self.title),
            html(&label),
            tables::values(&self.series),
            escape::json(self),
        )
    }
}

/// What there is to show of an output: of the only one, or of one of several.
struct Output<'a> {
    /// Its name, if there are several.
    name: Option<&'a str>,
    /// What the ids of its charts end with.
    suffix: String,
    classes: &'a [String],
    confusion: &'a [Vec<u64>],
    scores: Option<&'a ScoredSamples>,
    values: Option<&'a PredictedValues>,
    mistake_rows: Option<&'a TextTable>,
}

impl<'a> Output<'a> {
    /// That of the report itself, and those of its outputs.
    fn all(report: &'a RunReport) -> Vec<Self> {
        let RunReport { classes, confusion, scores, values, mistake_rows, outputs, .. } = report;
        let (scores, values, mistake_rows) = (scores.as_ref(), values.as_ref(), mistake_rows.as_ref());
        let own =
            Self { name: None, suffix: String::new(), classes, confusion, scores, values, mistake_rows };
        let others = outputs.iter().enumerate().map(|(index, output)| {
            let OutputReport { name, classes, confusion, scores, values, mistake_rows } = output;
            let (scores, values, mistake_rows) = (scores.as_ref(), values.as_ref(), mistake_rows.as_ref());
            let (name, suffix) = (Some(name.as_str()), format!("-{index}"));
            Self { name, suffix, classes, confusion, scores, values, mistake_rows }
        });
        std::iter::once(own).chain(others).collect()
    }

    /// The name of a class, or its number.
    fn class_name(&self, class: usize) -> String {
        self.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// The id of a chart of it.
    fn id(&self, chart: &str) -> String {
        format!("{chart}{}", self.suffix)
    }
}

/// What is shown of each output, below its name if it has one.
fn of_outputs(outputs: &[Output<'_>], part: impl Fn(&Output<'_>) -> Option<String>) -> Option<String> {
    let named = |output: &Output<'_>| {
        let content = part(output)?;
        let name = output.name.map(|name| format!("<h3>{}</h3>", html(name))).unwrap_or_default();
        Some(name + &content)
    };
    let parts: Vec<String> = outputs.iter().filter_map(named).collect();
    (!parts.is_empty()).then(|| parts.concat())
}

/// All sections for which there is something to show.
pub(crate) fn sections(report: &RunReport) -> Vec<Section> {
    let outputs = Output::all(report);
    let found = [
        ("curves", "Curves", curves(report)),
        ("confusion", "Confusion", of_outputs(&outputs, confusion)),
        ("scores", "Scores", of_outputs(&outputs, scores)),
        ("values", "Predictions", of_outputs(&outputs, predictions)),
        ("mistakes", "Worst mistakes", mistakes(report, &outputs)),
        ("weights", "First weights", gallery("weights-data", &report.weights)),
        ("norms", "Sizes by layer", norms(report)),
        ("graph", "Graph", report.graph.as_ref().and_then(graph::picture).map(|picture| card(&picture))),
        (
            "layers",
            "Layers",
            (!report.layers.is_empty()).then(|| card(&tables::layers(&report.layers, report.peak))),
        ),
        ("settings", "Settings", facts(&report.settings)),
        ("environment", "Environment", facts(&report.environment)),
    ];
    found
        .into_iter()
        .filter_map(|(id, title, content)| Some(Section { id, title, content: content? }))
        .collect()
}

fn card(content: &str) -> String {
    format!("<div class=\"card\">{content}</div>")
}

fn facts(facts: &[(String, String)]) -> Option<String> {
    (!facts.is_empty()).then(|| card(&tables::facts(facts)))
}

/// As pictures, as rows, or both.
fn mistakes(report: &RunReport, outputs: &[Output<'_>]) -> Option<String> {
    let rows = |output: &Output<'_>| {
        let table = output.mistake_rows.filter(|table| !table.rows.is_empty())?;
        Some(card(&tables::texts(table, "Worst mistakes")))
    };
    let rows = of_outputs(outputs, rows);
    let pictures = gallery("mistakes-data", &report.mistakes);
    (pictures.is_some() || rows.is_some()).then(|| [pictures, rows].into_iter().flatten().collect())
}

fn gallery(id: &str, thumbnails: &[crate::Thumbnail]) -> Option<String> {
    (!thumbnails.is_empty()).then(|| card(&pictures::gallery(id, thumbnails)))
}

/// A chart for each quantity, and the rate.
fn curves(report: &RunReport) -> Option<String> {
    let drawn = || report.curves.iter().filter(|curve| !curve.points.is_empty());
    let mut quantities: Vec<&str> = Vec::new();
    for curve in drawn() {
        if !quantities.contains(&curve.quantity.as_str()) {
            quantities.push(&curve.quantity);
        }
    }
    let mut charts = String::new();
    for (index, quantity) in quantities.into_iter().enumerate() {
        let series = drawn().filter(|curve| curve.quantity == quantity).collect();
        let log = quantity == "loss";
        charts += &Chart { log, ..Chart::new(quantity, "epoch", series) }.html(&format!("curve-{index}"));
    }
    if !report.rate.is_empty() {
        let rate = CurveSeries::new("learning rate", "learning rate", report.rate.iter().copied());
        charts += &Chart { log: true, ..Chart::new("learning rate", "step", vec![&rate]) }.html("rate");
    }
    (!charts.is_empty()).then(|| grid(&charts))
}

fn grid(charts: &str) -> String {
    format!("<div class=\"grid\">{charts}</div>")
}

fn confusion(output: &Output<'_>) -> Option<String> {
    tables::confusion(output.confusion, |class| output.class_name(class)).map(|table| card(&table))
}

fn scores(output: &Output<'_>) -> Option<String> {
    let scores = output.scores?;
    let classes = scores.drawn();
    if classes.is_empty() {
        return None;
    }
    let each = |curve: &dyn Fn(usize, &str) -> CurveSeries| -> Vec<CurveSeries> {
        classes.iter().map(|&class| curve(class, &output.class_name(class))).collect()
    };
    let roc = each(&|class, name| scores.roc(class, name));
    let precision = each(&|class, name| scores.precision(class, name));
    let calibration = scores.calibration();
    let unit = |title, x, series| Chart { unit: true, ..Chart::new(title, x, series) };
    let mut charts = String::new();
    let of_roc =
        unit("true positive rate (area under the ROC curve)", "false positive rate", roc.iter().collect());
    charts += &Chart { diagonal: true, ..of_roc }.html(&output.id("roc"));
    charts +=
        &unit("precision (average)", "recall", precision.iter().collect()).html(&output.id("precision"));
    let of_calibration =
        unit("how often it is right (calibration)", "probability that it says", vec![&calibration]);
    charts += &Chart { diagonal: true, ..of_calibration }.html(&output.id("calibration"));
    Some(grid(&charts))
}

/// Predictions over targets, and what is left over predictions.
fn predictions(output: &Output<'_>) -> Option<String> {
    let PredictedValues { predicted, targets } = output.values?;
    let step = predicted.len().div_ceil(DOTS).max(1);
    let pairs: Vec<(f64, f64)> =
        targets.iter().copied().zip(predicted.iter().copied()).step_by(step).collect();
    if pairs.is_empty() || predicted.len() != targets.len() {
        return None;
    }
    let left = pairs.iter().map(|(target, predicted)| (*predicted, target - predicted));
    let residuals = CurveSeries::new("residual", "samples", left);
    let predicted = CurveSeries::new("prediction", "samples", pairs.iter().copied());
    let dots = |title, x, series| Chart { dots: true, ..Chart::new(title, x, vec![series]) };
    let first =
        Chart { diagonal: true, ..dots("prediction", "target", &predicted) }.html(&output.id("predicted"));
    Some(grid(
        &(first
            + &dots("residual (target − prediction)", "prediction", &residuals)
                .html(&output.id("residuals"))),
    ))
}

fn norms(report: &RunReport) -> Option<String> {
    let mut charts = String::new();
    for (id, title, curves) in [
        ("weight-norms", "size of the weights", &report.weight_norms),
        ("gradient-norms", "size of the gradients", &report.gradient_norms),
    ] {
        let series: Vec<_> = curves.iter().filter(|curve| !curve.points.is_empty()).collect();
        if !series.is_empty() {
            charts += &Chart { log: true, ..Chart::new(title, "step", series) }.html(id);
        }
    }
    (!charts.is_empty()).then(|| grid(&charts))
}
