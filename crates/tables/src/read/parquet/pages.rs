//! The pages that the values of a column are in.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{DEFAULT_MAX_WINDOW_SIZE, StreamingDecoder};

use super::decode::{self, Sink, Stored};
use super::footer::{Chunk, Leaf, Physical};
use super::thrift::{Kind, Thrift};
use super::{Damage, Problem};

/// The window that every decoder of Zstandard has to support, in bytes.
const MAX_WINDOW: u64 = 8 << 20;

/// A page takes as much as so many bytes at least, since its header takes time. Those of pages with values are some twenty bytes long.
const MIN_PAGE: usize = 64;

/// The memory of an entry of a dictionary, besides its text.
const ENTRY: usize = 32;

/// What takes the values of a column: as stored, by the index in the dictionary, or missing.
pub(super) trait Column {
    /// An entry of the dictionary.
    fn entry(&mut self, value: Stored<'_>) -> Result<(), Problem>;
    /// Forgets the dictionary of the group before.
    fn clear(&mut self);
    /// The value of the next row.
    fn value(&mut self, value: Stored<'_>) -> Result<(), Problem>;
    /// The next row has the value of this entry.
    fn indexed(&mut self, index: u32) -> Result<(), Problem>;
    /// The next row has none.
    fn missing(&mut self) -> Result<(), Problem>;
}

/// Reads the values of a column for the rows of a group.
///
/// The bytes of its pages are taken from `budget`: those in the file, since several columns may say that they are in the same ones, and
/// those that decompression adds.
pub(super) fn read(
    file: &[u8],
    leaf: &Leaf,
    (chunk, rows): (&Chunk, usize),
    budget: &mut usize,
    column: &mut dyn Column,
) -> Result<(), Problem> {
    if let Some(unsupported) = chunk.unsupported {
        return Err(Problem::Unsupported(unsupported));
    }
    let end = chunk.start.checked_add(chunk.bytes).ok_or(Damage("where a column is"))?;
    let mut rest = file.get(chunk.start..end).ok_or(Damage("where a column is"))?;
    column.clear();
    let mut left = rows;
    let mut has_dictionary = false;
    while left > 0 {
        let mut input = Thrift::new(rest);
        let header = Header::read(&mut input).ok_or(Damage("the header of a page"))?;
        let (stored, after) =
            input.rest().split_at_checked(header.stored).ok_or(Damage("the size of a page"))?;
        let taken = (rest.len() - after.len()).max(MIN_PAGE);
        *budget = budget.checked_sub(taken).ok_or(Problem::Expansion)?;
        rest = after;
        let Some(page) = header.page else { continue };
        let added = header.bytes.saturating_sub(header.stored);
        *budget = budget.checked_sub(added).ok_or(Problem::Expansion)?;
        // The levels of a page of the second kind are not compressed.
        let plain = if let Page::Data { levels: Levels::Before(bytes, _), .. } = page { bytes } else { 0 };
        let (levels, values) = stored.split_at_checked(plain).ok_or(Damage("the size of a page"))?;
        let compressed = !matches!(page, Page::Data { levels: Levels::Before(_, false), .. });
        let size = header.bytes.checked_sub(plain).ok_or(Damage("the size of a page"))?;
        let codec = if compressed { chunk.codec } else { 0 };
        let decompressed = decompress(codec, values, size)?;
        let bytes = decompressed.as_deref().unwrap_or(values);
        match page {
            Page::Dictionary { values } => {
                if std::mem::replace(&mut has_dictionary, true) {
                    return Err(Damage("a dictionary").into());
                }
                // It may have entries that no row has, whose memory the number of rows does not justify.
                let unused = values.saturating_sub(rows).saturating_mul(ENTRY);
                *budget = budget.checked_sub(unused).ok_or(Problem::Expansion)?;
                decode::plain(leaf.physical, bytes, values, &mut |value| column.entry(value))?;
            }
            Page::Data { values, encoding, levels: kind } => {
                left = left.checked_sub(values).ok_or(Damage("the number of values of a page"))?;
                let (levels, bytes) = match kind {
                    Levels::Before(..) => (levels, bytes),
                    _ if leaf.optional == 0 => (levels, bytes),
                    Levels::Within => decode::prefixed(bytes).ok_or(Damage("the levels of a page"))?,
                    Levels::Unsupported => {
                        return Err(Problem::Unsupported("its missing values are marked in an old way"));
                    }
                };
                let present = present(leaf, levels, values)?;
                let present_values = present.iter().filter(|&&present| present).count();
                let mut rows = present.into_iter();
                let values = Values { physical: leaf.physical, encoding, bytes, count: present_values };
                values.read(&mut rows, budget, column)?;
                rows.try_for_each(|_| column.missing())?;
            }
        }
    }
    Ok(())
}

/// Which rows of a page have a value.
fn present(leaf: &Leaf, levels: &[u8], rows: usize) -> Result<Vec<bool>, Problem> {
    let mut present = Vec::new();
    present.try_reserve_exact(rows).map_err(|_| Problem::Memory)?;
    if leaf.optional == 0 {
        present.resize(rows, true);
        return Ok(present);
    }
    let width = leaf.optional.ilog2() as usize + 1;
    decode::runs(levels, width, rows, |level| {
        present.push(level == leaf.optional);
        Ok(())
    })?;
    Ok(present)
}

/// The values of a page.
struct Values<'a> {
    physical: Physical,
    encoding: i64,
    bytes: &'a [u8],
    count: usize,
}

impl Values<'_> {
    /// Gives a column its values; `rows` says which rows have one.
    fn read(
        &self,
        rows: &mut impl Iterator<Item = bool>,
        budget: &mut usize,
        column: &mut dyn Column,
    ) -> Result<(), Problem> {
        let &Self { physical, encoding, bytes, count } = self;
        // Before a value come the rows that have none.
        let mut skip = |column: &mut dyn Column| {
            while rows.next() == Some(false) {
                column.missing()?;
            }
            Ok::<(), Problem>(())
        };
        if matches!(encoding, 2 | 8) {
            let Some((&width, indices)) = bytes.split_first() else {
                return if count == 0 { Ok(()) } else { Err(Damage("the values of a page").into()) };
            };
            return decode::runs(indices, usize::from(width), count, |index| {
                skip(column)?;
                column.indexed(index)
            });
        }
        let sink: &mut Sink<'_> = &mut |value| {
            skip(column)?;
            column.value(value)
        };
        let texts = matches!(physical, Physical::ByteArray | Physical::Fixed(_));
        match encoding {
            _ if count == 0 => Ok(()),
            0 => decode::plain(physical, bytes, count, sink),
            3 if physical == Physical::Boolean => {
                let (bytes, _) = decode::prefixed(bytes).ok_or(Damage("the values of a page"))?;
                decode::runs(bytes, 1, count, |bit| sink(Stored::Integer(i64::from(bit))))
            }
            5 => decode::delta(physical, bytes, count, sink),
            6 if physical == Physical::ByteArray => decode::delta_lengths(bytes, count, sink),
            7 if texts => decode::delta_texts(physical, bytes, count, budget, sink),
            9 => decode::byte_streams(physical, bytes, count, sink),
            _ => Err(Problem::Unsupported("its values have an encoding that is not known")),
        }
    }
}

