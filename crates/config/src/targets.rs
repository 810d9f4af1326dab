//! What a model predicts.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use chainrule::core::{
    Described, Description, DescriptionError, Kind, Place, Registry, SettingValue, Value, describe,
};
use chainrule::data::augment::{AnyMixing, Mixed};
use chainrule::data::{ClassTargets, Dataset, Samples};
use chainrule::losses::Loss;
use chainrule::metrics::{ConfusionMatrix, Measure};
use chainrule::optim::UpdateRule;
use chainrule::tensor::{ClassTarget, Outputs, Seed, Shape, Target};
use chainrule::train::{Model, Trainer};

use crate::build::Objective;
use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::load::SharedSamples;
use crate::location::Located;
use crate::several_outputs;
use crate::viewed_metric::{InUnits, ViewedMetric, WithoutWeights, rescale};

/// The most classes that a training takes. A model has an output for each of them.
pub(crate) const MAX_CLASSES: usize = 65_536;

/// The mean and the deviation of what is not scaled.
pub(crate) const UNSCALED: [f64; 2] = [0.0, 1.0];

/// The most classes whose mistakes for each other are counted.
const MAX_CONFUSED: usize = 1000;

/// What a model predicts: its targets, their classes, and how numbers are scaled while they are learnt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictedTargets {
    /// The names of the targets: columns of a table, or `class`.
    pub names: Vec<String>,
    /// The classes of the one target, if it is a class.
    pub classes: Option<Vec<String>>,
    /// Whether each target is a yes or no.
    pub labels: bool,
    /// The mean of each target, and its deviation, where targets are learnt in deviations from the mean.
    pub scales: Vec<[f64; 2]>,
    /// What each output predicts, in the order of the names, if there are several.
    pub outputs: Vec<PredictedOutput>,
}

/// What one of several outputs predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedOutput {
    /// The name of the output and of its column.
    pub name: String,
    /// The classes, if it is a class and no number.
    pub classes: Option<Vec<String>>,
}

describe! {
    /// What one of several outputs predicts.
    PredictedOutput = "output";
    settings {
        /// The name of the output and of its column.
        name as "of": required;
        /// The classes, if it is a class and no number.
        classes: none;
    }
}

impl SettingValue for PredictedOutput {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        place.build_type(value)
    }

    fn to_value(&self) -> Value {
        self.describe().into()
    }
}

impl PredictedOutput {
    /// Whether so many columns of a model can predict this.
    pub(crate) fn fit(&self, columns: usize) -> bool {
        fit(self.classes.as_ref().map(Vec::len), 1, columns)
    }

    /// In words, for errors.
    pub(crate) fn words(&self) -> String {
        let count = self.classes.as_ref().map(Vec::len);
        count.map_or_else(|| "one number".to_owned(), |count| format!("{count} classes"))
    }

    /// The targets that there may be: one of each class, or a number.
    pub(crate) fn possible(&self) -> Vec<ClassTarget<f32>> {
        match &self.classes {
            Some(classes) => (0..classes.len() as u32).map(ClassTarget::from).collect(),
            None => vec![ClassTarget::of_shares([0.0])],
        }
    }
}

/// Whether so many columns can predict so many classes, or, without these, so many numbers: one for each class, of a yes or no also a single
/// one, or one for each number.
fn fit(classes: Option<usize>, numbers: usize, columns: usize) -> bool {
    match classes {
        Some(2) if columns == 1 => true,
        Some(classes) => (2..=MAX_CLASSES).contains(&classes) && columns == classes,
        None => columns > 0 && columns == numbers,
    }
}

describe! {
    /// What a model predicts.
    PredictedTargets = "predicts";
    settings {
        /// The names of the targets.
        names: required;
        /// The classes of the one target, if it is a class.
        classes: none;
        /// Whether each target is a yes or no.
        labels: false;
        /// The mean and the deviation of each target, where targets are learnt in deviations from the mean.
        scales: [];
        /// What each output predicts, if there are several.
        outputs: [];
    }
}

impl Kind for PredictedTargets {
    const KIND: &'static str = "prediction";
    const KINDS: &'static str = "predictions";

    fn description(&self) -> Description {
        self.describe()
    }
}

impl PredictedTargets {
    /// One target that is one of these classes.
    pub(crate) fn classes(name: &str, classes: Vec<String>) -> Self {
        Self { names: vec![name.to_owned()], classes: Some(classes), ..Self::default() }
    }

