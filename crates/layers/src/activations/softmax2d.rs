//! Softmax over the channels of an image.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::s;

/// `aᵢ = exp(zᵢ) / Σⱼ exp(zⱼ)` over the channels `i`, `j` of each place of an image `[channels, height, width]`, as
/// PyTorch's `Softmax2d`; also of a signal `[channels, length]` or a volume. [`Softmax`](super::Softmax) goes over
/// the last axis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Softmax2d;

/// What a [`Softmax2d`] needs: a number for each place of an image, twice.
#[derive(Clone, Debug, Default)]
pub struct ByPlace<T: Real> {
    places: usize,
    max: Buffer<T>,
    sum: Buffer<T>,
}

impl<T: Real> Layer<T> for Softmax2d {
    type Cache = ByPlace<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ByPlace<T>), ShapeError> {
        if input.len() < 2 || input.size() == 0 {
            let help = "Softmax is for vectors";
            return Err(plan.error(input, "images, [channels, height, width],", help));
        }
        let places = input[1..].iter().product();
        Ok((input, ByPlace { places, ..ByPlace::default() }))
    }

    fn forward(&self, Forward { x, mut y, cache, .. }: Forward<'_, T, ByPlace<T>>) {
        let ByPlace { places, max, sum } = cache;
        let (places, columns) = (*places, x.ncols());
        max.reserve(places);
        sum.reserve(places);
        for row in 0..x.nrows() {
            let channel = |start: usize| s![row..=row, start..start + places];
            max.fill(T::neg_infinity());
            for start in (0..columns).step_by(places) {
                vector::apply2(
                    x.slice(channel(start)),
                    max.matrix_mut(1, places),
                    #[inline(always)]
                    |max, z| if z > max { z } else { max },
                );
            }
            sum.fill(T::zero());
            for start in (0..columns).step_by(places) {
                vector::map2(
                    x.slice(channel(start)),
                    max.matrix(1, places),
                    y.slice_mut(channel(start)),
                    #[inline(always)]
                    |z, max| (z - max).fast_exp(),
                );
                vector::accumulate(y.slice(channel(start)), sum.matrix_mut(1, places));
            }
            for start in (0..columns).step_by(places) {
                vector::apply2(
                    sum.matrix(1, places),
                    y.slice_mut(channel(start)),
                    #[inline(always)]
                    |e, sum| e / sum,
                );
            }
        }
    }

    fn backward(&self, Backward { y, dy, dx, cache, .. }: Backward<'_, T, ByPlace<T>>) {
        let Some(mut dx) = dx else { return };
        let ByPlace { places, sum, .. } = cache;
        let (places, columns) = (*places, y.ncols());
        for row in 0..y.nrows() {
            let channel = |start: usize| s![row..=row, start..start + places];
            sum.fill(T::zero());
            for start in (0..columns).step_by(places) {
                vector::map2(
                    y.slice(channel(start)),
                    dy.slice(channel(start)),
                    dx.slice_mut(channel(start)),
                    #[inline(always)]
                    |a, da| a * da,
                );
                vector::accumulate(dx.slice(channel(start)), sum.matrix_mut(1, places));
            }
            for start in (0..columns).step_by(places) {
                vector::map3(
                    y.slice(channel(start)),
                    dy.slice(channel(start)),
                    sum.matrix(1, places),
                    dx.slice_mut(channel(start)),
                    #[inline(always)]
                    |a, da, sum| a * (da - sum),
                );
            }
        }
    }
}
