//! Scaled dot-product attention of several heads, without the projections.

use std::ops::Range;

use chainrule_core::{Mode, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Seed, Shape, each, gemm, map_random, vector};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::interleaved_pass::{InterleavedPass, InterleavedScratch};
use super::sequences::{is_padding, operations};

/// The number of queries per block: the scores of a block stay in the CPU's cache between the products and the softmax, and causal
/// attention skips the keys after the last query of a block.
pub(super) const BLOCK: usize = 64;

/// `O = softmax(scale Q Kᵀ + bias) V` for each sample and head (Vaswani et al. 2017, equation 1).
///
/// Queries `Q` are `[rows * steps, heads * size]`, keys `K` are `[rows * keys, groups * size]`, values `V` are
/// `[rows * keys, groups * value_size]`, and `heads / groups` heads share a group (Ainslie et al. 2023, "GQA"). The scores of
/// masked keys are -∞; the output for a query whose keys are all masked is 0.
///
/// Backward, with the weights `A` of the softmax, of which dropout makes `A'`:
///
/// ```text
/// dV = A'ᵀ dO      dA' = dO Vᵀ      dSᵢⱼ = Aᵢⱼ (dAᵢⱼ - Σₗ Aᵢₗ dAᵢₗ)      dQ = scale dS K      dK = scale dSᵀ Q
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttentionCore {
    pub(super) steps: usize,
    pub(super) keys: usize,
    pub(super) heads: usize,
    pub(super) groups: usize,
    pub(super) size: usize,
    pub(super) value_size: usize,
    pub(super) scale: f64,
    /// Query `i` attends to the keys up to `i`.
    pub(super) causal: bool,
    /// Keys that are padding are masked.
    pub(super) masked: bool,
    /// Distant keys get lower scores (Press et al. 2022): `bias = -slope |i - j|`.
    pub(super) alibi: bool,
    /// The probability that a weight is set to 0 in training.
    pub(super) dropout: f64,
}

/// What [`AttentionCore`] keeps for the backward pass, and its scratch space.
#[derive(Clone, Debug, Default)]
pub(super) struct AttentionState<T: Real> {
    /// The weights, `[rows, heads, steps * keys]`: each block of queries has the weights of the keys that at least one of them
    /// attends to, `[queries, reach]`, at the start of its rows. Those of samples that are computed side by side are before them.
    weights: Buffer<T>,
    /// 0 for a key, -∞ for padding, `[rows, keys]`.
    mask: Buffer<T>,
    /// `|i - j|` for `j - i` from `1 - steps` on.
    distances: Buffer<T>,
    /// The seed and the first row of the last pass, if it dropped weights.
    dropped: Option<(Seed, usize)>,
    /// The weights of a block of queries after dropout.
    dropped_weights: Buffer<T>,
    /// The gradient of the scores of a block.
    gradient: Buffer<T>,
    /// For the samples that are computed side by side.
    interleaved: InterleavedScratch<T>,
}

/// The queries, keys and values of all heads.
#[derive(Clone, Copy)]
pub(super) struct QueryKeyValue<'a, T> {
    pub(super) queries: ArrayView2<'a, T>,
    pub(super) keys: ArrayView2<'a, T>,
    pub(super) values: ArrayView2<'a, T>,
}

impl<T> QueryKeyValue<'_, T> {
    /// Those of the samples from this one on.
    fn samples_from(self, sample: usize, core: &AttentionCore) -> Self {
        let Self { queries, keys, values } = self;
        Self {
            queries: rows(queries, sample * core.steps..queries.nrows()),
            keys: rows(keys, sample * core.keys..keys.nrows()),
            values: rows(values, sample * core.keys..values.nrows()),
        }
    }
}

/// The gradients of [`QueryKeyValue`], which are overwritten.
pub(super) struct QueryKeyValueGrads<'a, T> {
    pub(super) queries: ArrayViewMut2<'a, T>,
    pub(super) keys: ArrayViewMut2<'a, T>,
    pub(super) values: ArrayViewMut2<'a, T>,
}

impl<T> QueryKeyValueGrads<'_, T> {
    /// Those of the samples from this one on.
    fn samples_from(self, sample: usize, core: &AttentionCore) -> Self {
        let Self { queries, keys, values } = self;
        Self {
            queries: queries.slice_move(s![sample * core.steps.., ..]),
            keys: keys.slice_move(s![sample * core.keys.., ..]),
            values: values.slice_move(s![sample * core.keys.., ..]),
        }
    }
}

/// One head of one sample.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) sample: usize,
    pub(super) head: usize,
}

