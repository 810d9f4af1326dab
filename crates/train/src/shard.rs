//! One part of a batch, and all the memory its forward and backward pass need.

use std::ops::Range;

use chainrule_core::{
    Backward, Forward, Grads, Layer, Mode, Params, Sequential, SequentialCache, SparseGrad,
};
use chainrule_data::Dataset;
use chainrule_losses::Loss;
use chainrule_tensor::{Buffer, FlushDenormals, Real};
use ndarray::{ArrayView2, ShapeBuilder};

use crate::lead::Lead;

/// Room for so many targets at least keeps those of two shards on different lines of the cache.
const LINES: usize = 256;

/// The memory of one shard, which stays with it from step to step. It begins on a line of the cache of its own (two,
/// since CPUs fetch them in pairs), so that threads with neighbouring shards do not write to one line in turn.
#[repr(align(128))]
pub(crate) struct Shard<T: Real, Y> {
    cache: SequentialCache<T>,
    /// The gradients, but for those that [`crate::descent`] computes from the [`operands`](Self::operands) and the
    /// [`sparse_grad`](Self::sparse_grad).
    pub(crate) grads: Buffer<T>,
    x: Buffer<T>,
    /// Whether `x` holds the samples of this step: where the first product is cut, the [`Lead`] does.
    gathered: bool,
    nothing: [T; 1],
    y: Buffer<T>,
    dy: Buffer<T>,
    pub(crate) targets: Vec<Y>,
    /// How many values a sample and an output have.
    inputs: usize,
    columns: usize,
    /// The sum of the losses of its rows, times the scale.
    pub(crate) loss: T,
}

/// What all shards of a step have in common.
pub(crate) struct Pass<'a, T: Real, D, Y> {
    pub(crate) layers: &'a Sequential<T>,
    pub(crate) params: &'a [T],
    pub(crate) loss: &'a dyn Loss<T, Y>,
    pub(crate) data: &'a D,
    /// Of the whole batch.
    pub(crate) samples: &'a [u32],
    pub(crate) mode: Mode,
    /// Whether [`crate::descent`] computes the gradients that are products.
    pub(crate) deferred: bool,
    /// Whether the gradients of tables are lists.
    pub(crate) sparse: bool,
}

impl<T: Real, Y> Shard<T, Y> {
    pub(crate) fn new(cache: SequentialCache<T>, grads: Buffer<T>, inputs: usize, outputs: usize) -> Self {
        Self {
            cache,
            grads,
            x: Buffer::default(),
            gathered: false,
            nothing: [T::zero()],
            y: Buffer::default(),
            dy: Buffer::default(),
            targets: Vec::with_capacity(LINES),
            inputs,
            columns: outputs,
            loss: T::zero(),
        }
    }

    /// Forgets what the layers remember.
    pub(crate) fn renew(&mut self, cache: SequentialCache<T>) {
        self.cache = cache;
    }

    /// The outputs of the rows that were run last.
    pub(crate) fn outputs(&self) -> ArrayView2<'_, T> {
        self.y.matrix(self.targets.len(), self.columns)
    }

    /// The samples that were gathered last; zeros where the first link's product is cut, which nobody reads.
    pub(crate) fn inputs(&self) -> ArrayView2<'_, T> {
        let rows = self.targets.len();
        match self.gathered {
            true => self.x.matrix(rows, self.inputs),
            false => nowhere(&self.nothing, rows, self.inputs),
        }
    }

    /// Whether the batch has no rows for this shard.
    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The `x` and the `dy` of a link in the last pass: see [`SequentialCache::operands`]. Where the first link's product is cut,
    /// its `x` is the lead's.
    pub(crate) fn operands(&self, link: usize) -> (ArrayView2<'_, T>, ArrayView2<'_, T>) {
        let dy = self.dy.matrix(self.targets.len(), self.columns);
        self.cache.operands(link, self.inputs(), dy)
    }

    /// The rows of a link's table that the last pass used: see [`SequentialCache::sparse_grad`].
    pub(crate) fn sparse_grad(&self, link: usize) -> &SparseGrad<T> {
        self.cache.sparse_grad(link)
    }

    /// Gathers the samples of `rows` and their targets.
    pub(crate) fn gather<D: Dataset<T, Target = Y>>(&mut self, pass: &Pass<'_, T, D, Y>, rows: Range<usize>) {
        let size = self.inputs;
        self.gathered = true;
        self.x.reserve(rows.len() * size);
        self.targets.clear();
        for (place, &index) in pass.samples[rows].iter().enumerate() {
            let row = &mut self.x[place * size..(place + 1) * size];
            self.targets.push(pass.data.read(index as usize, row));
        }
    }

    /// The forward pass over the samples of `rows` and, in training, the backward pass. The samples were gathered,
    /// or the first product was computed by `lead`.
    pub(crate) fn run<D: Dataset<T, Target = Y>>(
        &mut self,
        pass: &Pass<'_, T, D, Y>,
        rows: Range<usize>,
        lead: Option<&Lead<T>>,
    ) {
        let _flush = FlushDenormals::new();
        self.loss = T::zero();
        self.gathered = lead.is_none();
        let count = self.targets.len();
        if count == 0 {
            return;
        }
        let outputs = self.columns;
        self.y.reserve(count * outputs);
        if let Some(lead) = lead {
            let output = self.cache.lead_output(count);
            lead.sum(rows.clone(), output.unwrap_or_else(|| self.y.matrix_mut(count, outputs)));
        }
        let mode = match pass.mode {
            Mode::Train { seed, .. } => Mode::Train { seed, first_row: rows.start },
            Mode::Eval => Mode::Eval,
        };
        let Self { cache, grads, x, nothing, y, dy, targets, inputs, loss, .. } = self;
        let x = match lead {
            None => x.matrix(count, *inputs),
            Some(_) => nowhere(nothing, count, *inputs),
        };
        let params = Params::new(pass.params).deferred(lead.is_some());
        pass.layers.forward(Forward { params, x, y: y.matrix_mut(count, outputs), cache, mode });
        let y = y.matrix(count, outputs);
        let batch = T::of(pass.samples.len() as f64);
        // J = 1/m Σ L, over the m rows of the whole batch.
        let scale = T::one() / batch;
        if mode == Mode::Eval {
            *loss = pass.loss.loss(y, targets, scale, None);
            return;
        }
        dy.reserve(count * outputs);
        *loss = pass.loss.loss(y, targets, scale, Some(dy.matrix_mut(count, outputs)));
        pass.layers.backward(Backward {
            params: Params::new(pass.params),
            grads: Grads::fresh(grads).deferred(pass.deferred).sparse(pass.sparse),
            x,
            y,
            dy: dy.matrix(count, outputs),
            dx: None,
            cache,
            share: T::of(count as f64) / batch,
        });
    }
}

/// The rows of one shard: as even as `count` parts of `rows` can be.
pub(crate) fn rows(rows: usize, position: usize, count: usize) -> Range<usize> {
    rows * position / count..rows * (position + 1) / count
}

/// A batch of which nobody reads a value: one number, wherever one looks.
fn nowhere<T: Real>(nothing: &[T; 1], rows: usize, columns: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((rows, columns).strides((0, 0)), nothing).expect("every place is the first")
}
