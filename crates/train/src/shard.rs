//! One part of a batch, and all the memory its forward and backward pass need.

use chainrule_data::Dataset;
use chainrule_layer::{Backward, Chain, Forward, Layer, Mode, Sequential};
use chainrule_losses::Loss;
use chainrule_tensor::{Buffer, FlushDenormals, Grads, Params, Real, SparseGrad};
use ndarray::ArrayView2;

/// The memory of one shard, which stays with it from step to step.
pub(crate) struct Shard<T: Real, Y> {
    cache: Chain<T>,
    /// The gradients, but for those that [`crate::pieces`] computes from the [`operands`](Self::operands) and the
    /// [`sparse_grad`](Self::sparse_grad).
    pub(crate) grads: Buffer<T>,
    x: Buffer<T>,
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
    pub(crate) batch: Batch<'a>,
    pub(crate) mode: Mode,
    /// Whether the gradients of tables are lists.
    pub(crate) sparse: bool,
}

/// Which samples a step takes.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// Its number in the epoch.
    pub(crate) index: usize,
    /// Of the whole batch.
    pub(crate) samples: &'a [u32],
    /// Of the batch after it, in training.
    pub(crate) next: &'a [u32],
}

impl<T: Real, Y> Shard<T, Y> {
    pub(crate) fn new(cache: Chain<T>, parameters: usize, inputs: usize, outputs: usize) -> Self {
        Self {
            cache,
            grads: Buffer::zeros(parameters),
            x: Buffer::default(),
            y: Buffer::default(),
            dy: Buffer::default(),
            targets: Vec::new(),
            inputs,
            columns: outputs,
            loss: T::zero(),
        }
    }

    /// Forgets what the layers remember.
    pub(crate) fn renew(&mut self, cache: Chain<T>) {
        self.cache = cache;
    }

    /// The outputs of the rows that were run last.
    pub(crate) fn outputs(&self) -> ArrayView2<'_, T> {
        self.y.matrix(self.targets.len(), self.columns)
    }

    /// The samples that were gathered last.
    pub(crate) fn inputs(&self) -> ArrayView2<'_, T> {
        self.x.matrix(self.targets.len(), self.inputs)
    }

    /// Whether the batch has no rows for this shard.
    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The `x` and the `dy` of a link in the last pass: see [`Chain::operands`].
    pub(crate) fn operands(&self, link: usize) -> (ArrayView2<'_, T>, ArrayView2<'_, T>) {
        let dy = self.dy.matrix(self.targets.len(), self.columns);
        self.cache.operands(link, self.inputs(), dy)
    }

    /// The rows of a link's table that the last pass used: see [`Chain::sparse_grad`].
    pub(crate) fn sparse_grad(&self, link: usize) -> &SparseGrad<T> {
        self.cache.sparse_grad(link)
    }

    /// Gathers the samples of `rows` and their targets, and asks for those of the next batch.
    pub(crate) fn gather<D: Dataset<T, Target = Y>>(
        &mut self,
        pass: &Pass<'_, T, D, Y>,
        rows: std::ops::Range<usize>,
    ) {
        let size = self.inputs;
        self.x.reserve(rows.len() * size);
        self.targets.clear();
        // The last batch may be shorter; those samples are then read without having been asked for.
        let next = pass.batch.next.get(rows.clone()).unwrap_or_default();
        let samples = &pass.batch.samples[rows];
        for (row, &index) in self.x.chunks_exact_mut(size.max(1)).zip(samples) {
            self.targets.push(pass.data.read(index as usize, row));
        }
        for &index in next {
            pass.data.prefetch(index as usize);
        }
    }

    /// The forward pass over the gathered samples and, in training, the backward pass.
    pub(crate) fn run<D: Dataset<T, Target = Y>>(&mut self, pass: &Pass<'_, T, D, Y>, first_row: usize) {
        let _flush = FlushDenormals::new();
        let rows = self.targets.len();
        self.loss = T::zero();
        if rows == 0 {
            return;
        }
        let Self { cache, grads, x, y, dy, targets, inputs, columns, loss } = self;
        let (outputs, batch) = (*columns, T::of(pass.batch.samples.len() as f64));
        y.reserve(rows * outputs);
        let x = x.matrix(rows, *inputs);
        let mode = match pass.mode {
            Mode::Train { seed, .. } => Mode::Train { seed, first_row },
            Mode::Eval => Mode::Eval,
        };
        let params = Params::new(pass.params);
        pass.layers.forward(Forward { params, x, y: y.matrix_mut(rows, outputs), cache, mode });
        let y = y.matrix(rows, outputs);
        // J = 1/m Σ L, over the m rows of the whole batch.
        let scale = T::one() / batch;
        if mode == Mode::Eval {
            *loss = pass.loss.loss(y, targets, scale, None);
            return;
        }
        dy.reserve(rows * outputs);
        *loss = pass.loss.loss(y, targets, scale, Some(dy.matrix_mut(rows, outputs)));
        pass.layers.backward(Backward {
            params: Params::new(pass.params),
            grads: Grads::fresh(grads).deferred(true).sparse(pass.sparse),
            x,
            y,
            dy: dy.matrix(rows, outputs),
            dx: None,
            cache,
            share: T::of(rows as f64) / batch,
        });
    }
}
