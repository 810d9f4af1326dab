//! The footer: the schema, and where the columns are.

use super::thrift::{Kind, Thrift};
use super::{Damage, Problem};
use crate::dialect::MAX_COLUMNS;

/// At the beginning and at the end of a file.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// At the beginning and at the end of a file whose footer is encrypted.
pub(super) const ENCRYPTED: &[u8] = b"PARE";

/// How deep groups of columns may be nested.
const MAX_DEPTH: usize = 64;

/// The most bytes of a column's name with those of the groups that it is in, since many columns may share a long one.
const MAX_NAME: usize = 1024;

/// How values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    Boolean,
    Int32,
    Int64,
    Int96,
    Float,
    Double,
    ByteArray,
    /// So many bytes each.
    Fixed(usize),
}

/// What stored values stand for, where the file says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logical {
    Text,
    Decimal {
        scale: u32,
    },
    Date,
    /// The parts of a second that are counted, since midnight.
    Time {
        per_second: i64,
    },
    /// The parts of a second that are counted, since 1970-01-01.
    Timestamp {
        per_second: i64,
    },
    Unsigned,
    Uuid,
    Float16,
    /// Of what no column of a table can be made.
    Other,
}

/// A column of the file, which is a leaf of its schema.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Its name after those of the groups that it is in.
    pub(super) name: String,
    pub(super) physical: Physical,
    pub(super) logical: Option<Logical>,
    /// How many of it and the groups that it is in may be missing.
    pub(super) optional: u32,
    /// Whether a row may have any number of it.
    pub(super) repeated: bool,
}

/// The rows of a part of the file.
pub(super) struct RowGroup {
    pub(super) rows: usize,
    pub(super) chunks: Vec<Chunk>,
}

/// Where the values of a column are, for the rows of a group.
pub(super) struct Chunk {
    pub(super) codec: i64,
    pub(super) start: usize,
    pub(super) bytes: usize,
    /// Why it cannot be read.
    pub(super) unsupported: Option<&'static str>,
}

/// What the footer says.
pub(super) struct Footer {
    pub(super) leaves: Vec<Leaf>,
    pub(super) groups: Vec<RowGroup>,
}

impl Footer {
    /// The footer of a file with these bytes.
    pub(super) fn read(file: &[u8]) -> Result<Self, Problem> {
        let damaged = Damage("its footer");
        if file.ends_with(ENCRYPTED) {
            return Err(Problem::Unsupported("its footer is encrypted"));
        }
        let body = file.strip_suffix(MAGIC).ok_or(Damage("its end (it may have been cut off)"))?;
        let (body, length) = body.split_last_chunk().ok_or(damaged)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| damaged)?;
        let start = body.len().checked_sub(length).ok_or(damaged)?;
        let (elements, groups) = parse(&body[start..]).ok_or(damaged)?;
        let leaves = leaves(&elements)?;
        if groups.iter().any(|group| group.chunks.len() != leaves.len()) {
            return Err(damaged.into());
        }
        Ok(Self { leaves, groups })
    }
}

fn parse(bytes: &[u8]) -> Option<(Vec<Element<'_>>, Vec<RowGroup>)> {
    let (mut elements, mut groups) = (Vec::new(), Vec::new());
    Thrift::new(bytes).structure(|thrift, id, kind| {
        match id {
            2 => elements = thrift.structures(kind, Element::read)?,
            4 => groups = thrift.structures(kind, row_group)?,
            _ => return Some(false),
        }
        Some(true)
    })?;
    Some((elements, groups))
}

fn row_group(thrift: &mut Thrift<'_>) -> Option<RowGroup> {
    let mut group = RowGroup { rows: 0, chunks: Vec::new() };
    thrift.structure(|thrift, id, kind| {
        match id {
            1 => group.chunks = thrift.structures(kind, chunk)?,
            3 => group.rows = thrift.count(kind)?,
            _ => return Some(false),
        }
        Some(true)
    })?;
    Some(group)
}

