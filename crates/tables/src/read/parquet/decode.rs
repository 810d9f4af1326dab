//! The encodings of values (<https://github.com/apache/parquet-format/blob/master/Encodings.md>).

use super::footer::Physical;
use super::thrift::Thrift;
use super::{Damage, Problem};

/// A value as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stored<'a> {
    Integer(i64),
    Single(f32),
    Double(f64),
    Bytes(&'a [u8]),
}

/// What takes the values of a page, one after the other.
pub(super) type Sink<'s> = dyn FnMut(Stored<'_>) -> Result<(), Problem> + 's;

const SHORT: Damage = Damage("the values of a page, which are too few");

/// Values where they are written as they are.
pub(super) fn plain(
    physical: Physical,
    bytes: &[u8],
    count: usize,
    sink: &mut Sink<'_>,
) -> Result<(), Problem> {
    match physical {
        Physical::Boolean => {
            let bits = Bits { bytes, width: 1 };
            (0..count).try_for_each(|index| sink(Stored::Integer(bits.get(index).ok_or(SHORT)? as i64)))
        }
        Physical::ByteArray => {
            let mut rest = bytes;
            for _ in 0..count {
                let (value, after) = prefixed(rest).ok_or(SHORT)?;
                sink(Stored::Bytes(value))?;
                rest = after;
            }
            Ok(())
        }
        fixed => {
            let width = width(fixed);
            let needed = count.checked_mul(width).ok_or(SHORT)?;
            let values = bytes.get(..needed).ok_or(SHORT)?;
            values.chunks_exact(width).try_for_each(|value| sink(stored(fixed, value)))
        }
    }
}

/// The bytes of a value whose size is always the same.
fn width(physical: Physical) -> usize {
    match physical {
        Physical::Int32 | Physical::Float => 4,
        Physical::Int64 | Physical::Double => 8,
        Physical::Int96 => 12,
        Physical::Fixed(width) => width,
        Physical::Boolean | Physical::ByteArray => 1,
    }
}

/// The value with these bytes, whose number is [`width`].
fn stored(physical: Physical, bytes: &[u8]) -> Stored<'_> {
    let four = || bytes.first_chunk().copied().unwrap_or_default();
    let eight = || bytes.first_chunk().copied().unwrap_or_default();
    match physical {
        Physical::Int32 => Stored::Integer(i64::from(i32::from_le_bytes(four()))),
        Physical::Int64 => Stored::Integer(i64::from_le_bytes(eight())),
        Physical::Float => Stored::Single(f32::from_le_bytes(four())),
        Physical::Double => Stored::Double(f64::from_le_bytes(eight())),
        _ => Stored::Bytes(bytes),
    }
}

/// The bytes after four that say how many they are, and what follows.
pub(super) fn prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// Numbers of `width` bits each, the lowest first.
struct Bits<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl Bits<'_> {
    /// A number of at most 64 bits.
    fn get(&self, index: usize) -> Option<u64> {
        let first = index.checked_mul(self.width)?;
        let end = first.checked_add(self.width)?.div_ceil(8);
        let bytes = self.bytes.get(first / 8..end)?;
        let mut value = [0; 16];
        value[..bytes.len()].copy_from_slice(bytes);
        let mask = if self.width == 0 { 0 } else { u64::MAX >> (64 - self.width) };
        Some((u128::from_le_bytes(value) >> (first % 8)) as u64 & mask)
    }
}

/// Numbers of at most 32 bits, in runs of one number and in groups of eight.
pub(super) fn runs(
    bytes: &[u8],
    width: usize,
    count: usize,
    mut take: impl FnMut(u32) -> Result<(), Problem>,
) -> Result<(), Problem> {
    if width > 32 {
        return Err(Damage("the width of a page's numbers").into());
    }
    let mut input = Thrift::new(bytes);
    let mut left = count;
    while left > 0 {
        let header = input.unsigned().ok_or(SHORT)?;
        let length = usize::try_from(header >> 1).map_err(|_| SHORT)?;
        let rest = input.rest();
        let used = if header & 1 == 1 {
            let numbers = length.saturating_mul(8).min(left);
            let bits = Bits { bytes: rest, width };
            for index in 0..numbers {
                take(bits.get(index).ok_or(SHORT)? as u32)?;
            }
            left -= numbers;
            length.saturating_mul(width).min(rest.len())
        } else {
            let size = width.div_ceil(8);
            let mut number = [0; 4];
            number[..size].copy_from_slice(rest.get(..size).ok_or(SHORT)?);
            let number = u32::from_le_bytes(number);
            let repeated = length.min(left);
            for _ in 0..repeated {
                take(number)?;
            }
            left -= repeated;
            size
        };
        input = Thrift::new(&rest[used..]);
    }
    Ok(())
}

/// Whole numbers by their differences: the numbers, and what follows them.
///
/// The differences are packed in blocks; a block has a smallest difference, and parts with a width of bits each.
fn differences(bytes: &[u8], count: usize) -> Result<(Vec<i64>, &[u8]), Problem> {
    let damaged = Damage("the differences of a page's numbers");
    let mut input = Thrift::new(bytes);
    let mut next = || input.unsigned().and_then(|value| usize::try_from(value).ok()).ok_or(damaged);
    let (block, parts, total) = (next()?, next()?, next()?);
    let mut value = input.signed().ok_or(damaged)?;
    if parts == 0 || block % parts != 0 || !(block / parts).is_multiple_of(8) || block == 0 || total != count
    {
        return Err(damaged.into());
    }
    let part = block / parts;
    let mut values = Vec::new();
    if count > 0 {
        values.push(value);
    }
    let mut rest = input.rest();
    while values.len() < count {
        let mut input = Thrift::new(rest);
        let smallest = input.signed().ok_or(damaged)?;
        let (widths, after) = input.rest().split_at_checked(parts).ok_or(damaged)?;
        rest = after;
        for &width in widths {
            let left = count - values.len();
            if left == 0 {
                break;
            }
            if width > 64 {
                return Err(damaged.into());
            }
            let bits = Bits { bytes: rest, width: usize::from(width) };
            for index in 0..part.min(left) {
                let difference = bits.get(index).ok_or(damaged)?;
                value = value.wrapping_add(smallest).wrapping_add(difference as i64);
                values.push(value);
            }
            let used = (part / 8).saturating_mul(usize::from(width)).min(rest.len());
            rest = &rest[used..];
        }
    }
    Ok((values, rest))
}

