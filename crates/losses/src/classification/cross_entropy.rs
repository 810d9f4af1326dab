//! The cross-entropy of a distribution over classes.

use std::fmt;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{Outputs, Real, Target, TargetView, each};

use super::log_softmax::log_softmax;
use super::softmax;
use crate::columns::{Tile, sum_columns};
use crate::total::weighted;
use crate::vector_loss::forget_ignored;
use crate::{Criterion, Domain, LossPass, Row, RowLoss, each_row, row_loss};

/// The minimum of a probability, as in Keras.
const MIN_PROBABILITY: f64 = 1e-7;

/// The cross-entropy `L = -Σⱼ tⱼ ln pⱼ`, where p is the softmax of the outputs (logits), or the outputs themselves. Targets
/// are from 0 to 1.
///
/// From logits z it is `Σⱼ tⱼ (ln Σ exp(z - max z) - (zⱼ - max z))`, in which nothing overflows, with the gradient
/// `p Σt - t`, as in PyTorch's `CrossEntropyLoss`. A class whose target is 0 costs nothing, even if its logit is -∞; one whose
/// target is above 0 costs infinity then. Probabilities, of a network that ends in a softmax, are at least 1e-7, as in Keras,
/// and the gradient is `-t / p`.
///
/// With [weights of classes](Self::class_weights) a term is `wⱼ tⱼ ln pⱼ`, and the mean of a batch divides by the sum of the weights
/// of its classes, as in PyTorch; a target that is a vector counts 1 there. [Ignored](Self::ignore_class) targets count 0.
#[derive(Clone, Default, PartialEq)]
pub struct CrossEntropy {
    from_probabilities: bool,
    smoothing: f64,
    weight: Option<Vec<f64>>,
    ignored: Option<usize>,
}

/// The loss of logits, without smoothing: `CrossEntropy::default()`.
#[allow(non_upper_case_globals, reason = "a loss is a value, written like the losses that have no settings")]
pub const CrossEntropy: CrossEntropy =
    CrossEntropy { from_probabilities: false, smoothing: 0.0, weight: None, ignored: None };

describe! {
    /// The cross-entropy of a distribution over classes, from logits.
    CrossEntropy = "cross_entropy";
    aliases [
        "cross_entropy_loss", "categorical_crossentropy", "sparse_categorical_crossentropy", "softmax_cross_entropy",
        "softmax_cross_entropy_with_integer_labels",
    ];
    formula "L = -Σ t ln softmax(z)";
    settings {
        /// The part of every target that is spread evenly over the classes.
        smoothing as "label_smoothing": 0.0, Range::UNIT;
        /// The weight of each class.
        weight ("class_weight"): none, Range::NOT_NEGATIVE;
        /// A class whose samples do not count.
        ignored as "ignore_index" ("ignore_class"): none;
        /// Whether the outputs are probabilities instead of logits.
        from_probabilities: false;
    }
    presets { keras { from_probabilities = true } }
}

impl CrossEntropy {
    /// For outputs that are already probabilities.
    pub fn from_probabilities() -> Self {
        Self { from_probabilities: true, ..Self::default() }
    }

    /// Spreads the fraction ε of every target evenly over the n columns: `t ← (1 - ε) t + ε/n`
    /// (Szegedy et al. 2016, section 7), from 0 (the default) to 1; as in PyTorch and Keras.
    #[must_use]
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        Self { smoothing, ..self }
    }

    /// The weight of each class, at least 0: a rare class counts more with a larger one.
    #[must_use]
    pub fn class_weights(self, weights: impl Into<Vec<f64>>) -> Self {
        Self { weight: Some(weights.into()), ..self }
    }

    /// Samples of this class do not count, as padding does not; the outputs need no column for it.
    #[must_use]
    pub fn ignore_class(self, class: usize) -> Self {
        Self { ignored: Some(class), ..self }
    }

    /// A row where classes have weights.
    fn weighted_row(&self, weights: &[f64], Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let Smoothing { kept, even, .. } = Smoothing::new(self.smoothing, y.len());
        let wanted = |column: usize| weights[column] * (kept * t[column] + even);
        if self.from_probabilities {
            for (column, (slope, &p)) in slopes.iter_mut().zip(y).enumerate() {
                *slope = -wanted(column) / clip(p);
            }
            return (0..y.len()).map(|column| -weighted(wanted(column), clip(y[column]).ln())).sum();
        }
        log_softmax(y, slopes);
        let loss = slopes.iter().enumerate().map(|(column, &ln)| -weighted(wanted(column), ln)).sum();
        let total: f64 = (0..y.len()).map(wanted).sum();
        for (column, slope) in slopes.iter_mut().enumerate() {
            *slope = slope.exp() * total - wanted(column);
        }
        loss
    }
}

