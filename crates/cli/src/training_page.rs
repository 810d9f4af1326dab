//! The page of a training: its report with what only the program knows, as pictures of mistakes.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use chainrule::core::ParamEntry;
use chainrule::data::output;
use chainrule::prelude::*;
use chainrule::tables::{ColumnData, ColumnKind, Table, TableColumn, date_text};
use chainrule::tensor::blas::Blas;
use chainrule::tensor::{Outputs, TargetView, vector};
use chainrule::train::{EpochReport, LayerTime, Scores, WeightSizes};
use chainrule_cli::peak;
use chainrule_config::{LearntTarget, OutputColumns, PredictedOutput, PredictedTargets, SharedSamples};
use chainrule_report::{
    CurveSeries, LayerFacts, OutputReport, PredictedValues, RunReport, ScoredSamples, TextTable, Thumbnail,
    counted,
};
use ndarray::Array2;

use crate::model_graph::model_graph;
use crate::recorder::{Recorded, RecordedValidation};
use crate::report::{ReportSource, TrainReport, precise};
use crate::score_table::short;
use crate::watch::Watch;

/// The number of samples in a batch of predictions.
const ROWS: usize = 500;

/// The number of mistakes that are shown.
const MISTAKES: usize = 24;

/// The most columns of a table that are shown of a mistake.
const COLUMNS: usize = 12;

/// The number of units or kernels that are shown.
const PICTURES: usize = 32;

/// The most weights whose sizes are shown.
const WEIGHTS: usize = 10;

/// What is known of a training before it, for its page.
pub(crate) struct TrainingFacts<'a> {
    pub(crate) source: &'a ReportSource,
    pub(crate) predicts: &'a PredictedTargets,
    /// The number of samples of the training.
    pub(crate) samples: usize,
    pub(crate) model: &'a Model<f32>,
    /// How it is trained.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) blas: &'a Blas,
    pub(crate) portable: bool,
    pub(crate) threads: usize,
    pub(crate) shards: usize,
}

impl TrainingFacts<'_> {
    /// A page with these alone.
    pub(crate) fn page(self) -> RunReport {
        let Self { source, predicts, samples, model, settings, .. } = &self;
        let mut page = RunReport::new(title(source, predicts));
        page.subtitle = format!("{samples} samples, {} parameters", model.parameters().len());
        page.graph = model_graph(model);
        page.layers = layers(model);
        page.settings.clone_from(settings);
        page.environment = self.environment();
        page
    }

    /// On what it is trained.
    fn environment(&self) -> Vec<(String, String)> {
        let Self { blas: Blas { name, version, kernel, .. }, portable, threads, shards, .. } = self;
        let products = if *portable { "portable" } else { "of BLAS and our own kernels" };
        named([
            ("chainrule", env!("CARGO_PKG_VERSION").to_owned()),
            ("BLAS", format!("{name} {version} {kernel}").trim().to_owned()),
            ("products", products.to_owned()),
            ("threads", threads.to_string()),
            ("shards", shards.to_string()),
            ("system", format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)),
        ])
    }
}

/// What a page is made of.
pub(crate) struct TrainingPage<'a, Y> {
    pub(crate) report: &'a TrainReport,
    pub(crate) warnings: Vec<String>,
    pub(crate) recorded: Recorded,
    pub(crate) sizes: &'a [WeightSizes],
    pub(crate) times: &'a [LayerTime],
    pub(crate) model: &'a Model<f32>,
    /// What the loss takes the outputs for.
    pub(crate) outputs: Outputs,
    /// The columns of each of several outputs.
    pub(crate) of_outputs: &'a [OutputColumns],
    /// The samples of the last part of the report.
    pub(crate) samples: &'a SharedSamples<Y>,
    /// The rows of the table that they are, if they are of one.
    pub(crate) rows: Option<&'a Table>,
    /// How it was trained.
    pub(crate) settings: Vec<(String, String)>,
}