/// The slope of ALiBi: 2⁻⁸ᐟⁿ to the powers 1 to n for n heads, if n is a power of two; else the slopes for the next lower power of
/// two, and then every other slope for the next higher one.
fn alibi_slope(head: usize, heads: usize) -> f64 {
    let below = 1usize << heads.ilog2();
    match head.checked_sub(below) {
        None => (-8.0 * (head + 1) as f64 / below as f64).exp2(),
        Some(more) => (-4.0 * (2 * more + 1) as f64 / below as f64).exp2(),
    }
}

impl AttentionCore {
    /// Declares the values per sample in [`AttentionState`], the square of the steps for each head.
    pub(super) fn plan_memory<T: Real>(&self, input: Shape, plan: &mut Plan) -> Result<(), ShapeError> {
        let weights = self.heads.saturating_mul(self.steps).saturating_mul(self.keys);
        let what =
            format!("the attention's {} x {} weights of each of {} heads", self.steps, self.keys, self.heads);
        let help = "choose shorter sequences or fewer heads";
        plan.large_memory::<T>(weights.saturating_add(self.keys), input, &what, help)
    }

    /// The operations of the products, for one sample.
    pub(super) fn flops(&self) -> u64 {
        operations([2, self.heads, self.steps, self.keys, self.size.saturating_add(self.value_size)])
    }

    /// Reserves the buffers, finds the padding and records whether weights are dropped.
    fn prepare<T: Real>(
        &self,
        rows: usize,
        memory: ArrayView2<'_, T>,
        state: &mut AttentionState<T>,
        mode: Mode,
    ) {
        let Self { steps, keys, heads, .. } = *self;
        let AttentionState { weights, mask, distances, dropped, dropped_weights, gradient, .. } = state;
        weights.reserve(rows * heads * steps * keys);
        gradient.reserve(BLOCK.min(steps) * keys);
        *dropped = match mode {
            Mode::Train { seed, first_row } if self.dropout > 0.0 => Some((seed, first_row)),
            _ => None,
        };
        if dropped.is_some() {
            dropped_weights.reserve(BLOCK.min(steps) * keys);
        }
        if self.masked {
            mask.reserve(rows * keys);
            for (mask, step) in mask.iter_mut().zip(memory.rows()) {
                *mask = if is_padding(step) { T::neg_infinity() } else { T::zero() };
            }
        }
        if self.alibi && distances.is_empty() {
            distances.reserve(steps + keys - 1);
            for (index, distance) in distances.iter_mut().enumerate() {
                *distance = T::of(index.abs_diff(steps - 1) as f64);
            }
        }
    }

    /// Every head of every sample from this one on, in the order of their weights in memory.
    fn heads(self, first_sample: usize) -> impl Iterator<Item = Head> {
        (first_sample * self.heads..)
            .map(move |index| Head { sample: index / self.heads, head: index % self.heads })
    }

    /// The queries of each block, and the number of keys that at least one of them attends to.
    fn blocks(self) -> impl Iterator<Item = (Range<usize>, usize)> {
        (0..self.steps).step_by(BLOCK).map(move |start| {
            let end = self.steps.min(start + BLOCK);
            (start..end, self.reach(end - 1))
        })
    }

    /// The number of keys that a query attends to.
    fn reach(&self, step: usize) -> usize {
        if self.causal { self.keys.min(step + 1) } else { self.keys }
    }

    /// Overwrites `o`, `[rows * steps, heads * value_size]`. Padding is where a row of `memory`, `[rows * keys, any]`, is all 0.
    pub(super) fn forward<T: Real>(
        &self,
        inputs: QueryKeyValue<'_, T>,
        memory: ArrayView2<'_, T>,
        mut o: ArrayViewMut2<'_, T>,
        state: &mut AttentionState<T>,
        mode: Mode,
    ) {
        self.prepare(o.nrows() / self.steps, memory, state, mode);
        let AttentionState { weights, mask, distances, dropped, dropped_weights, interleaved, .. } = state;
        let samples = self.interleaved_samples(o.nrows() / self.steps);
        let (of_samples, weights) = weights.split_at_mut(self.weights_of(samples));
        let pass = InterleavedPass { samples, dropped: *dropped, scratch: interleaved };
        self.forward_interleaved(pass, inputs, o.view_mut(), of_samples);
        let QueryKeyValue { queries, keys, values } = inputs.samples_from(samples.len(), self);
        let mut o = o.slice_move(s![samples.len() * self.steps.., ..]);
        let outputs = o.exact_chunks_mut([self.steps, self.value_size]);
        let queries = queries.exact_chunks([self.steps, self.size]);
        let weights = weights.chunks_exact_mut(self.steps * self.keys);
        let mut heads = self.heads(samples.len()).zip(queries).zip(outputs).zip(weights);
        let keys = keys.exact_chunks([self.keys, self.size]);
        let groups = keys.into_iter().zip(values.exact_chunks([self.keys, self.value_size]));
        for (k, v) in groups {
            for (((head, q), mut o), weights) in heads.by_ref().take(self.heads / self.groups) {
                let mask = self.masked.then(|| &mask[head.sample * self.keys..][..self.keys]);
                for (block, reach) in self.blocks() {
                    let a = &mut weights[block.start * self.keys..][..block.len() * reach];
                    let (k, v) = (rows(k, 0..reach), rows(v, 0..reach));
                    let scores = matrix_mut(a, [block.len(), reach]);
                    gemm(T::one(), rows(q, block.clone()), k.t(), T::zero(), scores); //    S = Q Kᵀ
                    let scale = T::of(self.scale);
                    each!(a = scale * a);
                    self.apply_mask(head, block.clone(), mask, distances, a);
                    vector::softmax(a, reach); //                                           A = softmax(scale S)
                    self.zero_masked_rows(block.clone(), mask, a);
                    if let Some(dropped) = *dropped {
                        let dropped_weights = &mut dropped_weights[..a.len()];
                        let factors = self.factors();
                        map_random!(
                            head.seed(dropped, &block),
                            dropped_weights = |[p, q]: a, bits| {
                                let [f, g]: [T; 2] = dropout_factors(factors, bits);
                                [f * p, g * q]
                            }
                        );
                    }
                    let a = if dropped.is_some() { &dropped_weights[..a.len()] } else { a };
                    let a = matrix(a, [block.len(), reach]);
                    gemm(T::one(), a, v, T::zero(), rows_mut(&mut o, block)); //            O = A' V
                }
            }
        }
    }

