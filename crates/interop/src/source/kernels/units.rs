//! Activations of each value alone, with up to two settings.

use super::math::*;

/// Applies an activation to each value.
pub(crate) fn apply(unit: fn(f32, [f32; 2]) -> f32, settings: [f32; 2], y: &mut [f32]) {
    for value in y {
        *value = unit(*value, settings);
    }
}

pub(crate) fn unit_relu(z: f32, _: [f32; 2]) -> f32 {
    if z < 0.0 { 0.0 } else { z }
}

pub(crate) fn unit_leaky_relu(z: f32, [slope, _]: [f32; 2]) -> f32 {
    if z < 0.0 { slope * z } else { z }
}

pub(crate) fn unit_relu_squared(z: f32, _: [f32; 2]) -> f32 {
    if z < 0.0 { 0.0 } else { z * z }
}

pub(crate) fn unit_threshold(z: f32, [threshold, value]: [f32; 2]) -> f32 {
    if z <= threshold { value } else { z }
}

pub(crate) fn unit_elu(z: f32, [alpha, scale]: [f32; 2]) -> f32 {
    scale * if z > 0.0 { z } else { alpha * expm1_of(z) }
}

pub(crate) fn unit_celu(z: f32, [alpha, inverse]: [f32; 2]) -> f32 {
    if z > 0.0 { z } else { alpha * expm1_of(z * inverse) }
}

pub(crate) fn unit_exponential(z: f32, _: [f32; 2]) -> f32 {
    exp_of(z)
}

pub(crate) fn unit_gelu(z: f32, _: [f32; 2]) -> f32 {
    let bounded = if z < -1000.0 { -1000.0 } else { z };
    bounded * (0.5 * erfc_of(z * -0.707_106_77))
}

pub(crate) fn unit_gelu_tanh(z: f32, _: [f32; 2]) -> f32 {
    let bounded = if z < -1000.0 { -1000.0 } else { z };
    bounded * sigmoid_of(1.595_769_2 * z * (1.0 + 0.044_715 * z * z))
}

pub(crate) fn unit_hard_sigmoid(z: f32, _: [f32; 2]) -> f32 {
    clip(z + 3.0, 0.0, 6.0) / 6.0
}

pub(crate) fn unit_hard_swish(z: f32, _: [f32; 2]) -> f32 {
    let below = if z <= -3.0 { 0.0 } else { z * (z + 3.0) / 6.0 };
    if z >= 3.0 { z } else { below }
}

pub(crate) fn unit_clip(z: f32, [low, high]: [f32; 2]) -> f32 {
    clip(z, low, high)
}

pub(crate) fn unit_hard_shrink(z: f32, [lambda, _]: [f32; 2]) -> f32 {
    if z <= lambda && z >= -lambda { 0.0 } else { z }
}

pub(crate) fn unit_soft_shrink(z: f32, [lambda, _]: [f32; 2]) -> f32 {
    let inside = z <= lambda && z >= -lambda;
    let outside = if z < 0.0 { z + lambda } else { z - lambda };
    if inside { 0.0 } else { outside }
}

pub(crate) fn unit_tanh_shrink(z: f32, _: [f32; 2]) -> f32 {
    z - tanh_of(z)
}

pub(crate) fn unit_sigmoid(z: f32, _: [f32; 2]) -> f32 {
    sigmoid_of(z)
}

pub(crate) fn unit_tanh(z: f32, _: [f32; 2]) -> f32 {
    tanh_of(z)
}

pub(crate) fn unit_softsign(z: f32, _: [f32; 2]) -> f32 {
    let z = clip(z, f32::MIN, f32::MAX);
    z / (1.0 + if z < 0.0 { -z } else { z })
}

pub(crate) fn unit_silu(z: f32, _: [f32; 2]) -> f32 {
    let bounded = if z < -1000.0 { -1000.0 } else { z };
    bounded * sigmoid_of(z)
}

pub(crate) fn unit_mish(z: f32, _: [f32; 2]) -> f32 {
    let bounded = if z < -1000.0 { -1000.0 } else { z };
    let w = exp_of(if z > 20.0 { 20.0 } else { z });
    let n = w * (w + 2.0);
    bounded * (n / (n + 2.0))
}

pub(crate) fn unit_softplus(z: f32, [beta, threshold]: [f32; 2]) -> f32 {
    let scaled = beta * z;
    if scaled > threshold { z } else { softplus_of(scaled) / beta }
}

pub(crate) fn unit_log_sigmoid(z: f32, _: [f32; 2]) -> f32 {
    -softplus_of(-z)
}

pub(crate) fn unit_squareplus(z: f32, [b, _]: [f32; 2]) -> f32 {
    let size = if z < 0.0 { -z } else { z };
    let square = z * z + b;
    let root = if square < f32::INFINITY { sqrt_of(square) } else { size };
    if z < 0.0 { 0.5 * b / (root + size) } else { 0.5 * (root + size) }
}

pub(crate) fn unit_sparse_plus(z: f32, _: [f32; 2]) -> f32 {
    let half = 0.5 * (clip(z, -1.0, 1.0) + 1.0);
    if z >= 1.0 { z } else { half * half }
}

pub(crate) fn unit_sparse_sigmoid(z: f32, _: [f32; 2]) -> f32 {
    0.5 * (clip(z, -1.0, 1.0) + 1.0)
}
