//! The loss of labels whose steps are not known.

use chainrule_core::{Described, Range, SettingCheck, SettingError, describe, described};
use chainrule_tensor::{Outputs, Real, Target, TargetError, TargetView};
use ndarray::{ArrayView1, ArrayViewMut1, s};

use super::label_sequence::LabelSequence;
use super::paths::{Paths, Tables, needed};
use crate::classification::log_softmax;
use crate::domain::check_weight;
use crate::total::weighted;
use crate::{Criterion, Domain, Loss, LossPass, Scope};

/// The loss of a sequence of labels whose steps are not known, connectionist temporal classification (Graves et al. 2006):
/// `L = -ln Σ Πₜ p(t, πₜ)` over all paths π of one class for each step that give the labels when repetitions are removed, and then
/// blanks. p is the softmax of the outputs of a step.
///
/// The outputs of a row are `[steps, classes]`, and the target is the labels, such as a `Vec<u8>`: fewer than the steps, and one step
/// more for each label that equals the one before it. [`Padded`](crate::Padded) says that only the first steps are the sample's.
///
/// All sums are of logarithms, so that nothing vanishes. The gradient is `p(t, k) - P(πₜ = k)`, with the probability that a path goes
/// through k at t, given the labels. As PyTorch's mean, the loss of a row is divided by the number of its labels, unless
/// [`per_label`](Self::per_label) is false, as in Keras and optax.
///
/// Labels that cannot be told in the steps are an error that names the sample; with [`zero_infinity`](Self::zero_infinity) they have
/// the loss 0 and no gradient, and count, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ctc {
    /// The number of classes of a step, the blank included.
    pub classes: usize,
    /// The class that stands for no label.
    pub blank: usize,
    /// Whether labels that cannot be told have the loss 0.
    pub zero_infinity: bool,
    /// Whether the loss of a row is divided by the number of its labels.
    pub per_label: bool,
}

impl Ctc {
    /// For outputs of this many classes for each step, of which the first is the blank.
    pub const fn new(classes: usize) -> Self {
        Self { classes, blank: 0, zero_infinity: false, per_label: true }
    }
}

describe! {
    /// The loss of a sequence of labels whose steps are not known.
    Ctc = "ctc";
    aliases ["ctc_loss"];
    formula "L = -ln Σ Π p(t, π) over the paths π that give the labels";
    source "Graves et al. 2006";
    settings {
        /// The number of classes of a step, the blank included.
        classes: required, Range::AT_LEAST_ONE;
        /// The class that stands for no label.
        blank ("mask_index", "blank_id"): 0;
        /// Whether labels that cannot be told have the loss 0.
        zero_infinity: false;
        /// Whether the loss of a row is divided by the number of its labels.
        per_label: true;
    }
    presets { keras { per_label = false } }
}

impl Criterion for Ctc {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::classes("Ctc")
    }

    described!();

    fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        let ok = self.blank < self.classes;
        SettingCheck("Ctc").range(ok, "blank", self.blank as f64, "one of the classes")
    }
}

/// The outputs of a row, where their gradient goes, and its factor.
struct RowOutputs<'a, T> {
    y: ArrayView1<'a, T>,
    dy: Option<ArrayViewMut1<'a, T>>,
    scale: f64,
}

impl Ctc {
    /// The loss of a row, and its gradient times the scale.
    fn row<T: Real, L: Target<T>>(
        &self,
        outputs: RowOutputs<'_, T>,
        paths: &Paths<'_, L>,
        tables: &mut Tables<'_>,
    ) -> f64 {
        let RowOutputs { y, dy, scale } = outputs;
        let &Paths { labels, steps, classes, .. } = paths;
        for step in 0..steps {
            let row = step * classes..(step + 1) * classes;
            tables.share.iter_mut().zip(y.slice(s![row.clone()])).for_each(|(to, y)| *to = y.as_f64());
            log_softmax(tables.share, &mut tables.ln[row]);
        }
        let sum = paths.sum(tables);
        let divisor = if self.per_label { labels.len().max(1) as f64 } else { 1.0 };
        let is_possible = sum != f64::NEG_INFINITY;
        if let Some(mut dy) = dy {
            dy.fill(T::zero());
            for step in 0..if is_possible { steps } else { 0 } {
                paths.shares(step, sum, tables);
                for (class, share) in tables.share.iter().enumerate() {
                    let index = step * classes + class;
                    dy[index] = T::of(scale / divisor * (tables.ln[index].exp() - share));
                }
            }
        }
        if !is_possible && self.zero_infinity { 0.0 } else { -sum / divisor }
    }
}

impl<T: Real, S: LabelSequence<T>> Loss<T, S> for Ctc {
    fn rows(&self, pass: LossPass<'_, T, S>) {
        let LossPass { y, targets, scale, mut dy, losses, scratch } = pass;
        for (row, (target, loss)) in targets.iter().zip(losses).enumerate() {
            let &Self { classes, blank, .. } = self;
            let steps = target.length().unwrap_or(y.ncols() / classes);
            let paths = Paths { labels: target.labels(), steps, blank, classes };
            let sums = steps * paths.states();
            scratch.reserve(steps * classes + 2 * sums + classes);
            let (ln, rest) = scratch.split_at_mut(steps * classes);
            let (alpha, rest) = rest.split_at_mut(sums);
            let (beta, rest) = rest.split_at_mut(sums);
            let share = &mut rest[..classes];
            let weight = target.weight();
            let dy = dy.as_mut().map(|dy| dy.row_mut(row));
            let outputs = RowOutputs { y: y.row(row), dy, scale: scale * weight };
            *loss = weighted(weight, self.row(outputs, &paths, &mut Tables { ln, alpha, beta, share }));
        }
    }

    fn check(&self, columns: usize, targets: &[S]) -> Result<(), TargetError> {
        targets.iter().enumerate().try_for_each(|(row, target)| self.check_one(columns, row, target))
    }

    fn scope(&self) -> Scope {
        if S::WEIGHTED { Scope::WeightedRow } else { Scope::Row }
    }

    fn weights(&self, targets: &[S], weights: &mut [f64]) {
        weights.iter_mut().zip(targets).for_each(|(weight, target)| *weight = target.weight());
    }
}

impl Ctc {
    fn check_one<T: Real, S: LabelSequence<T>>(
        &self,
        columns: usize,
        row: usize,
        target: &S,
    ) -> Result<(), TargetError> {
        let &Self { classes, blank, zero_infinity, .. } = self;
        let owner = "Ctc";
        check_weight(row, target.weight())?;
        if !columns.is_multiple_of(classes) {
            return Err(TargetError::Parts { row, columns, parts: classes, owner });
        }
        let steps = target.length().unwrap_or(columns / classes);
        if steps > columns / classes {
            return Err(TargetError::Steps { row, steps, columns });
        }
        let labels = target.labels();
        for (index, label) in labels.iter().enumerate() {
            match label.view() {
                TargetView::Values(_) => return Err(TargetError::NotAClass { row, owner }),
                TargetView::Class(class) if class >= classes => {
                    let source = TargetError::Class { row: index, class, columns: classes };
                    return Err(TargetError::Step { row, source: source.into() });
                }
                TargetView::Class(class) if class == blank => {
                    let allowed = "labels other than the blank";
                    return Err(TargetError::value(row, index, class as f64, allowed, owner));
                }
                TargetView::Class(_) => {}
            }
        }
        let needed = needed(labels);
        if needed > steps && !zero_infinity {
            return Err(TargetError::Alignment { row, labels: labels.len(), needed, steps });
        }
        Ok(())
    }
}
