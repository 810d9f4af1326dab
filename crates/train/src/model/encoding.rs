//! The encoding of the payload of a model file: bincode's `legacy` configuration.
//!
//! Numbers are little-endian and of fixed width: a `u64` or a length has 8 bytes, a truth value one. A text or a list is its
//! length and its elements, an optional value is a byte, 0 or 1, and the value if that is 1, and a struct is its fields.
//!
//! bincode believes a length up to a limit that is fixed when the program is compiled, and reserves that much. So the limit is
//! chosen by the length of the payload, 4 to 64 times as much, and memory grows with the payload, whatever it claims.

use bincode::config::{self, Configuration, Fixint, LittleEndian};
use bincode::error::DecodeError as BincodeError;
use bincode::{Decode, Encode};

/// Why bytes are not an encoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// They have a length beyond their end, or a byte or a text that no value has, or something follows the value.
    Invalid,
    /// The system has no memory for the value.
    Memory,
}

/// The bytes of a value.
pub(crate) fn encode(value: &impl Encode) -> Vec<u8> {
    bincode::encode_to_vec(value, config::legacy())
        .expect("memory takes any bytes, and every value has an encoding")
}

/// The value of these bytes, all of them.
pub(crate) fn decode<V: Decode<()>>(bytes: &[u8]) -> Result<V, DecodeError> {
    // bincode ends the program where memory is missing. What it takes is about what the bytes take.
    let mut probe = Vec::<u8>::new();
    probe.try_reserve_exact(bytes.len()).map_err(|_| DecodeError::Memory)?;
    // Otherwise the compiler may leave out memory that is not used.
    drop(std::hint::black_box(probe));
    let decode = match bytes.len() {
        length if length <= bits(8) => within::<V, { bits(10) }>,
        length if length <= bits(12) => within::<V, { bits(14) }>,
        length if length <= bits(16) => within::<V, { bits(18) }>,
        length if length <= bits(20) => within::<V, { bits(22) }>,
        length if length <= bits(24) => within::<V, { bits(26) }>,
        length if length <= bits(28) => within::<V, { bits(30) }>,
        length if length <= bits(32) => within::<V, { bits(34) }>,
        length if length <= bits(36) => within::<V, { bits(38) }>,
        _ => within::<V, { usize::MAX }>,
    };
    match decode(bytes) {
        Ok((value, read)) if read == bytes.len() => Ok(value),
        _ => Err(DecodeError::Invalid),
    }
}

/// This power of two, or the largest number where it is larger.
const fn bits(exponent: u32) -> usize {
    if exponent < usize::BITS { 1 << exponent } else { usize::MAX }
}

/// Decodes a value that takes up to `LIMIT` bytes of memory.
fn within<V: Decode<()>, const LIMIT: usize>(bytes: &[u8]) -> Result<(V, usize), BincodeError> {
    let limited: Configuration<LittleEndian, Fixint, config::Limit<LIMIT>> = config::legacy().with_limit();
    bincode::decode_from_slice(bytes, limited)
}

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
            assert_eq!(decode::<String>(&bytes), Err(DecodeError::Invalid));
            assert_eq!(decode::<Vec<u64>>(&bytes), Err(DecodeError::Invalid));
            assert_eq!(decode::<Vec<(String, String, Vec<usize>)>>(&bytes), Err(DecodeError::Invalid));
        }
    }
}