impl<Y: LearntTarget> TrainingPage<'_, Y> {
    /// Writes the page to a file, if there is one, and shows it to those who watch.
    pub(crate) fn publish(self, path: Option<&Path>, watch: Option<Watch>) -> Result<(), Box<dyn Error>> {
        let page = self.page()?.to_html();
        if let Some(path) = path {
            let written: io::Result<()> = output::write(path, |file| file.write_all(page.as_bytes()));
            written.map_err(|error| crate::output_files::cannot_write(path, &error))?;
        }
        if let Some(watch) = watch {
            watch.finish(page);
        }
        Ok(())
    }

    fn page(self) -> Result<RunReport, Box<dyn Error>> {
        let Self { report, recorded, sizes, model, .. } = &self;
        let facts = TrainingFacts {
            source: &report.source,
            predicts: &report.predicts,
            samples: report.samples,
            model,
            settings: self.settings.clone(),
            blas: &report.blas,
            portable: report.portable,
            threads: report.threads,
            shards: report.shards,
        };
        let mut page = facts.page();
        let epochs = report.history.len();
        let passes = counted(epochs, "epoch");
        page.subtitle = format!("{} samples, {passes}, {} parameters", report.samples, report.parameters);
        if let Some((part, last)) = report.last() {
            page.figures.push((format!("{part} loss"), short(last.scores.loss)));
            let numbers = last.scores.metrics.iter();
            let numbers = numbers.filter_map(|(name, value)| Some((name, value.as_number()?)));
            page.figures.extend(numbers.map(|(name, value)| (format!("{part} {name}"), short(value))));
        }
        let seconds = report.seconds();
        page.figures.extend(named([
            ("training", precise(seconds, 2)),
            ("an epoch", precise(seconds / epochs.max(1) as f64, 3)),
        ]));
        page.warnings.clone_from(&self.warnings);
        let test = report.parts.iter().find(|(part, _)| *part == "test").map(|(_, test)| &test.scores);
        // While targets are scaled, the losses of the epochs are in other units.
        let is_scaled = !report.predicts.scales.is_empty();
        page.curves = curves(recorded, &report.history, test, is_scaled);
        page.rate.clone_from(&recorded.rates);
        [page.weight_norms, page.gradient_norms] = norms(sizes);
        for LayerTime { path, forward, backward, .. } in self.times {
            let seconds = [Some(*forward), *backward].map(|time| time.as_ref().map(Duration::as_secs_f64));
            let layer = page.layers.iter_mut().find(|layer| layer.path == *path);
            layer.into_iter().for_each(|layer| layer.seconds = seconds);
        }
        // Where it cannot be measured, there are no shares of it.
        page.peak = peak::quick_estimate().ok().map(|peak| 1e9 * peak).filter(|_| !self.times.is_empty());
        page.classes = report.predicts.classes.clone().unwrap_or_default();
        page.confusion = report.last().and_then(|(_, last)| last.confusion.clone()).unwrap_or_default();
        let target = report.predicts.names.first().map_or("", String::as_str);
        if !self.of_outputs.is_empty() {
            page.outputs = self.outputs()?;
        } else if let Some(scored) = self.scored()? {
            let wrong = mistakes(&scored);
            page.mistakes = pictures(&wrong, self.samples, &page.classes);
            page.mistake_rows = self.rows.map(|rows| self.wrong_classes(rows, &wrong, target, &page.classes));
            page.scores = Some(scored);
        } else {
            page.values = self.values()?;
            let values = page.values.as_ref().zip(self.rows);
            page.mistake_rows = values.map(|(values, rows)| self.largest_residuals(rows, target, values));
        }
        page.weights = first_weights(model);
        page.settings.push(("SHA-256 of the parameters".into(), report.params_sha256.clone()));
        Ok(page)
    }

    /// What the model says of each sample, and the targets: `each` is given the outputs of some, in their order.
    fn predicted(&self, mut each: impl FnMut(&[f32], &Y)) -> Result<(), Box<dyn Error>> {
        let Self { model, samples, .. } = self;
        for first in (0..samples.len()).step_by(ROWS) {
            let rows = ROWS.min(samples.len() - first);
            let mut x = Array2::zeros((rows, model.input().size()));
            let mut targets = Vec::with_capacity(rows);
            for (index, row) in x.rows_mut().into_iter().enumerate() {
                let Some(row) = row.into_slice() else { continue };
                targets.push(samples.read(first + index, row));
            }
            let outputs = model.predict(x.view())?;
            for (outputs, target) in outputs.rows().into_iter().zip(&targets) {
                each(&outputs.to_vec(), target);
            }
        }
        Ok(())
    }

    /// The probabilities of the classes for each sample, if the model gives some.
    fn scored(&self) -> Result<Option<ScoredSamples>, Box<dyn Error>> {
        let classes = self.report.predicts.classes.as_ref().map_or(0, Vec::len);
        if classes == 0 || self.outputs == Outputs::Values {
            return Ok(None);
        }
        let mut scored = ScoredSamples { classes, ..ScoredSamples::default() };
        self.predicted(|outputs, target| {
            let TargetView::Class(class) = target.view() else { return };
            score(&mut scored, class as u32, outputs, self.outputs);
        })?;
        Ok(Some(scored))
    }

    /// What there is to show of each of several outputs.
    fn outputs(&self) -> Result<Vec<OutputReport>, Box<dyn Error>> {
        let predicts = &self.report.predicts;
        let confusions = self.report.last().map(|(_, last)| last.of_outputs.clone()).unwrap_or_default();
        let confusion = |index: usize| confusions.get(index).cloned().flatten().unwrap_or_default();
        let report = |(index, (output, own)): (usize, (&PredictedOutput, &OutputColumns))| {
            let classes = output.classes.clone().unwrap_or_default();
            let mut report = OutputReport {
                name: output.name.clone(),
                confusion: confusion(index),
                ..OutputReport::default()
            };
            match classes.len() {
                0 => report.values = Some(PredictedValues::default()),
                _ if own.takes == Outputs::Values => {}
                classes => report.scores = Some(ScoredSamples { classes, ..ScoredSamples::default() }),
            }
            OutputReport { classes, ..report }
        };
        let outputs = predicts.outputs.iter().zip(self.of_outputs).enumerate();
        let mut reports: Vec<OutputReport> = outputs.map(report).collect();
        self.predicted(|outputs, target| {
            // The target of a class is its index.
            let TargetView::Values(targets) = target.view() else { return };
            for ((report, own), &target) in reports.iter_mut().zip(self.of_outputs).zip(targets) {
                let Some(outputs) = outputs.get(own.columns.clone()) else { continue };
                match (&mut report.scores, &mut report.values, outputs) {
                    (Some(scored), ..) => score(scored, target as u32, outputs, own.takes),
                    (_, Some(values), &[predicted]) => {
                        values.predicted.push(predicted.into());
                        values.targets.push(target.into());
                    }
                    _ => {}
                }
            }
        })?;
        if let Some(rows) = self.rows {
            for report in &mut reports {
                let OutputReport { name, classes, scores, values, .. } = &*report;
                report.mistake_rows = match (scores, values) {
                    (Some(scored), _) => Some(self.wrong_classes(rows, &mistakes(scored), name, classes)),
                    (_, Some(values)) => Some(self.largest_residuals(rows, name, values)),
                    _ => None,
                };
            }
        }
        Ok(reports)
    }

    /// The mistakes as rows of their table.
    fn wrong_classes(&self, rows: &Table, wrong: &[Mistake], target: &str, classes: &[String]) -> TextTable {
        let name = |class: usize| classes.get(class).cloned().unwrap_or_default();
        let mistakes = wrong.iter().map(|&Mistake { sample, taken, target, score }| {
            (sample, vec![name(target), name(taken), format!("{:.1}", 100.0 * score)])
        });
        self.rows_of(rows, [target, "taken for", "certain, %"], mistakes)
    }

    /// The rows of a table whose predictions are the farthest from their targets.
    fn largest_residuals(&self, rows: &Table, target: &str, values: &PredictedValues) -> TextTable {
        let residual = |&sample: &usize| (values.predicted[sample] - values.targets[sample]).abs();
        let mut samples: Vec<usize> = (0..values.predicted.len()).collect();
        samples.sort_by(|a, b| residual(b).total_cmp(&residual(a)));
        let mistakes = samples.into_iter().take(MISTAKES).map(|sample| {
            let (predicted, target) = (values.predicted[sample], values.targets[sample]);
            (sample, [target, predicted, target - predicted].map(short).to_vec())
        });
        self.rows_of(rows, [target, "predicted", "residual"], mistakes)
    }

    /// These samples as rows: their lines, a target with what was said of it, and what is known of them.
    fn rows_of(
        &self,
        rows: &Table,
        said: [&str; 3],
        samples: impl Iterator<Item = (usize, Vec<String>)>,
    ) -> TextTable {
        let targets = &self.report.predicts.names;
        let known = rows.columns().iter().filter(|column| {
            column.kind() != ColumnKind::Constant && !targets.iter().any(|target| target == column.name())
        });
        let known: Vec<&TableColumn> = known.take(COLUMNS).collect();
        let columns = std::iter::once("line".to_owned()).chain(said.map(str::to_owned));
        let row = |(sample, said): (usize, Vec<String>)| {
            let cells = known.iter().map(|column| cell(column, sample));
            std::iter::once(rows.line(sample).to_string()).chain(said).chain(cells).collect()
        };
        let shown = samples.filter(|(sample, _)| *sample < rows.rows());
        TextTable {
            columns: columns.chain(known.iter().map(|column| column.name().to_owned())).collect(),
            rows: shown.map(row).collect(),
        }
    }

    /// The predictions for one target that is a number.
    fn values(&self) -> Result<Option<PredictedValues>, Box<dyn Error>> {
        let predicts = &self.report.predicts;
        if predicts.classes.is_some() || predicts.labels || predicts.names.len() != 1 {
            return Ok(None);
        }
        let mut values = PredictedValues::default();
        self.predicted(|outputs, target| {
            if let (&[predicted], TargetView::Values(&[target])) = (outputs, target.view()) {
                values.predicted.push(predicted.into());
                values.targets.push(target.into());
            }
        })?;
        Ok(Some(values))
    }
}

