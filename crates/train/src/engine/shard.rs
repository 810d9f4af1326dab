//! Some rows of a batch, and all the memory that their forward and backward pass needs.

use std::ops::Range;

use chainrule_core::carried::{self, CarriedState};
use chainrule_core::runner::{GradsExt, RunExt};
use chainrule_core::{
    Backward, Forward, Grads, Layer, Mode, Params, Sequential, SequentialCache, SparseGrad,
};
use chainrule_losses::LossPass;
use chainrule_tensor::{Buffer, FlushDenormals, Real, SparseMatrix, UsedColumns, vector};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, ShapeBuilder};

use super::pass::Pass;
use super::whole_batch::{Losses, WholeBatch};

/// The initial capacity for targets, so large that those of two shards are never on the same cache line.
const TARGETS: usize = 256;

/// The memory of one shard, kept from step to step. It is aligned to two cache lines, since CPUs fetch them in pairs, so
/// that threads with neighbouring shards do not write to one line in turn.
#[repr(align(128))]
pub(crate) struct Shard<T: Real, Y> {
    cache: SequentialCache<T>,
    /// The gradients, except those that [`reduce`](super::reduce) computes from the [`operands`](Self::operands) and the
    /// [`sparse_grad`](Self::sparse_grad).
    pub(crate) grads: Buffer<T>,
    x: Buffer<T>,
    /// The columns of `x` that are not zeros, where they were looked for.
    used: UsedColumns<T>,
    /// The largest absolute value of `x`, where that was found with them.
    largest_x: Option<f64>,
    /// The samples without their zeros, instead of `x`.
    sparse_x: SparseMatrix<T>,
    /// The gradient of the first product with them.
    sparse_grad: SparseGrad<T>,
    /// How the first layer gets its input.
    input: Input,
    zero: [T; 1],
    y: Buffer<T>,
    dy: Buffer<T>,
    pub(crate) targets: Vec<Y>,
    /// The number of values of a sample.
    inputs: usize,
    /// The number of values of an output.
    outputs: usize,
    /// The loss of each of its rows in the last pass, times its weight.
    losses: Buffer<f64>,
    /// How much each of its rows counts, where the loss has weights.
    weights: Buffer<f64>,
    /// For the loss.
    scratch: Buffer<f64>,
    /// No gradient of its rows is larger, in absolute value; NaN or infinity if one may be.
    pub(crate) largest_grad: f64,
    /// The states with which the layers begin the next pass, where they come from a checkpoint.
    carried: Option<Vec<CarriedState>>,
}

/// Where the first layer of a shard starts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    /// From the samples, gathered in `x`.
    Samples,
    /// From the product of the samples in `x` with the weight, computed from the columns that are used.
    UsedColumns,
    /// From its product with the weight, computed elsewhere and written to [`Shard::first_product`]: `x` is not filled.
    Product,
    /// From its product with the weight, computed from `sparse_x`: `x` is not filled.
    Sparse,
}

impl<T: Real, Y> Shard<T, Y> {
    /// A shard of a model with samples of `inputs` values and outputs of `outputs`.
    pub(crate) fn new(cache: SequentialCache<T>, grads: Buffer<T>, inputs: usize, outputs: usize) -> Self {
        Self {
            cache,
            grads,
            x: Buffer::default(),
            used: UsedColumns::default(),
            largest_x: None,
            sparse_x: SparseMatrix::default(),
            sparse_grad: SparseGrad::default(),
            input: Input::Samples,
            zero: [T::zero()],
            y: Buffer::default(),
            dy: Buffer::default(),
            targets: Vec::with_capacity(TARGETS),
            inputs,
            outputs,
            losses: Buffer::default(),
            weights: Buffer::default(),
            scratch: Buffer::default(),
            largest_grad: 0.0,
            carried: None,
        }
    }

