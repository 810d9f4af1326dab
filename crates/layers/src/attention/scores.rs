//! The heart of attention: who looks at whom, and what is seen.

use std::ops::Range;

use chainrule_core::Mode;
use chainrule_tensor::{Buffer, Real, Seed, gemm, vector};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::steps::{is_padding, products};

/// How many queries are handled at a time: their scores stay in a core's cache between the products and the softmax, and
/// causal attention leaves out what lies behind the last of them.
const BLOCK: usize = 64;

/// `O = softmax(scale Q Kᵀ + bias) V` for each sample and head (Vaswani et al. 2017, equation 1).
///
/// Queries `Q` are `[rows * steps, heads * size]`, keys `K` are `[rows * keys, groups * size]`, values `V` are
/// `[rows * keys, groups * value_size]`, and as many heads share a group as there are more of them (Ainslie et al. 2023,
/// "GQA"). The scores of what must not be seen are -∞; a query that sees nothing gets zeros.
///
/// Backward, with the weights `A` of the softmax, of which dropout makes `A'`:
///
/// ```text
/// dV = A'ᵀ dO      dA' = dO Vᵀ      dSᵢⱼ = Aᵢⱼ (dAᵢⱼ - Σₗ Aᵢₗ dAᵢₗ)      dQ = scale dS K      dK = scale dSᵀ Q
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scores {
    pub(super) steps: usize,
    pub(super) keys: usize,
    pub(super) heads: usize,
    pub(super) groups: usize,
    pub(super) size: usize,
    pub(super) value_size: usize,
    pub(super) scale: f64,
    /// Query `i` sees the keys up to `i`.
    pub(super) causal: bool,
    /// Nobody sees keys that are padding.
    pub(super) masked: bool,
    /// Far keys are seen less (Press et al. 2022): `bias = -slope |i - j|`.
    pub(super) alibi: bool,
    /// The probability with which a weight is set to 0 in training.
    pub(super) dropout: f64,
}

/// What attention remembers, and works in.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen<T: Real> {
    /// The weights, `[rows, heads, steps * keys]`: of each block of queries, from where it would begin on, those of the keys
    /// that some of them see, `[queries, reach]`.
    weights: Buffer<T>,
    /// 0 for a key, -∞ for padding: `[rows, keys]`.
    mask: Buffer<T>,
    /// `|i - j|` for `j - i` from `1 - steps` on.
    distances: Buffer<T>,
    /// The seed and the first row of the last pass, if it dropped weights.
    dropped: Option<(Seed, usize)>,
    /// The weights of a block of queries after dropout, and the gradient of their scores.
    thinned: Buffer<T>,
    gradient: Buffer<T>,
}

/// Where each head finds its queries, keys and values.
#[derive(Clone, Copy)]
pub(super) struct Projections<'a, T> {
    pub(super) queries: ArrayView2<'a, T>,
    pub(super) keys: ArrayView2<'a, T>,
    pub(super) values: ArrayView2<'a, T>,
}

/// The gradients of [`Projections`], to be overwritten.
pub(super) struct Gradients<'a, T> {
    pub(super) queries: ArrayViewMut2<'a, T>,
    pub(super) keys: ArrayViewMut2<'a, T>,
    pub(super) values: ArrayViewMut2<'a, T>,
}

/// The rows and columns that are of one sample and one head.
struct Place {
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

/// `slope` of ALiBi: 2⁻⁸ᐟⁿ to the powers 1 to n for n heads, if that is a power of two; else those for the power of two
/// below, and then every other one of those for the power above.
fn slope(head: usize, heads: usize) -> f64 {
    let below = 1usize << heads.ilog2();
    match head.checked_sub(below) {
        None => (-8.0 * (head + 1) as f64 / below as f64).exp2(),
        Some(more) => (-4.0 * (2 * more + 1) as f64 / below as f64).exp2(),
    }
}

impl Scores {
    /// How many values a sample takes in [`Seen`].
    pub(super) fn memory(&self) -> usize {
        self.heads.saturating_mul(self.steps).saturating_mul(self.keys).saturating_add(self.keys)
    }

    /// The operations of the products, for one sample.
    pub(super) fn flops(&self) -> u64 {
        products([2, self.heads, self.steps, self.keys, self.size.saturating_add(self.value_size)])
    }

