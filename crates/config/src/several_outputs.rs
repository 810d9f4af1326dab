//! Several outputs: the layers of each, and their losses and metrics in one.
//!
//! The target of a sample is a number for each output, a class by its index: so a training with several outputs is one of numbers, and is
//! compiled once with it.

use std::borrow::Cow;
use std::ops::Range;

use chainrule::core::{
    Described, Description, Graph, Layer, Plan, Registry, Sequential, SettingError, ShapeError,
};
use chainrule::losses::{Criterion, Domain, Loss, LossPass, Reduction, Scope, SeveralOutputs};
use chainrule::metrics::{Measure, Metric as _};
use chainrule::tensor::{ClassTarget, Outputs, Shape, TargetError};
use ndarray::{ArrayView2, CowArray, Ix2, s};

use crate::build::{Objective, build, failed};
use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::location::Located;
use crate::output_section::OutputSection;
use crate::targets::{LearntTarget, OutputMeasures, PredictedOutput, PredictedTargets, UNSCALED};
use crate::viewed_metric::{MetricView, ViewedMetric, rescale, unscale};

/// The name of the sample in a graph without named inputs.
const INPUT: &str = "input";

/// The layers of all outputs, as a graph with an output for each; nothing if there is only one.
pub(crate) fn heads(
    configuration: &Configuration,
    registry: &Registry,
) -> Result<Option<Description>, ConfigError> {
    let outputs = &configuration.outputs;
    if outputs.is_empty() {
        return Ok(None);
    }
    let mut names: Vec<String> = Vec::new();
    let mut graph = Graph::<f32>::default();
    for (index, output) in outputs.iter().enumerate() {
        // Names of nodes have no dots.
        let mut name = output.name.value.replace('.', "_");
        if name.is_empty() || name == INPUT {
            name = format!("{name} {}", index + 1);
        }
        if let Some(other) = names.iter().position(|other| *other == name) {
            let problem = format!(
                "{:?} is called {name:?} in the model, where names have no points, and so is {:?}: rename one of the columns",
                output.name.value, outputs[other].name.value
            );
            return Err(ConfigError::Contradiction { at: output.name.at.clone(), problem });
        }
        graph = graph.layer(name.clone(), layers(output, registry)?, INPUT);
        names.push(name);
    }
    Ok(Some(graph.outputs(names).describe()))
}

/// The layers of an output.
fn layers(output: &OutputSection, registry: &Registry) -> Result<Sequential<f32>, ConfigError> {
    let description = Description::chain(output.layers.iter().flat_map(|layer| layer.value.parts()));
    Sequential::from_description(&description, registry)
        .map_err(|source| failed(&output.key("layers"), &output.layers[0], source))
}

/// The columns of each output of a model of samples of this shape.
fn columns(
    configuration: &Configuration,
    registry: &Registry,
    input: Shape,
) -> Result<Vec<Range<usize>>, ConfigError> {
    let refused = |at: &Located<Description>, input: Shape, source: ShapeError| ConfigError::Model {
        at: at.at.clone(),
        input: input.to_string(),
        source: Box::new(source.into()),
    };
    let first = &configuration.layers[0];
    let trunk = Description::chain(configuration.layers.iter().flat_map(|layer| layer.value.parts()));
    let trunk = Sequential::<f32>::from_description(&trunk, registry)
        .map_err(|source| failed("model.layers", first, source))?;
    let (shape, _) = trunk.plan(input, &mut Plan::new()).map_err(|source| refused(first, input, source))?;
    let mut columns = Vec::new();
    for output in &configuration.outputs {
        let planned = layers(output, registry)?.plan(shape, &mut Plan::new());
        let (own, _) = planned.map_err(|source| refused(&output.layers[0], shape, source))?;
        let from = columns.last().map_or(0, |before: &Range<usize>| before.end);
        columns.push(from..from.saturating_add(own.size()));
    }
    Ok(columns)
}