/// What a row of a table holds in a column.
fn cell(column: &TableColumn, row: usize) -> String {
    match column.data() {
        ColumnData::Texts(texts) => texts.get(row).unwrap_or_default().to_owned(),
        ColumnData::Numbers(numbers) => match (column.kind(), numbers.values()[row]) {
            (_, value) if value.is_nan() => String::new(),
            (ColumnKind::Date, days) => date_text(days),
            (ColumnKind::Boolean, value) => if value == 0.0 { "no" } else { "yes" }.to_owned(),
            (_, value) => value.to_string(),
        },
    }
}

pub(crate) fn named<const N: usize>(facts: [(&str, String); N]) -> Vec<(String, String)> {
    facts.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// The title of a page about a model that predicts these.
fn title(source: &ReportSource, predicts: &PredictedTargets) -> String {
    match source {
        ReportSource::Dataset(name) => format!("Training on {name}"),
        ReportSource::Configuration { .. } => format!("A model of {}", predicts.names.join(", ")),
    }
}

/// Losses and metrics over the epochs, of validations within them too, and at the end over the test set, whose loss is left out where
/// targets are scaled.
pub(crate) fn curves(
    recorded: &Recorded,
    history: &[EpochReport],
    test: Option<&Scores>,
    is_scaled: bool,
) -> Vec<CurveSeries> {
    let mut curves: Vec<CurveSeries> = Vec::new();
    let mut add = |quantity: &str, name: &str, point| match curves
        .iter_mut()
        .find(|curve| curve.quantity == quantity && curve.name == name)
    {
        Some(curve) => curve.points.push(point),
        None => curves.push(CurveSeries::new(quantity, name, [point])),
    };
    let epochs = history.iter().map(|report| (report.epoch as f64 + 1.0, report));
    let of_parts = epochs.flat_map(|(epoch, report)| {
        let validation = report.validation.as_ref().map(|scores| ("validation", epoch, scores));
        std::iter::once(("training", epoch, &report.train)).chain(validation)
    });
    let end = history.last().map_or(0.0, |report| report.epoch as f64 + 1.0);
    for (name, epoch, scores) in of_parts.chain(test.map(|test| ("test", end, test))) {
        if !(is_scaled && name == "test") {
            add("loss", name, (epoch, scores.loss));
        }
        let numbers = scores.metrics.iter().filter_map(|(metric, value)| Some((metric, value.as_number()?)));
        numbers.for_each(|(metric, value)| add(metric, name, (epoch, value)));
    }
    for RecordedValidation { epochs, loss, metrics, .. } in &recorded.validations {
        let loss = loss.map(|loss| ("loss", loss));
        let metrics = metrics.iter().map(|(metric, value)| (metric.as_str(), *value));
        loss.into_iter().chain(metrics).for_each(|(name, value)| add(name, "validation", (*epochs, value)));
    }
    for curve in curves.iter_mut().filter(|curve| curve.name == "validation") {
        curve.points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    curves.insert(0, CurveSeries::new("loss", "batches", recorded.losses.iter().copied()));
    curves
}

/// The sizes of some weights, and of their gradients.
pub(crate) fn norms(sizes: &[WeightSizes]) -> [Vec<CurveSeries>; 2] {
    let shown = sizes.iter().step_by(sizes.len().div_ceil(WEIGHTS).max(1));
    let series = |sizes: &WeightSizes, points: &[(u64, f64)]| {
        CurveSeries::new("size", &sizes.name, points.iter().map(|&(step, size)| (step as f64, size)))
    };
    let weights = shown.clone().map(|sizes| series(sizes, &sizes.weight)).collect();
    [weights, shown.map(|sizes| series(sizes, &sizes.gradient)).collect()]
}

/// The layers of a model.
fn layers(model: &Model<f32>) -> Vec<LayerFacts> {
    let layer = |layer: &chainrule::core::LayerInfo| LayerFacts {
        path: layer.path.clone(),
        label: layer.label.clone(),
        output: layer.output.to_string(),
        parameters: layer.parameters as u64,
        flops: layer.flops,
        seconds: [None; 2],
    };
    model.plan().layers().iter().map(layer).collect()
}

/// Adds what a model says of a sample of this class, whose outputs a loss takes for these.
fn score(scored: &mut ScoredSamples, class: u32, outputs: &[f32], takes: Outputs) {
    scored.targets.push(class);
    let from = scored.probabilities.len();
    match (outputs, takes) {
        // One output is the second of two classes.
        (&[z], takes) if scored.classes == 2 => {
            let second = if takes == Outputs::Logits { 1.0 / (1.0 + (-z).exp()) } else { z };
            scored.probabilities.extend([1.0 - second, second]);
        }
        (outputs, Outputs::Logits) => {
            scored.probabilities.extend(outputs);
            vector::softmax(&mut scored.probabilities[from..], scored.classes);
        }
        (outputs, _) => scored.probabilities.extend(outputs),
    }
}

/// A sample that was taken for another class than its own.
struct Mistake {
    sample: usize,
    /// The class that it was taken for.
    taken: usize,
    target: usize,
    /// The probability that the model gave that class.
    score: f32,
}

/// The mistakes of which the model was most certain.
fn mistakes(scored: &ScoredSamples) -> Vec<Mistake> {
    let rows = scored.probabilities.chunks_exact(scored.classes.max(1)).zip(&scored.targets).enumerate();
    let mut wrong: Vec<Mistake> = rows
        .filter_map(|(sample, (row, &target))| {
            let taken = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]))?;
            let target = target as usize;
            (taken != target).then_some(Mistake { sample, taken, target, score: row[taken] })
        })
        .collect();
    wrong.sort_by(|a, b| b.score.total_cmp(&a.score));
    wrong.truncate(MISTAKES);
    wrong
}