fn chunk(thrift: &mut Thrift<'_>) -> Option<Chunk> {
    let (mut codec, mut bytes, mut data, mut dictionary) = (0, 0, 0, 0);
    let (mut is_here, mut has_key, mut has_metadata) = (true, false, false);
    thrift.structure(|thrift, id, kind| {
        match id {
            1 => {
                is_here = thrift.binary(kind)?.is_empty();
                return Some(true);
            }
            3 => has_metadata = true,
            // How it is encrypted. Some of its metadata may be there as well.
            8 => {
                has_key = true;
                return Some(false);
            }
            _ => return Some(false),
        }
        thrift.structure(|thrift, id, kind| {
            match id {
                4 => codec = thrift.integer(kind)?,
                7 => bytes = thrift.count(kind)?,
                9 => data = thrift.count(kind)?,
                11 => dictionary = thrift.count(kind)?,
                _ => return Some(false),
            }
            Some(true)
        })?;
        Some(true)
    })?;
    // Some writers say 0 where there is no dictionary.
    let start = if dictionary > 0 && dictionary < data { dictionary } else { data };
    let unsupported = match (is_here, has_key || !has_metadata) {
        (false, _) => Some("its values are in another file"),
        (true, true) => Some("it is encrypted"),
        (true, false) => None,
    };
    Some(Chunk { codec, start, bytes, unsupported })
}

/// An element of the schema: a group, or a column.
#[derive(Default)]
struct Element<'a> {
    physical: Option<i64>,
    length: usize,
    repetition: i64,
    name: &'a [u8],
    children: usize,
    /// As older files say it.
    converted: Option<i64>,
    scale: i64,
    logical: Option<Logical>,
}

impl<'a> Element<'a> {
    fn read(thrift: &mut Thrift<'a>) -> Option<Self> {
        let mut element = Self::default();
        thrift.structure(|thrift, id, kind| {
            match id {
                1 => element.physical = Some(thrift.integer(kind)?),
                2 => element.length = thrift.integer(kind)?.try_into().unwrap_or(0),
                3 => element.repetition = thrift.integer(kind)?,
                4 => element.name = thrift.binary(kind)?,
                5 => element.children = thrift.integer(kind)?.try_into().unwrap_or(0),
                6 => element.converted = Some(thrift.integer(kind)?),
                7 => element.scale = thrift.integer(kind)?,
                10 => element.logical = logical(thrift)?,
                _ => return Some(false),
            }
            Some(true)
        })?;
        Some(element)
    }

    fn physical(&self) -> Option<Physical> {
        Some(match self.physical? {
            0 => Physical::Boolean,
            1 => Physical::Int32,
            2 => Physical::Int64,
            3 => Physical::Int96,
            4 => Physical::Float,
            5 => Physical::Double,
            6 => Physical::ByteArray,
            7 if self.length > 0 => Physical::Fixed(self.length),
            _ => return None,
        })
    }

    fn logical(&self) -> Option<Logical> {
        self.logical.or_else(|| match self.converted? {
            // Of a text, of an enumeration, of JSON.
            0 | 4 | 19 => Some(Logical::Text),
            5 => Some(decimal(self.scale)),
            6 => Some(Logical::Date),
            7 => Some(Logical::Time { per_second: 1_000 }),
            8 => Some(Logical::Time { per_second: 1_000_000 }),
            9 => Some(Logical::Timestamp { per_second: 1_000 }),
            10 => Some(Logical::Timestamp { per_second: 1_000_000 }),
            11..=14 => Some(Logical::Unsigned),
            15..=18 => None,
            _ => Some(Logical::Other),
        })
    }
}

fn decimal(scale: i64) -> Logical {
    u32::try_from(scale).map_or(Logical::Other, |scale| Logical::Decimal { scale })
}