/// The columns of each output, which are as many as it needs.
pub(crate) fn fitting_columns(
    configuration: &Configuration,
    registry: &Registry,
    input: Shape,
    predicts: &PredictedTargets,
) -> Result<Vec<Range<usize>>, ConfigError> {
    let columns = columns(configuration, registry, input)?;
    for ((output, columns), predicted) in configuration.outputs.iter().zip(&columns).zip(&predicts.outputs) {
        let (last, count) = (output.last(), columns.len());
        if !predicted.fit(count) {
            let problem = format!(
                "{} is the last layer of the output {:?}, which so has {count} columns, and those do not fit {}",
                last.value,
                output.name.value,
                predicted.words()
            );
            return Err(ConfigError::Contradiction { at: last.at.clone(), problem });
        }
    }
    Ok(columns)
}

/// The columns of a model that are one of its outputs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutputColumns {
    /// The columns.
    pub columns: Range<usize>,
    /// What the loss of the output takes them for.
    pub takes: Outputs,
}

impl Configuration {
    /// The columns of each output, in their order, of a model of samples of this shape; none if there are not several outputs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the registry lacks a layer or a loss, or they do not fit what is predicted.
    pub fn output_columns(
        &self,
        registry: &Registry,
        input: Shape,
        predicts: &PredictedTargets,
    ) -> Result<Vec<OutputColumns>, ConfigError> {
        if self.outputs.is_empty() {
            return Ok(Vec::new());
        }
        let columns = fitting_columns(self, registry, input, predicts)?;
        let outputs = self.outputs.iter().zip(columns);
        outputs
            .map(|(output, columns)| Ok(OutputColumns { columns, takes: takes(output, registry)? }))
            .collect()
    }
}

/// The confusion matrix of each output that is a class, with the index of the output.
pub(crate) fn confusions(
    configuration: &Configuration,
    registry: &Registry,
    input: Shape,
    predicts: &PredictedTargets,
) -> Result<OutputMeasures<Vec<f32>>, ConfigError> {
    let columns = configuration.output_columns(registry, input, predicts)?;
    let outputs = columns.into_iter().zip(&predicts.outputs).enumerate();
    let confusion = |(index, (own, predicted)): (usize, (OutputColumns, &PredictedOutput))| {
        let OutputColumns { columns, takes } = own;
        predicted.classes.as_ref()?;
        let metric = ClassTarget::confusion(takes, columns.len())?;
        let view = OutputView { index, columns, is_class: true, scale: UNSCALED };
        Some((index, Box::new(ViewedMetric { metric, view }) as Box<dyn Measure<f32, Vec<f32>>>))
    };
    Ok(outputs.filter_map(confusion).collect())
}

/// The mean and the deviation of each column, of those of its target.
pub(crate) fn scales_of_columns(
    configuration: &Configuration,
    registry: &Registry,
    input: Shape,
    predicts: &PredictedTargets,
) -> Result<Vec<[f64; 2]>, ConfigError> {
    let columns = fitting_columns(configuration, registry, input, predicts)?;
    let scales = columns.iter().zip(&predicts.scales);
    Ok(scales.flat_map(|(columns, &scale)| std::iter::repeat_n(scale, columns.len())).collect())
}

/// The losses of all outputs as one, and the metrics of each, in the units of the data where targets are scaled so.
pub(crate) fn objective(
    configuration: &Configuration,
    registry: &Registry,
    input: Shape,
    predicts: &PredictedTargets,
    scales: &[[f64; 2]],
) -> Result<Objective<Vec<f32>>, ConfigError> {
    let columns = fitting_columns(configuration, registry, input, predicts)?;
    let (mut losses, mut metrics) = (SeveralOutputs::new(), Vec::new());
    let outputs = configuration.outputs.iter().zip(&predicts.outputs).zip(&columns);
    for (index, ((output, predicted), columns)) in outputs.enumerate() {
        let scale = scales.get(index).copied().unwrap_or(UNSCALED);
        let loss = loss(output, predicted, registry, columns.len(), scale != UNSCALED)?;
        let name = &output.name.value;
        for described in &output.metrics {
            let metric = metric(output, predicted, described, &*loss, registry, columns.len())?;
            let own = format!("{name} {}", metric.name());
            let is_class = predicted.classes.is_some();
            let view = OutputView { index, columns: columns.clone(), is_class, scale };
            let of_output = ViewedMetric { metric, view };
            metrics.push((Some(own), Box::new(of_output) as Box<dyn Measure<f32, Vec<f32>>>));
        }
        losses = losses.weighted(name, columns.len(), output.weight, loss);
    }
    let are_classes = predicts.outputs.iter().map(|output| output.classes.is_some()).collect();
    // What is in the units of the data is compared as it was learnt: a sum over outputs would be that of the one with the largest numbers.
    let scales = if scales.is_empty() { predicts.scales.clone() } else { Vec::new() };
    Ok(Objective { loss: Box::new(LossOfNumbers { losses, are_classes, columns, scales }), metrics })
}

