//! Softmax over the channels of an image.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::{Buffer, Real, Shape, apply, map, vector};
use ndarray::s;

/// `aᵢ = exp(zᵢ) / Σⱼ exp(zⱼ)` over the channels `i`, `j` of each pixel of an image `[channels, height, width]`, as PyTorch's
/// `Softmax2d`; also of a signal `[channels, length]` or a volume. [`Softmax`](super::Softmax) acts on the last axis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Softmax2d;

describe! {
    /// The softmax over the channels of each pixel.
    Softmax2d = "softmax2d";
    formula "aᵢ = exp(zᵢ) / Σⱼ exp(zⱼ)";
}

/// The number of channels that are added up in the model's precision. The sums of such blocks are added in double precision, so that
/// the error does not grow with the number of channels.
const BLOCK: usize = 32;

/// The cache of a [`Softmax2d`]: the maximum and the sum over the channels, for each pixel.
#[derive(Clone, Debug, Default)]
pub struct Softmax2dCache<T: Real> {
    pixels: usize,
    max: Buffer<T>,
    sum: Buffer<T>,
    total: Buffer<f64>,
}

/// Moves the sums of a block of channels to those of the blocks before it.
fn end_block<T: Real>(sum: &mut [T], total: &mut [f64]) {
    for (sum, total) in sum.iter_mut().zip(total) {
        *total += std::mem::take(sum).as_f64();
    }
}

/// Adds the sums of the blocks to those of the last one.
fn end<T: Real>(sum: &mut [T], total: &[f64]) {
    for (sum, &total) in sum.iter_mut().zip(total) {
        *sum = T::of(total + sum.as_f64());
    }
}

impl<T: Real> Layer<T> for Softmax2d {
    type Cache = Softmax2dCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Softmax2dCache<T>), ShapeError> {
        if input.len() < 2 || input.size() == 0 {
            let help = "use Softmax for vectors";
            return Err(plan.error(input, "images, [channels, height, width],", help));
        }
        let pixels = input[1..].iter().product();
        Ok((input, Softmax2dCache { pixels, ..Softmax2dCache::default() }))
    }

    described!();

    fn forward(&self, Forward { x, mut y, cache, .. }: Forward<'_, T, Softmax2dCache<T>>) {
        let Softmax2dCache { pixels, max, sum, total } = cache;
        let pixels = *pixels;
        let columns = x.ncols();
        max.reserve(pixels);
        sum.reserve(pixels);
        total.reserve(pixels);
        for row in 0..x.nrows() {
            let channel = |start: usize| s![row..=row, start..start + pixels];
            max.fill(T::neg_infinity());
            for start in (0..columns).step_by(pixels) {
                let z = x.slice(channel(start));
                let max = max.matrix_mut(1, pixels);
                apply!(max = |z| if z > max { z } else { max });
            }
            sum.fill(T::zero());
            total.fill(0.0);
            for (index, start) in (0..columns).step_by(pixels).enumerate() {
                if index % BLOCK == 0 {
                    end_block(sum, total);
                }
                let z = x.slice(channel(start));
                let max = max.matrix(1, pixels);
                let e = y.slice_mut(channel(start));
                map!(e = |z, max| (z - max).fast_exp());
                vector::accumulate(y.slice(channel(start)), sum.matrix_mut(1, pixels));
            }
            end(sum, total);
            for start in (0..columns).step_by(pixels) {
                let sum = sum.matrix(1, pixels);
                let e = y.slice_mut(channel(start));
                apply!(e = |sum| e / sum);
            }
        }
    }

    fn backward(&self, Backward { y, dy, dx, cache, .. }: Backward<'_, T, Softmax2dCache<T>>) {
        let Some(mut dx) = dx else { return };
        let Softmax2dCache { pixels, sum, total, .. } = cache;
        let pixels = *pixels;
        let columns = y.ncols();
        for row in 0..y.nrows() {
            let channel = |start: usize| s![row..=row, start..start + pixels];
            sum.fill(T::zero());
            total.fill(0.0);
            for (index, start) in (0..columns).step_by(pixels).enumerate() {
                if index % BLOCK == 0 {
                    end_block(sum, total);
                }
                let a = y.slice(channel(start));
                let da = dy.slice(channel(start));
                let product = dx.slice_mut(channel(start));
                map!(product = |a, da| a * da);
                vector::accumulate(dx.slice(channel(start)), sum.matrix_mut(1, pixels));
            }
            end(sum, total);
            for start in (0..columns).step_by(pixels) {
                let a = y.slice(channel(start));
                let da = dy.slice(channel(start));
                let sum = sum.matrix(1, pixels);
                let dz = dx.slice_mut(channel(start));
                map!(dz = |a, da, sum| a * (da - sum)); //                              dzᵢ = aᵢ (daᵢ - Σⱼ aⱼ daⱼ)
            }
        }
    }
}
