//! The heart of attention: who looks at whom, and what is seen.

use std::ops::Range;

use chainrule_layer::Mode;
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
///
/// where `Σₗ Aᵢₗ dAᵢₗ = Σₗ A'ᵢₗ dA'ᵢₗ = Oᵢ · dOᵢ` (Dao et al. 2022, "FlashAttention", appendix B), a sum over
/// `value_size` instead of `keys`.
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
    /// The weights, `[rows, heads, steps, keys]`; behind the last key that a block of queries sees they are not set.
    weights: Buffer<T>,
    /// 0 for a key, -∞ for padding: `[rows, keys]`.
    mask: Buffer<T>,
    /// `-|i - j|` for `j - i` from `1 - steps` on.
    distances: Buffer<T>,
    /// The seed and the first row of the last pass, if it dropped weights.
    dropped: Option<(Seed, usize)>,
    /// The weights of a block of queries after dropout, and the gradient of their scores.
    thinned: Buffer<T>,
    gradient: Buffer<T>,
    /// `O dO`, value by value.
    products: Buffer<T>,
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
        let Self { steps, keys, heads, value_size, .. } = *self;
        heads.saturating_mul(steps).saturating_mul(keys.saturating_add(value_size)).saturating_add(keys)
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
                *distance = -T::of(index.abs_diff(steps - 1) as f64);
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
            let mut weights =
                ArrayViewMut2::from_shape((self.steps, self.keys), weights).expect("just as many");
            let [q, k, v] = place.of(inputs);
            let mut o = o.slice_mut(s![place.queries.clone(), place.output.clone()]);
            let mask = self.masked.then(|| &mask[place.keys.clone()]);
            let slope = self.alibi.then(|| T::of(slope(place.head, self.heads) / self.scale));
            for (block, reach) in self.blocks() {
                let (q, k, v) =
                    (q.slice(s![block.clone(), ..]), k.slice(s![..reach, ..]), v.slice(s![..reach, ..]));
                let mut a = weights.slice_mut(s![block.clone(), ..reach]);
                gemm(T::one(), q, k.t(), T::zero(), a.view_mut()); //                       S = Q Kᵀ
                for (step, a) in block.clone().zip(a.rows_mut()) {
                    let a = a.into_slice().expect("the weights of a query lie side by side");
                    let (a, hidden) = a.split_at_mut(self.reach(step));
                    hidden.fill(T::zero());
                    if let Some(slope) = slope {
                        add(slope, &distances[self.steps - 1 - step..], a);
                    }
                    if let Some(mask) = mask {
                        add(T::one(), mask, a);
                    }
                    softmax(T::of(self.scale), a); //                                       A = softmax(scale S)
                }
                let o = o.slice_mut(s![block.clone(), ..]);
                let Some(dropped) = *dropped else {
                    gemm(T::one(), a.view(), v, T::zero(), o); //                           O = A V
                    continue;
                };
                let mut thinned = thinned.matrix_mut(block.len(), reach);
                self.drop_out(dropped, &place, block.start, thinned.dim(), |at, factor: T| {
                    thinned[at] = factor * a[at];
                });
                gemm(T::one(), thinned.view(), v, T::zero(), o); //                         O = A' V
            }
        }
    }

    /// Hands the factor of each weight of a block to `each`: 0 where it is dropped.
    fn drop_out<T: Real>(
        &self,
        (seed, first_row): (Seed, usize),
        place: &Place,
        first_step: usize,
        (steps, keys): (usize, usize),
        mut each: impl FnMut([usize; 2], T),
    ) {
        // As in the layer of that name: 64 random bits below p 2⁶⁴ drop the value.
        let (threshold, kept) = ((self.dropout * 2f64.powi(64)) as u64, T::of(1.0 / (1.0 - self.dropout)));
        let seed = seed.child((first_row + place.sample) as u64).child(place.head as u64);
        for step in 0..steps {
            for key in 0..keys {
                let bits = seed.bits(((first_step + step) * self.keys + key) as u64);
                each([step, key], if bits < threshold { T::zero() } else { kept });
            }
        }
    }

    /// Overwrites the gradients of what [`forward`](Self::forward) was given, from those of its output.
    pub(super) fn backward<T: Real>(
        &self,
        inputs: Projections<'_, T>,
        o: ArrayView2<'_, T>,
        d_o: ArrayView2<'_, T>,
        gradients: Gradients<'_, T>,
        seen: &mut Seen<T>,
    ) {
        let (rows, scale) = (o.nrows() / self.steps, T::of(self.scale));
        let Seen { weights, dropped, thinned, gradient, products, .. } = seen;
        let Gradients { queries: mut dq, keys: mut dk, values: mut dv } = gradients;
        products.reserve(o.len());
        vector::map2(
            o,
            d_o,
            products.matrix_mut(o.nrows(), o.ncols()),
            #[inline(always)]
            |o, d_o| o * d_o,
        );
        // Blocks and heads of a group add to these.
        dk.fill(T::zero());
        dv.fill(T::zero());
        let weights = weights.chunks_exact(self.steps * self.keys);
        for (place, weights) in self.places(rows).zip(weights) {
            let weights = ArrayView2::from_shape((self.steps, self.keys), weights).expect("just as many");
            let [q, k, v] = place.of(inputs);
            let Place { queries, keys, query, key, value, output, head, .. } = &place;
            let d_o = d_o.slice(s![queries.clone(), output.clone()]);
            let mut dq = dq.slice_mut(s![queries.clone(), query.clone()]);
            let mut dk = dk.slice_mut(s![keys.clone(), key.clone()]);
            let mut dv = dv.slice_mut(s![keys.clone(), value.clone()]);
            for (block, reach) in self.blocks() {
                let (q, k, v) =
                    (q.slice(s![block.clone(), ..]), k.slice(s![..reach, ..]), v.slice(s![..reach, ..]));
                let (a, d_o) = (weights.slice(s![block.clone(), ..reach]), d_o.slice(s![block.clone(), ..]));
                let (dk, dv) = (dk.slice_mut(s![..reach, ..]), dv.slice_mut(s![..reach, ..]));
                let mut da = gradient.matrix_mut(block.len(), reach);
                gemm(T::one(), d_o, v.t(), T::zero(), da.view_mut()); //                    dA' = dO Vᵀ
                match *dropped {
                    None => gemm(T::one(), a.t(), d_o, T::one(), dv), //                    dV += Aᵀ dO
                    Some(dropped) => {
                        let mut thinned = thinned.matrix_mut(block.len(), reach);
                        self.drop_out(dropped, &place, block.start, thinned.dim(), |at, factor: T| {
                            thinned[at] = factor * a[at];
                            da[at] *= factor;
                        });
                        gemm(T::one(), thinned.t(), d_o, T::one(), dv); //                  dV += A'ᵀ dO
                    }
                }
                for ((step, a), da) in block.clone().zip(a.rows()).zip(da.rows_mut()) {
                    let start = ((queries.start + step) * self.heads + head) * self.value_size;
                    let mean = vector::sum(&products[start..start + self.value_size]);
                    vector::update(
                        da.into_slice().expect("packed"),
                        a.to_slice().expect("the weights of a query lie side by side"),
                        [],
                        #[inline(always)]
                        |da, a, []| (scale * (a * (da - mean)), []), //                     dS = A (dA - O·dO)
                    );
                }
                gemm(T::one(), da.view(), k, T::zero(), dq.slice_mut(s![block, ..])); //    dQ = scale dS K
                gemm(T::one(), da.t(), q, T::one(), dk); //                                 dK += scale dSᵀ Q
            }
        }
    }
}