/// The header of a page.
#[derive(Default)]
struct Header {
    /// The page, if it is one that values are in.
    page: Option<Page>,
    /// Its bytes in the file.
    stored: usize,
    /// Its bytes after it is decompressed.
    bytes: usize,
}

#[derive(Clone, Copy)]
enum Page {
    Dictionary { values: usize },
    Data { values: usize, encoding: i64, levels: Levels },
}

/// What says which rows have a value.
#[derive(Clone, Copy)]
enum Levels {
    /// It is compressed with the values, and says its own length.
    Within,
    /// So many bytes before the values, which are compressed or not.
    Before(usize, bool),
    /// Of a kind that is not written any more.
    Unsupported,
}

impl Header {
    fn read(input: &mut Thrift<'_>) -> Option<Self> {
        let mut header = Self::default();
        input.structure(|thrift, id, kind| {
            match id {
                2 => header.bytes = thrift.count(kind)?,
                3 => header.stored = thrift.count(kind)?,
                5 => header.page = Some(data(thrift)?),
                7 => header.page = Some(dictionary(thrift)?),
                8 => header.page = Some(second_data(thrift)?),
                _ => return Some(false),
            }
            Some(true)
        })?;
        Some(header)
    }
}

fn dictionary(thrift: &mut Thrift<'_>) -> Option<Page> {
    let mut values = 0;
    thrift.structure(|thrift, id, kind: Kind| {
        let is_count = id == 1;
        if is_count {
            values = thrift.count(kind)?;
        }
        Some(is_count)
    })?;
    Some(Page::Dictionary { values })
}

