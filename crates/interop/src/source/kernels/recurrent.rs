//! Recurrent layers. `keep` is 0 for the last state, 1 for all in the order in which they are computed, 2 for all in the order of
//! the steps.

use super::math::*;
use super::products::*;

/// The states of the gates i, f, g, o: `c = f c₀ + i g`, `h = o tanh c`.
pub(crate) fn lstm_cell(z: &[f32], c: &mut [f32], h: &mut [f32]) {
    let units = h.len();
    for (k, (c, h)) in c.iter_mut().zip(h).enumerate() {
        let kept = sigmoid_of(z[units + k]) * *c;
        *c = kept + sigmoid_of(z[k]) * tanh_of(z[2 * units + k]);
        *h = sigmoid_of(z[3 * units + k]) * tanh_of(*c);
    }
}

/// The state of the gates r, z, n and of what the old state adds to them: `n = tanh(n + r q)`, `h = (1 - z) n + z h₀`.
pub(crate) fn gru_cell(x: &[f32], q: &[f32], h: &mut [f32]) {
    let units = h.len();
    for (k, h) in h.iter_mut().enumerate() {
        let r = sigmoid_of(x[k] + q[k]);
        let z = sigmoid_of(x[units + k] + q[units + k]);
        let n = tanh_of(x[2 * units + k] + r * q[2 * units + k]);
        *h = n + z * (*h - n);
    }
}

/// Where the state of a step belongs, if it is kept.
pub(crate) fn kept_index(step: usize, steps: usize, keep: usize, backwards: bool) -> Option<usize> {
    let turned = if backwards { steps - 1 - step } else { step };
    match keep {
        0 => (step + 1 == steps).then_some(0),
        1 => Some(step),
        _ => Some(turned),
    }
}

/// Long short-term memory. After the states, `y` has room for four gates, c and h.
pub(crate) fn lstm(
    x: &[f32],
    weight: &[f32],
    recurrent: &[f32],
    bias: &[f32],
    inputs: usize,
    steps: usize,
    keep: usize,
    backwards: bool,
    y: &mut [f32],
) {
    let units = bias.len() / 4;
    let (y, rest) = y.split_at_mut(y.len() - 6 * units);
    let (z, rest) = rest.split_at_mut(4 * units);
    let (c, h) = rest.split_at_mut(units);
    c.fill(0.0);
    h.fill(0.0);
    for step in 0..steps {
        let from = if backwards { steps - 1 - step } else { step };
        let x = &x[from * inputs..][..inputs];
        for (k, z) in z.iter_mut().enumerate() {
            *z = dot(x, &weight[k * inputs..][..inputs]) + dot(h, &recurrent[k * units..][..units]) + bias[k];
        }
        lstm_cell(z, c, h);
        if let Some(index) = kept_index(step, steps, keep, backwards) {
            y[index * units..][..units].copy_from_slice(h);
        }
    }
}

/// The gated recurrent unit. After the states, `y` has room for three gates, what the old state adds to them, and h.
pub(crate) fn gru(
    x: &[f32],
    weight: &[f32],
    recurrent: &[f32],
    bias: &[f32],
    recurrent_bias: &[f32],
    inputs: usize,
    steps: usize,
    keep: usize,
    backwards: bool,
    y: &mut [f32],
) {
    let units = bias.len() / 3;
    let (y, rest) = y.split_at_mut(y.len() - 7 * units);
    let (z, rest) = rest.split_at_mut(3 * units);
    let (q, h) = rest.split_at_mut(3 * units);
    h.fill(0.0);
    for step in 0..steps {
        let from = if backwards { steps - 1 - step } else { step };
        let x = &x[from * inputs..][..inputs];
        for k in 0..3 * units {
            z[k] = dot(x, &weight[k * inputs..][..inputs]) + bias[k];
            q[k] = dot(h, &recurrent[k * units..][..units]) + recurrent_bias[k];
        }
        gru_cell(z, q, h);
        if let Some(index) = kept_index(step, steps, keep, backwards) {
            y[index * units..][..units].copy_from_slice(h);
        }
    }
}

/// The simple recurrent layer. After the states, `y` has room for h and the next one.
pub(crate) fn rnn(
    x: &[f32],
    weight: &[f32],
    recurrent: &[f32],
    bias: &[f32],
    unit: fn(f32, [f32; 2]) -> f32,
    settings: [f32; 2],
    inputs: usize,
    steps: usize,
    keep: usize,
    backwards: bool,
    y: &mut [f32],
) {
    let units = bias.len();
    let (y, rest) = y.split_at_mut(y.len() - 2 * units);
    let (z, h) = rest.split_at_mut(units);
    h.fill(0.0);
    for step in 0..steps {
        let from = if backwards { steps - 1 - step } else { step };
        let x = &x[from * inputs..][..inputs];
        for (k, z) in z.iter_mut().enumerate() {
            let sum = dot(x, &weight[k * inputs..][..inputs]) + dot(h, &recurrent[k * units..][..units]);
            *z = unit(sum + bias[k], settings);
        }
        h.copy_from_slice(z);
        if let Some(index) = kept_index(step, steps, keep, backwards) {
            y[index * units..][..units].copy_from_slice(h);
        }
    }
}
