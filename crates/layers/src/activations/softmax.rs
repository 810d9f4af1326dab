//! Softmax over the features of each sample.

use chainrule_layer::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, vector};
use ndarray::Zip;

/// `aᵢ = exp(zᵢ) / Σⱼ exp(zⱼ)` over the values of each sample, computed from `z - max z`, so that nothing
/// overflows.
///
/// Backward, `dzᵢ = aᵢ (daᵢ - Σⱼ aⱼ daⱼ)`. A network that ends in a softmax is trained with
/// `CrossEntropy::from_probabilities()`; leaving the softmax away and training with `CrossEntropy` from logits
/// is the same network, faster and more exact.
#[derive(Clone, Copy, Debug)]
pub struct Softmax;

impl<T: Real> Layer<T> for Softmax {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        match input.len() {
            1 => Ok((input, ())),
            _ => Err(plan.error(input, "a vector, [classes]", "put Flatten before it")),
        }
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, T>) {
        for (z, mut a) in x.rows().into_iter().zip(y.rows_mut()) {
            let max = z.fold(T::neg_infinity(), |max, &z| if z > max { z } else { max });
            Zip::from(&mut a).and(z).for_each(|a, &z| *a = z - max);
        }
        // One pass over all rows, since the exponential is worth its vector instructions.
        vector::apply(
            y.view_mut(),
            #[inline(always)]
            |z| z.fast_exp(),
        );
        for mut a in y.rows_mut() {
            let sum = a.sum();
            a.mapv_inplace(|a| a / sum);
        }
    }

    fn backward(&self, Backward { y, dy, dx, .. }: Backward<'_, T>) {
        let Some(mut dx) = dx else { return };
        for ((a, da), dz) in y.rows().into_iter().zip(dy.rows()).zip(dx.rows_mut()) {
            let mean = a.iter().zip(da).fold(T::zero(), |sum, (&a, &da)| sum + a * da);
            Zip::from(dz).and(a).and(da).for_each(|dz, &a, &da| *dz = a * (da - mean));
        }
    }
}