/// What the loss of an output takes its columns for.
fn takes(output: &OutputSection, registry: &Registry) -> Result<Outputs, ConfigError> {
    Ok(build::<ClassLoss>(&output.key("loss"), &output.loss, registry)?.outputs())
}

type ClassLoss = Box<dyn Loss<f32, ClassTarget<f32>>>;

/// The loss of an output of so many columns.
fn loss(
    output: &OutputSection,
    predicted: &PredictedOutput,
    registry: &Registry,
    columns: usize,
    is_scaled: bool,
) -> Result<ClassLoss, ConfigError> {
    let Located { value, at } = &output.loss;
    let refuse = |problem: String| Err(ConfigError::Contradiction { at: at.clone(), problem });
    let loss: ClassLoss = build(&output.key("loss"), &output.loss, registry)?;
    if is_scaled && loss.outputs() != Outputs::Values {
        return refuse(format!(
            "{value} takes the outputs for {}, which are not scaled: leave out `data.scale_targets`, or choose a loss of values",
            loss.outputs()
        ));
    }
    if loss.scope() != Scope::Row || loss.reduction() != Reduction::Mean {
        return refuse(format!(
            "{value} compares the samples of a batch with each other, has weights, or is no mean: choose a loss of single rows for {:?}",
            output.name.value
        ));
    }
    for target in predicted.possible() {
        if let Err(error) = loss.check(columns, &[target]) {
            let words = predicted.words();
            return refuse(format!(
                "{value} does not fit {:?}, which is {words} in {columns} columns: {error}",
                output.name.value
            ));
        }
    }
    Ok(loss)
}

/// A metric of an output of so many columns.
fn metric(
    output: &OutputSection,
    predicted: &PredictedOutput,
    described: &Located<Description>,
    loss: &dyn Loss<f32, ClassTarget<f32>>,
    registry: &Registry,
    columns: usize,
) -> Result<Box<dyn Measure<f32, ClassTarget<f32>>>, ConfigError> {
    let refuse = |problem: String| {
        let problem = format!("{} does not fit {:?}: {problem}", described.value, output.name.value);
        Err(ConfigError::Contradiction { at: described.at.clone(), problem })
    };
    let metric: Box<dyn Measure<f32, ClassTarget<f32>>> = build(&output.key("metrics"), described, registry)?;
    for target in predicted.possible() {
        let targets = [target];
        if let Err(error) = metric.check(columns, &targets) {
            return refuse(error.to_string());
        }
        let (of_loss, of_metric) = (loss.outputs(), metric.outputs(columns, &targets));
        // A value that should be 0 or 1 may well be a probability.
        let is_probability = |taken| taken == Outputs::Probabilities && of_loss == Outputs::Values;
        match of_metric {
            Some(Outputs::Logits | Outputs::Probabilities)
                if of_metric != Some(of_loss) && !of_metric.is_some_and(is_probability) =>
            {
                let taken = of_metric.unwrap_or(of_loss);
                return refuse(format!("it takes the outputs for {taken}, but the loss for {of_loss}"));
            }
            _ => {}
        }
    }
    Ok(metric)
}

/// The target of an output: the class of this index, or the number.
fn target_of(value: f32, is_class: bool) -> ClassTarget<f32> {
    // What is no index is no class, and the loss says so.
    let is_index = value >= 0.0 && value.fract() == 0.0 && value <= 16_777_216.0;
    if is_class && is_index { ClassTarget::from(value as u32) } else { ClassTarget::of_shares([value]) }
}