impl Place {
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

/// `scores += factor bias`.
fn add<T: Real>(factor: T, bias: &[T], scores: &mut [T]) {
    vector::update(
        scores,
        bias,
        [],
        #[inline(always)]
        |score, bias, []| (score + factor * bias, []),
    );
}

/// `exp(scale sᵢ) / Σⱼ exp(scale sⱼ)`, from the differences to the greatest, so that nothing overflows; zeros if all
/// scores are -∞.
fn softmax<T: Real>(scale: T, scores: &mut [T]) {
    let max = vector::max(scores);
    if max == T::neg_infinity() {
        return scores.fill(T::zero());
    }
    let scores = &mut ArrayViewMut2::from_shape((1, scores.len()), scores).expect("one row");
    vector::apply(
        scores.view_mut(),
        #[inline(always)]
        |score| (scale * (score - max)).fast_exp(),
    );
    let factor = vector::sum(scores.as_slice().expect("one row")).recip();
    vector::apply(
        scores.view_mut(),
        #[inline(always)]
        |score| score * factor,
    );
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

    #[test]
    fn extreme_scores() {
        let soft = |scores: &[f32]| {
            let mut scores = scores.to_vec();
            softmax(0.5, &mut scores);
            scores
        };
        let minus = f32::NEG_INFINITY;
        assert_eq!(soft(&[minus, minus]), [0.0, 0.0]);
        assert_eq!(soft(&[minus, 3.0, minus]), [0.0, 1.0, 0.0]);
        assert_eq!(soft(&[1e38, 1e38]), [0.5, 0.5]);
        assert_eq!(soft(&[-1e38, 1e38, 0.0]), [0.0, 1.0, 0.0]);
        assert!(soft(&[f32::NAN, 0.0]).iter().all(|a| a.is_nan()));
    }
}
