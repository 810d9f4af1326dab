//! The gradient check: is a layer's backward pass the derivative of its forward pass?
//!
//! ```
//! use chainrule_core::{Lambda, gradcheck};
//! let square = Lambda::new("square", |z: f64| z * z, |z, _| 2.0 * z);
//! let report = gradcheck::gradients(&square, [5])?;
//! assert!(report.worst < 1e-6);
//! let wrong = Lambda::new("square", |z: f64| z * z, |z, _| 3.0 * z);
//! assert!(gradcheck::gradients(&wrong, [5]).is_err());
//! # Ok::<(), chainrule_core::gradcheck::GradientError>(())
//! ```

use std::cell::Cell;
use std::fmt;

use chainrule_tensor::{Seed, Shape};
use ndarray::{Array2, ArrayView2};

use crate::error::ShapeError;
use crate::grads::Grads;
use crate::layer::{Backward, Forward, Layer, Mode};
use crate::params::Params;
use crate::plan::Plan;
use crate::runner::RunExt;

/// The number of samples in the check's batch.
const ROWS: usize = 3;

/// The step of the difference quotient: about the cube root of the machine epsilon, where rounding and truncation
/// errors balance.
const STEP: f64 = 6e-6;

/// The maximum difference allowed, relative to the gradient's scale.
const TOLERANCE: f64 = 1e-6;

/// Compares the gradients of `layer`, for samples of shape `input`, with central differences
/// `(J(v + h) - J(v - h)) / 2h` in double precision, for every parameter and every input.
///
/// The loss is a fixed random weighting of the outputs; inputs, weights and biases are random. The other
/// requirements of the trait are checked too: that `backward` adds to `grads` and overwrites `dx`, that it computes the
/// same `grads` without `dx`, and that both passes take exactly the parameters that `plan` declared.
///
/// A layer with a kink (ReLU at 0) may fail in the unlikely case that a random value is within 10⁻⁵ of
/// it; a random layer is checked with a fixed seed.
///
/// # Errors
///
/// [`GradientError`] says which value is wrong, and by how much.
///
/// # Panics
///
/// If the layer takes more parameters than it declared.
pub fn gradients<L: Layer<f64>>(layer: &L, input: impl Into<Shape>) -> Result<Report, GradientError> {
    let input = input.into();
    let mut rng = Seed(0x5eed).rng();
    let x = Array2::from_shape_simple_fn((ROWS, input.size()), || rng.normal());
    gradients_at(layer, input, x.view())
}

/// Like [`gradients`], at these inputs, `[rows, size of a sample]`: for a layer that cannot take every number.
///
/// # Errors
///
/// Those of [`gradients`].
///
/// # Panics
///
/// Those of [`gradients`], and if the rows of `x` do not have the size of a sample.
pub fn gradients_at<L: Layer<f64>>(
    layer: &L,
    input: impl Into<Shape>,
    x: ArrayView2<'_, f64>,
) -> Result<Report, GradientError> {
    compare(layer, input.into(), x, Compared::All)
}

/// Like [`gradients_at`], for the parameters only: for inputs that are ids, which have no gradient.
///
/// # Errors
///
/// Those of [`gradients`].
///
/// # Panics
///
/// Those of [`gradients_at`].
pub fn parameter_gradients<L: Layer<f64>>(
    layer: &L,
    input: impl Into<Shape>,
    x: ArrayView2<'_, f64>,
) -> Result<Report, GradientError> {
    compare(layer, input.into(), x, Compared::Parameters)
}

/// Which gradients are compared.
#[derive(Clone, Copy, PartialEq)]
enum Compared {
    All,
    Parameters,
}

fn compare<L: Layer<f64>>(
    layer: &L,
    input: Shape,
    x: ArrayView2<'_, f64>,
    compared: Compared,
) -> Result<Report, GradientError> {
    assert_eq!(x.ncols(), input.size(), "a row of x is a sample");
    let mut plan = Plan::new();
    let (output, cache) = layer.plan(input, &mut plan)?;
    let mut rng = Seed(0x9a7).rng();
    let mut random = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.normal()).collect() };
    let mut subject = Subject {
        layer,
        fresh: cache.clone(),
        cache,
        params: random(plan.size()).into_iter().map(|v| 0.5 * v).collect(),
        dy: Array2::from_shape_vec((x.nrows(), output.size()), random(x.nrows() * output.size()))
            .expect("the shape has this number of values"),
        x: x.to_owned(),
    };
    let (grads, dx) = subject.analytic()?;

    let mut report = Report { parameters: grads.len(), inputs: dx.len(), worst: 0.0 };
    let scale = grads.iter().chain(&dx).fold(0.0f64, |max, v| max.max(v.abs())).max(1.0);
    let trained = |index: &usize| {
        plan.entries().iter().any(|entry| entry.kind.is_trained() && entry.range.contains(index))
    };
    // A buffer has its next value in place of a gradient, and frozen parameters have no gradient.
    for index in (0..grads.len()).filter(trained) {
        let analytic = grads[index];
        let numeric = subject.numeric(|subject| &mut subject.params[index]);
        report.compare(analytic, numeric, scale, || {
            let entry = plan.entries().iter().find(|entry| entry.range.contains(&index));
            entry.map_or_else(String::new, |entry| format!("{}[{}]", entry.name, index - entry.range.start))
        })?;
    }
    if compared == Compared::Parameters {
        return Ok(report);
    }
    for ((row, column), &analytic) in dx.indexed_iter() {
        let numeric = subject.numeric(|subject| &mut subject.x[[row, column]]);
        report.compare(analytic, numeric, scale, || format!("x[{row}, {column}]"))?;
    }
    Ok(report)
}