/// The loss of several outputs, for targets that have a number for each.
#[derive(Debug)]
struct LossOfNumbers {
    losses: SeveralOutputs<f32, ClassTarget<f32>>,
    /// Of each output, whether it is a class.
    are_classes: Vec<bool>,
    /// The columns of each.
    columns: Vec<Range<usize>>,
    /// The mean and the deviation of each, where what is given is in the units of the data.
    scales: Vec<[f64; 2]>,
}

impl LossOfNumbers {
    fn targets(&self, targets: &[Vec<f32>]) -> Vec<Vec<ClassTarget<f32>>> {
        // A target too much or too few is for the losses to say.
        let is_class = |index: usize| self.are_classes.get(index).copied().unwrap_or(false);
        let scale = |index: usize| self.scales.get(index).copied().unwrap_or(UNSCALED);
        let of_outputs = |target: &Vec<f32>| {
            let of_output = |(index, &value)| target_of(rescale(value, scale(index)), is_class(index));
            target.iter().enumerate().map(of_output).collect()
        };
        targets.iter().map(of_outputs).collect()
    }

    /// The columns of each output that is in the units of the data, with its mean and deviation.
    fn scaled(&self) -> impl Iterator<Item = (&Range<usize>, [f64; 2])> {
        let all = self.columns.iter().zip(self.scales.iter().copied());
        all.filter(|(_, scale)| *scale != UNSCALED)
    }
}

impl Criterion for LossOfNumbers {
    fn outputs(&self) -> Outputs {
        self.losses.outputs()
    }

    fn domain(&self) -> Domain {
        self.losses.domain()
    }

    fn description(&self) -> Description {
        self.losses.description()
    }

    fn reduction(&self) -> Reduction {
        self.losses.reduction()
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.losses.validate()
    }
}

impl Loss<f32, Vec<f32>> for LossOfNumbers {
    fn rows(&self, pass: LossPass<'_, f32, Vec<f32>>) {
        let LossPass { y, targets, scale, mut dy, losses, scratch } = pass;
        let targets = self.targets(targets);
        let mut y = CowArray::from(y);
        for (columns, scale) in self.scaled() {
            y.slice_mut(s![.., columns.clone()]).mapv_inplace(|y| rescale(y, scale));
        }
        let (y, of_outputs) = (y.view(), dy.as_mut().map(|dy| dy.view_mut()));
        self.losses.rows(LossPass { y, targets: &targets[..], scale, dy: of_outputs, losses, scratch });
        for (columns, [_, deviation]) in self.scaled() {
            let Some(dy) = &mut dy else { return };
            dy.slice_mut(s![.., columns.clone()]).mapv_inplace(|dy| (f64::from(dy) / deviation) as f32);
        }
    }

    fn check(&self, columns: usize, targets: &[Vec<f32>]) -> Result<(), TargetError> {
        self.losses.check(columns, &self.targets(targets))
    }
}

/// One of several outputs, in the units of the data, for targets that have a number for each.
#[derive(Clone, Debug)]
struct OutputView {
    index: usize,
    columns: Range<usize>,
    is_class: bool,
    scale: [f64; 2],
}

impl MetricView for OutputView {
    type Target = ClassTarget<f32>;

