//! [`AttentionCore`] for sixteen samples at a time.
//!
//! The scores of a head are a small matrix, `[steps, keys]`, and its products have few terms. The same head of sixteen samples is
//! computed side by side, each number of them in one lane of a vector: see [`interleaved`]. The result is that of our own products one by
//! one to the last bit, so it does not matter which samples are left.

use chainrule_tensor::interleaved::{self, INTERLEAVED, Interleaved, interleave, separate};
use chainrule_tensor::{Buffer, Real, Seed, vector};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::attention_core::{AttentionCore, BLOCK, Head, dropout_factors, multiply};
use super::attention_core::{QueryKeyValue, QueryKeyValueGrads};
use super::interleaved_pass::{InterleavedPass, InterleavedSamples, InterleavedScratch};

impl AttentionCore {
    /// The samples of a batch of `rows` that are computed side by side.
    pub(super) fn interleaved_samples(&self, rows: usize) -> InterleavedSamples {
        let &Self { steps, keys, size, value_size, causal, masked, alibi, .. } = self;
        // Of few steps or values, the products one by one are those of BLAS; the sums over many are in several chains.
        let has_same_bits = (3..vector::SHORT_ROW.min(BLOCK + 1)).contains(&steps)
            && (3..vector::SHORT_ROW).contains(&keys)
            && [size, value_size].iter().all(|size| (3..vector::SHORT_ROW).contains(size));
        match has_same_bits && !(causal || masked || alibi) && interleaved::is_fast() {
            true => InterleavedSamples(rows / INTERLEAVED * INTERLEAVED),
            false => InterleavedSamples(0),
        }
    }

    /// The number of weights of these samples.
    pub(super) fn weights_of(&self, samples: InterleavedSamples) -> usize {
        samples.len() * self.heads * self.steps * self.keys
    }