    /// Targets each of which is a yes or no.
    pub(crate) fn labels(names: Vec<String>) -> Self {
        Self { names, labels: true, ..Self::default() }
    }

    /// Targets that are numbers.
    pub(crate) fn numbers(names: Vec<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Targets that are numbers, and are learnt in deviations from their means.
    pub(crate) fn scaled(names: Vec<String>, targets: &[Vec<f32>]) -> Self {
        let count = targets.len().max(1) as f64;
        let scale = |column: usize| {
            let values = || targets.iter().map(|target| f64::from(target[column]));
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            // Of a constant target the mean is all there is to learn.
            let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
            [mean, deviation]
        };
        let scales = (0..names.len()).map(scale).collect();
        Self { scales, ..Self::numbers(names) }
    }

    /// Several outputs, each of one target, with the values of the targets of the training, a class by its index; numbers are learnt in
    /// deviations from their means if they are `scaled`.
    pub(crate) fn several(outputs: Vec<PredictedOutput>, targets: &[Vec<f32>], scaled: bool) -> Self {
        let names: Vec<String> = outputs.iter().map(|output| output.name.clone()).collect();
        let mut scales = Vec::new();
        if scaled && outputs.iter().any(|output| output.classes.is_none()) {
            scales = Self::scaled(names.clone(), targets).scales;
            let of_classes = outputs.iter().zip(&mut scales).filter(|(output, _)| output.classes.is_some());
            of_classes.for_each(|(_, scale)| *scale = UNSCALED);
        }
        Self { outputs, scales, ..Self::numbers(names) }
    }

    /// Whether a model of so many columns can predict this.
    pub(crate) fn fit(&self, columns: usize) -> bool {
        if self.outputs.is_empty() {
            return fit(self.classes.as_ref().map(Vec::len), self.names.len(), columns);
        }
        let most = |output: &PredictedOutput| output.classes.as_ref().map_or(1, Vec::len);
        // Of a yes or no there may be one column or two.
        let least = |output: &PredictedOutput| if output.fit(1) { 1 } else { most(output) };
        let sum = |columns: &dyn Fn(&PredictedOutput) -> usize| self.outputs.iter().map(columns).sum();
        self.outputs.iter().all(|output| output.fit(most(output)))
            && (sum(&least)..=sum(&most)).contains(&columns)
    }

    /// In words, for errors.
    pub(crate) fn words(&self) -> String {
        match (&self.classes, self.names.len()) {
            _ if !self.outputs.is_empty() => format!("{} outputs", self.outputs.len()),
            (Some(classes), _) => format!("{} classes", classes.len()),
            (None, 1) => "one target".to_owned(),
            (None, count) => format!("{count} targets"),
        }
    }

    /// What this text describes.
    pub(crate) fn from_text(text: &str) -> Result<Self, DescriptionError> {
        let mut registry = Registry::new();
        registry.add::<Self, Self>(|predicts| predicts);
        registry.build(&text.parse()?)
    }
}

/// Metrics of some of several outputs, each with the index of its output.
pub(crate) type OutputMeasures<Y> = Vec<(usize, Box<dyn Measure<f32, Y>>)>;

/// A type of targets that can be learnt from a configuration: classes, `ClassTarget<f32>`, or numbers, `Vec<f32>`.
pub trait LearntTarget: Target<f32> + Clone + Debug + Send + Sync + 'static {
    /// A trainer of these parts, as [`Trainer::new`] makes it. What it does is compiled with this crate, and not again in those that
    /// train.
    fn trainer(
        model: Model<f32>,
        loss: Box<dyn Loss<f32, Self>>,
        optimizer: Box<dyn UpdateRule<f32>>,
    ) -> Trainer<f32, Self>;

    /// The samples as they are validated on: with targets in deviations from their means.
    #[doc(hidden)]
    fn scaled(samples: SharedSamples<Self>, scales: &[[f64; 2]]) -> SharedSamples<Self> {
        let _ = scales;
        samples
    }

    /// Samples that are mixed in these ways, and count as much as their classes.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if targets are no classes.
    #[doc(hidden)]
    fn mixed(
        samples: SharedSamples<Self>,
        configuration: &Configuration,
        mixings: Vec<(Located<AnyMixing>, Seed)>,
        predicts: &PredictedTargets,
    ) -> Result<SharedSamples<Self>, ConfigError>;

    /// The same target of a sample that counts so much besides what it counts already.
    #[doc(hidden)]
    fn counting(self, weight: f32) -> Self;

    /// How much a row with so many targets counts.
    #[doc(hidden)]
    fn row_weight(&self, targets: usize) -> f32;

