//! Pictures that are bent.

use std::cell::RefCell;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Rng;

use super::{Augmentation, Picture, interpolated};

/// Moves each pixel a little, and near ones nearly alike, as handwriting differs from writing to writing.
///
/// ```text
/// y(p) = x(p + α (G_σ * u)(p))        u: for each pixel and axis a number from -1 to 1
/// ```
///
/// G_σ is a normal distribution with the deviation σ in pixels, cut off at 3 σ; at the border it sees the picture of `u` in a mirror. A
/// value is interpolated between the four around the position that it comes from; beyond the border it is 0 (Simard et al. 2003, who
/// take α = 34 and σ = 4 for MNIST).
#[derive(Clone, Copy, Debug)]
pub struct Elastic {
    alpha: f64,
    sigma: f64,
}

describe! {
    /// Each pixel is moved a little, near ones nearly alike.
    Elastic = "elastic";
    aliases ["elastic_transform", "elastic_deformation"];
    formula "y(p) = x(p + α (G_σ * u)(p)), u from -1 to 1";
    source "Simard et al. 2003";
    settings {
        /// How far pixels are moved.
        alpha: 34, Range::NOT_NEGATIVE;
        /// How near pixels have to be to be moved alike, in pixels.
        sigma: 4, Range::between(0.0, 1000.0, "above 0, at most 1000").without_low();
    }
}

impl Elastic {
    /// Moves pixels by `alpha` times numbers from -1 to 1 that were smoothed over `sigma` pixels.
    pub fn new(alpha: f64, sigma: f64) -> Self {
        Self { alpha, sigma }
    }
}

impl Augmentation for Elastic {
    described!(check);

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        thread_local! {
            /// The two fields of distances, scratch space for a row or a column, and the weights.
            static BUFFERS: RefCell<[Vec<f32>; 4]> = const { RefCell::new([const { Vec::new() }; 4]) };
        }
        let [_, height, width] = picture.size;
        BUFFERS.with_borrow_mut(|[down, right, line, weights]| {
            normal_weights(self.sigma, weights);
            for field in [&mut *down, &mut *right] {
                field.clear();
                field.extend((0..height * width).map(|_| rng.between(-1.0, 1.0) as f32));
                field.chunks_exact_mut(width).for_each(|row| smooth(row, width, 1, line, weights));
                for column in 0..width {
                    smooth(&mut field[column..], height, width, line, weights);
                }
            }
            picture.rewrite(|from, to| {
                for (index, to) in to.iter_mut().enumerate() {
                    let [y, x] = [index / width, index % width].map(|position| position as f64);
                    let [dy, dx] =
                        [down[index], right[index]].map(|distance| self.alpha * f64::from(distance));
                    *to = interpolated(from, [height, width], [y + dy, x + dx], 0.0);
                }
            });
        });
    }
}

/// The weights of a normal distribution from 0 to 3 deviations; those on both sides add up to 1.
fn normal_weights(deviation: f64, weights: &mut Vec<f32>) {
    let weight = |distance: f64| (-0.5 * (distance / deviation).powi(2)).exp();
    let reach = (3.0 * deviation).ceil() as usize;
    let sum = 1.0 + 2.0 * (1..=reach).map(|distance| weight(distance as f64)).sum::<f64>();
    weights.clear();
    weights.extend((0..=reach).map(|distance| (weight(distance as f64) / sum) as f32));
}

/// Smooths `len` values that are `step` apart.
fn smooth(values: &mut [f32], len: usize, step: usize, line: &mut Vec<f32>, weights: &[f32]) {
    line.clear();
    line.extend(values.iter().step_by(step).take(len));
    // Beyond its ends a line is seen in a mirror, and that in another.
    let mirrored = |position: isize| {
        let inside = position.rem_euclid(2 * len as isize) as usize;
        line[inside.min(2 * len - 1 - inside)]
    };
    for position in 0..len {
        let at = position as isize;
        let pairs = weights.iter().enumerate().skip(1);
        let around = pairs.map(|(distance, weight)| {
            let distance = distance as isize;
            weight * (mirrored(at - distance) + mirrored(at + distance))
        });
        values[position * step] = weights[0] * line[position] + around.sum::<f32>();
    }
}
