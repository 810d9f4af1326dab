//! Scaled dot-product attention of several heads, without the projections.

use std::ops::Range;

use chainrule_core::{Mode, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Seed, Shape, each, gemm, map_random, vector};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::sequences::{is_padding, operations};

/// The number of queries per block: the scores of a block stay in the CPU's cache between the products and the softmax, and causal
/// attention skips the keys after the last query of a block.
const BLOCK: usize = 64;

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
    /// attends to, `[queries, reach]`, at the start of its rows.
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
}

/// The queries, keys and values of all heads.
#[derive(Clone, Copy)]
pub(super) struct QueryKeyValue<'a, T> {
    pub(super) queries: ArrayView2<'a, T>,
    pub(super) keys: ArrayView2<'a, T>,
    pub(super) values: ArrayView2<'a, T>,
}

/// The gradients of [`QueryKeyValue`], which are overwritten.
pub(super) struct QueryKeyValueGrads<'a, T> {
    pub(super) queries: ArrayViewMut2<'a, T>,
    pub(super) keys: ArrayViewMut2<'a, T>,
    pub(super) values: ArrayViewMut2<'a, T>,
}

/// The rows and columns of one sample and one head.
struct HeadRanges {
    sample: usize,
    head: usize,
    /// The rows of the sample's queries and outputs, and of its keys and values.
    queries: Range<usize>,
    keys: Range<usize>,
    /// The columns of the head's queries, of its group's keys and values, and of the head's output.
    query: Range<usize>,
    key: Range<usize>,
    value: Range<usize>,
    output: Range<usize>,
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

    /// Every head of every sample, in the order of their weights in memory.
    fn heads(self, rows: usize) -> impl Iterator<Item = HeadRanges> {
        let Self { steps, keys, heads, groups, size, value_size, .. } = self;
        let range = |index: usize, size: usize| index * size..(index + 1) * size;
        (0..rows * heads).map(move |index| {
            let sample = index / heads;
            let head = index % heads;
            let group = head / (heads / groups);
            HeadRanges {
                sample,
                head,
                queries: range(sample, steps),
                keys: range(sample, keys),
                query: range(head, size),
                key: range(group, size),
                value: range(group, value_size),
                output: range(head, value_size),
            }
        })
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
        let rows = o.nrows() / self.steps;
        self.prepare(rows, memory, state, mode);
        let AttentionState { weights, mask, distances, dropped, dropped_weights, .. } = state;
        let weights = weights.chunks_exact_mut(self.steps * self.keys);
        for (ranges, weights) in self.heads(rows).zip(weights) {
            let [q, k, v] = ranges.of(inputs);
            let mut o = o.slice_mut(s![ranges.queries.clone(), ranges.output.clone()]);
            let mask = self.masked.then(|| &mask[ranges.keys.clone()]);
            for (block, reach) in self.blocks() {
                let a = &mut weights[block.start * self.keys..][..block.len() * reach];
                let k = k.slice(s![..reach, ..]);
                let v = v.slice(s![..reach, ..]);
                let scores =
                    ArrayViewMut2::from_shape((block.len(), reach), &mut *a).expect("the size of the block");
                gemm(T::one(), q.slice(s![block.clone(), ..]), k.t(), T::zero(), scores); //    S = Q Kᵀ
                let scale = T::of(self.scale);
                each!(a = scale * a);
                self.apply_mask(&ranges, block.clone(), mask, distances, a);
                vector::softmax(a, reach); //                                                   A = softmax(scale S)
                self.zero_masked_rows(block.clone(), mask, a);
                if let Some(dropped) = *dropped {
                    let dropped_weights = &mut dropped_weights[..a.len()];
                    let factors = self.factors();
                    map_random!(
                        ranges.seed(dropped, &block),
                        dropped_weights = |[p, q]: a, bits| {
                            let [f, g]: [T; 2] = dropout_factors(factors, bits);
                            [f * p, g * q]
                        }
                    );
                }
                let a = if dropped.is_some() { &dropped_weights[..a.len()] } else { a };
                let a = ArrayView2::from_shape((block.len(), reach), a).expect("the size of the block");
                gemm(T::one(), a, v, T::zero(), o.slice_mut(s![block, ..])); //                 O = A' V
            }
        }
    }

