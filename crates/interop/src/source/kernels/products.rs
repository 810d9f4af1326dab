//! Products of the samples with weights.

use super::window::*;

/// The sum of products, in eight parts.
pub(crate) fn dot(x: &[f32], w: &[f32]) -> f32 {
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
                let mut total = *b;
                for (x, w) in x.chunks(height * width).zip(w.chunks(positions)) {
                    let mut sum = 0.0;
                    for i in above..below {
                        let line = &x[window.index(0, row, i) * width..][..width];
                        for j in left..right {
                            sum += line[window.index(1, column, j)] * w[i * window.kernel[1] + j];
                        }
                    }
                    total += sum;
                }
                y[(output * rows + row) * columns + column] = total;
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
