//! Products of the samples with weights.

use super::math::*;
use super::window::*;

/// The sum of products, in eight chains.
pub(crate) fn short_dot(x: &[f32], w: &[f32]) -> f32 {
    let mut lanes = [0.0; 8];
    let (x, w) = (x.chunks_exact(8), w.chunks_exact(8));
    let rest = x.remainder().iter().zip(w.remainder());
    for (x, w) in x.zip(w) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * w[lane];
        }
    }
    for (lane, (x, w)) in lanes.iter_mut().zip(rest) {
        *lane += x * w;
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}

/// The sum of products, in parts of 256, whose chains have 32 each.
pub(crate) fn dot(x: &[f32], w: &[f32]) -> f32 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for (x, w) in x.chunks(256).zip(w.chunks(256)) {
        add_part(short_dot(x, w), &mut sum, &mut lost);
    }
    sum
}

/// `Y = X Wᵀ + b` of rows of inputs; the weight is `[units, inputs]`.
pub(crate) fn dense(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize, y: &mut [f32]) {
    for (x, y) in x.chunks(inputs).zip(y.chunks_mut(bias.len())) {
        for ((y, w), b) in y.iter_mut().zip(weight.chunks(inputs)).zip(bias) {
            *y = dot(x, w) + b;
        }
    }
}

/// A convolution of `[channels, rows, columns]`; the weight is `[outputs, channels of a group, window]`.
pub(crate) fn conv(x: &[f32], weight: &[f32], bias: &[f32], window: &Window, groups: usize, y: &mut [f32]) {
    let [rows, columns] = window.outputs;
    let [height, width] = window.size;
    let positions = window.kernel[0] * window.kernel[1];
    let channels = window.channels / groups;
    let outputs = bias.len() / groups;
    for (output, b) in bias.iter().enumerate() {
        let w = &weight[output * channels * positions..][..channels * positions];
        let x = &x[output / outputs * channels * height * width..][..channels * height * width];
        for row in 0..rows {
            let [above, below] = window.inside(0, row);
            for column in 0..columns {
                let [left, right] = window.inside(1, column);
                let (mut sum, mut lost) = (*b, 0.0);
                // A part of the sum, and its number of terms: from 32 on it is added.
                let (mut part, mut terms) = (0.0, 0);
                for (x, w) in x.chunks(height * width).zip(w.chunks(positions)) {
                    for i in above..below {
                        let line = &x[window.index(0, row, i) * width..][..width];
                        for start in (left..right).step_by(32) {
                            let end = if right - start > 32 { start + 32 } else { right };
                            for j in start..end {
                                part += line[window.index(1, column, j)] * w[i * window.kernel[1] + j];
                            }
                            terms += end - start;
                            if terms >= 32 {
                                add_part(part, &mut sum, &mut lost);
                                (part, terms) = (0.0, 0);
                            }
                        }
                    }
                }
                add_part(part, &mut sum, &mut lost);
                y[(output * rows + row) * columns + column] = sum;
            }
        }
    }
}

/// The rows of a table at the ids; zeros for one that it does not have.
pub(crate) fn embedding(x: &[f32], table: &[f32], size: usize, y: &mut [f32]) {
    for (id, y) in x.iter().zip(y.chunks_mut(size)) {
        let row = *id as usize;
        match table.get(row * size..(row + 1) * size) {
            Some(row) => y.copy_from_slice(row),
            None => y.fill(0.0),
        }
    }
}
