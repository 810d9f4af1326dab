//! The scalar product of two inputs.

use chainrule_core::{Merge, MergeBackward, MergeForward, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView1, Zip};

/// `y = Σᵢ x₁ᵢ x₂ᵢ`: one number for two vectors, as Keras' `Dot(axes=1)`; with [`cosine`](Self::cosine) the cosine of the angle
/// between them, `y = Σ x₁ᵢ x₂ᵢ / (|x₁| |x₂|)`.
///
/// As in Keras, a squared length below 10⁻¹² counts as that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dot {
    cosine: bool,
}

/// The least squared length that a cosine divides by.
const LEAST: f64 = 1e-12;

impl Dot {
    /// The scalar product.
    pub fn new() -> Self {
        Self::default()
    }

    /// The cosine of the angle.
    #[must_use]
    pub fn cosine(self) -> Self {
        Self { cosine: true }
    }
}

/// One by the length of a vector, and by how much that moves with the vector: `d(1/|x|) = -slope x dx`.
#[derive(Clone, Copy)]
struct Lengths<T> {
    inverse: T,
    slope: T,
}

impl<T: Real> Lengths<T> {
    fn of(x: ArrayView1<'_, T>) -> Self {
        let square = x.iter().fold(T::zero(), |sum, &x| sum + x * x);
        let least = T::of(LEAST);
        let inverse = T::one() / if square > least { square } else { least }.sqrt();
        Self { inverse, slope: if square > least { inverse * inverse * inverse } else { T::zero() } }
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
                *y *= Lengths::of(a).inverse * Lengths::of(b).inverse;
            }
        }
    }

    fn backward(&self, MergeBackward { xs, dy, dxs, .. }: MergeBackward<'_, T>) {
        for (index, dx) in dxs.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            let (own, other) = (xs[index], xs[1 - index]);
            let rows = own.rows().into_iter().zip(other.rows()).zip(dx.rows_mut()).zip(dy.iter());
            for (((own, other), dx), &dy) in rows {
                // y = a·b / (|a| |b|), so dy/da = b / (|a| |b|) - a (a·b) / (|a|³ |b|).
                let (by_other, by_own) = match self.cosine {
                    false => (dy, T::zero()),
                    true => {
                        let (a, b) = (Lengths::of(own), Lengths::of(other));
                        let dot = own.iter().zip(other).fold(T::zero(), |sum, (&a, &b)| sum + a * b);
                        (dy * a.inverse * b.inverse, dy * dot * a.slope * b.inverse)
                    }
                };
                Zip::from(dx).and(own).and(other).for_each(|dx, &a, &b| *dx = by_other * b - by_own * a);
            }
        }
    }
}