    /// Adds the biases of ALiBi to the scores of a block, and sets the scores of masked keys to -∞.
    fn apply_mask<T: Real>(
        &self,
        ranges: &HeadRanges,
        block: Range<usize>,
        mask: Option<&[T]>,
        distances: &[T],
        scores: &mut [T],
    ) {
        if !(self.causal || self.masked || self.alibi) {
            return;
        }
        let reach = scores.len() / block.len();
        let slope = T::of(alibi_slope(ranges.head, self.heads));
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
    fn factors<T: Real>(&self) -> (u32, T) {
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
        let AttentionState { weights, dropped, dropped_weights, gradient, .. } = state;
        let QueryKeyValueGrads { queries: mut dq, keys: mut dk, values: mut dv } = gradients;
        // Several blocks, and all heads of a group, add to these.
        dk.fill(T::zero());
        dv.fill(T::zero());
        let weights = weights.chunks_exact(self.steps * self.keys);
        for (ranges, weights) in self.heads(d_o.nrows() / self.steps).zip(weights) {
            let [q, k, v] = ranges.of(inputs);
            let HeadRanges { queries, keys, query, key, value, output, .. } = &ranges;
            let d_o = d_o.slice(s![queries.clone(), output.clone()]);
            let mut dq = dq.slice_mut(s![queries.clone(), query.clone()]);
            let mut dk = dk.slice_mut(s![keys.clone(), key.clone()]);
            let mut dv = dv.slice_mut(s![keys.clone(), value.clone()]);
            for (block, reach) in self.blocks() {
                let size = block.len() * reach;
                let matrix = |values| {
                    ArrayView2::from_shape((block.len(), reach), values).expect("the size of the block")
                };
                let k = k.slice(s![..reach, ..]);
                let v = v.slice(s![..reach, ..]);
                let q = q.slice(s![block.clone(), ..]);
                let d_o = d_o.slice(s![block.clone(), ..]);
                let dk = dk.slice_mut(s![..reach, ..]);
                let dv = dv.slice_mut(s![..reach, ..]);
                let a = &weights[block.start * self.keys..][..size];
                let da = &mut gradient[..size];
                let to =
                    ArrayViewMut2::from_shape((block.len(), reach), &mut *da).expect("the size of the block");
                gemm(T::one(), d_o, v.t(), T::zero(), to); //                                   dA' = dO Vᵀ
                if let Some(dropped) = *dropped {
                    let dropped_weights = &mut dropped_weights[..size];
                    let factors = self.factors();
                    let seed = ranges.seed(dropped, &block);
                    map_random!(seed, dropped_weights = |bits| dropout_factors(factors, bits));
                    multiply(dropped_weights, da);
                    multiply(a, dropped_weights);
                }
                let dropped_weights = if dropped.is_some() { &dropped_weights[..size] } else { a };
                gemm(T::one(), matrix(dropped_weights).t(), d_o, T::one(), dv); //                      dV += A'ᵀ dO
                vector::softmax_gradient(a, da, reach); //                                      dS = A (dA - Σ A dA)
                let scale = T::of(self.scale);
                each!(da = scale * da);
                let ds = matrix(da);
                gemm(T::one(), ds, k, T::zero(), dq.slice_mut(s![block, ..])); //               dQ = scale dS K
                gemm(T::one(), ds.t(), q, T::one(), dk); //                                     dK += scale dSᵀ Q
            }
        }
    }
}

/// The dropout factors of two weights, from 32 of the bits each: 0 below the threshold.
#[inline(always)]
fn dropout_factors<T: Real>((threshold, kept): (u32, T), bits: u64) -> [T; 2] {
    [bits as u32, (bits >> 32) as u32].map(
        #[inline(always)]
        |bits| if bits < threshold { T::zero() } else { kept },
    )
}

/// `values = factors values`.
fn multiply<T: Real>(factors: &[T], values: &mut [T]) {
    each!(values = |factor: factors| factor * values);
}

impl HeadRanges {
    /// The seed of the dropout of a block in a pass with this seed and first row.
    fn seed(&self, (seed, first_row): (Seed, usize), block: &Range<usize>) -> Seed {
        let indices = [first_row + self.sample, self.head, block.start];
        indices.into_iter().fold(seed, |seed, index| seed.child(index as u64))
    }

    /// The queries, keys and values.
    fn of<'a, T: Real>(
        &self,
        QueryKeyValue { queries, keys, values }: QueryKeyValue<'a, T>,
    ) -> [ArrayView2<'a, T>; 3] {
        [
            queries.slice_move(s![self.queries.clone(), self.query.clone()]),
            keys.slice_move(s![self.keys.clone(), self.key.clone()]),
            values.slice_move(s![self.keys.clone(), self.value.clone()]),
        ]
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