    /// Adds the biases of ALiBi to the scores of a block, and sets the scores of masked keys to -∞.
    fn apply_mask<T: Real>(
        &self,
        head: Head,
        block: Range<usize>,
        mask: Option<&[T]>,
        distances: &[T],
        scores: &mut [T],
    ) {
        if !(self.causal || self.masked || self.alibi) {
            return;
        }
        let reach = scores.len() / block.len();
        let slope = T::of(alibi_slope(head.head, self.heads));
        for (step, scores) in block.zip(scores.chunks_exact_mut(reach)) {
            let (scores, masked) = scores.split_at_mut(self.reach(step));
            masked.fill(T::neg_infinity());
            if self.alibi {
                let distances = &distances[self.steps - 1 - step..];
                each!(scores = |distance: distances| scores - slope * distance);
            }
            if let Some(mask) = mask {
                each!(scores = |mask| scores + mask);
            }
        }
    }

    /// Sets the weights of the queries of a block to 0 whose keys are all masked.
    fn zero_masked_rows<T: Real>(&self, block: Range<usize>, mask: Option<&[T]>, a: &mut [T]) {
        let Some(mask) = mask else { return };
        let reach = a.len() / block.len();
        let first = mask.iter().position(|&mask| mask == T::zero());
        for (step, a) in block.zip(a.chunks_exact_mut(reach)) {
            if first.is_none_or(|first| first >= self.reach(step)) {
                a.fill(T::zero());
            }
        }
    }

    /// The threshold below which a random number of 32 bits drops a weight, and the factor of the other weights.
    pub(super) fn factors<T: Real>(&self) -> (u32, T) {
        ((self.dropout * 2f64.powi(32)) as u32, T::of(1.0 / (1.0 - self.dropout)))
    }

