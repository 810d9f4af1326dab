//! The initialisers.
//!
//! Glorot's (also Xavier's) keep the variance of activations and gradients through linear layers, He's (also
//! Kaiming's) through rectified ones, LeCun's through self-normalising ones. Each draws with a variance of
//! `scale / n`, where `n` is the fan-in, the fan-out or their mean, from a normal or a uniform distribution.
//! PyTorch cuts no tails; neither do these.

use chainrule_layer::{Blank, Initializer};
use chainrule_tensor::Seed;

/// Uniform in `±limit`.
fn uniform(limit: f64, seed: Seed, values: &mut [f64]) {
    let mut rng = seed.rng();
    values.fill_with(|| rng.between(-limit, limit));
}

/// Normal with mean 0.
fn normal(deviation: f64, seed: Seed, values: &mut [f64]) {
    let mut rng = seed.rng();
    values.fill_with(|| deviation * rng.normal());
}

/// An initialiser whose variance follows from the fans: its formula is its documentation.
macro_rules! variance {
    ($($(#[$doc:meta])* $name:ident: $draw:ident($spread:expr);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name;

        impl Initializer for $name {
            fn fill(&self, blank: Blank, seed: Seed, values: &mut [f64]) {
                let spread: fn(f64, f64) -> f64 = $spread;
                $draw(spread(blank.fan_in as f64, blank.fan_out as f64), seed, values);
            }
        }
    )*};
}

variance! {
    /// Uniform in `±1/√fan_in`, the start of PyTorch's `Linear` and convolutions.
    FanInUniform: uniform(|fan_in, _| (1.0 / fan_in).sqrt());
    /// Uniform in `±√(6 / (fan_in + fan_out))` (Glorot and Bengio 2010); the start of Keras' layers.
    GlorotUniform: uniform(|fan_in, fan_out| (6.0 / (fan_in + fan_out)).sqrt());
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010).
    GlorotNormal: normal(|fan_in, fan_out| (2.0 / (fan_in + fan_out)).sqrt());
    /// Uniform in `±√(6 / fan_in)` (He et al. 2015), for layers followed by ReLU.
    HeUniform: uniform(|fan_in, _| (6.0 / fan_in).sqrt());
    /// Normal with variance `2 / fan_in` (He et al. 2015), for layers followed by ReLU.
    HeNormal: normal(|fan_in, _| (2.0 / fan_in).sqrt());
    /// Uniform in `±√(3 / fan_in)` (LeCun et al. 1998).
    LecunUniform: uniform(|fan_in, _| (3.0 / fan_in).sqrt());
    /// Normal with variance `1 / fan_in` (LeCun et al. 1998).
    LecunNormal: normal(|fan_in, _| (1.0 / fan_in).sqrt());
}

#[cfg(feature = "lapack")]
pub use orthogonal::Orthogonal;

#[cfg(feature = "lapack")]
mod orthogonal {
    use super::{Blank, Initializer, Seed, normal};
    use ndarray::Array2;
    use ndarray_linalg::QR;

    /// A random matrix with orthonormal rows or columns, whichever are fewer, times a gain (Saxe et al. 2013).
    ///
    /// The matrix has the first axis of the parameter as its rows and the others as its columns, as in PyTorch.
    /// It is the Q of a QR decomposition (LAPACK, through `ndarray-linalg`) of a normal matrix, with the signs of R's
    /// diagonal, which makes it uniformly distributed. Available where the chosen BLAS brings LAPACK.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Orthogonal {
        gain: f64,
    }

    impl Orthogonal {
        /// With this gain; 1 keeps lengths, `√2` suits ReLU.
        pub fn new(gain: f64) -> Self {
            Self { gain }
        }
    }

    impl Default for Orthogonal {
        fn default() -> Self {
            Self::new(1.0)
        }
    }

    impl Initializer for Orthogonal {
        fn fill(&self, blank: Blank, seed: Seed, values: &mut [f64]) {
            normal(1.0, seed, values);
            let rows = blank.shape.first().copied().unwrap_or(1);
            let columns = values.len().checked_div(rows).unwrap_or(0);
            let (tall, wide) = (rows.max(columns), rows.min(columns));
            if wide == 0 {
                return;
            }
            let drawn = Array2::from_shape_fn((tall, wide), |(i, j)| values[i * wide + j]);
            // LAPACK fails only for matrices that are not finite, and these are; then the draw stays.
            let Ok((q, r)) = drawn.qr() else { return };
            for row in 0..rows {
                for column in 0..columns {
                    let (i, j) = if rows >= columns { (row, column) } else { (column, row) };
                    values[row * columns + column] = self.gain * q[[i, j]] * r[[j, j]].signum();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Shape;

    fn drawn(init: &dyn Initializer, fan_in: usize, fan_out: usize) -> Vec<f64> {
        let mut values = vec![0.0; fan_in * fan_out];
        let blank = Blank { shape: Shape::from([fan_in, fan_out]), fan_in, fan_out };
        init.fill(blank, Seed(1), &mut values);
        values
    }

    #[test]
    fn variances() {
        let cases: [(&dyn Initializer, f64); 7] = [
            (&FanInUniform, 1.0 / 300.0 / 3.0),
            (&GlorotUniform, 2.0 / 400.0),
            (&GlorotNormal, 2.0 / 400.0),
            (&HeUniform, 2.0 / 300.0),
            (&HeNormal, 2.0 / 300.0),
            (&LecunUniform, 1.0 / 300.0),
            (&LecunNormal, 1.0 / 300.0),
        ];
        for (init, right) in cases {
            let values = drawn(init, 300, 100);
            let variance = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
            assert!((variance / right - 1.0).abs() < 0.03, "{init:?}: {variance} for {right}");
        }
    }

    #[cfg(feature = "lapack")]
    #[test]
    fn orthonormal_lines() {
        for (rows, columns) in [(7, 4), (4, 7), (5, 5), (1, 3)] {
            let q =
                ndarray::Array2::from_shape_vec((rows, columns), drawn(&Orthogonal::new(3.0), rows, columns));
            let q = q.unwrap();
            let product = if rows < columns { q.dot(&q.t()) } else { q.t().dot(&q) };
            for ((i, j), value) in product.indexed_iter() {
                let right = if i == j { 9.0 } else { 0.0 };
                assert!((value - right).abs() < 1e-12, "[{i}, {j}]: {value}");
            }
        }
    }
}
