//! The functions of exported files: these very texts are what a file contains, and the Rust ones also run here.

pub(super) mod math;
pub(super) mod moves;
pub(super) mod pooling;
pub(super) mod products;
#[allow(dead_code, reason = "it is for exported files alone")]
pub(super) mod quantized;
pub(super) mod recurrent;
pub(super) mod rows;
pub(super) mod units;
pub(super) mod window;

/// The texts of these files.
macro_rules! texts {
    ($($file:literal)*) => { [$(include_str!($file)),*] };
}

/// The functions in Rust, in the order in which a file has them.
pub(super) const RUST: [&str; 9] = texts!["math.rs" "units.rs" "window.rs" "products.rs" "pooling.rs" "rows.rs" "moves.rs" "recurrent.rs" "quantized.rs"];

/// Those in C, each after the ones that it calls.
pub(super) const C: [&str; 9] = texts!["math.c" "units.c" "window.c" "products.c" "pooling.c" "rows.c" "moves.c" "recurrent.c" "quantized.c"];

#[cfg(test)]
mod tests {
    use super::window::Window;
    use super::{pooling, products, rows};

    /// How many terms: a chain of so many equal ones in single precision is off by 10⁻³.
    const MANY: usize = 1 << 16;

    /// How far a sum may be off, relative to the sum of the sizes of its terms.
    const TOLERANCE: f64 = 2e-6;

    /// A value that no sum of it is exact with.
    const TENTH: f32 = 0.1;

    fn check(what: &str, found: f32, expected: f64) {
        let off = (f64::from(found) - expected).abs() / expected;
        assert!(off < TOLERANCE, "{what}: {found} instead of {expected}, off by {off:e}");
    }

    /// A window over all of the second axis, once.
    fn whole(channels: usize, size: [usize; 2]) -> Window {
        let (kernel, outputs) = (size, [1, 1]);
        Window { channels, size, outputs, kernel, stride: [1, 1], dilation: [1, 1], before: [0, 0] }
    }

    #[test]
    fn long_sums_are_right() {
        let x = vec![TENTH; MANY];
        let tenth = f64::from(TENTH);
        let many = MANY as f64;
        let chain: f32 = x.iter().sum();
        assert!((f64::from(chain) / (many * tenth) - 1.0).abs() > 1e-4, "{chain}: one chain is not off");
        check("dot", products::dot(&x, &x), many * tenth * tenth);
        check("sum_of", pooling::sum_of(&x), many * tenth);
        check("squares_of", rows::squares_of(&x), many * tenth * tenth);
        let mut y = [0.0];
        for (channels, size) in
            [(MANY, [1, 1]), (1, [256, 256]), (1, [1, MANY]), (1, [MANY, 1]), (16, [64, 64])]
        {
            let window = whole(channels, size);
            products::conv(&x, &x, &[TENTH], &window, 1, &mut y);
            check(&format!("conv {channels} {size:?}"), y[0], many * tenth * tenth + tenth);
            if channels == 1 {
                pooling::avg_pool(&x, &window, false, &mut y);
                check(&format!("avg_pool {size:?}"), y[0], tenth);
            }
        }
        pooling::means(&x, MANY, &mut y);
        check("means", y[0], tenth);
        let mut z = x.clone();
        rows::softmax(MANY, 1, 1.0, &mut z);
        check("softmax", z[0], 1.0 / many);
        // All but the first are e^-3 of it.
        let mut z: Vec<f32> = (0..MANY).map(|index| if index == 0 { 3.0 } else { 0.0 }).collect();
        let expected = -(1.0 + (many - 1.0) * (-3.0f64).exp()).ln();
        rows::log_softmax(MANY, &mut z);
        check("log_softmax", -z[0], -expected);
        let mut z: Vec<f32> = (0..MANY).map(|index| if index % 2 == 0 { 1000.1 } else { 1000.3 }).collect();
        let deviation = (f64::from(1000.3f32) - f64::from(1000.1f32)) / 2.0;
        rows::normalize(MANY, 1e-5, &mut z);
        let (above, below) = (f64::from(z[1]), f64::from(z[0]));
        let expected = 2.0 * deviation / (deviation * deviation + 1e-5).sqrt();
        assert!((above - below - expected).abs() < 1e-3 && (above + below).abs() < 2e-3, "{below} {above}");
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        let mut x = vec![f32::MAX; 1000];
        assert_eq!(pooling::sum_of(&x), f32::INFINITY);
        x[999] = f32::NAN;
        assert!(pooling::sum_of(&x).is_nan());
        assert_eq!(products::dot(&[f32::INFINITY; 600], &[1.0; 600]), f32::INFINITY);
    }
}