/// Whole numbers by their differences.
pub(super) fn delta(
    physical: Physical,
    bytes: &[u8],
    count: usize,
    sink: &mut Sink<'_>,
) -> Result<(), Problem> {
    let (values, _) = differences(bytes, count)?;
    values.into_iter().try_for_each(|value| match physical {
        Physical::Int64 => sink(Stored::Integer(value)),
        // Their differences may be beyond the numbers of 32 bits, and are counted round.
        Physical::Int32 => sink(Stored::Integer(i64::from(value as i32))),
        _ => Err(Problem::Unsupported("its numbers are stored as differences, and are no whole numbers")),
    })
}

/// Texts after the lengths of all of them.
pub(super) fn delta_lengths(bytes: &[u8], count: usize, sink: &mut Sink<'_>) -> Result<(), Problem> {
    let (lengths, mut rest) = differences(bytes, count)?;
    for length in lengths {
        let length = usize::try_from(length).map_err(|_| SHORT)?;
        let (value, after) = rest.split_at_checked(length).ok_or(SHORT)?;
        sink(Stored::Bytes(value))?;
        rest = after;
    }
    Ok(())
}

/// Texts by the number of letters that each has in common with the one before it, and the others; their bytes are taken from `budget`.
pub(super) fn delta_texts(
    physical: Physical,
    bytes: &[u8],
    count: usize,
    budget: &mut usize,
    sink: &mut Sink<'_>,
) -> Result<(), Problem> {
    let (prefixes, rest) = differences(bytes, count)?;
    let mut prefixes = prefixes.into_iter();
    let mut text = Vec::new();
    delta_lengths(rest, count, &mut |suffix| {
        let Stored::Bytes(suffix) = suffix else { return Err(SHORT.into()) };
        let common = prefixes.next().and_then(|prefix| usize::try_from(prefix).ok());
        text.truncate(common.filter(|&common| common <= text.len()).ok_or(SHORT)?);
        text.extend_from_slice(suffix);
        *budget = budget.checked_sub(text.len()).ok_or(Problem::Expansion)?;
        if matches!(physical, Physical::Fixed(width) if width != text.len()) {
            return Err(Damage("the size of a value").into());
        }
        sink(Stored::Bytes(&text))
    })
}

/// Values whose first bytes come first, then their second ones.
pub(super) fn byte_streams(
    physical: Physical,
    bytes: &[u8],
    count: usize,
    sink: &mut Sink<'_>,
) -> Result<(), Problem> {
    if matches!(physical, Physical::Boolean | Physical::ByteArray) {
        return Err(Damage("the encoding of a page").into());
    }
    let width = width(physical);
    let needed = count.checked_mul(width).ok_or(SHORT)?;
    let bytes = bytes.get(..needed).ok_or(SHORT)?;
    let mut value = vec![0; if count == 0 { 0 } else { width }];
    for index in 0..count {
        value.iter_mut().zip(bytes[index..].iter().step_by(count)).for_each(|(byte, &stored)| *byte = stored);
        sink(stored(physical, &value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification: the numbers 0 to 7 with three bits each.
    #[test]
    fn groups_and_runs_of_the_specification() {
        let mut found = Vec::new();
        runs(&[0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010, 6 << 1, 5], 3, 12, |number| {
            found.push(number);
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5, 5]);
    }

    #[test]
    fn texts_of_a_fixed_size_have_it() {
        // A text of two letters.
        let bytes = [128, 1, 4, 1, 0, 128, 1, 4, 1, 4, b'a', b'b'];
        let mut texts = Vec::new();
        let mut read = |physical| {
            delta_texts(physical, &bytes, 1, &mut 100, &mut |value| {
                let Stored::Bytes(text) = value else { return Err(SHORT.into()) };
                texts.push(text.to_vec());
                Ok(())
            })
        };
        assert!(read(Physical::ByteArray).is_ok() && read(Physical::Fixed(2)).is_ok());
        assert!(matches!(read(Physical::Fixed(16)), Err(Problem::Damage(_))));
        assert_eq!(texts, [b"ab", b"ab"]);
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let mut none = |_: Stored<'_>| Ok(());
        assert!(plain(Physical::Int32, &[0; 7], 2, &mut none).is_err());
        assert!(plain(Physical::ByteArray, &[9, 0, 0, 0, 1], 1, &mut none).is_err());
        assert!(runs(&[0b11, 1], 3, 8, |_| Ok(())).is_err());
        assert!(runs(&[], 0, 1, |_| Ok(())).is_err());
        assert!(delta(Physical::Int64, &[128, 1, 4, 2, 0], 2, &mut none).is_err());
        // A prefix that is longer than the text before it.
        let texts = Physical::ByteArray;
        assert!(delta_texts(texts, &[128, 1, 4, 1, 2, 128, 1, 4, 1, 0], 1, &mut 100, &mut none).is_err());
    }
}
