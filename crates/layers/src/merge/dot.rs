//! The dot product of two inputs.

use chainrule_core::{Merge, MergeBackward, MergeForward, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView1, Zip};

/// `y = Σᵢ x₁ᵢ x₂ᵢ`: one number for two vectors, as Keras' `Dot(axes=1)`; with [`cosine`](Self::cosine) the cosine of the angle
/// between them, `y = Σ x₁ᵢ x₂ᵢ / (|x₁| |x₂|)`.
///
/// As in Keras, squared lengths are clamped to at least 10⁻¹².
#[derive(Clone, Copy, Debug, Default)]
pub struct Dot {
    cosine: bool,
}

describe! {
    /// The dot product of two vectors.
    Dot = "dot";
    formula "y = x₁ᵀ x₂";
    settings {
        /// Whether it is divided by their lengths.
        cosine ("normalize"): false;
    }
}

/// The minimum of the squared lengths that a cosine divides by.
const MIN_SQUARE: f64 = 1e-12;

impl Dot {
    /// The dot product.
    pub fn new() -> Self {
        Self::default()
    }

    /// The cosine of the angle between the inputs.
    #[must_use]
    pub fn cosine(self) -> Self {
        Self { cosine: true }
    }
}

/// The inverse of the length of a vector, and the factor of its derivative: `d(1/|x|) = -factor x dx`.
///
/// In double precision, as all sums here: in `f32` the square of 2 · 10¹⁹ is infinite already.
#[derive(Clone, Copy)]
struct InverseLength {
    inverse: f64,
    factor: f64,
}

impl InverseLength {
    fn of<T: Real>(x: ArrayView1<'_, T>) -> Self {
        let square = dot(x, x);
        let inverse = square.max(MIN_SQUARE).sqrt().recip();
        let factor = if square > MIN_SQUARE { inverse * inverse * inverse } else { 0.0 };
        // `max` would make a number of NaN.
        Self { inverse: if square.is_nan() { square } else { inverse }, factor }
    }
}

fn dot<T: Real>(a: ArrayView1<'_, T>, b: ArrayView1<'_, T>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.as_f64() * b.as_f64()).sum()
}

impl<T: Real> Merge<T> for Dot {
    type Cache = ();

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        match inputs {
            [a, b] if a == b && a.len() == 1 => Ok((Shape::from([1]), ())),
            _ => {
                let other = inputs.get(1).or(inputs.first()).copied().unwrap_or(Shape::from([0]));
                Err(plan.error(other, "two vectors of one length", "flatten or project one of them"))
            }
        }
    }

    described!();

    fn forward(&self, MergeForward { xs, mut y, .. }: MergeForward<'_, T>) {
        for ((a, b), y) in xs[0].rows().into_iter().zip(xs[1].rows()).zip(y.iter_mut()) {
            let lengths =
                if self.cosine { InverseLength::of(a).inverse * InverseLength::of(b).inverse } else { 1.0 };
            *y = T::of(dot(a, b) * lengths);
        }
    }

    fn backward(&self, MergeBackward { xs, dy, dxs, .. }: MergeBackward<'_, T>) {
        for (index, dx) in dxs.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            let own = xs[index];
            let other = xs[1 - index];
            let rows = own.rows().into_iter().zip(other.rows()).zip(dx.rows_mut()).zip(dy.iter());
            for (((own, other), dx), &dy) in rows {
                let dy = dy.as_f64();
                // y = a·b / (|a| |b|), so dy/da = b / (|a| |b|) - a (a·b) / (|a|³ |b|).
                let (by_other, by_own) = if self.cosine {
                    let a = InverseLength::of(own);
                    let b = InverseLength::of(other);
                    (dy * a.inverse * b.inverse, dy * dot(own, other) * a.factor * b.inverse)
                } else {
                    (dy, 0.0)
                };
                Zip::from(dx).and(own).and(other).for_each(|dx, &a, &b| {
                    *dx = T::of(by_other * b.as_f64() - by_own * a.as_f64());
                });
            }
        }
    }
}