    /// An upper bound of all gradients of the last pass, of which `largest_input` is the largest input.
    ///
    /// Those that the pass has computed are looked at. A weight has `|dW| ≤ rows · max |X| · max |dZ|`, which takes a fraction of
    /// the time in which dW is computed.
    pub(crate) fn bound_gradients(&mut self, pass: &Pass<'_, T, Y>, largest_input: Option<f64>) {
        if self.is_empty() {
            return;
        }
        let own = pass.of_shards.iter().map(|range| largest(&self.grads[range.clone()]));
        let mut bound = own.fold(0.0, vector::larger_or_nan);
        let is_list = |stage| pass.sparse && self.cache.tables().any(|(table, _)| table == stage);
        if pass.deferred {
            for (stage, _) in self.cache.products().filter(|&(stage, _)| !is_list(stage)) {
                let (x, dy) = self.operands(stage);
                let largest_x = match (largest_input.or(self.largest_x), self.sparse_samples()) {
                    (Some(largest), None) if stage == 0 => largest,
                    (_, Some((x, _))) if stage == 0 => largest(x.values()),
                    _ => largest_of(x),
                };
                bound = vector::larger_or_nan(bound, x.nrows() as f64 * largest_x * largest_of(dy));
            }
        }
        if pass.sparse {
            for (stage, _) in self.cache.tables() {
                let (_, dy) = self.operands(stage);
                bound = vector::larger_or_nan(bound, self.sparse_grad(stage).bound(largest_of(dy)));
            }
        }
        self.largest_grad = bound;
    }

    /// Replaces the layers' caches, and with them the states that layers carry from batch to batch.
    pub(crate) fn reset(&mut self, cache: SequentialCache<T>) {
        self.cache = cache;
        self.carried = None;
    }

    /// Replaces the layers' caches for a while; returns those before.
    pub(crate) fn exchange_cache(&mut self, cache: SequentialCache<T>) -> SequentialCache<T> {
        std::mem::replace(&mut self.cache, cache)
    }

    /// The states with which the layers would begin a pass over this many rows now.
    pub(crate) fn carried(&self, layers: &Sequential<T>, params: &[T], rows: usize) -> Vec<CarriedState> {
        if let Some(carried) = &self.carried {
            return carried.clone();
        }
        let mut cache = self.cache.clone();
        let x = Array2::zeros((rows, self.inputs));
        let mut y = Array2::zeros((rows, self.outputs));
        carried::collect(|| {
            let (x, y, cache) = (x.view(), y.view_mut(), &mut cache);
            layers.forward(Forward { params: Params::new(params), x, y, cache, mode: Mode::Eval });
        })
    }

    /// Begins the next pass with these states.
    pub(crate) fn carry(&mut self, states: Vec<CarriedState>) {
        self.carried = Some(states);
    }