/// The settings that are not left out: a checkpoint compares them with those of the training that it is of.
impl fmt::Debug for CrossEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_probabilities, smoothing, weight, ignored } = self;
        let mut settings = f.debug_struct("CrossEntropy");
        settings.field("from_probabilities", from_probabilities).field("smoothing", smoothing);
        if let Some(weight) = weight {
            settings.field("weight", weight);
        }
        if let Some(ignored) = ignored {
            settings.field("ignored", ignored);
        }
        settings.finish()
    }
}

impl Criterion for CrossEntropy {
    fn outputs(&self) -> Outputs {
        if self.from_probabilities { Outputs::Probabilities } else { Outputs::Logits }
    }

    fn domain(&self) -> Domain {
        let domain = Domain::probabilities("CrossEntropy").ignoring(self.ignored);
        domain.weighted_by(self.weight.as_deref())
    }

    described!(validate);
}

impl RowLoss for CrossEntropy {
    fn compute<T: Real, Y: Target<T>>(&self, mut pass: LossPass<'_, T, Y>) {
        if let Some(weights) = &self.weight {
            return each_row(self.domain(), pass, &|row| self.weighted_row(weights, row));
        }
        let smoothing = Smoothing::new(self.smoothing, pass.y.ncols());
        if self.from_probabilities {
            let Smoothing { kept, even, .. } = smoothing;
            sum_columns(self.domain(), pass.reborrow(), 1.0, &|Tile { y: p, t, values, slopes }| {
                let wanted = t.iter().filter(|&&t| t != 0.0).count();
                if even == 0.0 && wanted < t.len() / 4 {
                    // Few logarithms, as of classes, are faster one by one.
                    for ((value, &p), &t) in values.iter_mut().zip(p).zip(t) {
                        let nothing = t == 0.0 && !p.is_nan();
                        *value = if nothing { 0.0 } else { -weighted(kept * t, clip(p).fast_ln()) };
                    }
                } else {
                    each!(values = |p, t| -weighted(kept * t + even, clip(p).fast_ln()));
                }
                if let Some(slopes) = slopes {
                    each!(slopes = |p, t| -(kept * t + even) / clip(p));
                }
            });
            forget_ignored(self, pass);
        } else {
            softmax::rows(pass, smoothing, self.ignored);
        }
    }

    fn has_weights(&self) -> bool {
        self.weight.is_some() || self.ignored.is_some()
    }

    fn weight<T: Real>(&self, target: TargetView<'_, T>) -> f64 {
        weight_of_class(self.weight.as_deref(), self.ignored, target)
    }
}

row_loss!(CrossEntropy);

/// The weight of a target's class: 0 if it is ignored, 1 if classes have none or the target is a vector.
pub(super) fn weight_of_class<T>(
    weights: Option<&[f64]>,
    ignored: Option<usize>,
    target: TargetView<'_, T>,
) -> f64 {
    match (target, weights) {
        (TargetView::Class(class), _) if Some(class) == ignored => 0.0,
        (TargetView::Class(class), Some(weights)) => weights[class],
        _ => 1.0,
    }
}

/// The probability that its logarithm is taken of.
#[inline(always)]
fn clip(p: f64) -> f64 {
    if p < MIN_PROBABILITY { MIN_PROBABILITY } else { p }
}

/// A target t becomes `kept t + even`, where `even` is `share` / the number of columns.
#[derive(Clone, Copy)]
pub(super) struct Smoothing {
    pub(super) kept: f64,
    pub(super) share: f64,
    pub(super) even: f64,
}

impl Smoothing {
    pub(super) fn new(share: f64, columns: usize) -> Self {
        Self { kept: 1.0 - share, share, even: share / columns as f64 }
    }
}
