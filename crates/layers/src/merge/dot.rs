//! The dot product of two inputs.

use chainrule_core::{Merge, MergeBackward, MergeForward, Plan, ShapeError};
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
#[derive(Clone, Copy)]
struct InverseLength<T> {
    inverse: T,
    factor: T,
}

impl<T: Real> InverseLength<T> {
    fn of(x: ArrayView1<'_, T>) -> Self {
        let square = x.iter().fold(T::zero(), |sum, &x| sum + x * x);
        let min = T::of(MIN_SQUARE);
        let inverse = T::one() / if square > min { square } else { min }.sqrt();
        Self { inverse, factor: if square > min { inverse * inverse * inverse } else { T::zero() } }
    }
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

    fn forward(&self, MergeForward { xs, mut y, .. }: MergeForward<'_, T>) {
        for ((a, b), y) in xs[0].rows().into_iter().zip(xs[1].rows()).zip(y.iter_mut()) {
            *y = a.iter().zip(b).fold(T::zero(), |sum, (&a, &b)| sum + a * b);
            if self.cosine {
                *y *= InverseLength::of(a).inverse * InverseLength::of(b).inverse;
            }
        }
    }

    fn backward(&self, MergeBackward { xs, dy, dxs, .. }: MergeBackward<'_, T>) {
        for (index, dx) in dxs.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            let own = xs[index];
            let other = xs[1 - index];
            let rows = own.rows().into_iter().zip(other.rows()).zip(dx.rows_mut()).zip(dy.iter());
            for (((own, other), dx), &dy) in rows {
                // y = a·b / (|a| |b|), so dy/da = b / (|a| |b|) - a (a·b) / (|a|³ |b|).
                let (by_other, by_own) = if self.cosine {
                    let a = InverseLength::of(own);
                    let b = InverseLength::of(other);
                    let dot = own.iter().zip(other).fold(T::zero(), |sum, (&a, &b)| sum + a * b);
                    (dy * a.inverse * b.inverse, dy * dot * a.factor * b.inverse)
                } else {
                    (dy, T::zero())
                };
                Zip::from(dx).and(own).and(other).for_each(|dx, &a, &b| *dx = by_other * b - by_own * a);
            }
        }
    }
}
