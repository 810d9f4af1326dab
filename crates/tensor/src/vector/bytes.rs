//! Conversion of bytes to numbers.

use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

struct FromU8<'a, T> {
    bytes: &'a [u8],
    values: &'a mut [T],
    scale: T,
}

impl<T: Real> Loop for FromU8<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { bytes, values, scale } = self;
        for (value, &byte) in values.iter_mut().zip(bytes) {
            // Every byte converts to a `T`, so this is never NaN.
            *value = T::from(byte).unwrap_or_else(T::nan) * scale;
        }
    }
}

/// `values = bytes * scale`: converts pixels to numbers.
///
/// # Panics
///
/// If the slices differ in length.
#[inline]
pub fn from_u8<T: Real>(bytes: &[u8], values: &mut [T], scale: T) {
    assert_eq!(bytes.len(), values.len(), "one byte for each value");
    T::from_u8(bytes, values, scale);
}

/// [`from_u8`], to be compiled with this crate for each type of number, and not with the programs that read pixels.
pub(crate) fn convert<T: Real>(bytes: &[u8], values: &mut [T], scale: T) {
    run(FromU8 { bytes, values, scale });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut values = vec![0.0f32; 256];
        from_u8(&bytes, &mut values, 1.0 / 255.0);
        assert_eq!(values[0], 0.0);
        assert_eq!(values[255], 1.0);
        assert_eq!(values[51], 51.0 * (1.0 / 255.0));
    }
}