/// A layer with the values at which it is checked.
struct Subject<'a, L: Layer<f64>> {
    layer: &'a L,
    /// As `plan` returned it: a cache may carry a state from one pass to the next.
    fresh: L::Cache,
    cache: L::Cache,
    params: Vec<f64>,
    x: Array2<f64>,
    dy: Array2<f64>,
}

impl<L: Layer<f64>> Subject<'_, L> {
    fn forward(&mut self) -> Result<Array2<f64>, GradientError> {
        let mut y = Array2::from_elem(self.dy.dim(), f64::NAN);
        let left = Cell::new(0);
        let params = Params::counted(&self.params, &left);
        let mode = Mode::Train { seed: Seed(1), first_row: 0 };
        self.cache.clone_from(&self.fresh);
        let x = self.x.view();
        let cache = &mut self.cache;
        self.layer.forward(Forward { params, x, y: y.view_mut(), cache, mode });
        leftover("forward", "params", left.get())?;
        Ok(y)
    }

    /// The layer's own gradients, added to `start`, with respect to the parameters and, if requested, the input.
    fn backward(
        &mut self,
        y: ArrayView2<'_, f64>,
        start: f64,
        dx: Option<&mut Array2<f64>>,
    ) -> Result<Vec<f64>, GradientError> {
        let mut values = vec![start; self.params.len()];
        let left = Cell::new(0);
        self.layer.backward(Backward {
            params: Params::new(&self.params),
            grads: Grads::counted(&mut values, &left),
            x: self.x.view(),
            y,
            dy: self.dy.view(),
            dx: dx.map(|dx| dx.view_mut()),
            cache: &mut self.cache,
            share: 1.0,
        });
        leftover("backward", "grads", left.get())?;
        Ok(values)
    }

    fn analytic(&mut self) -> Result<(Vec<f64>, Array2<f64>), GradientError> {
        let y = self.forward()?;
        let mut dx = Array2::from_elem(self.x.dim(), f64::NAN);
        let grads = self.backward(y.view(), 0.0, Some(&mut dx))?;
        let y = self.forward()?;
        let shifted = self.backward(y.view(), 1.0, None)?;
        let added = |(&from_zero, &from_one): (&f64, &f64)| {
            (from_one - from_zero - 1.0).abs() <= 1e-9 * from_zero.abs().max(1.0)
        };
        if !grads.iter().zip(&shifted).all(added) {
            return Err(GradientError::NotAdded);
        }
        Ok((grads, dx))
    }

    /// The central difference of the loss in one value.
    fn numeric(&mut self, value: impl Fn(&mut Self) -> &mut f64) -> f64 {
        let at = *value(self);
        let mut loss = |v: f64| {
            *value(self) = v;
            self.forward().map_or(f64::NAN, |y| (&y * &self.dy).sum())
        };
        let difference = (loss(at + STEP) - loss(at - STEP)) / (2.0 * STEP);
        *value(self) = at;
        difference
    }
}

fn leftover(pass: &'static str, values: &'static str, left: usize) -> Result<(), GradientError> {
    if left == 0 { Ok(()) } else { Err(GradientError::Leftover { pass, values, left }) }
}

/// The result of a successful check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// The number of parameters.
    pub parameters: usize,
    /// The number of inputs.
    pub inputs: usize,
    /// The maximum difference between a gradient and its difference quotient, relative to the maximum gradient or to 1,
    /// whichever is larger.
    pub worst: f64,
}

impl Report {
    fn compare(
        &mut self,
        analytic: f64,
        numeric: f64,
        scale: f64,
        name: impl Fn() -> String,
    ) -> Result<(), GradientError> {
        let error = (analytic - numeric).abs() / scale;
        // A NaN is an error too.
        if error.is_nan() || error > TOLERANCE {
            return Err(GradientError::Wrong { value: name(), analytic, numeric });
        }
        self.worst = self.worst.max(error);
        Ok(())
    }
}

/// What is wrong with a layer's gradients.
#[derive(Clone, Debug, PartialEq)]
pub enum GradientError {
    /// The layer cannot take such samples.
    Shape(ShapeError),
    /// The gradient is not the derivative of what `forward` computes.
    Wrong {
        /// The value, such as `"weight[3]"` or `"x[0, 2]"`.
        value: String,
        /// Its gradient from `backward`.
        analytic: f64,
        /// Its difference quotient.
        numeric: f64,
    },
    /// `backward` overwrites `grads` instead of adding to it, or computes other gradients without `dx`.
    NotAdded,
    /// A pass takes fewer parameters than `plan` declares.
    Leftover {
        /// `"forward"` or `"backward"`.
        pass: &'static str,
        /// `"params"` or `"grads"`.
        values: &'static str,
        /// How many values are left.
        left: usize,
    },
}

impl From<ShapeError> for GradientError {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}

impl fmt::Display for GradientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => write!(f, "{error}"),
            Self::Wrong { value, analytic, numeric } => {
                write!(f, "the gradient of {value} is {numeric:e} by differences, but backward computes {analytic:e}")
            }
            Self::NotAdded => f.write_str(
                "backward computes other gradients when they start from 1 or when dx is None: it must add to grads",
            ),
            Self::Leftover { pass, values, left } => {
                write!(f, "{pass} leaves {left} values of {values} that plan declared: take them all, in order")
            }
        }
    }
}

impl std::error::Error for GradientError {}
