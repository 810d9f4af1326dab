//! The encoding of the payload of a model file, of what callbacks keep in it, and of what processes tell each other.
//!
//! Numbers are little-endian and of fixed width: a `u64` or a length has 8 bytes, a truth value one. A text or a list is its
//! length and its elements, an optional value is a byte, 0 or 1, and the value if that is 1, and a struct or a tuple is its fields.
//!
//! A length is believed as far as there are bytes for its elements that no list around it needs for its own, so memory grows with the
//! payload, whatever it claims: as the bytes grow, not as the bytes of each list in another do. Of a payload whose checksum is not known
//! yet, what is small in every file is believed up to 16 MiB.

use std::io::{self, Read, Write};

/// Why bytes are not an encoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// They have a length beyond their end, or a byte or a text that no value has, or something follows the value.
    Invalid,
    /// The system has no memory for the value, or none is given to it before the bytes are known to be right.
    Memory,
}

/// A value that has an encoding.
pub(crate) trait Encode {
    /// Writes its bytes.
    fn encode(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Writes the bytes of values one after the other.
    fn encode_all(values: &[Self], out: &mut dyn Write) -> io::Result<()>
    where
        Self: Sized,
    {
        values.iter().try_for_each(|value| value.encode(out))
    }
}

/// A value that is read from its encoding.
pub(crate) trait Decode: Sized {
    /// The smallest number of bytes that a value has: at least one.
    const MIN_BYTES: usize;

    /// Reads a value.
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// Reads so many values into memory that has been reserved for them.
    fn decode_all(from: &mut Decoder<'_>, count: usize, values: &mut Vec<Self>) -> Result<(), DecodeError> {
        for _ in 0..count {
            from.owed -= Self::MIN_BYTES as u64;
            values.push(Self::decode(from)?);
        }
        Ok(())
    }
}

/// The bytes of a value.
pub(crate) fn encode(value: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes).expect("memory takes any bytes");
    bytes
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
pub(crate) fn decode<V: Decode>(mut bytes: &[u8]) -> Result<V, DecodeError> {
    let value = decode_part(&mut bytes)?;
    if bytes.is_empty() { Ok(value) } else { Err(DecodeError::Invalid) }
}

/// The value of the next bytes.
pub(crate) fn decode_part<V: Decode>(source: &mut dyn Source) -> Result<V, DecodeError> {
    V::decode(&mut Decoder { source, believed: u64::MAX, owed: 0 })
}

/// The value of the next bytes, which takes little memory in every file.
pub(crate) fn decode_small<V: Decode>(source: &mut dyn Source) -> Result<V, DecodeError> {
    let believed = if source.is_verified() { u64::MAX } else { SMALL };
    V::decode(&mut Decoder { source, believed, owed: 0 })
}

/// How many bytes something small may have.
const SMALL: u64 = 1 << 24;

/// Reads values from bytes.
pub(crate) struct Decoder<'a> {
    source: &'a mut dyn Source,
    /// How many more bytes are believed to be there.
    believed: u64,
    /// How many of the bytes that are left belong to elements of lists for which memory has been reserved.
    owed: u64,
}

impl Decoder<'_> {
    /// The next bytes, as many as these.
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), DecodeError> {
        self.believed = self.believed.checked_sub(bytes.len() as u64).ok_or(DecodeError::Memory)?;
        self.source.read_exact(bytes).map_err(|_| DecodeError::Invalid)
    }

    /// The next bytes.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    /// The length of a list, and memory for its elements, whose bytes are owed to it from then on.
    fn list<V: Decode>(&mut self) -> Result<(usize, Vec<V>), DecodeError> {
        let length = u64::decode(self)?;
        let bytes = length.checked_mul(V::MIN_BYTES as u64).ok_or(DecodeError::Invalid)?;
        let owed = self.owed.checked_add(bytes).ok_or(DecodeError::Invalid)?;
        if owed > self.source.remaining() {
            return Err(DecodeError::Invalid);
        }
        if owed > self.believed {
            return Err(DecodeError::Memory);
        }
        let length = usize::try_from(length).map_err(|_| DecodeError::Memory)?;
        let mut values = Vec::new();
        values.try_reserve_exact(length).map_err(|_| DecodeError::Memory)?;
        self.owed = owed;
        Ok((length, values))
    }
}

impl<V: Encode> Encode for &V {
    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        V::encode(self, out)
    }
}

impl Encode for u8 {
    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&[*self])
    }

    fn encode_all(values: &[u8], out: &mut dyn Write) -> io::Result<()> {
        out.write_all(values)
    }
}

impl Decode for u8 {
    const MIN_BYTES: usize = 1;

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let [byte] = from.take()?;
        Ok(byte)
    }

    fn decode_all(from: &mut Decoder<'_>, count: usize, values: &mut Vec<u8>) -> Result<(), DecodeError> {
        values.resize(count, 0);
        from.owed -= count as u64;
        from.read(values)
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        u8::from(*self).encode(out)
    }
}

impl Decode for bool {
    const MIN_BYTES: usize = 1;

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match u8::decode(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid),
        }
    }
}

/// Numbers of eight bytes.
macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl Encode for $number {
            fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
                out.write_all(&self.to_le_bytes())
            }
        }

        impl Decode for $number {
            const MIN_BYTES: usize = 8;

            fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                Ok(Self::from_le_bytes(from.take()?))
            }
        }
    )*};
}

numbers! { u64 f64 }

impl Encode for usize {
    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        (*self as u64).encode(out)
    }
}

impl Decode for usize {
    const MIN_BYTES: usize = 8;

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        u64::decode(from)?.try_into().map_err(|_| DecodeError::Invalid)
    }
}