/// The mistakes as pictures, if samples are some.
fn pictures<Y: LearntTarget>(
    wrong: &[Mistake],
    samples: &SharedSamples<Y>,
    classes: &[String],
) -> Vec<Thumbnail> {
    let [channels, height, width] = match *samples.shape() {
        [height, width] => [1, height, width],
        [channels, height, width] => [channels, height, width],
        _ => return Vec::new(),
    };
    let picture = |&Mistake { sample, taken, target, score }: &Mistake| {
        let mut pixels = vec![0.0; channels * height * width];
        samples.read(sample, &mut pixels);
        // Of colours, the mean, without an alpha channel.
        let shown = if channels > 3 { 3 } else { channels };
        let (grey, colours) = pixels.split_at_mut(height * width);
        for colour in colours.chunks_exact(height * width).take(shown - 1) {
            grey.iter_mut().zip(colour).for_each(|(grey, colour)| *grey += colour);
        }
        grey.iter_mut().for_each(|grey| *grey /= shown as f32);
        let name = |class: usize| classes.get(class).map_or("", String::as_str);
        let caption =
            format!("{} taken for {} ({:.1} %), sample {sample}", name(target), name(taken), 100.0 * score);
        Thumbnail::of_brightness(width, grey, caption)
    };
    wrong.iter().map(picture).collect()
}

