//! The cross-entropy of a distribution over classes.

use chainrule_core::SettingCheck;
use chainrule_tensor::{Outputs, Real, Target, each};

use crate::columns::{Tile, sum_columns};
use crate::total::weighted;
use crate::{Criterion, Domain, LossPass, RowLoss, SettingError, row_loss, softmax};

/// The minimum of a probability, as in Keras.
const MIN_PROBABILITY: f64 = 1e-7;

/// The cross-entropy `L = -Σⱼ tⱼ ln pⱼ`, where p is the softmax of the outputs (logits), or the outputs themselves. Targets
/// are from 0 to 1.
///
/// From logits z it is `Σⱼ tⱼ (ln Σ exp(z - max z) - (zⱼ - max z))`, in which nothing overflows, with the gradient
/// `p Σt - t`, as in PyTorch's `CrossEntropyLoss`. A class whose target is 0 costs nothing, even if its logit is -∞; one whose
/// target is above 0 costs infinity then. Probabilities, of a network that ends in a softmax, are at least 1e-7, as in Keras,
/// and the gradient is `-t / p`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    from_probabilities: bool,
    smoothing: f64,
}

/// The loss of logits, without smoothing: `CrossEntropy::default()`.
#[allow(non_upper_case_globals, reason = "a loss is a value, written like the losses that have no settings")]
pub const CrossEntropy: CrossEntropy = CrossEntropy { from_probabilities: false, smoothing: 0.0 };

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
}

impl Criterion for CrossEntropy {
    fn outputs(&self) -> Outputs {
        if self.from_probabilities { Outputs::Probabilities } else { Outputs::Logits }
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("CrossEntropy")
    }

    fn validate(&self) -> Result<(), SettingError> {
        SettingCheck("CrossEntropy").unit_interval("label smoothing", self.smoothing)
    }
}

impl RowLoss for CrossEntropy {
    fn compute<T: Real, Y: Target<T>>(&self, pass: LossPass<'_, T, Y>) {
        let smoothing = Smoothing::new(self.smoothing, pass.y.ncols());
        if self.from_probabilities {
            let Smoothing { kept, even, .. } = smoothing;
            sum_columns(self, pass, 1.0, |Tile { y: p, t, values, slopes }| {
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
        } else {
            softmax::rows(pass, smoothing);
        }
    }
}

row_loss!(CrossEntropy);

/// The probability that its logarithm is taken of.
#[inline(always)]
fn clip(p: f64) -> f64 {
    if p < MIN_PROBABILITY { MIN_PROBABILITY } else { p }
}

/// A target t becomes `kept t + even`, where `even` is `share` / the number of columns.
#[derive(Clone, Copy)]
pub(crate) struct Smoothing {
    pub(crate) kept: f64,
    pub(crate) share: f64,
    pub(crate) even: f64,
}

impl Smoothing {
    fn new(share: f64, columns: usize) -> Self {
        Self { kept: 1.0 - share, share, even: share / columns as f64 }
    }
}
