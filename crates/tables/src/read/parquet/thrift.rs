//! The compact protocol of Thrift, which the footer and the headers of pages are written in
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).
//!
//! No length is believed that is more than the bytes that are left.

/// How deep values may be nested: those of Parquet's own structures are a few levels deep.
const MAX_DEPTH: usize = 32;

/// What a value is, by its number in the protocol.
pub(super) type Kind = u8;
const TRUE: Kind = 1;
const FALSE: Kind = 2;
const BYTE: Kind = 3;
const INTEGERS: std::ops::RangeInclusive<Kind> = 4..=6;
const DOUBLE: Kind = 7;
const BINARY: Kind = 8;
const LIST: Kind = 9;
const SET: Kind = 10;
const MAP: Kind = 11;
pub(super) const STRUCT: Kind = 12;

/// Bytes that values are read from, one after the other; `None` is for what the bytes are not.
#[derive(Clone, Copy)]
pub(super) struct Thrift<'a> {
    rest: &'a [u8],
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that have not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// A number without a sign, seven bits in each byte, the lowest first (ULEB128).
    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A number whose sign is its lowest bit (zigzag).
    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A whole number.
    pub(super) fn integer(&mut self, kind: Kind) -> Option<i64> {
        match kind {
            BYTE => Some(i64::from(self.byte()? as i8)),
            kind if INTEGERS.contains(&kind) => self.signed(),
            _ => None,
        }
    }

    /// A whole number that is no less than 0.
    pub(super) fn count(&mut self, kind: Kind) -> Option<usize> {
        usize::try_from(self.integer(kind)?).ok()
    }

    /// Yes or no, which a field's kind says.
    pub(super) fn boolean(kind: Kind) -> Option<bool> {
        matches!(kind, TRUE | FALSE).then_some(kind == TRUE)
    }

    /// Bytes or a text.
    pub(super) fn binary(&mut self, kind: Kind) -> Option<&'a [u8]> {
        let length = (kind == BINARY).then(|| self.unsigned())??;
        self.take(usize::try_from(length).ok()?)
    }

    /// The kind and the number of a list's elements, which follow; each is a byte at least.
    pub(super) fn list(&mut self, kind: Kind) -> Option<(Kind, usize)> {
        if !matches!(kind, LIST | SET) {
            return None;
        }
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => usize::try_from(self.unsigned()?).ok()?,
            count => usize::from(count),
        };
        (count <= self.rest.len()).then_some((header & 0x0F, count))
    }

    /// Structures that are the elements of a list, each read by `read`.
    pub(super) fn structures<T>(
        &mut self,
        kind: Kind,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let (element, count) = self.list(kind)?;
        if element != STRUCT && count > 0 {
            return None;
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// The fields of a structure by their number and kind. `visit` reads the value and returns true, or returns false for one that is to
    /// be left out.
    pub(super) fn structure(
        &mut self,
        mut visit: impl FnMut(&mut Self, i64, Kind) -> Option<bool>,
    ) -> Option<()> {
        self.fields(&mut |thrift, id, kind| match visit(thrift, id, kind)? {
            true => Some(()),
            false => thrift.skip(kind, 0),
        })
    }

    fn fields(&mut self, visit: &mut dyn FnMut(&mut Self, i64, Kind) -> Option<()>) -> Option<()> {
        let mut id = 0i64;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Some(());
            }
            id = match header >> 4 {
                0 => self.signed()?,
                step => id.checked_add(i64::from(step))?,
            };
            visit(self, id, header & 0x0F)?;
        }
    }

    /// Leaves out a value.
    fn skip(&mut self, kind: Kind, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            TRUE | FALSE => {}
            BYTE => drop(self.byte()?),
            kind if INTEGERS.contains(&kind) => drop(self.unsigned()?),
            DOUBLE => drop(self.take(8)?),
            BINARY => drop(self.binary(kind)?),
            LIST | SET => {
                let (element, count) = self.list(kind)?;
                for _ in 0..count {
                    self.skip_element(element, depth)?;
                }
            }
            MAP => {
                let count =
                    usize::try_from(self.unsigned()?).ok().filter(|&count| count <= self.rest.len())?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                for _ in 0..count {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0x0F, depth)?;
                }
            }
            STRUCT => self.fields(&mut |thrift, _, kind| thrift.skip(kind, depth + 1))?,
            _ => return None,
        }
        Some(())
    }

    /// Leaves out an element of a list or a map, where yes and no take a byte.
    fn skip_element(&mut self, kind: Kind, depth: usize) -> Option<()> {
        match kind {
            TRUE | FALSE => self.byte().map(drop),
            kind => self.skip(kind, depth + 1),
        }
    }
}
