//! Functions of several values of a sample: softmax, normalisations, gates.

use super::math::*;
use super::pooling::*;

/// `eᶻ / Σ eᶻ` along an axis of `count` values, with `inner` values after it; of `sign` times the values.
pub(crate) fn softmax(count: usize, inner: usize, sign: f32, y: &mut [f32]) {
    for y in y.chunks_mut(count * inner) {
        for first in 0..inner {
            let mut largest = f32::NEG_INFINITY;
            for value in y[first..].iter().step_by(inner) {
                largest = if sign * value > largest { sign * value } else { largest };
            }
            let (mut sum, mut lost) = (0.0, 0.0);
            for y in y.chunks_mut(32 * inner) {
                let mut part = 0.0;
                for value in y[first..].iter_mut().step_by(inner) {
                    *value = exp_of(sign * *value - largest);
                    part += *value;
                }
                add_part(part, &mut sum, &mut lost);
            }
            for value in y[first..].iter_mut().step_by(inner) {
                *value /= sum;
            }
        }
    }
}

/// `z - ln Σ eᶻ` of rows.
pub(crate) fn log_softmax(count: usize, y: &mut [f32]) {
    for y in y.chunks_mut(count) {
        let largest = y.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
        let (mut sum, mut lost) = (0.0, 0.0);
        for y in y.chunks(32) {
            let mut part = 0.0;
            for value in y {
                part += exp_of(value - largest);
            }
            add_part(part, &mut sum, &mut lost);
        }
        let ln = ln_of(sum);
        for value in y {
            *value = (*value - largest) - ln;
        }
    }
}

/// The sum of the squares, in parts of 32 values.
pub(crate) fn squares_of(x: &[f32]) -> f32 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for x in x.chunks(32) {
        add_part(x.iter().map(|value| value * value).sum::<f32>(), &mut sum, &mut lost);
    }
    sum
}

/// Rows to mean 0 and variance 1.
pub(crate) fn normalize(count: usize, epsilon: f32, y: &mut [f32]) {
    for y in y.chunks_mut(count) {
        let mean = sum_of(y) / count as f32;
        for value in y.iter_mut() {
            *value -= mean;
        }
        let factor = 1.0 / sqrt_of(squares_of(y) / count as f32 + epsilon);
        for value in y {
            *value *= factor;
        }
    }
}

/// Rows to a mean square of 1.
pub(crate) fn rms_normalize(count: usize, epsilon: f32, y: &mut [f32]) {
    for y in y.chunks_mut(count) {
        let factor = 1.0 / sqrt_of(squares_of(y) / count as f32 + epsilon);
        for value in y {
            *value *= factor;
        }
    }
}

/// `s z + t`, with a scale and a shift along an axis with `inner` values after it.
pub(crate) fn scale_shift(scale: &[f32], shift: &[f32], inner: usize, y: &mut [f32]) {
    for (index, y) in y.chunks_mut(inner).enumerate() {
        let channel = index % scale.len();
        for value in y {
            *value = *value * scale[channel] + shift[channel];
        }
    }
}

/// `z` where it is not below 0, else `w z`, with a slope along an axis with `inner` values after it.
pub(crate) fn prelu(slopes: &[f32], inner: usize, y: &mut [f32]) {
    for (index, y) in y.chunks_mut(inner).enumerate() {
        for value in y {
            *value *= if *value < 0.0 { slopes[index % slopes.len()] } else { 1.0 };
        }
    }
}

/// `a f(b)` of halves of `count` values.
pub(crate) fn gate(
    x: &[f32],
    unit: fn(f32, [f32; 2]) -> f32,
    settings: [f32; 2],
    count: usize,
    y: &mut [f32],
) {
    for (x, y) in x.chunks(2 * count).zip(y.chunks_mut(count)) {
        let (a, b) = x.split_at(count);
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = a * unit(*b, settings);
        }
    }
}