impl Encode for String {
    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        self.len().encode(out)?;
        out.write_all(self.as_bytes())
    }
}

impl Decode for String {
    const MIN_BYTES: usize = 8;

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::from_utf8(Vec::decode(from)?).map_err(|_| DecodeError::Invalid)
    }
}

impl<V: Encode> Encode for Vec<V> {
    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        self.len().encode(out)?;
        V::encode_all(self, out)
    }
}

impl<V: Decode> Decode for Vec<V> {
    const MIN_BYTES: usize = 8;

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (count, mut values) = from.list()?;
        V::decode_all(from, count, &mut values)?;
        Ok(values)
    }
}

impl<V: Encode> Encode for Option<V> {
    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        self.is_some().encode(out)?;
        self.iter().try_for_each(|value| value.encode(out))
    }
}

impl<V: Decode> Decode for Option<V> {
    const MIN_BYTES: usize = 1;

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        bool::decode(from)?.then(|| V::decode(from)).transpose()
    }
}

/// Tuples of values of these types.
macro_rules! tuples {
    ($(($($value:ident)*))*) => {$(
        impl<$($value: Encode),*> Encode for ($($value,)*) {
            #[allow(non_snake_case)]
            fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
                let ($($value,)*) = self;
                $($value.encode(out)?;)*
                Ok(())
            }
        }

        impl<$($value: Decode),*> Decode for ($($value,)*) {
            const MIN_BYTES: usize = 0 $(+ $value::MIN_BYTES)*;

            fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                Ok(($($value::decode(from)?,)*))
            }
        }
    )*};
}

tuples! { (A B) (A B C) (A B C D) (A B C D E F) }

/// Defines structs that are encoded as their fields, in their order.
macro_rules! encoded {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$of_field:meta])* $of_it:vis $field:ident: $type:ty,)*
        }
    )*) => {$(
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$of_field])* $of_it $field: $type,)*
        }

        impl $crate::model::encoding::Encode for $name {
            fn encode(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
                $(self.$field.encode(out)?;)*
                Ok(())
            }
        }

        impl $crate::model::encoding::Decode for $name {
            const MIN_BYTES: usize = 0 $(+ <$type as $crate::model::encoding::Decode>::MIN_BYTES)*;

            fn decode(
                from: &mut $crate::model::encoding::Decoder<'_>,
            ) -> Result<Self, $crate::model::encoding::DecodeError> {
                Ok(Self { $($field: $crate::model::encoding::Decode::decode(from)?,)* })
            }
        }
    )*};
}
pub(crate) use encoded;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_format() {
        let value = (258usize, Some(true), ("é".to_owned(), vec![1u8, 2]));
        let expected = [
            &[2, 1, 0, 0, 0, 0, 0, 0][..],
            &[1, 1],
            &[2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0xa9],
            &[2, 0, 0, 0, 0, 0, 0, 0, 1, 2],
        ];
        assert_eq!(encode(&value), expected.concat());
        assert_eq!(decode(&expected.concat()), Ok(value));
    }

    #[test]
    fn bytes_that_no_value_has() {
        assert_eq!(decode::<bool>(&[2]), Err(DecodeError::Invalid));
        assert_eq!(decode::<Option<u8>>(&[255, 0]), Err(DecodeError::Invalid));
        assert_eq!(decode::<String>(&[1, 0, 0, 0, 0, 0, 0, 0, 0xff]), Err(DecodeError::Invalid));
        assert_eq!(decode::<u8>(&[1, 2]), Err(DecodeError::Invalid));
        assert_eq!(decode::<f64>(&[0; 7]), Err(DecodeError::Invalid));
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

    /// A list in a list: whether memory is given for so many bytes.
    struct Inner(bool);

    impl Decode for Inner {
        const MIN_BYTES: usize = 8;

        fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
            Ok(Self(from.list::<u8>().is_ok()))
        }
    }

    #[test]
    fn a_byte_is_believed_for_one_list_only() {
        let lengths = |inner: [u64; 2]| {
            let bytes = [[2].as_slice(), &inner].concat().into_iter().flat_map(u64::to_le_bytes);
            let found = decode_part::<Vec<Inner>>(&mut &*bytes.collect::<Vec<u8>>()).unwrap();
            [found[0].0, found[1].0]
        };
        assert_eq!(lengths([0, 0]), [true, true]);
        // The eight bytes that are left are those of the other inner list.
        assert_eq!(lengths([1, 0]), [false, true]);
        assert_eq!(lengths([0, 1]), [true, false]);
    }

    /// Bytes that are not known to be right.
    struct Unverified<'a>(&'a [u8]);

    impl Read for Unverified<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.0.read(bytes)
        }
    }

    impl Source for Unverified<'_> {
        fn remaining(&self) -> u64 {
            self.0.remaining()
        }

        fn is_verified(&self) -> bool {
            false
        }
    }

    #[test]
    fn what_is_small_is_believed_up_to_a_limit_until_it_is_known_to_be_right() {
        // With its length.
        let most = SMALL as usize - 8;
        for (count, believed) in [(0, true), (most, true), (most + 1, false)] {
            let bytes = encode(&vec![7u8; count]);
            let read = decode_small::<Vec<u8>>(&mut Unverified(&bytes)).map(|values| values.len());
            assert_eq!(read, if believed { Ok(count) } else { Err(DecodeError::Memory) });
            assert_eq!(decode_small::<Vec<u8>>(&mut &bytes[..]).map(|values| values.len()), Ok(count));
            assert_eq!(decode_part::<Vec<u8>>(&mut Unverified(&bytes)).map(|values| values.len()), Ok(count));
        }
    }
}