/// A page of data of the first kind.
fn data(thrift: &mut Thrift<'_>) -> Option<Page> {
    let (mut values, mut encoding, mut levels) = (0, 0, Levels::Within);
    thrift.structure(|thrift, id, kind| {
        match id {
            1 => values = thrift.count(kind)?,
            2 => encoding = thrift.integer(kind)?,
            3 if thrift.integer(kind)? != 3 => levels = Levels::Unsupported,
            3 => {}
            _ => return Some(false),
        }
        Some(true)
    })?;
    Some(Page::Data { values, encoding, levels })
}

/// A page of data of the second kind.
fn second_data(thrift: &mut Thrift<'_>) -> Option<Page> {
    let (mut values, mut encoding, mut levels, mut repetitions, mut compressed) = (0, 0, 0, 0, true);
    thrift.structure(|thrift, id, kind| {
        match id {
            1 => values = thrift.count(kind)?,
            4 => encoding = thrift.integer(kind)?,
            5 => levels = thrift.count(kind)?,
            6 => repetitions = thrift.count(kind)?,
            7 => compressed = Thrift::boolean(kind)?,
            _ => return Some(false),
        }
        Some(true)
    })?;
    // Columns with any number of values in a row are not read, and no others have repetitions.
    (repetitions == 0).then_some(Page::Data { values, encoding, levels: Levels::Before(levels, compressed) })
}

/// The bytes of a page of this size, if they were compressed.
fn decompress(codec: i64, stored: &[u8], size: usize) -> Result<Option<Vec<u8>>, Problem> {
    let damaged = Damage("the compressed bytes of a page");
    let mut bytes = Vec::new();
    match codec {
        0 => return Ok(None),
        // Without values there may be nothing to decompress.
        _ if stored.is_empty() && size == 0 => {}
        1 => {
            // A byte of Snappy stands for 64 / 3 at most.
            if snap::raw::decompress_len(stored) != Ok(size) || size / 22 > stored.len() {
                return Err(damaged.into());
            }
            bytes.try_reserve_exact(size).map_err(|_| Problem::Memory)?;
            bytes.resize(size, 0);
            let written = snap::raw::Decoder::new().decompress(stored, &mut bytes).map_err(|_| damaged)?;
            bytes.truncate(written);
        }
        2 => {
            let decoder = MultiGzDecoder::new(stored);
            decoder.take(size as u64 + 1).read_to_end(&mut bytes).map_err(|_| damaged)?;
        }
        3 => return Err(Problem::Codec("LZO")),
        4 => return Err(Problem::Codec("Brotli")),
        5 | 7 => return Err(Problem::Codec("LZ4")),
        6 => {
            // A decoder requests the memory of a frame's window at once.
            let most = (size as u64).clamp(MAX_WINDOW, DEFAULT_MAX_WINDOW_SIZE);
            let window = window(stored).ok_or(damaged)?;
            if window > most {
                return Err(Problem::Window(window));
            }
            let decoder = StreamingDecoder::new(stored).map_err(|_| damaged)?;
            decoder.take(size as u64 + 1).read_to_end(&mut bytes).map_err(|_| damaged)?;
        }
        _ => return Err(damaged.into()),
    }
    if bytes.len() == size { Ok(Some(bytes)) } else { Err(damaged.into()) }
}