    fn outputs<'y>(&self, y: ArrayView2<'y, f32>) -> CowArray<'y, f32, Ix2> {
        y.slice(s![.., self.columns.clone()]).mapv(|z| unscale(z, self.scale)).into()
    }

    fn targets<'t>(&self, targets: &'t [Vec<f32>]) -> Cow<'t, [ClassTarget<f32>]> {
        let value = |target: &Vec<f32>| target.get(self.index).copied().unwrap_or(f32::NAN);
        let target = |target| target_of(unscale(value(target), self.scale), self.is_class);
        targets.iter().map(target).collect()
    }

    fn columns(&self, columns: usize) -> Result<usize, TargetError> {
        let expected = self.columns.end;
        if columns < expected {
            return Err(TargetError::Outputs { row: 0, found: columns, expected, what: "columns" });
        }
        Ok(self.columns.len())
    }

    /// What it takes its own columns for is compared with the loss of its output.
    fn shows_all(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule::losses::{CrossEntropy, MeanSquaredError};
    use chainrule::metrics::{Accuracy, MeanAbsoluteError, MetricValue};
    use ndarray::array;

    /// A price, and one of three kinds.
    fn losses() -> SeveralOutputs<f32, ClassTarget<f32>> {
        SeveralOutputs::new().output("price", 1, MeanSquaredError).weighted("kind", 3, 0.5, CrossEntropy)
    }

    #[test]
    fn a_class_is_the_number_of_its_index() {
        let of = |scales| LossOfNumbers {
            losses: losses(),
            are_classes: vec![false, true],
            columns: vec![0..1, 1..4],
            scales,
        };
        let loss = of(Vec::new());
        let y = array![[2.0f32, 0.5, -1.0, 0.25], [-1.0, 2.0, 0.0, 1.0]];
        let numbers = [vec![1.0, 2.0], vec![0.5, 0.0]];
        let targets = [(1.0, 2u32), (0.5, 0)]
            .map(|(price, kind)| vec![ClassTarget::of_shares([price]), ClassTarget::from(kind)]);
        let [mut found, mut right] = [0; 2].map(|_| ndarray::Array2::zeros((2, 4)));
        let loss_found = loss.reduced(y.view(), &numbers, Some(found.view_mut())).unwrap();
        let loss_right = losses().reduced(y.view(), &targets, Some(right.view_mut())).unwrap();
        assert_eq!((loss_found, &found), (loss_right, &right));
        // In units of 8, which are learnt in deviations from 24: a change of one is an eighth there.
        let units = of(vec![[24.0, 8.0], UNSCALED]);
        let (mut y, mut found) = (y.clone(), found.clone());
        y.column_mut(0).mapv_inplace(|z| 24.0 + 8.0 * z);
        let in_units = numbers.clone().map(|target| vec![24.0 + 8.0 * target[0], target[1]]);
        let loss_found = units.reduced(y.view(), &in_units, Some(found.view_mut())).unwrap();
        assert_eq!(loss_found, loss_right);
        found.column_mut(0).mapv_inplace(|slope| 8.0 * slope);
        assert_eq!(found, right);
        for wrong in [vec![1.0], vec![1.0, 3.0], vec![1.0, 0.5], vec![1.0, -1.0], vec![1.0, f32::NAN]] {
            assert!(loss.check(4, std::slice::from_ref(&wrong)).is_err(), "{wrong:?}");
        }
        assert!(loss.check(3, &numbers).is_err());
    }

    #[test]
    fn metrics_are_of_their_columns_and_in_units() {
        let y = array![[2.0f32, 0.5, -1.0, 0.25], [-1.0, 2.0, 0.0, 1.0]];
        let targets = [vec![1.0, 2.0], vec![0.5, 0.0]];
        let price = OutputView { index: 0, columns: 0..1, is_class: false, scale: [10.0, 4.0] };
        let kind = OutputView { index: 1, columns: 1..4, is_class: true, scale: UNSCALED };
        let error = ViewedMetric { metric: Box::new(MeanAbsoluteError), view: price };
        let accuracy = ViewedMetric { metric: Box::new(Accuracy), view: kind };
        for (metric, right) in [(error, 4.0 * (1.0 + 1.5) / 2.0), (accuracy, 0.5)] {
            metric.check(4, &targets).unwrap();
            assert!(metric.check(0, &targets).is_err());
            // In two tallies that are merged.
            let [mut first, mut second] = [0; 2].map(|_| metric.start());
            first.update(y.slice(s![..1, ..]), &targets[..1]);
            second.update(y.slice(s![1.., ..]), &targets[1..]);
            first.merge(&*second);
            assert_eq!(first.value(), MetricValue::Number(right));
            let numbers = first.numbers();
            second.restore(&numbers).unwrap();
            assert_eq!(second.value(), first.value());
        }
    }
}
