//! The largest absolute value.

use super::lanes::LANES;
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

/// How many maxima are kept side by side: enough that none of them waits for the one before it.
const PARTS: usize = 4 * LANES;

struct Largest<'a, T>(&'a [T]);

impl<T: Real> Loop for Largest<'_, T> {
    type Output = T::Magnitude;
    #[inline(always)]
    fn run(self) -> T::Magnitude {
        let (chunks, rest) = self.0.as_chunks::<PARTS>();
        let mut parts = [T::Magnitude::default(); PARTS];
        for chunk in chunks {
            for i in 0..PARTS {
                parts[i] = parts[i].max(chunk[i].magnitude());
            }
        }
        for i in 0..rest.len() {
            parts[i] = parts[i].max(rest[i].magnitude());
        }
        let mut half = PARTS / 2;
        while half > 0 {
            for i in 0..half {
                parts[i] = parts[i].max(parts[i + half]);
            }
            half /= 2;
        }
        parts[0]
    }
}

/// The largest absolute value; NaN if one of the values is NaN, and 0 if there are none.
///
/// ```
/// use chainrule_tensor::vector::largest;
/// assert_eq!(largest(&[1.0f32, -3.0, 2.0]), 3.0);
/// assert!(largest(&[1.0f64, f64::NAN, f64::INFINITY]).is_nan());
/// ```
#[inline]
pub fn largest<T: Real>(values: &[T]) -> T {
    T::from_magnitude(run(Largest(values)))
}

/// The larger of two numbers, or NaN if one of them is NaN.
#[inline]
pub fn larger_or_nan(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_position<T: Real>() {
        assert_eq!(largest::<T>(&[]), T::zero());
        for len in [1, 15, 16, 63, 64, 65, 200] {
            for position in 0..len {
                let mut values = vec![T::of(-0.5); len];
                for value in [T::of(-2.0), T::max_value(), T::neg_infinity(), T::infinity()] {
                    values[position] = value;
                    assert_eq!(largest(&values), value.abs(), "{value} at {position} of {len}");
                }
                values[0] = T::infinity();
                for nan in [T::nan(), -T::nan()] {
                    values[position] = nan;
                    assert!(largest(&values).is_nan(), "NaN at {position} of {len}");
                }
            }
        }
        let small = T::min_positive_value() * T::of(0.5);
        assert_eq!(largest(&[-T::zero(), -small]), small);
        assert!(largest(&[-T::zero()]).is_sign_positive());
    }

    #[test]
    fn the_largest_is_found_wherever_it_is() {
        every_position::<f32>();
        every_position::<f64>();
    }

    #[test]
    fn the_larger_of_two() {
        assert_eq!((larger_or_nan(1.0, 2.0), larger_or_nan(2.0, 1.0)), (2.0, 2.0));
        assert!(larger_or_nan(f64::NAN, 1.0).is_nan() && larger_or_nan(1.0, f64::NAN).is_nan());
    }
}