    /// The outputs of the last forward pass.
    pub(crate) fn outputs(&self) -> ArrayView2<'_, T> {
        self.y.matrix(self.targets.len(), self.outputs)
    }

    /// The loss of each row of the last pass, times its weight.
    pub(crate) fn losses(&self) -> &[f64] {
        &self.losses[..self.targets.len()]
    }

    /// The weight of each row, which [`weigh`](Self::weigh) has noted.
    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights[..self.targets.len()]
    }

    /// The samples of the last pass; zeros, which no layer reads, where it started from the first product.
    pub(crate) fn inputs(&self) -> ArrayView2<'_, T> {
        let rows = self.targets.len();
        match self.input {
            Input::Samples | Input::UsedColumns => self.x.matrix(rows, self.inputs),
            Input::Product | Input::Sparse => broadcast(&self.zero, rows, self.inputs),
        }
    }

    /// The samples of the last pass and the gradient of their product with the first weight, if they were read without their zeros.
    pub(crate) fn sparse_samples(&self) -> Option<(&SparseMatrix<T>, &SparseGrad<T>)> {
        (self.input == Input::Sparse).then_some((&self.sparse_x, &self.sparse_grad))
    }

    /// Whether the batch has no rows for this shard.
    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The `x` and the `dy` of a stage in the last pass: see [`SequentialCache::operands`]. Where the pass started from the
    /// first product, the `x` of stage 0 is not here.
    pub(crate) fn operands(&self, stage: usize) -> (ArrayView2<'_, T>, ArrayView2<'_, T>) {
        let dy = self.dy.matrix(self.targets.len(), self.outputs);
        self.cache.operands(stage, self.inputs(), dy)
    }

    /// The rows of a stage's table that the last pass used: see [`SequentialCache::sparse_grad`].
    pub(crate) fn sparse_grad(&self, stage: usize) -> &SparseGrad<T> {
        match self.sparse_samples() {
            Some((_, list)) if stage == 0 => list,
            _ => self.cache.sparse_grad(stage),
        }
    }

    /// Gathers the samples of `rows` and their targets, for a pass that starts from them.
    pub(crate) fn gather(&mut self, pass: &Pass<'_, T, Y>, rows: Range<usize>)
    where
        Y: Clone + Send + Sync,
    {
        let size = self.inputs;
        self.input = Input::Samples;
        self.largest_x = None;
        self.x.reserve(rows.len() * size);
        self.targets.clear();
        for (position, &index) in pass.samples[rows].iter().enumerate() {
            let row = &mut self.x[position * size..(position + 1) * size];
            self.targets.push(pass.data.read(index as usize, row));
        }
    }

    /// Gathers the values of the samples of `rows` that are stored, and their targets, for a pass that starts from their product with
    /// the first weight.
    pub(crate) fn gather_sparse(&mut self, pass: &Pass<'_, T, Y>, rows: Range<usize>)
    where
        Y: Clone + Send + Sync,
    {
        let Self { sparse_x: x, sparse_grad, targets, inputs, .. } = self;
        let most = pass.data.stored_values(rows.len()).unwrap_or(0);
        x.clear(*inputs);
        x.reserve(rows.len(), most);
        if pass.mode != Mode::Eval {
            sparse_grad.clear(most);
        }
        targets.clear();
        for &index in &pass.samples[rows] {
            targets.push(pass.data.read_sparse(index as usize, x));
        }
        assert_eq!(x.rows(), targets.len(), "`Samples::read_sparse` appends one row");
    }

    /// Looks for columns of the samples that are zeros. If there are enough, and the network begins with a dense layer, computes the first
    /// product without them.
    pub(crate) fn multiply_used(&mut self, pass: &Pass<'_, T, Y>) {
        let rows = self.targets.len();
        let Some(weight) = self.cache.lead().filter(|_| pass.finite && rows > 0) else { return };
        let is_table = pass.sparse && self.cache.tables().any(|(stage, _)| stage == 0);
        let x = &self.x[..rows * self.inputs];
        if is_table || !UsedColumns::may_be_fewer(&x[..self.inputs]) {
            return;
        }
        let _flush = FlushDenormals::new();
        let units = weight.len() / self.inputs;
        self.largest_x = Some(self.used.find(x, self.inputs, units).as_f64());
        if !self.used.are_fewer() {
            return;
        }
        let weight = &pass.params[weight];
        let w = ArrayView2::from_shape((self.inputs, units), weight);
        let (x, used) = (std::mem::take(&mut self.x), std::mem::take(&mut self.used));
        let z = self.first_product();
        used.product(x.matrix(rows, used.columns()), w.expect("the values of the weight"), z); // Z = X W
        (self.x, self.used, self.input) = (x, used, Input::UsedColumns);
    }

    /// The columns of the samples that are not zeros, if they were looked for and it pays to leave out the others.
    pub(crate) fn used_columns(&self) -> Option<&UsedColumns<T>> {
        (self.input == Input::UsedColumns).then_some(&self.used)
    }

    /// Computes the first product from the samples that were gathered without their zeros, and in training the list of its gradient.
    pub(crate) fn multiply_sparse(&mut self, pass: &Pass<'_, T, Y>) {
        if self.is_empty() {
            return;
        }
        let _flush = FlushDenormals::new();
        let weight = &pass.params[self.cache.lead().expect("the network begins with a product")];
        let x = std::mem::take(&mut self.sparse_x);
        let w = ArrayView2::from_shape((x.columns(), weight.len() / x.columns()), weight);
        x.product(w.expect("the values of the weight"), self.first_product()); // Z = X W
        if pass.mode != Mode::Eval {
            self.sparse_grad.set_product(&x);
        }
        self.sparse_x = x;
        self.input = Input::Sparse;
    }

    /// The output of the first product, to be written by the caller for a pass that starts from it. The targets are there.
    pub(crate) fn first_product(&mut self) -> ArrayViewMut2<'_, T> {
        self.input = Input::Product;
        let rows = self.targets.len();
        let Self { cache, y, outputs, .. } = self;
        y.reserve(rows * *outputs);
        cache.lead_output(rows).unwrap_or_else(|| y.matrix_mut(rows, *outputs))
    }

    /// The forward pass over the samples of `rows`, the loss and, in training, the backward pass. The samples were gathered, or
    /// the first product was written. The mean's factor of the losses is `scale`.
    pub(crate) fn run(&mut self, pass: &Pass<'_, T, Y>, rows: Range<usize>, scale: f64) {
        self.forward(pass, rows);
        self.compute_losses(pass, scale);
        self.backward(pass);
    }

    /// The forward pass over the samples of `rows`.
    pub(crate) fn forward(&mut self, pass: &Pass<'_, T, Y>, rows: Range<usize>) {
        let _flush = FlushDenormals::new();
        self.largest_grad = 0.0;
        let count = self.targets.len();
        if count == 0 {
            return;
        }
        let mode = match pass.mode {
            Mode::Train { seed, first_row } => Mode::Train { seed, first_row: first_row + rows.start },
            Mode::Eval => Mode::Eval,
        };
        let Self { cache, x, input, zero, y, inputs, outputs, carried, .. } = self;
        y.reserve(count * *outputs);
        let x = match input {
            Input::Samples | Input::UsedColumns => x.matrix(count, *inputs),
            Input::Product | Input::Sparse => broadcast(zero, count, *inputs),
        };
        let params = Params::new(pass.params).deferred(*input != Input::Samples);
        let forward = Forward { params, x, y: y.matrix_mut(count, *outputs), cache, mode };
        match carried.take() {
            None => pass.layers.forward(forward),
            Some(states) => {
                let all = carried::supply(states, || pass.layers.forward(forward));
                assert!(all, "a layer that carries a state has to begin every pass with it");
            }
        }
    }

    /// Notes how much each row counts.
    pub(crate) fn weigh(&mut self, pass: &Pass<'_, T, Y>) {
        let Self { targets, weights, .. } = self;
        weights.reserve(targets.len());
        pass.loss.weights(targets, &mut weights[..targets.len()]);
    }

    /// The losses of the rows, and in training the gradient of `scale` times their sum.
    fn compute_losses(&mut self, pass: &Pass<'_, T, Y>, scale: f64) {
        let _flush = FlushDenormals::new();
        let count = self.targets.len();
        if count == 0 {
            return;
        }
        let Self { y, dy, targets, outputs, losses, scratch, .. } = self;
        let y = y.matrix(count, *outputs);
        losses.reserve(count);
        let losses = &mut losses[..count];
        if pass.mode == Mode::Eval {
            return pass.loss.rows(LossPass { y, targets, scale, dy: None, losses, scratch });
        }
        dy.reserve(count * *outputs);
        let gradient = dy.matrix_mut(count, *outputs);
        pass.loss.rows(LossPass { y, targets, scale, dy: Some(gradient), losses, scratch });
    }

    /// Takes the losses of the rows, and in training their gradient, from those of a whole batch.
    fn take_losses(&mut self, pass: &Pass<'_, T, Y>, rows: Range<usize>, batch: &WholeBatch<T, Y>) {
        let Self { dy, outputs, losses, .. } = self;
        let count = rows.len();
        losses.reserve(count);
        losses[..count].copy_from_slice(&batch.losses()[rows.clone()]);
        if pass.mode != Mode::Eval {
            dy.reserve(count * *outputs);
            dy[..count * *outputs].copy_from_slice(batch.gradient(rows));
        }
    }

    /// What is left of a pass after the forward passes of all shards: the losses and the backward pass.
    pub(crate) fn finish(&mut self, pass: &Pass<'_, T, Y>, rows: Range<usize>, losses: Losses<'_, T, Y>) {
        match losses {
            Losses::OfRows { scale } => self.compute_losses(pass, scale),
            Losses::OfBatch(batch) => self.take_losses(pass, rows, batch),
        }
        self.backward(pass);
    }

    /// The backward pass, in training.
    fn backward(&mut self, pass: &Pass<'_, T, Y>) {
        let _flush = FlushDenormals::new();
        let count = self.targets.len();
        if count == 0 || pass.mode == Mode::Eval {
            return;
        }
        let Self { cache, grads, x, input, zero, y, dy, inputs, outputs, .. } = self;
        let x = match input {
            Input::Samples | Input::UsedColumns => x.matrix(count, *inputs),
            Input::Product | Input::Sparse => broadcast(zero, count, *inputs),
        };
        pass.layers.backward(Backward {
            params: Params::new(pass.params),
            grads: Grads::fresh(grads).deferred(pass.deferred).sparse(pass.sparse),
            x,
            y: y.matrix(count, *outputs),
            dy: dy.matrix(count, *outputs),
            dx: None,
            cache,
            share: T::of(count as f64) / T::of(pass.samples.len() as f64),
        });
    }
}

fn largest<T: Real>(values: &[T]) -> f64 {
    vector::largest(values).as_f64()
}

fn largest_of<T: Real>(values: ArrayView2<'_, T>) -> f64 {
    match values.as_slice() {
        Some(values) => largest(values),
        None => values.iter().map(|value| value.abs().as_f64()).fold(0.0, vector::larger_or_nan),
    }
}

/// One number as a whole matrix, for a batch whose values are not read.
fn broadcast<T: Real>(number: &[T; 1], rows: usize, columns: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((rows, columns).strides((0, 0)), number).expect("every index is the first")
}