    /// So many targets of each row, without how much it counts, as losses and metrics take them.
    #[doc(hidden)]
    fn plain(rows: &[Self], targets: usize) -> Cow<'_, [Self]> {
        let _ = targets;
        Cow::Borrowed(rows)
    }

    /// The metric of so many targets of each row, without how much it counts.
    #[doc(hidden)]
    fn plain_metric(metric: Box<dyn Measure<f32, Self>>, targets: usize) -> Box<dyn Measure<f32, Self>> {
        let _ = targets;
        metric
    }

    /// The loss and the metrics of several outputs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if targets are classes, or the outputs do not fit them.
    #[doc(hidden)]
    fn several(
        configuration: &Configuration,
        registry: &Registry,
        input: Shape,
        predicts: &PredictedTargets,
        scales: &[[f64; 2]],
    ) -> Result<Objective<Self>, ConfigError> {
        let _ = (registry, input, predicts, scales);
        let at = configuration.data.at.clone();
        let problem =
            "the data have one target, but there are several outputs: leave out [output]".to_owned();
        Err(ConfigError::Contradiction { at, problem })
    }

    /// The confusion matrix of each of several outputs that is a class, with the index of the output.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the outputs do not fit the targets.
    #[doc(hidden)]
    fn confusions(
        configuration: &Configuration,
        registry: &Registry,
        input: Shape,
        predicts: &PredictedTargets,
    ) -> Result<OutputMeasures<Self>, ConfigError> {
        let _ = (configuration, registry, input, predicts);
        Ok(Vec::new())
    }

    /// The metric of outputs and targets in the units of the data.
    #[doc(hidden)]
    fn in_units(metric: Box<dyn Measure<f32, Self>>, scales: &[[f64; 2]]) -> Box<dyn Measure<f32, Self>> {
        let _ = scales;
        metric
    }

    /// The targets that there may be, of so many classes, if targets are classes; with mixed ones, if there are such.
    #[doc(hidden)]
    fn possible(classes: usize, mixed: bool) -> Vec<Self> {
        let _ = (classes, mixed);
        Vec::new()
    }

    /// The confusion matrix, where outputs are of so many classes.
    #[doc(hidden)]
    fn confusion(outputs: Outputs, columns: usize) -> Option<Box<dyn Measure<f32, Self>>> {
        let _ = (outputs, columns);
        None
    }
}

/// [`LearntTarget::trainer`]. It is no method of the trait with a body, which would be compiled where it is called.
macro_rules! trainer_compiled_here {
    () => {
        #[inline(never)]
        fn trainer(
            model: Model<f32>,
            loss: Box<dyn Loss<f32, Self>>,
            optimizer: Box<dyn UpdateRule<f32>>,
        ) -> Trainer<f32, Self> {
            Trainer::new(model, loss, optimizer)
        }
    };
}

impl LearntTarget for ClassTarget<f32> {
    trainer_compiled_here!();

    fn mixed(
        mut samples: SharedSamples<Self>,
        configuration: &Configuration,
        mixings: Vec<(Located<AnyMixing>, Seed)>,
        predicts: &PredictedTargets,
    ) -> Result<SharedSamples<Self>, ConfigError> {
        let classes = predicts.classes.as_deref().unwrap_or_default();
        let weights = match &configuration.class_weights {
            Some(given) => Some((given.at.clone(), given.value.of(classes, &samples, &given.at)?)),
            None => None,
        };
        for (Located { value, at }, seed) in mixings {
            let mixed = Mixed::<_, _, f32>::new(samples, value, seed);
            let mixed =
                mixed.map_err(|error| ConfigError::Contradiction { at, problem: error.to_string() })?;
            samples = Arc::new(ClassTargets::with_classes(mixed, classes.len()));
        }
        let Some((at, weights)) = weights else { return Ok(samples) };
        let weighted = ClassTargets::with_classes(samples, classes.len()).weighted(weights);
        Ok(Arc::new(weighted.map_err(|error| ConfigError::Contradiction { at, problem: error.to_string() })?))
    }

    fn counting(self, weight: f32) -> Self {
        let own = self.class_weight();
        self.counting(own * weight)
    }

    fn row_weight(&self, _: usize) -> f32 {
        self.class_weight()
    }

    fn possible(classes: usize, mixed: bool) -> Vec<Self> {
        let share = 1.0 / classes.max(1) as f32;
        let mixed = mixed.then(|| Self::of_shares(vec![share; classes]));
        (0..classes as u32).map(Self::from).chain(mixed).collect()
    }