    /// Computes the gradients of the inputs of [`forward`](Self::forward) from that of its output.
    pub(super) fn backward<T: Real>(
        &self,
        inputs: QueryKeyValue<'_, T>,
        d_o: ArrayView2<'_, T>,
        gradients: QueryKeyValueGrads<'_, T>,
        state: &mut AttentionState<T>,
    ) {
        let AttentionState { weights, dropped, dropped_weights, gradient, interleaved, .. } = state;
        let samples = self.interleaved_samples(d_o.nrows() / self.steps);
        let (of_samples, weights) = weights.split_at(self.weights_of(samples));
        let mut gradients = gradients;
        let pass = InterleavedPass { samples, dropped: *dropped, scratch: interleaved };
        self.backward_interleaved(pass, inputs, d_o, &mut gradients, of_samples);
        let QueryKeyValue { queries, keys, values } = inputs.samples_from(samples.len(), self);
        let QueryKeyValueGrads { queries: mut dq, keys: mut dk, values: mut dv } =
            gradients.samples_from(samples.len(), self);
        let d_o = rows(d_o, samples.len() * self.steps..d_o.nrows());
        let of_queries = [self.steps, self.size];
        let [of_keys, of_values] = [self.size, self.value_size].map(|size| [self.keys, size]);
        let d_o = d_o.exact_chunks([self.steps, self.value_size]);
        let queries = queries.exact_chunks(of_queries).into_iter().zip(dq.exact_chunks_mut(of_queries));
        let weights = weights.chunks_exact(self.steps * self.keys);
        let mut heads = self.heads(samples.len()).zip(queries).zip(d_o).zip(weights);
        let keys = keys.exact_chunks(of_keys).into_iter().zip(dk.exact_chunks_mut(of_keys));
        let values = values.exact_chunks(of_values).into_iter().zip(dv.exact_chunks_mut(of_values));
        for ((k, mut dk), (v, mut dv)) in keys.zip(values) {
            // The blocks of all heads of the group add to dK and dV. The first overwrites the keys that it reaches.
            let mut old = T::zero();
            for (((head, (q, mut dq)), d_o), weights) in heads.by_ref().take(self.heads / self.groups) {
                for (block, reach) in self.blocks() {
                    let size = block.len() * reach;
                    let shape = [block.len(), reach];
                    let (k, v) = (rows(k, 0..reach), rows(v, 0..reach));
                    let (q, d_o) = (rows(q, block.clone()), rows(d_o, block.clone()));
                    if old == T::zero() && reach < self.keys {
                        for later in [&mut dk, &mut dv] {
                            rows_mut(later, reach..self.keys).fill(T::zero());
                        }
                    }
                    let a = &weights[block.start * self.keys..][..size];
                    let da = &mut gradient[..size];
                    gemm(T::one(), d_o, v.t(), T::zero(), matrix_mut(da, shape)); //        dA' = dO Vᵀ
                    if let Some(dropped) = *dropped {
                        let dropped_weights = &mut dropped_weights[..size];
                        let factors = self.factors();
                        let seed = head.seed(dropped, &block);
                        map_random!(seed, dropped_weights = |bits| dropout_factors(factors, bits));
                        multiply(dropped_weights, da);
                        multiply(a, dropped_weights);
                    }
                    let dropped_weights = if dropped.is_some() { &dropped_weights[..size] } else { a };
                    let dropped_weights = matrix(dropped_weights, shape);
                    gemm(T::one(), dropped_weights.t(), d_o, old, rows_mut(&mut dv, 0..reach)); //  dV += A'ᵀ dO
                    vector::softmax_gradient(a, da, reach); //                              dS = A (dA - Σ A dA)
                    let scale = T::of(self.scale);
                    each!(da = scale * da);
                    let ds = matrix(da, shape);
                    gemm(T::one(), ds, k, T::zero(), rows_mut(&mut dq, block)); //          dQ = scale dS K
                    gemm(T::one(), ds.t(), q, old, rows_mut(&mut dk, 0..reach)); //         dK += scale dSᵀ Q
                    old = T::one();
                }
            }
        }
    }
}

/// A matrix over all of these values.
fn matrix<T>(values: &[T], shape: [usize; 2]) -> ArrayView2<'_, T> {
    ArrayView2::from_shape(shape, values).expect("the values of the block")
}

/// [`matrix`], to be written.
fn matrix_mut<T>(values: &mut [T], shape: [usize; 2]) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape(shape, values).expect("the values of the block")
}

/// Some rows of a matrix. They are all of them for short sequences, for which a slice would take as long as some of the arithmetic.
#[inline]
fn rows<T>(matrix: ArrayView2<'_, T>, rows: Range<usize>) -> ArrayView2<'_, T> {
    if rows == (0..matrix.nrows()) { matrix } else { matrix.slice_move(s![rows, ..]) }
}

/// [`rows`], to be written.
#[inline]
fn rows_mut<'a, T>(matrix: &'a mut ArrayViewMut2<'_, T>, rows: Range<usize>) -> ArrayViewMut2<'a, T> {
    if rows == (0..matrix.nrows()) { matrix.view_mut() } else { matrix.slice_mut(s![rows, ..]) }
}

/// The dropout factors of two weights, from 32 of the bits each: 0 below the threshold.
#[inline(always)]
pub(super) fn dropout_factors<T: Real>((threshold, kept): (u32, T), bits: u64) -> [T; 2] {
    [bits as u32, (bits >> 32) as u32].map(
        #[inline(always)]
        |bits| if bits < threshold { T::zero() } else { kept },
    )
}

/// `values = factors values`.
pub(super) fn multiply<T: Real>(factors: &[T], values: &mut [T]) {
    each!(values = |factor: factors| factor * values);
}

impl Head {
    /// The seed of the dropout of a block in a pass with this seed and first row.
    pub(super) fn seed(&self, (seed, first_row): (Seed, usize), block: &Range<usize>) -> Seed {
        let indices = [first_row + self.sample, self.head, block.start];
        indices.into_iter().fold(seed, |seed, index| seed.child(index as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_of_the_paper() {
        let slopes = |heads| (0..heads).map(|head| alibi_slope(head, heads)).collect::<Vec<_>>();
        assert_eq!(slopes(1), [1.0 / 256.0]);
        assert_eq!(slopes(8), [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625]);
        // The four of 4 heads, and the first and third of 8.
        assert_eq!(slopes(6), [0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125]);
    }
}
