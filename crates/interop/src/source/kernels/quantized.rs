//! Products with weights of 8 bits. Inputs are rounded to 16 bits, and sums are exact.

use super::recurrent::*;
use super::window::*;

/// Multiples of a step, up to a limit. `[inverse of the step, limit]`
pub(crate) fn quantize(x: &[f32], [inverse, limit]: [f32; 2], q: &mut [i16]) {
    for (q, x) in q.iter_mut().zip(x) {
        let scaled = x * inverse;
        let bounded = if scaled > limit { limit } else { scaled };
        let bounded = if bounded > -limit { bounded } else { -limit };
        *q = (bounded + if bounded < 0.0 { -0.5 } else { 0.5 }) as i16;
    }
}

/// The sum of products.
pub(crate) fn dot_q(x: &[i16], w: &[i8]) -> i32 {
    x.iter().zip(w).map(|(x, w)| i32::from(*x) * i32::from(*w)).sum()
}

/// `Y = X Wᵀ + b` of rows of inputs.
pub(crate) fn dense_q(
    x: &[f32],
    weight: &[i8],
    scales: &[f32],
    bias: &[f32],
    inputs: usize,
    steps: [f32; 2],
    q: &mut [i16],
    y: &mut [f32],
) {
    for (x, y) in x.chunks(inputs).zip(y.chunks_mut(bias.len())) {
        quantize(x, steps, q);
        for (unit, y) in y.iter_mut().enumerate() {
            *y = dot_q(q, &weight[unit * inputs..][..inputs]) as f32 * scales[unit] + bias[unit];
        }
    }
}

/// A convolution of `[channels, rows, columns]`.
pub(crate) fn conv_q(
    x: &[f32],
    weight: &[i8],
    scales: &[f32],
    bias: &[f32],
    window: &Window,
    groups: usize,
    steps: [f32; 2],
    q: &mut [i16],
    y: &mut [f32],
) {
    quantize(x, steps, q);
    let [rows, columns] = window.outputs;
    let [height, width] = window.size;
    let positions = window.kernel[0] * window.kernel[1];
    let channels = window.channels / groups;
    let outputs = bias.len() / groups;
    for (output, b) in bias.iter().enumerate() {
        let w = &weight[output * channels * positions..][..channels * positions];
        let x = &q[output / outputs * channels * height * width..][..channels * height * width];
        for row in 0..rows {
            let [above, below] = window.inside(0, row);
            for column in 0..columns {
                let [left, right] = window.inside(1, column);
                let mut sum = 0;
                for (x, w) in x.chunks(height * width).zip(w.chunks(positions)) {
                    for i in above..below {
                        let line = &x[window.index(0, row, i) * width..][..width];
                        for j in left..right {
                            let product = i32::from(line[window.index(1, column, j)]);
                            sum += product * i32::from(w[i * window.kernel[1] + j]);
                        }
                    }
                }
                y[(output * rows + row) * columns + column] = sum as f32 * scales[output] + b;
            }
        }
    }
}

/// The rows of a table at the ids, with a scale for each row; zeros for one that it does not have.
pub(crate) fn embedding_q(x: &[f32], table: &[i8], scales: &[f32], size: usize, y: &mut [f32]) {
    for (id, y) in x.iter().zip(y.chunks_mut(size)) {
        let row = *id as usize;
        for (column, y) in y.iter_mut().enumerate() {
            let known =
                if row < scales.len() { f32::from(table[row * size + column]) * scales[row] } else { 0.0 };
            *y = known;
        }
    }
}

/// Long short-term memory. The inputs and the state have steps of their own.
pub(crate) fn lstm_q(
    x: &[f32],
    weight: &[i8],
    recurrent: &[i8],
    scales: &[f32],
    recurrent_scales: &[f32],
    bias: &[f32],
    inputs: usize,
    steps: usize,
    keep: usize,
    backwards: bool,
    [of_inputs, of_state]: [[f32; 2]; 2],
    q: &mut [i16],
    y: &mut [f32],
) {
    let units = bias.len() / 4;
    let (q, q_state) = q.split_at_mut(inputs);
    let (y, rest) = y.split_at_mut(y.len() - 6 * units);
    let (z, rest) = rest.split_at_mut(4 * units);
    let (c, h) = rest.split_at_mut(units);
    c.fill(0.0);
    h.fill(0.0);
    for step in 0..steps {
        let from = if backwards { steps - 1 - step } else { step };
        quantize(&x[from * inputs..][..inputs], of_inputs, q);
        quantize(h, of_state, q_state);
        for (k, z) in z.iter_mut().enumerate() {
            let input = dot_q(q, &weight[k * inputs..][..inputs]) as f32 * scales[k];
            let state = dot_q(q_state, &recurrent[k * units..][..units]) as f32 * recurrent_scales[k];
            *z = input + state + bias[k];
        }
        lstm_cell(z, c, h);
        if let Some(index) = kept_index(step, steps, keep, backwards) {
            y[index * units..][..units].copy_from_slice(h);
        }
    }
}

/// The gated recurrent unit. The inputs and the state have steps of their own.
pub(crate) fn gru_q(
    x: &[f32],
    weight: &[i8],
    recurrent: &[i8],
    scales: &[f32],
    recurrent_scales: &[f32],
    bias: &[f32],
    recurrent_bias: &[f32],
    inputs: usize,
    steps: usize,
    keep: usize,
    backwards: bool,
    [of_inputs, of_state]: [[f32; 2]; 2],
    q: &mut [i16],
    y: &mut [f32],
) {
    let units = bias.len() / 3;
    let (q, q_state) = q.split_at_mut(inputs);
    let (y, rest) = y.split_at_mut(y.len() - 7 * units);
    let (z, rest) = rest.split_at_mut(3 * units);
    let (added, h) = rest.split_at_mut(3 * units);
    h.fill(0.0);
    for step in 0..steps {
        let from = if backwards { steps - 1 - step } else { step };
        quantize(&x[from * inputs..][..inputs], of_inputs, q);
        quantize(h, of_state, q_state);
        for k in 0..3 * units {
            z[k] = dot_q(q, &weight[k * inputs..][..inputs]) as f32 * scales[k] + bias[k];
            let state = dot_q(q_state, &recurrent[k * units..][..units]) as f32 * recurrent_scales[k];
            added[k] = state + recurrent_bias[k];
        }
        gru_cell(z, added, h);
        if let Some(index) = kept_index(step, steps, keep, backwards) {
            y[index * units..][..units].copy_from_slice(h);
        }
    }
}