    fn confusion(outputs: Outputs, columns: usize) -> Option<Box<dyn Measure<f32, Self>>> {
        match outputs {
            Outputs::Values => None,
            _ if columns > MAX_CONFUSED => None,
            outputs => {
                let from_logits = outputs == Outputs::Logits;
                Some(Box::new(ConfusionMatrix { from_logits, ..ConfusionMatrix }))
            }
        }
    }
}

impl LearntTarget for Vec<f32> {
    trainer_compiled_here!();

    fn scaled(samples: SharedSamples<Self>, scales: &[[f64; 2]]) -> SharedSamples<Self> {
        if scales.is_empty() {
            return samples;
        }
        Arc::new(ScaledTargets { samples, scales: scales.to_vec() })
    }

    fn counting(mut self, weight: f32) -> Self {
        self.push(weight);
        self
    }

    fn row_weight(&self, targets: usize) -> f32 {
        self.get(targets).copied().unwrap_or(1.0)
    }

    fn plain(rows: &[Self], targets: usize) -> Cow<'_, [Self]> {
        WithoutWeights(targets).of(rows)
    }

    fn plain_metric(metric: Box<dyn Measure<f32, Self>>, targets: usize) -> Box<dyn Measure<f32, Self>> {
        Box::new(ViewedMetric { metric, view: WithoutWeights(targets) })
    }

    fn mixed(
        samples: SharedSamples<Self>,
        configuration: &Configuration,
        mixings: Vec<(Located<AnyMixing>, Seed)>,
        predicts: &PredictedTargets,
    ) -> Result<SharedSamples<Self>, ConfigError> {
        if let Some((mixing, _)) = mixings.into_iter().next() {
            let problem =
                format!("only classes can be mixed, but the data have {}: leave it out", predicts.words());
            return Err(ConfigError::Contradiction { at: mixing.at, problem });
        }
        if let Some(weights) = &configuration.class_weights {
            let problem =
                format!("the data have no classes, but {}: leave out `class_weights`", predicts.words());
            return Err(ConfigError::Contradiction { at: weights.at.clone(), problem });
        }
        Ok(samples)
    }

    fn several(
        configuration: &Configuration,
        registry: &Registry,
        input: Shape,
        predicts: &PredictedTargets,
        scales: &[[f64; 2]],
    ) -> Result<Objective<Self>, ConfigError> {
        several_outputs::objective(configuration, registry, input, predicts, scales)
    }

    fn confusions(
        configuration: &Configuration,
        registry: &Registry,
        input: Shape,
        predicts: &PredictedTargets,
    ) -> Result<OutputMeasures<Self>, ConfigError> {
        several_outputs::confusions(configuration, registry, input, predicts)
    }

    fn in_units(metric: Box<dyn Measure<f32, Self>>, scales: &[[f64; 2]]) -> Box<dyn Measure<f32, Self>> {
        if scales.is_empty() {
            metric
        } else {
            Box::new(ViewedMetric { metric, view: InUnits(scales.to_vec()) })
        }
    }
}

/// Samples whose targets are in deviations from their means.
struct ScaledTargets {
    samples: SharedSamples<Vec<f32>>,
    scales: Vec<[f64; 2]>,
}

impl ScaledTargets {
    fn scale(&self, mut target: Vec<f32>) -> Vec<f32> {
        for (value, &scale) in target.iter_mut().zip(&self.scales) {
            *value = rescale(*value, scale);
        }
        target
    }
}

impl Dataset for ScaledTargets {
    type Target = Vec<f32>;

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn shape(&self) -> Shape {
        self.samples.shape()
    }

    fn prefetch(&self, index: usize, columns: std::ops::Range<usize>) {
        self.samples.prefetch(index, columns);
    }

    fn enter_epoch(&self, epoch: u64) {
        self.samples.enter_epoch(epoch);
    }

    fn announce(&self, order: &[u32], batch: usize) {
        self.samples.announce(order, batch);
    }

    fn failure(&self) -> Option<String> {
        self.samples.failure()
    }
}

impl Samples<f32> for ScaledTargets {
    fn read(&self, index: usize, row: &mut [f32]) -> Vec<f32> {
        self.scale(self.samples.read(index, row))
    }

    fn read_part(
        &self,
        index: usize,
        columns: std::ops::Range<usize>,
        part: &mut [f32],
        row: &mut [f32],
    ) -> Vec<f32> {
        self.scale(self.samples.read_part(index, columns, part, row))
    }
}