/// A union, of which one field is there.
fn logical(thrift: &mut Thrift<'_>) -> Option<Option<Logical>> {
    let mut found = Some(Logical::Other);
    thrift.structure(|thrift, id, _| {
        found = match id {
            // Of a text, of an enumeration, of JSON.
            1 | 4 | 12 => Some(Logical::Text),
            5 => {
                let mut scale = 0;
                thrift.structure(|thrift, id, kind| {
                    let is_scale = id == 1;
                    if is_scale {
                        scale = thrift.integer(kind)?;
                    }
                    Some(is_scale)
                })?;
                found = Some(decimal(scale));
                return Some(true);
            }
            6 => Some(Logical::Date),
            7 | 8 => {
                let per_second = per_second(thrift)?;
                found = Some(match id {
                    7 => Logical::Time { per_second },
                    _ => Logical::Timestamp { per_second },
                });
                return Some(true);
            }
            10 => {
                let mut signed = true;
                thrift.structure(|_, id, kind| {
                    let is_sign = id == 2;
                    if is_sign {
                        signed = Thrift::boolean(kind)?;
                    }
                    Some(is_sign)
                })?;
                found = (!signed).then_some(Logical::Unsigned);
                return Some(true);
            }
            // Nothing but missing values, of whatever type.
            11 => None,
            14 => Some(Logical::Uuid),
            15 => Some(Logical::Float16),
            _ => Some(Logical::Other),
        };
        Some(false)
    })?;
    Some(found)
}

/// How many units of a time are a second.
fn per_second(thrift: &mut Thrift<'_>) -> Option<i64> {
    let mut unit = 0;
    thrift.structure(|thrift, id, _: Kind| {
        let is_unit = id == 2;
        if is_unit {
            thrift.structure(|_, id, _| {
                unit = id;
                Some(false)
            })?;
        }
        Some(is_unit)
    })?;
    match unit {
        1 => Some(1_000),
        2 => Some(1_000_000),
        3 => Some(1_000_000_000),
        _ => None,
    }
}

/// The columns: the elements without children, in order.
fn leaves(elements: &[Element<'_>]) -> Result<Vec<Leaf>, Problem> {
    struct Group {
        prefix: String,
        optional: u32,
        repeated: bool,
        left: usize,
    }
    let damaged = Damage("its schema");
    let (root, elements) = elements.split_first().ok_or(damaged)?;
    let mut open = vec![Group { prefix: String::new(), optional: 0, repeated: false, left: root.children }];
    let mut leaves = Vec::new();
    for element in elements {
        while open.pop_if(|group| group.left == 0).is_some() {}
        let depth = open.len();
        let group = open.last_mut().ok_or(damaged)?;
        group.left -= 1;
        let name = format!("{}{}", group.prefix, String::from_utf8_lossy(element.name));
        if name.len() > MAX_NAME {
            return Err(damaged.into());
        }
        let optional = group.optional + u32::from(element.repetition != 0);
        let repeated = group.repeated || element.repetition == 2;
        if element.children > 0 {
            if depth >= MAX_DEPTH {
                return Err(damaged.into());
            }
            open.push(Group { prefix: name + ".", optional, repeated, left: element.children });
            continue;
        }
        if leaves.len() == MAX_COLUMNS {
            return Err(Problem::Columns);
        }
        let physical = element.physical().ok_or(damaged)?;
        leaves.push(Leaf { name, physical, logical: element.logical(), optional, repeated });
    }
    if open.iter().any(|group| group.left > 0) {
        return Err(damaged.into());
    }
    Ok(leaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field is its distance from the one before it and its kind: 8 are bytes, 12 is a structure that ends with 0.
    #[test]
    fn columns_of_other_files_and_encrypted_ones_are_noted() {
        let unsupported = |bytes: &[u8]| chunk(&mut Thrift::new(bytes)).unwrap().unsupported;
        assert_eq!(unsupported(&[0x3C, 0, 0]), None);
        assert_eq!(unsupported(&[0x18, 0, 0x2C, 0, 0]), None);
        assert_eq!(unsupported(&[0x18, 1, b'a', 0x2C, 0, 0]), Some("its values are in another file"));
        assert_eq!(unsupported(&[0]), Some("it is encrypted"));
        assert_eq!(unsupported(&[0x3C, 0, 0x5C, 0, 0]), Some("it is encrypted"));
    }

    #[test]
    fn a_schema_is_read_no_further_than_a_table_goes() {
        let element = |name, children| Element { name, children, physical: Some(1), ..Element::default() };
        let schema = |columns: usize| {
            let mut elements = vec![element(b"", 1), element(b"group", columns)];
            elements.extend((0..columns).map(|_| element(b"a", 0)));
            leaves(&elements)
        };
        assert_eq!(schema(MAX_COLUMNS).unwrap().len(), MAX_COLUMNS);
        assert!(matches!(schema(MAX_COLUMNS + 1), Err(Problem::Columns)));
    }
}