/// The bytes that a frame of Zstandard may refer back to (RFC 8878, 3.1.1.1).
fn window(frame: &[u8]) -> Option<u64> {
    let &[0x28, 0xB5, 0x2F, 0xFD, descriptor, next, ..] = frame else { return None };
    if descriptor & 0x20 == 0 {
        let base = 1u64 << (10 + u32::from(next >> 3));
        return Some(base + base / 8 * u64::from(next & 7));
    }
    // The frame is one segment, whose size follows the number of its dictionary.
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let bytes = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let mut size = [0; 8];
    size[..bytes].copy_from_slice(frame.get(5 + dictionary..5 + dictionary + bytes)?);
    let size = u64::from_le_bytes(size);
    Some(if bytes == 2 { size + 256 } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Column for Nothing {
        fn entry(&mut self, _: Stored<'_>) -> Result<(), Problem> {
            Ok(())
        }
        fn clear(&mut self) {}
        fn value(&mut self, _: Stored<'_>) -> Result<(), Problem> {
            Ok(())
        }
        fn indexed(&mut self, _: u32) -> Result<(), Problem> {
            Ok(())
        }
        fn missing(&mut self) -> Result<(), Problem> {
            Ok(())
        }
    }

    #[test]
    fn a_window_that_is_too_large_is_told_from_damage() {
        // A frame of a block without bytes, whose window is 8 MiB, and the one after it.
        let frame = |window: u8| [0x28, 0xB5, 0x2F, 0xFD, 0, window, 1, 0, 0];
        let window = |exponent: u8| frame((exponent - 10) << 3);
        assert_eq!(decompress(6, &window(23), 0).unwrap(), Some(Vec::new()));
        assert!(matches!(decompress(6, &window(24), 0), Err(Problem::Window(bytes)) if bytes == 16 << 20));
        // What is no frame has no window.
        let mut damaged = window(24);
        damaged[0] = 0;
        assert!(matches!(decompress(6, &damaged, 0), Err(Problem::Damage(_))));
    }

    /// A dictionary of one byte has eight booleans.
    #[test]
    fn entries_that_no_row_has_are_counted() {
        // Their size is 1, in the file as well, and their number 8. A page of data does not follow.
        let file = [0x25, 2, 0x15, 2, 0x4C, 0x15, 16, 0, 0, 0xFF];
        let (optional, repeated) = (0, false);
        let leaf = Leaf { name: "a".into(), physical: Physical::Boolean, logical: None, optional, repeated };
        let chunk = Chunk { codec: 0, start: 0, bytes: file.len(), unsupported: None };
        let needed = MIN_PAGE + 6 * ENTRY;
        for (mut budget, is_enough) in [(needed, true), (needed - 1, false)] {
            let read = super::read(&file, &leaf, (&chunk, 2), &mut budget, &mut Nothing);
            assert_eq!(matches!(read, Err(Problem::Damage(_))), is_enough);
            assert_eq!(matches!(read, Err(Problem::Expansion)), !is_enough);
        }
    }

    /// A byte of zero is the header of a page without values and without bytes.
    #[test]
    fn pages_without_values_are_counted() {
        let file = [0; 100];
        let leaf =
            Leaf { name: "a".into(), physical: Physical::Int32, logical: None, optional: 0, repeated: false };
        let chunk = Chunk { codec: 0, start: 0, bytes: file.len(), unsupported: None };
        let mut budget = 250 * MIN_PAGE;
        let mut read = || super::read(&file, &leaf, (&chunk, 1), &mut budget, &mut Nothing);
        // Each column that says that it is there takes as much.
        assert!(matches!(read(), Err(Problem::Damage(_))));
        assert!(matches!(read(), Err(Problem::Damage(_))));
        assert!(matches!(read(), Err(Problem::Expansion)));
        assert_eq!(budget, 0);
    }
}
