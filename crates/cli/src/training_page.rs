//! The page of a training: its report with what only the program knows, as pictures of mistakes.

use std::error::Error;
use std::io;
use std::path::Path;

use chainrule::core::ParamEntry;
use chainrule::data::{Batches, output};
use chainrule::prelude::*;
use chainrule::tensor::{Outputs, vector};
use chainrule::train::EpochReport;
use chainrule_report::{CurveSeries, LayerFacts, RunReport, ScoredSamples, Thumbnail, counted};
use ndarray::Array2;

use crate::recorder::Recorded;
use crate::report::{BlasInfo, TrainingReport};

/// The number of test samples in a batch of predictions.
const ROWS: usize = 500;

/// The number of mistakes that are shown.
const MISTAKES: usize = 24;

/// The number of units or kernels that are shown.
const PICTURES: usize = 32;

/// What a page is made of.
pub(crate) struct TrainingPage<'a> {
    pub(crate) report: &'a TrainingReport,
    pub(crate) history: &'a [EpochReport],
    pub(crate) warnings: Vec<String>,
    pub(crate) recorded: Recorded,
    pub(crate) model: &'a Model<f32>,
    /// What the loss takes the outputs for.
    pub(crate) outputs: Outputs,
    pub(crate) test: &'a Images,
    /// The options of the training, with their values.
    pub(crate) options: Vec<(String, String)>,
}

impl TrainingPage<'_> {
    /// Writes the page.
    pub(crate) fn write(self, path: &Path) -> Result<(), Box<dyn Error>> {
        let page = self.page()?.to_html();
        let written: io::Result<()> = output::write(path, |file| file.write_all(page.as_bytes()));
        Ok(written.map_err(|error| crate::output_files::cannot_write(path, &error))?)
    }

    fn page(self) -> Result<RunReport, Box<dyn Error>> {
        let Self { report, history, recorded, model, test, .. } = &self;
        let mut page = RunReport::new(format!("Training on {}", report.dataset));
        let epochs = history.len();
        let passes = counted(epochs, "epoch");
        page.subtitle = format!("{} samples, {passes}, {} parameters", report.samples, report.parameters);
        page.figures = named([
            ("test accuracy", format!("{:.2} %", 100.0 * report.test_accuracy)),
            ("test loss", format!("{:.4}", report.test_loss)),
            ("training", format!("{:.2} s", report.train_seconds)),
            ("an epoch", format!("{:.3} s", report.train_seconds / epochs.max(1) as f64)),
        ]);
        page.warnings.clone_from(&self.warnings);
        page.curves = self.curves();
        page.rate.clone_from(&recorded.rates);
        let sizes = recorded.sizes.iter();
        page.weight_norms =
            sizes.map(|(name, points)| CurveSeries::new("size", name, points.iter().copied())).collect();
        page.classes = (0..report.confusion.len()).map(|class| class.to_string()).collect();
        page.confusion.clone_from(&report.confusion);
        let probabilities = self.probabilities()?;
        page.mistakes = mistakes(&probabilities, test);
        page.scores = (self.outputs != Outputs::Values).then_some(probabilities);
        page.weights = first_weights(model);
        let layer = |layer: &chainrule::core::LayerInfo| LayerFacts {
            path: layer.path.clone(),
            label: layer.label.clone(),
            output: layer.output.to_string(),
            parameters: layer.parameters as u64,
            flops: layer.flops,
        };
        page.layers = model.plan().layers().iter().map(layer).collect();
        page.settings.clone_from(&self.options);
        page.settings.push(("SHA-256 of the parameters".into(), report.params_sha256.clone()));
        let BlasInfo { name, version, kernel } = &report.blas;
        let products = if report.portable { "portable" } else { "of BLAS and our own kernels" };
        page.environment = named([
            ("chainrule", env!("CARGO_PKG_VERSION").to_owned()),
            ("BLAS", format!("{name} {version} {kernel}").trim().to_owned()),
            ("products", products.to_owned()),
            ("threads", report.threads.to_string()),
            ("shards", report.shards.to_string()),
            ("system", format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)),
        ]);
        Ok(page)
    }

    /// Losses and metrics over the epochs, and at the end over the test set.
    fn curves(&self) -> Vec<CurveSeries> {
        let mut curves: Vec<CurveSeries> = Vec::new();
        let mut add = |quantity: &str, name: &str, point| match curves
            .iter_mut()
            .find(|curve| curve.quantity == quantity && curve.name == name)
        {
            Some(curve) => curve.points.push(point),
            None => curves.push(CurveSeries::new(quantity, name, [point])),
        };
        let epochs = self.history.iter().map(|report| (report.epoch as f64 + 1.0, &report.train));
        let of_training = epochs.map(|(epoch, scores)| ("training", epoch, scores));
        let last = self.history.last().map_or(0.0, |report| report.epoch as f64 + 1.0);
        for (name, epoch, scores) in of_training.chain([("test", last, &self.report.test)]) {
            add("loss", name, (epoch, scores.loss));
            let numbers =
                scores.metrics.iter().filter_map(|(metric, value)| Some((metric, value.as_number()?)));
            numbers.for_each(|(metric, value)| add(metric, name, (epoch, value)));
        }
        let batches = CurveSeries::new("loss", "batches", self.recorded.losses.iter().copied());
        curves.insert(0, batches);
        curves
    }

    /// What the model says of each test sample.
    fn probabilities(&self) -> Result<ScoredSamples, Box<dyn Error>> {
        let Self { model, test, outputs, .. } = self;
        let mut scored = ScoredSamples { classes: model.output().size(), ..ScoredSamples::default() };
        let mut batches = Batches::new(test.len(), ROWS, None)?;
        batches.epoch(0);
        for batch in batches.iter() {
            let mut x = Array2::zeros((batch.len(), model.input().size()));
            for (row, &index) in x.rows_mut().into_iter().zip(batch) {
                let Some(row) = row.into_slice() else { continue };
                scored.targets.push(u32::from(test.read(index as usize, row)));
            }
            let first = scored.probabilities.len();
            scored.probabilities.extend(model.predict(x.view())?.iter());
            if *outputs == Outputs::Logits {
                vector::softmax(&mut scored.probabilities[first..], scored.classes);
            }
        }
        Ok(scored)
    }
}

fn named<const N: usize>(facts: [(&str, String); N]) -> Vec<(String, String)> {
    facts.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// The mistakes of which the model was most certain.
fn mistakes(scored: &ScoredSamples, test: &Images) -> Vec<Thumbnail> {
    let width = test.shape().last().copied().unwrap_or(1);
    let rows = scored.probabilities.chunks_exact(scored.classes.max(1)).zip(&scored.targets).enumerate();
    let mut wrong: Vec<(f32, usize, usize, u32)> = rows
        .filter_map(|(sample, (row, &target))| {
            let taken = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]))?;
            (taken != target as usize).then_some((row[taken], sample, taken, target))
        })
        .collect();
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    let picture = |&(score, sample, taken, target): &(f32, usize, usize, u32)| {
        let mut pixels = vec![0.0; test.shape().size()];
        test.read(sample, &mut pixels);
        let caption = format!("{target} taken for {taken} ({:.1} %), sample {sample}", 100.0 * score);
        Thumbnail::of_brightness(width, &pixels, caption)
    };
    wrong.iter().take(MISTAKES).map(picture).collect()
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
