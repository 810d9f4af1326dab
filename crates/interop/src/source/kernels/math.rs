//! Functions of a number, to a few units in the last place, without a library of mathematics.

/// `min(max(z, low), high)`; NaN stays NaN.
pub(crate) fn clip(z: f32, low: f32, high: f32) -> f32 {
    let z = if z < low { low } else { z };
    if z > high { high } else { z }
}

/// `eˣ = eʳ 2ⁿ`, n the integer nearest to `x / ln 2`: `eʳ - 1`, and `2ⁿ` as a product of two powers.
pub(crate) fn parts_of_exp(x: f32) -> [f32; 3] {
    let x = clip(x, -104.0, 89.0);
    let rounded = x * core::f32::consts::LOG2_E + 12_582_912.0;
    let n = rounded - 12_582_912.0;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let tail = 1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)));
    let tail = r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * tail)));
    let n = rounded.to_bits() as i32 - 0x4b40_0000;
    let half = n >> 1;
    let low = f32::from_bits(((half + 127) as u32) << 23);
    let high = f32::from_bits(((n - half + 127) as u32) << 23);
    [tail, low, high]
}

/// `eˣ`
pub(crate) fn exp_of(x: f32) -> f32 {
    let [tail, low, high] = parts_of_exp(x);
    (1.0 + tail) * low * high
}

/// `eˣ - 1`
pub(crate) fn expm1_of(x: f32) -> f32 {
    let [tail, low, high] = parts_of_exp(x);
    tail * low * high + (low * high - 1.0)
}

/// `ln x` of a number that is not below 0: `x = 2ⁿ m`, and `ln m = 2 artanh s` with `s = (m - 1) / (m + 1)`.
pub(crate) fn ln_of(x: f32) -> f32 {
    let bits = x.to_bits() as i32;
    let n = (bits - 0x3f35_04f3) >> 23;
    let f = f32::from_bits((bits - n * 0x0080_0000) as u32) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let half = 0.5 * f * f;
    let series = 2.0 / 5.0 + z * (2.0 / 7.0 + z * (2.0 / 9.0 + z * (2.0 / 11.0)));
    let tail = s * (half + z * (2.0 / 3.0 + z * series));
    let n = n as f32;
    let ln = n * 0.693_359_4 + (f - (half - (tail - n * 2.121_944_4e-4)));
    let ln = if x < f32::INFINITY { ln } else { x };
    if x < f32::MIN_POSITIVE { f32::NEG_INFINITY } else { ln }
}

/// `ln(1 + x)` of a number that is not below 0 (Goldberg 1991, theorem 4).
pub(crate) fn ln1p_of(x: f32) -> f32 {
    let sum = 1.0 + x;
    let lost = sum - 1.0;
    if lost == 0.0 { x } else { ln_of(sum) * (x / lost) }
}

/// `√x` of a number that is not below 0, by Newton's method.
pub(crate) fn sqrt_of(x: f32) -> f32 {
    if x < f32::MIN_POSITIVE {
        return 0.0;
    }
    let mut root = f32::from_bits((x.to_bits() >> 1) + 0x1fbd_1df5);
    for _ in 0..3 {
        root = 0.5 * (root + x / root);
    }
    root
}

/// `tanh x`
pub(crate) fn tanh_of(x: f32) -> f32 {
    let twice = clip(x + x, -40.0, 40.0);
    let e = expm1_of(if twice < 0.0 { -twice } else { twice });
    let t = e / (e + 2.0);
    if x < 0.0 { -t } else { t }
}

/// `1 / (1 + e⁻ˣ)`
pub(crate) fn sigmoid_of(x: f32) -> f32 {
    1.0 / (1.0 + exp_of(-x))
}

/// `ln(1 + eˣ)`
pub(crate) fn softplus_of(x: f32) -> f32 {
    let size = if x < 0.0 { -x } else { x };
    let linear = if x < 0.0 { 0.0 } else { x };
    linear + ln1p_of(exp_of(-size))
}

/// `1 - erf x` (Shepherd and Laframboise 1981).
pub(crate) fn erfc_of(z: f32) -> f32 {
    let x = clip(if z < 0.0 { -z } else { z }, 0.0, 10.1);
    let t = (x - 3.75) / (x + 3.75);
    // The exponential amplifies the rounding error of the square, of which the upper half of x has none.
    let square = x * x;
    let upper = f32::from_bits(x.to_bits() & 0xffff_f000);
    let lower = x - upper;
    let lost = (upper * upper - square) + 2.0 * upper * lower + lower * lower;
    let p = -0.058_751_225
        + t * (0.028_040_47 + t * (-0.009_871_568_5 + t * (0.002_374_358 + t * 0.001_119_274_2)));
    let p = 0.003_584_656_2 + t * (0.082_273_625 + t * (-0.108_790_24 + t * (0.092_355_624 + t * p)));
    let p = 1.237_512_6 + t * (-0.140_240_54 + t * p);
    let tail = exp_of(-square) * (1.0 - lost) * (p / (1.0 + 2.0 * x));
    if z < 0.0 { 2.0 - tail } else { tail }
}

/// Adds a part to a long sum. What rounding takes from the sum is kept, and given back with the next part (Kahan 1965).
pub(crate) fn add_part(part: f32, sum: &mut f32, lost: &mut f32) {
    let more = part - *lost;
    let total = *sum + more;
    let rounded = (total - *sum) - more;
    // What an infinite sum loses is NaN.
    *lost = if rounded.is_finite() { rounded } else { 0.0 };
    *sum = total;
}
