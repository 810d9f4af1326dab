//! The encoding of the payload of a model file.
//!
//! Numbers are little-endian and of fixed width: a `u64` or a length has 8 bytes, a truth value one. A text or a list is its
//! length and its elements, an optional value is a byte, 0 or 1, and the value if that is 1, and a struct is its fields. These
//! are the bytes of bincode's `legacy` configuration, which wrote files before.
//!
//! A length is believed only as far as there are bytes: memory grows with the payload, whatever it claims.

/// Why bytes are not an encoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// They end too early, or have a length beyond their end.
    Short,
    /// Something follows the value.
    Long,
    /// A byte or a text that no value has.
    Invalid,
    /// The system has no memory for the value.
    Memory,
}

/// The bytes of a value.
pub(super) fn encode(value: &impl Encoded) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.write(&mut bytes);
    bytes
}

/// The value of these bytes, all of them.
pub(super) fn decode<V: Encoded>(mut bytes: &[u8]) -> Result<V, DecodeError> {
    let value = V::read(&mut bytes)?;
    if bytes.is_empty() { Ok(value) } else { Err(DecodeError::Long) }
}

/// A value with an encoding.
pub(super) trait Encoded: Sized {
    /// The number of bytes of the shortest encoding.
    const SHORTEST: usize;

    /// Appends the encoding.
    fn write(&self, bytes: &mut Vec<u8>);

    /// Takes the encoding from the beginning of the bytes.
    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError>;

    /// Appends the encodings of several values.
    fn write_all(values: &[Self], bytes: &mut Vec<u8>) {
        values.iter().for_each(|value| value.write(bytes));
    }

    /// Takes the encodings of `count` values, which were found to be no more than the bytes can hold.
    fn read_all(count: usize, bytes: &mut &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|_| DecodeError::Memory)?;
        for _ in 0..count {
            values.push(Self::read(bytes)?);
        }
        Ok(values)
    }
}

impl Encoded for u8 {
    const SHORTEST: usize = 1;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(*self);
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        bytes.split_off_first().copied().ok_or(DecodeError::Short)
    }

    fn write_all(values: &[Self], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(values);
    }

    fn read_all(count: usize, bytes: &mut &[u8]) -> Result<Vec<Self>, DecodeError> {
        let taken = bytes.split_off(..count).ok_or(DecodeError::Short)?;
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|_| DecodeError::Memory)?;
        values.extend_from_slice(taken);
        Ok(values)
    }
}

impl Encoded for bool {
    const SHORTEST: usize = 1;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(*self));
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        match u8::read(bytes)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid),
        }
    }
}

impl Encoded for u64 {
    const SHORTEST: usize = 8;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        let (first, rest) = bytes.split_first_chunk().ok_or(DecodeError::Short)?;
        *bytes = rest;
        Ok(Self::from_le_bytes(*first))
    }
}

impl Encoded for f64 {
    const SHORTEST: usize = 8;

    fn write(&self, bytes: &mut Vec<u8>) {
        self.to_bits().write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok(Self::from_bits(u64::read(bytes)?))
    }
}

impl Encoded for usize {
    const SHORTEST: usize = 8;

    fn write(&self, bytes: &mut Vec<u8>) {
        (*self as u64).write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Self::try_from(u64::read(bytes)?).map_err(|_| DecodeError::Invalid)
    }
}

impl Encoded for String {
    const SHORTEST: usize = 8;

    fn write(&self, bytes: &mut Vec<u8>) {
        self.len().write(bytes);
        bytes.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Self::from_utf8(Vec::read(bytes)?).map_err(|_| DecodeError::Invalid)
    }
}

impl<V: Encoded> Encoded for Vec<V> {
    const SHORTEST: usize = 8;

    fn write(&self, bytes: &mut Vec<u8>) {
        self.len().write(bytes);
        V::write_all(self, bytes);
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        let count = usize::read(bytes).map_err(|_| DecodeError::Short)?;
        if count > bytes.len() / V::SHORTEST {
            return Err(DecodeError::Short);
        }
        V::read_all(count, bytes)
    }
}

impl<V: Encoded> Encoded for Option<V> {
    const SHORTEST: usize = 1;

    fn write(&self, bytes: &mut Vec<u8>) {
        self.is_some().write(bytes);
        self.iter().for_each(|value| value.write(bytes));
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        if bool::read(bytes)? { V::read(bytes).map(Some) } else { Ok(None) }
    }
}

impl<A: Encoded, B: Encoded> Encoded for (A, B) {
    const SHORTEST: usize = A::SHORTEST + B::SHORTEST;

    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok((A::read(bytes)?, B::read(bytes)?))
    }
}

impl<A: Encoded, B: Encoded, C: Encoded> Encoded for (A, B, C) {
    const SHORTEST: usize = A::SHORTEST + B::SHORTEST + C::SHORTEST;

    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
        self.2.write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok((A::read(bytes)?, B::read(bytes)?, C::read(bytes)?))
    }
}

/// Encodes a struct as its fields, in this order. Another list is another version of the format.
macro_rules! fields {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::model::encoding::Encoded for $name {
            const SHORTEST: usize = 1;

            fn write(&self, bytes: &mut Vec<u8>) {
                $($crate::model::encoding::Encoded::write(&self.$field, bytes);)*
            }

            fn read(bytes: &mut &[u8]) -> Result<Self, $crate::model::encoding::DecodeError> {
                Ok(Self { $($field: $crate::model::encoding::Encoded::read(bytes)?),* })
            }
        }
    };
}

pub(super) use fields;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_format() {
        let bytes = encode(&(258usize, Some(true), ("é".to_owned(), vec![1u8, 2])));
        let expected = [
            &[2, 1, 0, 0, 0, 0, 0, 0][..],
            &[1, 1],
            &[2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0xa9],
            &[2, 0, 0, 0, 0, 0, 0, 0, 1, 2],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn bytes_that_no_value_has() {
        assert_eq!(decode::<bool>(&[2]), Err(DecodeError::Invalid));
        assert_eq!(decode::<Option<u8>>(&[255, 0]), Err(DecodeError::Invalid));
        assert_eq!(decode::<String>(&[1, 0, 0, 0, 0, 0, 0, 0, 0xff]), Err(DecodeError::Invalid));
    }

    #[test]
    fn a_length_beyond_the_bytes_reserves_nothing() {
        for length in [2, 1 << 30, u64::MAX] {
            let mut bytes = length.to_le_bytes().to_vec();
            bytes.push(0);
            assert_eq!(decode::<String>(&bytes), Err(DecodeError::Short));
            assert_eq!(decode::<Vec<u64>>(&bytes), Err(DecodeError::Short));
            assert_eq!(decode::<Vec<(String, String, Vec<usize>)>>(&bytes), Err(DecodeError::Short));
        }
    }
}
