//! Spectral normalisation.

use chainrule_core::{
    AnyLayer, Described, DescriptionError, Entry, Plan, Range, SettingValue, Settings, ShapeError, Value,
    entry,
};
use chainrule_tensor::{Real, Seed, Shape, each, gemm, sums};
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

use super::reparametrization::{Reparametrization, WeightLayout, WeightTerms, reparametrized_layer};

/// A layer whose first weight, as a matrix `W` of `[units, other axes]`, is divided by an estimate of its largest
/// singular value `σ` (Miyato et al. 2018, "Spectral normalization for generative adversarial networks"; PyTorch's
/// `spectral_norm`).
///
/// Each pass of training improves the estimate by a step of power iteration, `v ← Wᵀu / |Wᵀu|`, `u ← W v / |W v|`,
/// `σ = uᵀ W v`, from the `u` of the step before, a buffer `[units]`; outside training `u` is unchanged, and `σ = |Wᵀu|`.
/// The gradient treats `u` and `v` as constants: `dW = (dŴ - (Σ dŴ Ŵ) u vᵀ) / σ` for `Ŵ = W / σ`.
///
/// The initial `u` of the buffer is 0, which stands for the result of 15 steps from a fixed direction; PyTorch does 15 steps
/// when the layer is created.
///
/// The units are the last axis of a matrix (`Dense`), and the first axis of a weight with more axes (convolutions);
/// [`axis`](Self::axis) chooses another, such as 1 for transposed convolutions.
#[derive(Clone, Copy, Debug)]
pub struct SpectralNorm<L> {
    pub(super) layer: L,
    axis: Option<usize>,
    iterations: usize,
}

impl<T: Real> Described for SpectralNorm<AnyLayer<T>> {
    const ENTRY: Entry = entry! {
        /// A layer whose weight is divided by its largest singular value.
        SpectralNorm = "spectral_norm";
        aliases ["spectral_normalization"];
        formula "Ŵ = W / σ";
        source "Miyato et al. 2018";
        settings {
            /// The layer.
            layer: required;
            /// The axis of the units; by default the second of a matrix, else the first.
            axis ("dim"): none;
            /// The number of power iterations in each step of training.
            iterations ("n_power_iterations", "power_iterations"): 1, Range::AT_LEAST_ONE;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            layer: settings.get("layer")?,
            axis: settings.get("axis")?,
            iterations: settings.get("iterations")?,
        })
    }

    fn setting_values(&self) -> Vec<Value> {
        self.values(self.layer.to_value())
    }
}

impl<L> SpectralNorm<L> {
    /// The values of the settings, with this one of the layer.
    fn values(&self, layer: Value) -> Vec<Value> {
        vec![layer, self.axis.to_value(), self.iterations.into()]
    }
}

/// The number of steps of the first estimate.
const FIRST_STEPS: usize = 15;

/// The minimum length that a vector is divided by.
const MIN_LENGTH: f64 = 1e-12;

impl<L> SpectralNorm<L> {
    /// This layer, with its first weight divided by its spectral norm.
    pub fn new(layer: L) -> Self {
        Self { layer, axis: None, iterations: 1 }
    }

    /// Which axis of the weight is that of the units.
    #[must_use]
    pub fn axis(self, axis: usize) -> Self {
        Self { axis: Some(axis), ..self }
    }

    /// Another number of steps of the power iteration in each pass of training, at least 1.
    #[must_use]
    pub fn iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }
}

impl<T: Real, L> Reparametrization<T> for SpectralNorm<L> {
    const NAME: &'static str = "spectral_norm";

    fn axis(&self) -> Option<usize> {
        self.axis
    }

    fn declare(&self, weight: &WeightLayout, input: Shape, plan: &mut Plan) -> Result<(), ShapeError> {
        if self.iterations == 0 {
            let help = "choose at least one iteration";
            return Err(plan.setting_error(input, "at least one iteration", help));
        }
        plan.buffer("u", [weight.units], 0.0)?;
        Ok(())
    }

