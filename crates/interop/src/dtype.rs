//! The types of the elements of tensors in files.

use std::fmt;

use half::{bf16, f16};

/// The type of the elements of a [`Tensor`](crate::Tensor).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// Half precision: 5 bits of exponent, 10 of fraction.
    F16,
    /// Half precision with the range of single: 8 bits of exponent, 7 of fraction.
    Bf16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// A truth value in a byte.
    Bool,
    /// A whole number of 8 bits.
    I8,
    /// A whole number of 16 bits.
    I16,
    /// A whole number of 32 bits.
    I32,
    /// A whole number of 64 bits.
    I64,
    /// A whole number of 8 bits that is not negative.
    U8,
    /// A whole number of 16 bits that is not negative.
    U16,
    /// A whole number of 32 bits that is not negative.
    U32,
    /// A whole number of 64 bits that is not negative.
    U64,
}

impl Dtype {
    /// The number of bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// Whether it is a floating-point number, as parameters are.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// The type of the parameters of a model, `"f32"` or `"f64"`.
    pub(crate) fn of_parameters(name: &str) -> Self {
        if name == "f32" { Self::F32 } else { Self::F64 }
    }

    /// Whether every number of this type is one of the other too.
    pub(crate) fn fits_in(self, other: Self) -> bool {
        match (self, other) {
            (Self::F16 | Self::Bf16, Self::F32) | (_, Self::F64) => self.is_float(),
            _ => self == other,
        }
    }

    /// The number of these little-endian bytes, if it is a floating-point number.
    pub(crate) fn decode(self, bytes: &[u8]) -> Option<f64> {
        Some(match self {
            Self::F16 => f16::from_le_bytes(bytes.try_into().ok()?).to_f64(),
            Self::Bf16 => bf16::from_le_bytes(bytes.try_into().ok()?).to_f64(),
            Self::F32 => f32::from_le_bytes(bytes.try_into().ok()?).into(),
            Self::F64 => f64::from_le_bytes(bytes.try_into().ok()?),
            _ => return None,
        })
    }

    /// The number of these little-endian bytes, of any type: whole numbers beyond 2⁵³ are rounded, and a truth value is 0 or 1.
    pub(crate) fn number(self, bytes: &[u8]) -> Option<f64> {
        macro_rules! whole {
            ($int:ty) => {
                <$int>::from_le_bytes(bytes.try_into().ok()?) as f64
            };
        }
        Some(match self {
            Self::Bool => f64::from(u8::from(*bytes.first()? != 0)),
            Self::I8 => whole!(i8),
            Self::I16 => whole!(i16),
            Self::I32 => whole!(i32),
            Self::I64 => whole!(i64),
            Self::U8 => whole!(u8),
            Self::U16 => whole!(u16),
            Self::U32 => whole!(u32),
            Self::U64 => whole!(u64),
            Self::F16 | Self::Bf16 | Self::F32 | Self::F64 => self.decode(bytes)?,
        })
    }

    /// Writes the numbers of these little-endian bytes, an element after the other, each divided by `divide_by` in double precision.
    pub fn divided_numbers(self, bytes: &[u8], divide_by: f64, numbers: &mut [f32]) {
        // One loop for each type, which the compiler makes lanes of.
        macro_rules! each {
            ($size:literal, |$element:ident| $number:expr) => {{
                for (bytes, number) in bytes.as_chunks::<$size>().0.iter().zip(numbers) {
                    let $element = *bytes;
                    *number = ($number / divide_by) as f32;
                }
            }};
        }
        match self {
            Self::U8 => each!(1, |element| f64::from(element[0])),
            Self::F32 => each!(4, |element| f64::from(f32::from_le_bytes(element))),
            Self::F64 => each!(8, |element| f64::from_le_bytes(element)),
            _ => {
                for (bytes, number) in bytes.chunks_exact(self.size()).zip(numbers) {
                    *number = (self.number(bytes).unwrap_or(f64::NAN) / divide_by) as f32;
                }
            }
        }
    }

    /// Appends the little-endian bytes of a number that is rounded to this type, if it is one of floating-point numbers.
    pub(crate) fn encode(self, value: f64, bytes: &mut Vec<u8>) {
        match self {
            Self::F16 => bytes.extend(f16::from_f64(value).to_le_bytes()),
            Self::Bf16 => bytes.extend(bf16::from_f64(value).to_le_bytes()),
            Self::F32 => bytes.extend((value as f32).to_le_bytes()),
            Self::F64 => bytes.extend(value.to_le_bytes()),
            _ => {}
        }
    }
}

/// The name in Rust: `f32`, `bf16`.
impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format!("{self:?}").to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        for (dtype, value, expected) in [
            (Dtype::F16, 0.1, 0.099_975_585_937_5),
            (Dtype::F16, 1e6, f64::INFINITY),
            (Dtype::Bf16, 0.1, 0.100_097_656_25),
            (Dtype::Bf16, 1e30, 1.000_135_796_319_441_5e30),
            (Dtype::F32, 0.1, 0.100_000_001_490_116_12),
            (Dtype::F64, 0.1, 0.1),
        ] {
            let mut bytes = Vec::new();
            dtype.encode(value, &mut bytes);
            assert_eq!(bytes.len(), dtype.size());
            let found = dtype.decode(&bytes).unwrap();
            assert!((found - expected).abs() <= 1e-3 * expected || found == expected, "{dtype}: {found}");
            let mut again = Vec::new();
            dtype.encode(found, &mut again);
            assert_eq!(again, bytes, "{dtype}");
        }
    }

    #[test]
    fn types_that_hold_another() {
        assert!(Dtype::Bf16.fits_in(Dtype::F32) && Dtype::F32.fits_in(Dtype::F64));
        assert!(Dtype::F16.fits_in(Dtype::F16));
        assert!(!Dtype::F16.fits_in(Dtype::Bf16) && !Dtype::F64.fits_in(Dtype::F32));
        assert!(!Dtype::I64.fits_in(Dtype::F64));
    }
}
