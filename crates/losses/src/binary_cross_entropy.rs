//! The cross-entropy of independent binary outputs.

use chainrule_tensor::{Outputs, Real, Target, each};

use crate::columns::{Tile, sum_columns};
use crate::total::weighted;
use crate::{Criterion, Domain, LossPass, RowLoss, row_loss};

/// The minimum distance of a probability from 0 and from 1, as in Keras.
const MARGIN: f64 = 1e-7;

/// The binary cross-entropy `L = -1/n Σⱼ (tⱼ ln pⱼ + (1 - tⱼ) ln(1 - pⱼ))` over the n columns, where p is the sigmoid of
/// the outputs (logits), or the outputs themselves. Targets are from 0 to 1.
///
/// From logits z each term is `t max(-z, 0) + (1 - t) max(z, 0) + ln(1 + exp(-|z|))`, in which nothing overflows, with the
/// gradient `p - t`, as in PyTorch's `BCEWithLogitsLoss`. An infinite logit costs nothing where it is right, and infinity
/// where it is wrong. Probabilities are clipped to 1e-7 and 1 - 1e-7, as in Keras, and the gradient is that at the clipped
/// probability. A class stands for its one-hot vector; with a single column, the classes are 0 and 1, and the class is the
/// target value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BinaryCrossEntropy {
    from_probabilities: bool,
}

/// The loss of logits: `BinaryCrossEntropy::default()`.
#[allow(non_upper_case_globals, reason = "a loss is a value, written like the losses that have no settings")]
pub const BinaryCrossEntropy: BinaryCrossEntropy = BinaryCrossEntropy { from_probabilities: false };

impl BinaryCrossEntropy {
    /// For outputs that are already probabilities.
    pub fn from_probabilities() -> Self {
        Self { from_probabilities: true }
    }
}

/// `wrong |z| + ln(1 + e^-|z|)`, where `wrong` is the part of the target that speaks against the sign of z.
fn of_logits(Tile { y: z, t, values, slopes }: Tile<'_>) {
    // One loop for each function, as the compiler makes no vector instructions of all in one.
    each!(values = |z| (-z.abs()).fast_exp());
    if let Some(slopes) = slopes {
        let e = &*values;
        each!(slopes = |z, t, e| (if z < 0.0 { e } else { 1.0 }) / (1.0 + e) - t);
    }
    each!(values = values.fast_ln_1p());
    each!(values = |z, t| values + weighted(if z < 0.0 { t } else { 1.0 - t }, z.abs()));
}

/// `-(t ln p + (1 - t) ln(1 - p))`.
fn of_probabilities(Tile { y: p, t, values, slopes }: Tile<'_>) {
    each!(values = |p, t| -(t * clip(p).fast_ln() + (1.0 - t) * (1.0 - clip(p)).fast_ln()));
    if let Some(slopes) = slopes {
        each!(slopes = |p, t| (clip(p) - t) / (clip(p) * (1.0 - clip(p))));
    }
}

#[inline(always)]
fn clip(p: f64) -> f64 {
    let p = if p < MARGIN { MARGIN } else { p };
    if p > 1.0 - MARGIN { 1.0 - MARGIN } else { p }
}

impl Criterion for BinaryCrossEntropy {
    fn outputs(&self) -> Outputs {
        if self.from_probabilities { Outputs::Probabilities } else { Outputs::Logits }
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("BinaryCrossEntropy").yes_or_no()
    }
}

impl RowLoss for BinaryCrossEntropy {
    fn compute<T: Real, Y: Target<T>>(&self, pass: LossPass<'_, T, Y>) {
        let columns = pass.y.ncols() as f64;
        if self.from_probabilities {
            sum_columns(self, pass, columns, of_probabilities);
        } else {
            sum_columns(self, pass, columns, of_logits);
        }
    }
}

row_loss!(BinaryCrossEntropy);
