//! The encoding of the payload of a model file: bincode's `legacy` configuration.
//!
//! Numbers are little-endian and of fixed width: a `u64` or a length has 8 bytes, a truth value one. A text or a list is its
//! length and its elements, an optional value is a byte, 0 or 1, and the value if that is 1, and a struct is its fields.
//!
//! bincode believes a length up to a limit that is fixed when the program is compiled, and reserves that much. So the limit is
//! chosen by the length of the payload, 4 to 64 times as much, and memory grows with the payload, whatever it claims. Of a payload
//! whose checksum is not known yet, lengths are believed as far as the system would give the memory, and those of what is small in
//! every file up to 64 MiB.

use std::io::{self, Read, Write};

use bincode::config::{self, Configuration, Fixint, LittleEndian};
use bincode::error::{DecodeError as BincodeError, EncodeError};
use bincode::{Decode, Encode};

/// Why bytes are not an encoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// They have a length beyond their end, or a byte or a text that no value has, or something follows the value.
    Invalid,
    /// The system has no memory for the value, or none is given to it before the bytes are known to be right.
    Memory,
}

/// The bytes of a value.
pub(crate) fn encode(value: &impl Encode) -> Vec<u8> {
    bincode::encode_to_vec(value, config::legacy())
        .expect("memory takes any bytes, and every value has an encoding")
}

/// Writes the bytes of a value.
pub(crate) fn encode_to(value: &impl Encode, mut out: &mut dyn Write) -> io::Result<()> {
    bincode::encode_into_std_write(value, &mut out, config::legacy()).map(drop).map_err(|error| match error {
        EncodeError::Io { inner, .. } => inner,
        other => io::Error::other(other),
    })
}

/// Bytes that values are read from.
pub(crate) trait Source: Read {
    /// The number of bytes that are left.
    fn remaining(&self) -> u64;

    /// Whether they are known to be those that were written.
    fn is_verified(&self) -> bool;
}

impl Source for &[u8] {
    fn remaining(&self) -> u64 {
        self.len() as u64
    }

    fn is_verified(&self) -> bool {
        true
    }
}

/// The value of these bytes, all of them.
pub(crate) fn decode<V: Decode<()>>(mut bytes: &[u8]) -> Result<V, DecodeError> {
    let value = decode_part(&mut bytes)?;
    if bytes.is_empty() { Ok(value) } else { Err(DecodeError::Invalid) }
}

/// The value of the next bytes.
pub(crate) fn decode_part<V: Decode<()>, S: Source>(source: &mut S) -> Result<V, DecodeError> {
    decode_up_to(source, usize::MAX)
}

/// The value of the next bytes, which takes little memory in every file.
pub(crate) fn decode_small<V: Decode<()>, S: Source>(source: &mut S) -> Result<V, DecodeError> {
    decode_up_to(source, if source.is_verified() { usize::MAX } else { SMALL })
}

type Decoder<V, S> = fn(&mut S) -> Result<V, BincodeError>;

/// How many bytes something small may have. It takes up to four times as much memory.
const SMALL: usize = bits(24);

/// The value of the next bytes, up to `most` of them.
fn decode_up_to<V: Decode<()>, S: Source>(source: &mut S, most: usize) -> Result<V, DecodeError> {
    let remaining = usize::try_from(source.remaining()).map_err(|_| DecodeError::Memory)?;
    let mut length = remaining.min(most);
    if length > SMALL && !source.is_verified() {
        length /= 2;
    }
    let (decode, limit): (Decoder<V, S>, usize) = match length {
        length if length <= bits(8) => (within::<V, S, { bits(10) }>, bits(10)),
        length if length <= bits(12) => (within::<V, S, { bits(14) }>, bits(14)),
        length if length <= bits(16) => (within::<V, S, { bits(18) }>, bits(18)),
        length if length <= bits(20) => (within::<V, S, { bits(22) }>, bits(22)),
        length if length <= bits(24) => (within::<V, S, { bits(26) }>, bits(26)),
        length if length <= bits(28) => (within::<V, S, { bits(30) }>, bits(30)),
        length if length <= bits(32) => (within::<V, S, { bits(34) }>, bits(34)),
        length if length <= bits(36) => (within::<V, S, { bits(38) }>, bits(38)),
        _ => (within::<V, S, { usize::MAX }>, isize::MAX as usize),
    };
    // bincode ends the program where memory is missing. What it takes is about what the bytes take, and up to the limit if they are
    // damaged.
    let needed = if source.is_verified() || length <= SMALL { length } else { limit };
    let mut probe = Vec::<u8>::new();
    probe.try_reserve_exact(needed).map_err(|_| DecodeError::Memory)?;
    // Otherwise the compiler may leave out memory that is not used.
    drop(std::hint::black_box(probe));
    decode(source).map_err(|error| match error {
        BincodeError::LimitExceeded if !source.is_verified() => DecodeError::Memory,
        _ => DecodeError::Invalid,
    })
}

/// This power of two, or the largest number where it is larger.
const fn bits(exponent: u32) -> usize {
    if exponent < usize::BITS { 1 << exponent } else { usize::MAX }
}

/// Decodes a value that takes up to `LIMIT` bytes of memory.
fn within<V: Decode<()>, S: Source, const LIMIT: usize>(source: &mut S) -> Result<V, BincodeError> {
    let limited: Configuration<LittleEndian, Fixint, config::Limit<LIMIT>> = config::legacy().with_limit();
    bincode::decode_from_std_read(source, limited)
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