    /// The columns of a head or of a group of heads.
    fn columns<'a, T>(
        matrix: ArrayView2<'a, T>,
        [sample, steps]: [usize; 2],
        [head, size]: [usize; 2],
    ) -> ArrayView2<'a, T> {
        matrix.slice_move(s![sample * steps..(sample + INTERLEAVED) * steps, head * size..(head + 1) * size])
    }

    /// [`columns`](Self::columns), to be written.
    fn columns_mut<'a, T>(
        matrix: &'a mut ArrayViewMut2<'_, T>,
        [sample, steps]: [usize; 2],
        [head, size]: [usize; 2],
    ) -> ArrayViewMut2<'a, T> {
        matrix.slice_mut(s![sample * steps..(sample + INTERLEAVED) * steps, head * size..(head + 1) * size])
    }

    /// The seeds of the dropout of a head of the samples from this one on.
    fn seeds(dropped: (Seed, usize), first: usize, head: usize) -> [Seed; INTERLEAVED] {
        std::array::from_fn(|index| Head { sample: first + index, head }.seed(dropped, &(0..1)))
    }

    /// Overwrites the outputs and the weights of these samples.
    pub(super) fn forward_interleaved<T: Real>(
        &self,
        InterleavedPass { samples, dropped, scratch }: InterleavedPass<'_, T>,
        QueryKeyValue { queries, keys, values }: QueryKeyValue<'_, T>,
        mut o: ArrayViewMut2<'_, T>,
        weights: &mut [T],
    ) {
        if samples.len() == 0 {
            return; // It takes no memory then.
        }
        let &Self { steps, keys: key_steps, heads, groups, size, value_size, .. } = self;
        let InterleavedScratch { queries: q, keys: k, values: v, outputs, dropped: of_dropped, .. } = scratch;
        let q = sized(q, [steps, size]);
        let k = sized(k, [key_steps, size]);
        let v = sized(v, [key_steps, value_size]);
        let outputs = sized(outputs, [steps, value_size]);
        let of_dropped = sized(of_dropped, [steps, key_steps]);
        let mut weights = weights.chunks_exact_mut(INTERLEAVED * steps * key_steps);
        for first in samples.groups() {
            for (head, a) in (0..heads).zip(&mut weights) {
                let shared = heads / groups;
                if head % shared == 0 {
                    let group = head / shared;
                    interleave(Self::columns(keys, [first, key_steps], [group, size]), k);
                    interleave(Self::columns(values, [first, key_steps], [group, value_size]), v);
                }
                interleave(Self::columns(queries, [first, steps], [head, size]), q);
                let of_q = Interleaved::new(q, [steps, size]);
                let of_k = Interleaved::new(k, [key_steps, size]);
                interleaved::product(of_q, of_k.t(), false, a); //                      S = Q Kᵀ
                vector::softmax_interleaved(a, key_steps, T::of(self.scale)); //        A = softmax(scale S)
                let a = match dropped {
                    None => &*a,
                    Some(dropped) => {
                        let factors = self.factors();
                        vector::map_random_interleaved(
                            Self::seeds(dropped, first, head),
                            [a],
                            of_dropped,
                            #[inline(always)]
                            move |[[p], [q]], bits| {
                                let [f, g]: [T; 2] = dropout_factors(factors, bits);
                                [f * p, g * q]
                            },
                        );
                        &*of_dropped
                    }
                };
                let of_a = Interleaved::new(a, [steps, key_steps]);
                let of_v = Interleaved::new(v, [key_steps, value_size]);
                interleaved::product(of_a, of_v, false, outputs); //                    O = A' V
                separate(outputs, Self::columns_mut(&mut o, [first, steps], [head, value_size]));
            }
        }
    }

    /// Overwrites the gradients of these samples, from those of their outputs.
    pub(super) fn backward_interleaved<T: Real>(
        &self,
        InterleavedPass { samples, dropped, scratch }: InterleavedPass<'_, T>,
        QueryKeyValue { queries, keys, values }: QueryKeyValue<'_, T>,
        d_o: ArrayView2<'_, T>,
        gradients: &mut QueryKeyValueGrads<'_, T>,
        weights: &[T],
    ) {
        if samples.len() == 0 {
            return;
        }
        let &Self { steps, keys: key_steps, heads, groups, size, value_size, .. } = self;
        let QueryKeyValueGrads { queries: dq, keys: dk, values: dv } = gradients;
        let InterleavedScratch { queries: q, keys: k, values: v, outputs, of_keys, of_values, .. } = scratch;
        let q = sized(q, [steps, size]);
        let k = sized(k, [key_steps, size]);
        let v = sized(v, [key_steps, value_size]);
        let outputs = sized(outputs, [steps, value_size]);
        let of_keys = sized(of_keys, [key_steps, size]);
        let of_values = sized(of_values, [key_steps, value_size]);
        let of_dropped = sized(&mut scratch.dropped, [steps, key_steps]);
        let da = sized(&mut scratch.gradient, [steps, key_steps]);
        let mut weights = weights.chunks_exact(INTERLEAVED * steps * key_steps);
        for first in samples.groups() {
            for (head, a) in (0..heads).zip(&mut weights) {
                let shared = heads / groups;
                let group = head / shared;
                // The heads of a group add to dK and dV; the first overwrites.
                let adds = head % shared > 0;
                if !adds {
                    interleave(Self::columns(keys, [first, key_steps], [group, size]), k);
                    interleave(Self::columns(values, [first, key_steps], [group, value_size]), v);
                }
                interleave(Self::columns(queries, [first, steps], [head, size]), q);
                interleave(Self::columns(d_o, [first, steps], [head, value_size]), outputs);
                let of_d_o = Interleaved::new(outputs, [steps, value_size]);
                let of_v = Interleaved::new(v, [key_steps, value_size]);
                interleaved::product(of_d_o, of_v.t(), false, da); //                   dA' = dO Vᵀ
                let dropped_weights = match dropped {
                    None => a,
                    Some(dropped) => {
                        let factors = self.factors();
                        vector::map_random_interleaved(
                            Self::seeds(dropped, first, head),
                            [],
                            of_dropped,
                            #[inline(always)]
                            move |[[], []], bits| dropout_factors(factors, bits),
                        );
                        multiply(of_dropped, da);
                        multiply(a, of_dropped);
                        &*of_dropped
                    }
                };
                let dropped_weights = Interleaved::new(dropped_weights, [steps, key_steps]);
                interleaved::product(dropped_weights.t(), of_d_o, adds, of_values); //  dV += A'ᵀ dO
                // dS = scale A (dA - Σ A dA)
                vector::softmax_gradient_interleaved(a, da, key_steps, T::of(self.scale));
                let ds = Interleaved::new(da, [steps, key_steps]);
                let of_q = Interleaved::new(q, [steps, size]);
                interleaved::product(ds.t(), of_q, adds, of_keys); //                   dK += dSᵀ Q
                interleaved::product(ds, Interleaved::new(k, [key_steps, size]), false, q); // dQ = dS K
                separate(q, Self::columns_mut(dq, [first, steps], [head, size]));
                if (head + 1) % shared == 0 {
                    separate(of_keys, Self::columns_mut(dk, [first, key_steps], [group, size]));
                    separate(of_values, Self::columns_mut(dv, [first, key_steps], [group, value_size]));
                }
            }
        }
    }
}

