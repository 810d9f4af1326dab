//! The loss of a batch as a whole, for losses that compare its samples with each other, or whose rows have weights.
//!
//! Such a loss needs something of all shards before any of them can go on with its backward pass: the sum of the weights, or all
//! outputs. So there is a join between the forward passes of the shards and their backward passes.

use std::ops::Range;

use chainrule_core::Mode;
use chainrule_losses::{LossPass, total};
use chainrule_tensor::{Buffer, FlushDenormals, Real};
use ndarray::ArrayView2;

use super::pass::Pass;

/// The mean loss of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BatchLoss {
    /// What the gradient is the gradient of: the mean or the sum, as the loss's reduction says.
    pub(crate) objective: f64,
    /// The mean loss of the samples, or of as much as counts of them.
    pub(crate) mean: f64,
    /// How much the samples count, which is their number unless they have weights.
    pub(crate) weight: f64,
}

/// How a shard gets the losses of its rows.
pub(crate) enum Losses<'a, T: Real, Y> {
    /// It computes them, with this factor of their gradient.
    OfRows { scale: f64 },
    /// They were computed together.
    OfBatch(&'a WholeBatch<T, Y>),
}

impl<T: Real, Y> Clone for Losses<'_, T, Y> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Real, Y> Copy for Losses<'_, T, Y> {}

/// The outputs of all shards, one after the other, with their losses. Empty unless a loss needs them.
pub(crate) struct WholeBatch<T: Real, Y> {
    y: Buffer<T>,
    dy: Buffer<T>,
    targets: Vec<Y>,
    losses: Buffer<f64>,
    weights: Buffer<f64>,
    scratch: Buffer<f64>,
    columns: usize,
}

impl<T: Real, Y> Default for WholeBatch<T, Y> {
    fn default() -> Self {
        Self {
            y: Buffer::default(),
            dy: Buffer::default(),
            targets: Vec::new(),
            losses: Buffer::default(),
            weights: Buffer::default(),
            scratch: Buffer::default(),
            columns: 0,
        }
    }
}

impl<T: Real, Y: Clone> WholeBatch<T, Y> {
    /// Takes the outputs of all shards with their targets, and returns the sum of the weights of their rows.
    pub(crate) fn gather<'a>(
        &mut self,
        pass: &Pass<'_, T, Y>,
        shards: impl Iterator<Item = (ArrayView2<'a, T>, &'a [Y])>,
        columns: usize,
    ) -> f64
    where
        Y: 'a,
    {
        let rows = pass.samples.len();
        let Self { y, targets, weights, .. } = self;
        self.columns = columns;
        y.reserve(rows * columns);
        weights.reserve(rows);
        targets.clear();
        for (outputs, of_outputs) in shards {
            let first = targets.len();
            targets.extend_from_slice(of_outputs);
            let end = targets.len();
            let of_shard = &mut y[first * columns..end * columns];
            of_shard.iter_mut().zip(outputs).for_each(|(to, y)| *to = *y);
        }
        let weights = &mut weights[..rows];
        pass.loss.weights(targets, weights);
        total(weights.iter().copied())
    }

    /// Computes the losses of the rows, and in training the gradient of `scale` times their sum.
    pub(crate) fn compute(&mut self, pass: &Pass<'_, T, Y>, scale: f64) {
        let _flush = FlushDenormals::new();
        let rows = pass.samples.len();
        let Self { y, dy, targets, losses, scratch, columns, .. } = self;
        let columns = *columns;
        losses.reserve(rows);
        let gradient = if pass.mode == Mode::Eval {
            None
        } else {
            dy.reserve(rows * columns);
            Some(dy.matrix_mut(rows, columns))
        };
        let y = y.matrix(rows, columns);
        let losses = &mut losses[..rows];
        pass.loss.rows(LossPass { y, targets, scale, dy: gradient, losses, scratch });
    }
}

impl<T: Real, Y> WholeBatch<T, Y> {
    /// The losses of the rows of the last batch.
    pub(crate) fn losses(&self) -> &[f64] {
        &self.losses[..self.targets.len()]
    }

    /// The gradient with respect to the outputs of these rows of the last batch.
    pub(crate) fn gradient(&self, rows: Range<usize>) -> &[T] {
        &self.dy[rows.start * self.columns..rows.end * self.columns]
    }
}
