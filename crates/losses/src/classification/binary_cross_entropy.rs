//! The cross-entropy of independent binary outputs.

use std::fmt;

use chainrule_core::{Described, Range, SettingError, describe, described};
use chainrule_tensor::{Outputs, Real, Target, each};

use crate::columns::{Tile, sum_columns};
use crate::total::weighted;
use crate::{Criterion, Domain, LossPass, Row, RowLoss, each_row, row_loss};

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
///
/// With [positive weights](Self::positive_weights) c the first term of a column is `c t ln p`, and with
/// [weights of columns](Self::column_weights) w the whole term is multiplied by w; neither changes what the mean divides by, as in
/// PyTorch.
#[derive(Clone, Default, PartialEq)]
pub struct BinaryCrossEntropy {
    from_probabilities: bool,
    smoothing: f64,
    weight: Option<Vec<f64>>,
    pos_weight: Option<Vec<f64>>,
}

/// The loss of logits: `BinaryCrossEntropy::default()`.
#[allow(non_upper_case_globals, reason = "a loss is a value, written like the losses that have no settings")]
pub const BinaryCrossEntropy: BinaryCrossEntropy =
    BinaryCrossEntropy { from_probabilities: false, smoothing: 0.0, weight: None, pos_weight: None };

describe! {
    /// The cross-entropy of independent binary outputs, from logits.
    BinaryCrossEntropy = "binary_cross_entropy";
    aliases [
        "bce", "binary_crossentropy", "bce_with_logits", "bce_with_logits_loss", "sigmoid_binary_cross_entropy",
    ];
    formula "L = -1/n Σ (t ln σ(z) + (1 - t) ln(1 - σ(z)))";
    settings {
        /// The part of every target that is moved to one half.
        smoothing as "label_smoothing": 0.0, Range::UNIT;
        /// The weight of each column.
        weight: none, Range::NOT_NEGATIVE;
        /// The weight of the positive targets of each column.
        pos_weight ("positive_weight"): none, Range::NOT_NEGATIVE;
        /// Whether the outputs are probabilities instead of logits.
        from_probabilities: false;
    }
    presets { keras { from_probabilities = true } }
}

impl BinaryCrossEntropy {
    /// For outputs that are already probabilities.
    pub fn from_probabilities() -> Self {
        Self { from_probabilities: true, ..Self::default() }
    }

    /// Moves the fraction ε of every target to one half: `t ← (1 - ε) t + ε/2`, from 0 (the default) to 1; as in Keras.
    #[must_use]
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        Self { smoothing, ..self }
    }

    /// The weight of each column, at least 0.
    #[must_use]
    pub fn column_weights(self, weights: impl Into<Vec<f64>>) -> Self {
        Self { weight: Some(weights.into()), ..self }
    }

    /// The weight of the positive targets of each column, at least 0: above 1 where they are rare.
    #[must_use]
    pub fn positive_weights(self, weights: impl Into<Vec<f64>>) -> Self {
        Self { pos_weight: Some(weights.into()), ..self }
    }

    /// A row where columns have weights.
    fn weighted_row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let n = y.len() as f64;
        let of = |weights: &Option<Vec<f64>>, column: usize| {
            weights.as_ref().map_or(1.0, |weights| weights[column])
        };
        let mut total = 0.0;
        for (column, (&y, slope)) in y.iter().zip(slopes).enumerate() {
            let t = self.smoothed(t[column]);
            let yes = of(&self.pos_weight, column) * t;
            let no = 1.0 - t;
            let weight = of(&self.weight, column);
            let (value, derivative) = if self.from_probabilities {
                let p = clip(y);
                (-(yes * p.ln() + no * (1.0 - p).ln()), no / (1.0 - p) - yes / p)
            } else {
                let value = weighted(yes, (-y).fast_softplus()) + weighted(no, y.fast_softplus());
                (value, no * y.fast_sigmoid() - yes * (-y).fast_sigmoid())
            };
            total += weighted(weight, value);
            *slope = weight * derivative / n;
        }
        total / n
    }

    #[inline(always)]
    fn smoothed(&self, t: f64) -> f64 {
        (1.0 - self.smoothing) * t + 0.5 * self.smoothing
    }
}

/// The settings that are not left out: a checkpoint compares them with those of the training that it is of.
impl fmt::Debug for BinaryCrossEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_probabilities, smoothing, weight, pos_weight } = self;
        let mut settings = f.debug_struct("BinaryCrossEntropy");
        settings.field("from_probabilities", from_probabilities);
        if *smoothing != 0.0 {
            settings.field("smoothing", smoothing);
        }
        if let Some(weight) = weight {
            settings.field("weight", weight);
        }
        if let Some(pos_weight) = pos_weight {
            settings.field("pos_weight", pos_weight);
        }
        settings.finish()
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
        let weights = self.weight.as_deref().or(self.pos_weight.as_deref());
        Domain::probabilities("BinaryCrossEntropy").yes_or_no().weighted_by(weights)
    }

    described!();

    fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        match (&self.weight, &self.pos_weight) {
            (Some(weight), Some(pos_weight)) if weight.len() != pos_weight.len() => {
                let conflict = "it has another number of weights than of positive weights: give one of each for each column";
                Err(SettingError::Conflict { owner: "BinaryCrossEntropy", conflict })
            }
            _ => Ok(()),
        }
    }
}

impl RowLoss for BinaryCrossEntropy {
    fn compute<T: Real, Y: Target<T>>(&self, pass: LossPass<'_, T, Y>) {
        if self.smoothing != 0.0 || self.weight.is_some() || self.pos_weight.is_some() {
            return each_row(self.domain(), pass, &|row| self.weighted_row(row));
        }
        let columns = pass.y.ncols() as f64;
        if self.from_probabilities {
            sum_columns(self.domain(), pass, columns, &of_probabilities);
        } else {
            sum_columns(self.domain(), pass, columns, &of_logits);
        }
    }
}

row_loss!(BinaryCrossEntropy);