/// Memory for sixteen matrices of this shape.
fn sized<T: Real>(buffer: &mut Buffer<T>, [rows, columns]: [usize; 2]) -> &mut [T] {
    let size = INTERLEAVED * rows * columns;
    buffer.reserve(size);
    &mut buffer[..size]
}

#[cfg(test)]
mod tests {
    use super::super::attention_core::AttentionState;
    use super::*;
    use chainrule_core::Mode;
    use chainrule_tensor::PortableProducts;
    use ndarray::Array2;

    /// Outputs and the gradients of queries, keys and values of these samples.
    fn passes<T: Real>(
        core: &AttentionCore,
        inputs: [ArrayView2<'_, T>; 4],
        first_row: usize,
    ) -> [Array2<T>; 4] {
        let [queries, keys, values, d_o] = inputs;
        let inputs = QueryKeyValue { queries, keys, values };
        let mut state = AttentionState::default();
        let mut found = [d_o, queries, keys, values].map(|like| Array2::from_elem(like.dim(), T::nan()));
        let [o, dq, dk, dv] = &mut found;
        let mode = Mode::Train { seed: Seed(3), first_row };
        core.forward(inputs, keys, o.view_mut(), &mut state, mode);
        let gradients =
            QueryKeyValueGrads { queries: dq.view_mut(), keys: dk.view_mut(), values: dv.view_mut() };
        core.backward(inputs, d_o, gradients, &mut state);
        found
    }

    fn check<T: Real>(core: AttentionCore) {
        const SAMPLES: usize = 2 * INTERLEAVED + 3;
        let _portable = PortableProducts::new(true);
        let AttentionCore { steps, keys, heads, groups, size, value_size, .. } = core;
        assert!(!interleaved::is_fast() || core.interleaved_samples(SAMPLES).len() == 2 * INTERLEAVED);
        let mut rng = Seed(1).rng();
        let shapes = [(steps, heads * size), (keys, groups * size), (keys, groups * value_size)];
        let shapes = [shapes[0], shapes[1], shapes[2], (steps, heads * value_size)];
        let all = shapes.map(|(steps, columns)| {
            Array2::from_shape_simple_fn((SAMPLES * steps, columns), || T::of(rng.normal()))
        });
        let found = passes(&core, [&all[0], &all[1], &all[2], &all[3]].map(|matrix| matrix.view()), 5);
        for sample in 0..SAMPLES {
            let rows = |steps: usize| s![sample * steps..(sample + 1) * steps, ..];
            let own = [0, 1, 2, 3].map(|index| all[index].slice(rows(shapes[index].0)));
            let right = passes(&core, own, 5 + sample);
            for (found, right) in found.iter().zip(&right) {
                assert_eq!(found.slice(rows(right.nrows())), right, "{} {core:?}", T::NAME);
            }
        }
    }

    #[test]
    fn samples_side_by_side_have_the_bits_of_each_alone() {
        let core = AttentionCore {
            steps: 17,
            keys: 17,
            heads: 4,
            groups: 4,
            size: 16,
            value_size: 16,
            ..Default::default()
        };
        let core = AttentionCore { scale: 0.25, ..core };
        let shared = AttentionCore { keys: 5, groups: 2, size: 7, value_size: 20, ..core };
        for core in [core, shared] {
            for dropout in [0.0, 0.3] {
                check::<f32>(AttentionCore { dropout, ..core });
                check::<f64>(AttentionCore { dropout, ..core });
            }
        }
    }
}