/// The first weights as pictures: those of each unit over the inputs, or the kernels of a convolution.
fn first_weights(model: &Model<f32>) -> Vec<Thumbnail> {
    let input = model.input();
    let is_kernel = |entry: &&ParamEntry| entry.shape.len() == 4 && entry.name.ends_with("weight");
    let is_dense = |entry: &&ParamEntry| entry.product && entry.shape[0] == input.size() && input.len() > 1;
    let Some(entry) = model.plan().entries().iter().find(|entry| is_kernel(entry) || is_dense(entry)) else {
        return Vec::new();
    };
    let values = &model.parameters()[entry.range.clone()];
    if is_dense(&entry) {
        let units = entry.shape[1];
        let width = input.last().copied().unwrap_or(1);
        let unit = |unit: usize| values.iter().copied().skip(unit).step_by(units).collect::<Vec<_>>();
        let units = (0..units.min(PICTURES)).map(|index| (index, unit(index)));
        return units
            .map(|(index, weights)| Thumbnail::of_weights(width, &weights, format!("unit {index}")))
            .collect();
    }
    let [.., height, width] = *entry.shape else { return Vec::new() };
    let kernels = values.chunks(height * width).take(PICTURES).enumerate();
    kernels.map(|(index, kernel)| Thumbnail::of_weights(width, kernel, format!("kernel {index}"))).collect()
}