    fn weight(&self, terms: &mut WeightTerms<T>, w: &[T], start: &[T], normalised: &mut [T], training: bool) {
        let WeightTerms { weight, units: [u, next, _], positions: v, norm } = terms;
        u.copy_from_slice(start);
        let mut steps = if training { self.iterations } else { 0 };
        if start.iter().all(|&u| u == T::zero()) {
            let fixed = |i| T::of(Seed(0).bits(i) as i64 as f64 / 2f64.powi(63));
            (0..).zip(u.iter_mut()).for_each(|(i, u)| *u = fixed(i));
            steps += FIRST_STEPS;
        }
        normalise(u);
        weight.transposed_times(w, u, v);
        *norm = normalise(v); //                                             v = Wᵀu / |Wᵀu|, σ = uᵀ W v = |Wᵀu|
        for step in 0..steps {
            if step > 0 {
                weight.transposed_times(w, u, v);
                normalise(v);
            }
            weight.times(w, v, u);
            *norm = normalise(u); //                                         u = W v / |W v|, σ = uᵀ W v = |W v|
        }
        next.copy_from_slice(if training { u } else { start });
        let factor = norm.recip();
        each!(normalised = |w| w * factor); //                               Ŵ = W / σ
    }

    fn gradient(&self, terms: &mut WeightTerms<T>, w: &[T], dw: &mut [T], du: &mut [T], share: T) {
        let WeightTerms { weight, units: [u, next, _], positions: v, norm } = terms;
        let [along] = sums!(|dw, w| [dw * w]);
        weight.add_outer(-along / (*norm * *norm), u, v, norm.recip(), dw); // dW = (dŴ - (Σ dŴ Ŵ) u vᵀ) / σ
        for (du, &next) in du.iter_mut().zip(next.iter()) {
            *du += share * next;
        }
    }
}

reparametrized_layer!(SpectralNorm);

impl WeightLayout {
    /// The number of matrices `[units, width]` in the weight, the width, and whether they are stored by columns.
    fn matrices(&self) -> (usize, usize, bool) {
        match self.inner {
            1 => (1, self.outer, true),
            inner => (self.outer, inner, false),
        }
    }

    /// `y = W x`, for `x` with a value for each position in a unit and `y` with one for each unit.
    fn times<T: Real>(&self, w: &[T], x: &[T], y: &mut [T]) {
        let (count, width, columns) = self.matrices();
        let units = self.units;
        for i in 0..count {
            let w = view(&w[i * units * width..], units, width, columns);
            let beta = if i == 0 { T::zero() } else { T::one() };
            gemm(T::one(), w, view(&x[i * width..], width, 1, false), beta, view_mut(y, units, 1, false));
        }
    }

    /// `y = Wᵀ x`, for `x` with a value for each unit and `y` with one for each position in a unit.
    fn transposed_times<T: Real>(&self, w: &[T], x: &[T], y: &mut [T]) {
        let (count, width, columns) = self.matrices();
        let units = self.units;
        for i in 0..count {
            let w = view(&w[i * units * width..], units, width, columns);
            let y = view_mut(&mut y[i * width..], width, 1, false);
            gemm(T::one(), w.t(), view(x, units, 1, false), T::zero(), y);
        }
    }

    /// `W ← alpha u vᵀ + beta W`.
    fn add_outer<T: Real>(&self, alpha: T, u: &[T], v: &[T], beta: T, w: &mut [T]) {
        let (count, width, columns) = self.matrices();
        let units = self.units;
        for i in 0..count {
            let w = view_mut(&mut w[i * units * width..], units, width, columns);
            gemm(alpha, view(u, units, 1, false), view(&v[i * width..], 1, width, false), beta, w);
        }
    }
}

/// The first values as a matrix, stored by rows or by columns.
fn view<T>(values: &[T], rows: usize, columns: usize, by_columns: bool) -> ArrayView2<'_, T> {
    let shape = (rows, columns).set_f(by_columns);
    ArrayView2::from_shape(shape, &values[..rows * columns]).expect("the sizes match")
}

fn view_mut<T>(values: &mut [T], rows: usize, columns: usize, by_columns: bool) -> ArrayViewMut2<'_, T> {
    let shape = (rows, columns).set_f(by_columns);
    ArrayViewMut2::from_shape(shape, &mut values[..rows * columns]).expect("the sizes match")
}

/// Divides a vector by its length, or by the minimum length if it is shorter, and returns the divisor.
fn normalise<T: Real>(values: &mut [T]) -> T {
    let [squares] = sums!(|v: values| [v * v]);
    let length = squares.sqrt().max(T::of(MIN_LENGTH));
    values.iter_mut().for_each(|value| *value /= length);
    length
}