    /// Makes room, and finds out what is masked and whether weights are dropped.
    fn prepare<T: Real>(&self, rows: usize, memory: ArrayView2<'_, T>, seen: &mut Seen<T>, mode: Mode) {
        let Self { steps, keys, heads, .. } = *self;
        let Seen { weights, mask, distances, dropped, thinned, gradient, .. } = seen;
        weights.reserve(rows * heads * steps * keys);
        gradient.reserve(BLOCK.min(steps) * keys);
        *dropped = match mode {
            Mode::Train { seed, first_row } if self.dropout > 0.0 => Some((seed, first_row)),
            _ => None,
        };
        if dropped.is_some() {
            thinned.reserve(BLOCK.min(steps) * keys);
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

    /// Every head of every sample, in the order in which their weights lie in memory.
    fn places(self, rows: usize) -> impl Iterator<Item = Place> {
        let Self { steps, keys, heads, groups, size, value_size, .. } = self;
        let part = |index: usize, size: usize| index * size..(index + 1) * size;
        (0..rows * heads).map(move |index| {
            let (sample, head) = (index / heads, index % heads);
            let group = head / (heads / groups);
            Place {
                sample,
                head,
                queries: part(sample, steps),
                keys: part(sample, keys),
                query: part(head, size),
                key: part(group, size),
                value: part(group, value_size),
                output: part(head, value_size),
            }
        })
    }

    /// The queries of each block, and how many keys some of them see.
    fn blocks(self) -> impl Iterator<Item = (Range<usize>, usize)> {
        (0..self.steps).step_by(BLOCK).map(move |start| {
            let end = self.steps.min(start + BLOCK);
            (start..end, self.reach(end - 1))
        })
    }

    /// How many keys a query sees.
    fn reach(&self, step: usize) -> usize {
        if self.causal { self.keys.min(step + 1) } else { self.keys }
    }

    /// Overwrites `o`, `[rows * steps, heads * value_size]`. Padding is what is all 0 in `memory`, `[rows * keys, any]`.
    pub(super) fn forward<T: Real>(
        &self,
        inputs: Projections<'_, T>,
        memory: ArrayView2<'_, T>,
        mut o: ArrayViewMut2<'_, T>,
        seen: &mut Seen<T>,
        mode: Mode,
    ) {
        let rows = o.nrows() / self.steps;
        self.prepare(rows, memory, seen, mode);
        let Seen { weights, mask, distances, dropped, thinned, .. } = seen;
        let weights = weights.chunks_exact_mut(self.steps * self.keys);
        for (place, weights) in self.places(rows).zip(weights) {
            let [q, k, v] = place.of(inputs);
            let mut o = o.slice_mut(s![place.queries.clone(), place.output.clone()]);
            let mask = self.masked.then(|| &mask[place.keys.clone()]);
            for (block, reach) in self.blocks() {
                let a = &mut weights[block.start * self.keys..][..block.len() * reach];
                let (k, v) = (k.slice(s![..reach, ..]), v.slice(s![..reach, ..]));
                let scores = ArrayViewMut2::from_shape((block.len(), reach), &mut *a).expect("just as many");
                gemm(T::one(), q.slice(s![block.clone(), ..]), k.t(), T::zero(), scores); //    S = Q Kᵀ
                let scale = T::of(self.scale);
                vector::apply_slice(
                    a,
                    #[inline(always)]
                    |score| scale * score,
                );
                self.hide(&place, block.clone(), mask, distances, a);
                vector::softmax(a, reach); //                                                   A = softmax(scale S)
                self.blind(block.clone(), mask, a);
                if let Some(dropped) = *dropped {
                    let thinned = &mut thinned[..a.len()];
                    let factors = self.factors();
                    vector::map_random(
                        place.seed(dropped, &block),
                        [a],
                        thinned,
                        #[inline(always)]
                        |[[a], [b]], bits| {
                            let [f, g]: [T; 2] = decide(factors, bits);
                            [f * a, g * b]
                        },
                    );
                }
                let a = if dropped.is_some() { &thinned[..a.len()] } else { a };
                let a = ArrayView2::from_shape((block.len(), reach), a).expect("just as many");
                gemm(T::one(), a, v, T::zero(), o.slice_mut(s![block, ..])); //                 O = A' V
            }
        }
    }

    /// Adds to the scores of a block what is known of the distances, and -∞ where a query does not see a key.
    fn hide<T: Real>(
        &self,
        place: &Place,
        block: Range<usize>,
        mask: Option<&[T]>,
        distances: &[T],
        scores: &mut [T],
    ) {
        if !(self.causal || self.masked || self.alibi) {
            return;
        }
        let (reach, slope) = (scores.len() / block.len(), T::of(slope(place.head, self.heads)));
        for (step, scores) in block.zip(scores.chunks_exact_mut(reach)) {
            let (scores, hidden) = scores.split_at_mut(self.reach(step));
            hidden.fill(T::neg_infinity());
            if self.alibi {
                vector::update(
                    scores,
                    &distances[self.steps - 1 - step..],
                    [],
                    #[inline(always)]
                    |score, distance, []| (score - slope * distance, []),
                );
            }
            if let Some(mask) = mask {
                vector::update(
                    scores,
                    mask,
                    [],
                    #[inline(always)]
                    |score, mask, []| (score + mask, []),
                );
            }
        }
    }

    /// Sets the weights of the queries of a block to 0 that see padding alone.
    fn blind<T: Real>(&self, block: Range<usize>, mask: Option<&[T]>, a: &mut [T]) {
        let Some(mask) = mask else { return };
        let (reach, first) = (a.len() / block.len(), mask.iter().position(|&mask| mask == T::zero()));
        for (step, a) in block.zip(a.chunks_exact_mut(reach)) {
            if first.is_none_or(|first| first >= self.reach(step)) {
                a.fill(T::zero());
            }
        }
    }

    /// Below how many of 2³² a random number drops a weight, and what the other weights are multiplied by.
    fn factors<T: Real>(&self) -> (u32, T) {
        ((self.dropout * 2f64.powi(32)) as u32, T::of(1.0 / (1.0 - self.dropout)))
    }

    /// Overwrites the gradients of what [`forward`](Self::forward) was given, from those of its output.
    pub(super) fn backward<T: Real>(
        &self,
        inputs: Projections<'_, T>,
        d_o: ArrayView2<'_, T>,
        gradients: Gradients<'_, T>,
        seen: &mut Seen<T>,
    ) {
        let Seen { weights, dropped, thinned, gradient, .. } = seen;
        let Gradients { queries: mut dq, keys: mut dk, values: mut dv } = gradients;
        // Blocks and heads of a group add to these.
        dk.fill(T::zero());
        dv.fill(T::zero());
        let weights = weights.chunks_exact(self.steps * self.keys);
        for (place, weights) in self.places(d_o.nrows() / self.steps).zip(weights) {
            let [q, k, v] = place.of(inputs);
            let Place { queries, keys, query, key, value, output, .. } = &place;
            let d_o = d_o.slice(s![queries.clone(), output.clone()]);
            let mut dq = dq.slice_mut(s![queries.clone(), query.clone()]);
            let mut dk = dk.slice_mut(s![keys.clone(), key.clone()]);
            let mut dv = dv.slice_mut(s![keys.clone(), value.clone()]);
            for (block, reach) in self.blocks() {
                let size = block.len() * reach;
                let matrix =
                    |values| ArrayView2::from_shape((block.len(), reach), values).expect("just as many");
                let (k, v) = (k.slice(s![..reach, ..]), v.slice(s![..reach, ..]));
                let (q, d_o) = (q.slice(s![block.clone(), ..]), d_o.slice(s![block.clone(), ..]));
                let (dk, dv) = (dk.slice_mut(s![..reach, ..]), dv.slice_mut(s![..reach, ..]));
                let (a, da) = (&weights[block.start * self.keys..][..size], &mut gradient[..size]);
                let to = ArrayViewMut2::from_shape((block.len(), reach), &mut *da).expect("just as many");
                gemm(T::one(), d_o, v.t(), T::zero(), to); //                                   dA' = dO Vᵀ
                if let Some(dropped) = *dropped {
                    let thinned = &mut thinned[..size];
                    let factors = self.factors();
                    vector::map_random(
                        place.seed(dropped, &block),
                        [],
                        thinned,
                        #[inline(always)]
                        |_, bits| decide(factors, bits),
                    );
                    multiply(thinned, da);
                    multiply(a, thinned);
                }
                let thinned = if dropped.is_some() { &thinned[..size] } else { a };
                gemm(T::one(), matrix(thinned).t(), d_o, T::one(), dv); //                      dV += A'ᵀ dO
                vector::softmax_gradient(a, da, reach); //                                      dS = A (dA - Σ A dA)
                let scale = T::of(self.scale);
                vector::apply_slice(
                    da,
                    #[inline(always)]
                    |score| scale * score,
                );
                let ds = matrix(da);
                gemm(T::one(), ds, k, T::zero(), dq.slice_mut(s![block, ..])); //               dQ = scale dS K
                gemm(T::one(), ds.t(), q, T::one(), dk); //                                     dK += scale dSᵀ Q
            }
        }
    }
}

/// The factors of two weights, by 32 of the bits each: 0 below the threshold.
#[inline(always)]
fn decide<T: Real>((threshold, kept): (u32, T), bits: u64) -> [T; 2] {
    [bits as u32, (bits >> 32) as u32].map(
        #[inline(always)]
        |bits| if bits < threshold { T::zero() } else { kept },
    )
}

/// `values = factors values`.
fn multiply<T: Real>(factors: &[T], values: &mut [T]) {
    vector::update(
        values,
        factors,
        [],
        #[inline(always)]
        |value, factor, []| (factor * value, []),
    );
}

impl Place {
    /// What a block draws from in a pass with this seed and first row.
    fn seed(&self, (seed, first_row): (Seed, usize), block: &Range<usize>) -> Seed {
        let parts = [first_row + self.sample, self.head, block.start];
        parts.into_iter().fold(seed, |seed, part| seed.child(part as u64))
    }

    /// The queries, keys and values.
    fn of<'a, T: Real>(
        &self,
        Projections { queries, keys, values }: Projections<'a, T>,
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
        let slopes = |heads| (0..heads).map(|head| slope(head, heads)).collect::<Vec<_>>();
        assert_eq!(slopes(1), [1.0 / 256.0]);
        assert_eq!(slopes(8), [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625]);
        // The four of 4 heads, and the first and third of 8.
        assert_eq!(slopes(6), [0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125]);
    }
}
