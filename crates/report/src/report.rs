//! What a page shows.

use serde::Serialize;

use crate::curves::ScoredSamples;
use crate::page::{self, Live};

/// A training with all that is known of it. What is empty is left out of the page.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RunReport {
    /// The title of the page.
    pub title: String,
    /// A line below it, such as what was trained and when.
    pub subtitle: String,
    /// The figures that matter most, with their names: `("test accuracy", "97.9 %")`.
    pub figures: Vec<(String, String)>,
    /// What was warned of.
    pub warnings: Vec<String>,
    /// Losses and metrics over the epochs. Those of one quantity are drawn together.
    pub curves: Vec<CurveSeries>,
    /// The learning rate over the steps.
    pub rate: Vec<(f64, f64)>,
    /// The size of the weights of each layer over the steps.
    pub weight_norms: Vec<CurveSeries>,
    /// The size of the gradients of each layer over the steps.
    pub gradient_norms: Vec<CurveSeries>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// For each true class, how many samples were taken for each class.
    pub confusion: Vec<Vec<u64>>,
    /// What the model says of each sample, for classes.
    pub scores: Option<ScoredSamples>,
    /// What the model says of each sample, for a value.
    pub values: Option<PredictedValues>,
    /// The same of each of several outputs, and its worst mistakes.
    pub outputs: Vec<OutputReport>,
    /// The worst mistakes as pictures.
    pub mistakes: Vec<Thumbnail>,
    /// The worst mistakes as rows of a table.
    pub mistake_rows: Option<TextTable>,
    /// The weights of the first layer.
    pub weights: Vec<Thumbnail>,
    /// How the layers depend on each other, if they are not one after the other.
    pub graph: Option<ModelGraph>,
    /// The layers of the model.
    pub layers: Vec<LayerFacts>,
    /// How many floating-point operations a core of the machine makes in a second, of which layers that were measured are a share.
    pub peak: Option<f64>,
    /// How it was trained.
    pub settings: Vec<(String, String)>,
    /// On what it was trained.
    pub environment: Vec<(String, String)>,
}

impl RunReport {
    /// A report with this title, and nothing else yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// The page.
    pub fn to_html(&self) -> String {
        page::html(self, None)
    }

    /// The page of a training that still runs: its script asks the address that it came from for the page again, about every second,
    /// and changes what differs, until it gets one without a version, such as [`to_html`](Self::to_html) makes.
    ///
    /// A server has to give `version` as the `ETag` of the page, in quotation marks, and may answer 304 to what has `If-None-Match` with it.
    pub fn to_live_html(&self, version: u64, progress: &RunProgress) -> String {
        page::html(self, Some(&Live { version, progress }))
    }
}

/// One of several outputs of a model. What is empty is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputReport {
    /// Its name.
    pub name: String,
    /// The names of its classes.
    pub classes: Vec<String>,
    /// For each true class, how many samples were taken for each class.
    pub confusion: Vec<Vec<u64>>,
    /// What the model says of each sample, for classes.
    pub scores: Option<ScoredSamples>,
    /// What the model says of each sample, for a value.
    pub values: Option<PredictedValues>,
    /// The worst mistakes as rows of a table.
    pub mistake_rows: Option<TextTable>,
}

/// How far a training is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunProgress {
    /// The part of it that is done, from 0 to 1.
    pub share: f64,
    /// A line about it, such as the epoch and the time that is left.
    pub text: String,
}

/// A line of a chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CurveSeries {
    /// What it is of, such as `loss`.
    pub quantity: String,
    /// Its own name, such as `validation`.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

impl CurveSeries {
    /// A line through these points.
    pub fn new(
        quantity: impl Into<String>,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        Self { quantity: quantity.into(), name: name.into(), points: points.into_iter().collect() }
    }
}

/// A layer of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerFacts {
    /// Its path, such as `2.residual.0`.
    pub path: String,
    /// What it is, such as `Dense(units=64)`.
    pub label: String,
    /// The shape of its output.
    pub output: String,
    /// The number of its parameters.
    pub parameters: u64,
    /// The floating-point operations for a sample.
    pub flops: u64,
    /// How many seconds its forward and its backward pass take for a sample, where that was measured.
    pub seconds: [Option<f64>; 2],
}

/// The graph of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelGraph {
    /// The nodes, each after those that it depends on.
    pub nodes: Vec<GraphNode>,
    /// Pairs of indices of nodes: the second depends on the first.
    pub edges: Vec<(usize, usize)>,
}

/// A node of the graph of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphNode {
    /// Its name, if it has one.
    pub name: String,
    /// Its layers, a line for each.
    pub lines: Vec<String>,
}

/// A table of texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextTable {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// The texts of each row, one for each column.
    pub rows: Vec<Vec<String>>,
}

/// What values a model predicts, and what they should have been.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictedValues {
    /// The predictions.
    pub predicted: Vec<f64>,
    /// The targets, one for each.
    pub targets: Vec<f64>,
}

/// A small picture with a line of text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thumbnail {
    /// Its width in pixels.
    pub width: usize,
    /// The pixels, row by row, from 0 (black) to 255 (white).
    pub pixels: Vec<u8>,
    /// What is written below it.
    pub caption: String,
    /// Whether the middle of the range is 0, so that values have a sign: weights.
    pub signed: bool,
}

impl Thumbnail {
    /// A picture of values from `0` to `1`.
    pub fn of_brightness(width: usize, values: &[f32], caption: impl Into<String>) -> Self {
        let pixels = values.iter().map(|value| (255.0 * value.clamp(0.0, 1.0)).round() as u8).collect();
        Self { width, pixels, caption: caption.into(), signed: false }
    }

    /// A picture of weights, in which 0 is in the middle and the largest weight at an end.
    pub fn of_weights(width: usize, values: &[f32], caption: impl Into<String>) -> Self {
        let largest = values.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
        let pixel = |value: &f32| (127.5 + 127.5 * (value / largest).clamp(-1.0, 1.0)).round() as u8;
        Self { width, pixels: values.iter().map(pixel).collect(), caption: caption.into(), signed: true }
    }
}
