//! The list of all losses.

use chainrule_core::{
    Described, DescriptionError, Entry, Registry, SettingValue, Settings, Value, entry, register,
};
use chainrule_tensor::{ClassTarget, Steps};

use crate::*;

/// Registers all losses, for targets that are classes, [`ClassTarget`], or vectors of values, `Vec<T>`.
///
/// A program that calls it compiles all of them; with the feature `registry`, those of `f32` have been compiled with this crate.
pub fn register_all<T: Real>(registry: &mut Registry) {
    #[cfg(feature = "registry")]
    if const { size_of::<T>() == size_of::<f32>() } {
        return register_single(registry);
    }
    register_both::<T>(registry);
}

#[cfg(feature = "registry")]
#[inline(never)]
fn register_single(registry: &mut Registry) {
    register_both::<f32>(registry);
}

fn register_both<T: Real>(registry: &mut Registry) {
    register::<T, ClassTarget<T>>(registry);
    register::<T, Vec<T>>(registry);
}

/// Registers all losses whose targets are of type `Y`: a class such as `u8`, or a vector of values.
///
/// ```
/// use chainrule_core::Registry;
/// use chainrule_losses::Loss;
/// let mut registry = Registry::new();
/// chainrule_losses::register::<f32, u8>(&mut registry);
/// let focal: Box<dyn Loss<f32, u8>> = registry.build(&"focal(gamma=1.5)".parse()?)?;
/// let text = "categorical_focal(gamma=1.5, alpha=0.25, label_smoothing=0.0, from_probabilities=false)";
/// assert_eq!(focal.description().to_string(), text);
/// # Ok::<(), chainrule_core::DescriptionError>(())
/// ```
pub fn register<T: Real, Y: Target<T> + 'static>(registry: &mut Registry) {
    register!(*registry, Box<dyn Loss<T, Y>>, Box::new;
        MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, Huber,
        SmoothL1, LogCosh, Quantile,
        CrossEntropy, Nll, CategoricalFocal, CategoricalGeneralizedCrossEntropy, PolyCrossEntropy, Sparsemax,
        BinaryCrossEntropy, BceLoss, BinaryFocal, BinarySparsemax,
        Hinge, SquaredHinge, CategoricalHinge, MulticlassHinge, MultiMargin, MultiLabelMargin, SoftMargin,
        MultiLabelSoftMargin, Perceptron, MulticlassPerceptron,
        KlDivergence, Poisson, PoissonNll, GaussianNll,
        CosineSimilarity, CosineEmbedding, HingeEmbedding, MarginRanking, Contrastive, TripletMargin,
        TripletMarginWithDistance, RankingSoftmax, NtXent, Circle,
        Dice, Tversky,
        Reduced<Box<dyn Loss<T, Y>>>,
    );
}

/// Registers the losses whose targets are sequences `S` of classes or of vectors of values. Those of a step have to be
/// [registered](register()) as well.
///
/// ```
/// use chainrule_core::Registry;
/// use chainrule_losses::Loss;
/// let mut registry = Registry::new();
/// chainrule_losses::register::<f32, u8>(&mut registry);
/// chainrule_losses::register_sequences::<f32, Vec<u8>>(&mut registry);
/// let loss: Box<dyn Loss<f32, Vec<u8>>> = registry.build(&"per_step(nll)".parse()?)?;
/// assert_eq!(loss.description().to_string(), "per_step(loss=nll(weight=none, ignore_index=none))");
/// # Ok::<(), chainrule_core::DescriptionError>(())
/// ```
pub fn register_sequences<T: Real, S: Steps<Target: Target<T> + 'static> + 'static>(registry: &mut Registry) {
    register!(*registry, Box<dyn Loss<T, S>>, Box::new;
        PerStep<Box<dyn Loss<T, S::Target>>>, Ctc, Reduced<Box<dyn Loss<T, S>>>,
    );
}

impl<T: Real, Y: 'static> Described for Reduced<Box<dyn Loss<T, Y>>> {
    const ENTRY: Entry = entry! {
        /// Another loss with another reduction: the mean by weights, the mean of the rows, or the sum.
        Reduced = "reduced";
        settings {
            /// The loss of a row.
            loss: required;
            /// What becomes of a batch: mean, mean_of_rows or sum.
            reduction: mean;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self { loss: settings.get("loss")?, reduction: settings.get("reduction")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.loss.to_value(), self.reduction.to_value()]
    }
}

impl<T: Real, Y: 'static> Described for PerStep<Box<dyn Loss<T, Y>>> {
    const ENTRY: Entry = entry! {
        /// The mean of another loss over the steps of a sequence.
        PerStep = "per_step";
        formula "L = 1/s Σ Lₜ";
        settings {
            /// The loss of a step.
            loss: required;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self(settings.get("loss")?))
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.0.to_value()]
    }
}
