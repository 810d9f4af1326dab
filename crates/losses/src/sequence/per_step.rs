//! A loss for every step of a sequence.

use chainrule_core::Description;
use chainrule_tensor::{AnyTarget, Buffer, Outputs, Real, Steps, TargetError, vector};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use crate::domain::check_weight;
use crate::total::{BLOCK, weighted};
use crate::{Criterion, Domain, Loss, LossPass, Reduction, Scope, SettingError};

/// The mean of another loss over the steps of a sequence, for outputs `[steps, columns]` and one target per step, as
/// language models and taggers need it.
///
/// For `s` steps, `L = 1/s Σ Lₜ`. The targets determine the number of steps, which must divide the outputs. Steps that do not
/// count, since their class is ignored or their weight is 0, are no part of the mean: the mean of a batch is the sum of the losses
/// of its steps, divided by the sum of their weights, as if the steps were the rows of PyTorch's losses (for sequences of equal
/// lengths, as there all are). A loss that compares rows with each other compares the steps of a sequence; more than 64 of them take
/// memory in every call.
///
/// ```
/// use chainrule_losses::{CrossEntropy, Loss, PerStep};
/// let logits = ndarray::array![[2.0f64, 0.0, 0.0, 1.0]]; // one sample, two steps, two classes
/// let both = PerStep(CrossEntropy).loss(logits.view(), &[[0u8, 1]], 1.0, None);
/// let first = CrossEntropy.loss(ndarray::array![[2.0, 0.0]].view(), &[0u8], 1.0, None);
/// let second = CrossEntropy.loss(ndarray::array![[0.0, 1.0]].view(), &[1u8], 1.0, None);
/// assert!((both - (first + second) / 2.0).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PerStep<L>(
    /// The loss of one step.
    pub L,
);

impl<L: Criterion> PerStep<L> {
    /// Checks that the targets fit outputs with this many columns, and that the loss is defined for them, as [`Loss::check`]
    /// does.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not fit.
    pub fn check<S: Steps>(&self, columns: usize, targets: &[S]) -> Result<(), TargetError>
    where
        S::Target: AnyTarget,
    {
        check_steps(columns, targets, |columns, steps| self.0.domain().check_any(columns, steps))
    }

    /// The number of steps that are computed at once: all of them, where the loss compares them with each other.
    fn steps_at_once<T: Real, Y>(&self, count: usize) -> usize
    where
        L: Loss<T, Y>,
    {
        if self.0.scope() == Scope::Batch { count.max(1) } else { BLOCK }
    }

    /// The mean loss of the steps, whose outputs and gradients are given one a row.
    fn mean<T: Real, Y>(
        &self,
        y: ArrayView2<'_, T>,
        targets: &[Y],
        scale: f64,
        mut dy: Option<ArrayViewMut2<'_, T>>,
        scratch: &mut Buffer<f64>,
    ) -> f64
    where
        L: Loss<T, Y>,
    {
        let count = targets.len();
        let mut total = 0.0;
        let size = self.steps_at_once::<T, Y>(count);
        let mut block = [0.0; BLOCK];
        let mut all = Vec::new();
        for first in (0..count).step_by(size) {
            let steps = first..count.min(first + size);
            let losses = buffer(&mut block, &mut all, steps.len());
            self.0.rows(LossPass {
                y: y.slice(s![steps.clone(), ..]),
                targets: &targets[steps.clone()],
                scale: scale / count as f64,
                dy: dy.as_mut().map(|dy| dy.slice_mut(s![steps, ..])),
                losses,
                scratch: &mut *scratch,
            });
            total += vector::sum(losses);
        }
        total / count as f64
    }
}

/// The first `len` numbers of the block, or of a vector if it is too short.
fn buffer<'a>(block: &'a mut [f64; BLOCK], all: &'a mut Vec<f64>, len: usize) -> &'a mut [f64] {
    if len <= BLOCK {
        return &mut block[..len];
    }
    all.resize(len, 1.0);
    all
}

/// Checks that the steps divide the columns, and the steps of each target.
fn check_steps<S: Steps>(
    columns: usize,
    targets: &[S],
    check: impl Fn(usize, &[S::Target]) -> Result<(), TargetError>,
) -> Result<(), TargetError> {
    targets.iter().enumerate().try_for_each(|(row, target)| {
        let steps = target.steps();
        check_weight(row, target.weight())?;
        if steps.is_empty() || !columns.is_multiple_of(steps.len()) {
            return Err(TargetError::Steps { row, steps: steps.len(), columns });
        }
        let inner = check(columns / steps.len(), steps);
        inner.map_err(|source| TargetError::Step { row, source: source.into() })
    })
}

impl<L: Criterion> Criterion for PerStep<L> {
    fn outputs(&self) -> Outputs {
        self.0.outputs()
    }

    /// That of the loss of a step.
    fn domain(&self) -> Domain {
        self.0.domain()
    }

    fn description(&self) -> Description {
        Description::new("per_step").with("loss", self.0.description())
    }

    fn reduction(&self) -> Reduction {
        self.0.reduction()
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.0.validate()
    }
}

impl<T: Real, S: Steps, L: Loss<T, S::Target>> Loss<T, S> for PerStep<L> {
    fn rows(&self, pass: LossPass<'_, T, S>) {
        let LossPass { y, targets, scale, mut dy, losses, scratch } = pass;
        for (row, (target, loss)) in targets.iter().zip(losses).enumerate() {
            let steps = target.steps();
            let weight = target.weight();
            let scale = scale * weight;
            let shape = (steps.len(), y.ncols() / steps.len());
            // Rows that are not contiguous are copied; a trainer's are contiguous.
            let y = y.row(row);
            let y = y.to_shape(shape).expect("the targets have been checked");
            let mut dy = dy.as_mut().map(|dy| dy.row_mut(row));
            let packed = dy.as_mut().map(|dy| dy.view_mut().into_shape_with_order(shape));
            let mean = match packed {
                None => self.mean(y.view(), steps, scale, None, scratch),
                Some(Ok(dy)) => self.mean(y.view(), steps, scale, Some(dy), scratch),
                Some(Err(_)) => {
                    let mut copy = Array2::zeros(shape);
                    let loss = self.mean(y.view(), steps, scale, Some(copy.view_mut()), scratch);
                    dy.iter_mut().flatten().zip(copy).for_each(|(dy, value)| *dy = value);
                    loss
                }
            };
            *loss = weighted(weight, mean);
        }
    }

    fn check(&self, columns: usize, targets: &[S]) -> Result<(), TargetError> {
        check_steps(columns, targets, |columns, steps| self.0.check(columns, steps))
    }

    fn scope(&self) -> Scope {
        let weighted = S::WEIGHTED || self.0.scope() != Scope::Row;
        if weighted { Scope::WeightedRow } else { Scope::Row }
    }

    /// The mean of the weights of the steps, times that of the sequence.
    fn weights(&self, targets: &[S], weights: &mut [f64]) {
        for (weight, target) in weights.iter_mut().zip(targets) {
            let steps = target.steps();
            let mut total = 0.0;
            let mut block = [1.0; BLOCK];
            let mut all = Vec::new();
            for steps in steps.chunks(self.steps_at_once::<T, S::Target>(steps.len())) {
                let weights = buffer(&mut block, &mut all, steps.len());
                if self.0.scope() != Scope::Row {
                    self.0.weights(steps, weights);
                }
                total += vector::sum(weights);
            }
            *weight = target.weight() * (total / steps.len() as f64);
        }
    }
}
