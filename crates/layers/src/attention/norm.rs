//! Layer normalisation of each step, until the family of normalisations has it.

use std::sync::Arc;

use chainrule_layer::{Backward, Constant, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

use super::steps::sequence;

/// `y = γ (x - mean) / √(variance + ε) + β` over the features of each step (Ba, Kiros and Hinton 2016), with ε 1e-5 as
/// in PyTorch. To be replaced by the public layer of that name.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerNorm;

const EPSILON: f64 = 1e-5;

/// What a [`LayerNorm`] remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Normed<T: Real> {
    features: usize,
    /// The normalised values before γ and β, `[rows * steps, features]`.
    normed: Buffer<T>,
    /// `1 / √(variance + ε)` of each step.
    scales: Buffer<T>,
    /// A step, and its gradient times γ.
    step: Buffer<T>,
}

impl<T: Real> Layer<T> for LayerNorm {
    type Cache = Normed<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Normed<T>), ShapeError> {
        let [steps, features] = sequence(input, plan)?;
        plan.bias("weight", [features], (1, 1), &(Arc::new(Constant(1.0)) as _));
        plan.bias("bias", [features], (1, 1), &(Arc::new(Constant(0.0)) as _));
        plan.memory(input.size().saturating_add(steps));
        Ok((input, Normed { features, step: Buffer::zeros(2 * features), ..Normed::default() }))
    }

    fn forward(&self, Forward { mut params, x, mut y, cache, .. }: Forward<'_, T, Normed<T>>) {
        let Normed { features, normed, scales, .. } = cache;
        let (gamma, beta) = (params.take([*features]), params.take([*features]));
        normed.reserve(x.len());
        scales.reserve(x.len() / *features);
        let count = T::of(*features as f64);
        let mut kept = normed.chunks_exact_mut(*features).zip(scales.iter_mut());
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            for (x, y) in x.exact_chunks(*features).into_iter().zip(y.exact_chunks_mut(*features)) {
                let (normed, scale) = kept.next().expect("room for each step");
                normed.iter_mut().zip(x).for_each(|(normed, &x)| *normed = x);
                let mean = vector::sum(normed) / count;
                normed.iter_mut().for_each(|value| *value -= mean);
                let variance = vector::sum_squares(normed) / count.as_f64();
                *scale = T::of(1.0 / (variance + EPSILON).sqrt());
                normed.iter_mut().for_each(|value| *value *= *scale);
                let affine =
                    |((y, &value), (&gamma, &beta)): ((&mut T, &T), (&T, &T))| *y = gamma * value + beta;
                y.into_iter().zip(&*normed).zip(gamma.iter().zip(beta)).for_each(affine);
            }
        }
    }

    fn backward(&self, pass: Backward<'_, T, Normed<T>>) {
        let Backward { mut params, mut grads, dy, mut dx, cache, .. } = pass;
        let Normed { features, normed, scales, step } = cache;
        let gamma = params.take([*features]);
        let (mut dgamma, mut dbeta) = (grads.take([*features]), grads.take([*features]));
        let (g, products) = step.split_at_mut(*features);
        let count = T::of(*features as f64);
        let mut kept = normed.chunks_exact(*features).zip(scales.iter());
        for (row, dy) in dy.rows().into_iter().enumerate() {
            for (index, dy) in dy.exact_chunks(*features).into_iter().enumerate() {
                let (normed, &scale) = kept.next().expect("each step was seen");
                for (feature, (&dy, &normed)) in dy.iter().zip(normed).enumerate() {
                    dgamma[feature] += dy * normed;
                    dbeta[feature] += dy;
                    g[feature] = dy * gamma[feature];
                    products[feature] = g[feature] * normed;
                }
                let Some(dx) = &mut dx else { continue };
                let (mean, along) = (vector::sum(g) / count, vector::sum(products) / count);
                for (feature, (&g, &normed)) in g.iter().zip(normed).enumerate() {
                    dx[[row, index * *features + feature]] = scale * (g - mean - normed * along);
                }
            }
        }
    }
}
