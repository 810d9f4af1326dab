//! What a reader is told about a file.

use std::path::PathBuf;

use crate::column::ColumnKind;
use crate::dialect::{Delimiter, Header};
use crate::source::Encoding;
use crate::values::DateOrder;

/// Reads a file as a [`Table`](crate::Table). What it is not told it finds out.
///
/// ```
/// use chainrule_tables::{ColumnKind, TableReader};
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("flats.csv");
/// std::fs::write(&path, "rent;rooms;since\n1.200,50;3;01.02.2019\n?;2;15.07.2020\n")?;
/// let table = TableReader::new(&path).kind("rooms", ColumnKind::Category).read()?;
/// let kinds: Vec<ColumnKind> = table.columns().iter().map(|column| column.kind()).collect();
/// assert_eq!(kinds, [ColumnKind::Number, ColumnKind::Category, ColumnKind::Date]);
/// assert_eq!(table.column("rent")?.numbers().unwrap().get::<f64>(0), 1200.5);
/// assert_eq!(table.column("rent")?.missing(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TableReader {
    pub(crate) path: PathBuf,
    pub(crate) encoding: Option<Encoding>,
    pub(crate) delimiter: Option<Delimiter>,
    pub(crate) quotes: bool,
    pub(crate) comment: Option<u8>,
    pub(crate) header: Option<Header>,
    pub(crate) skip: usize,
    pub(crate) missing: Vec<String>,
    pub(crate) decimal_comma: Option<bool>,
    pub(crate) date_order: Option<DateOrder>,
    /// The name of a column, its kind, and whether it has to exist.
    pub(crate) kinds: Vec<(String, ColumnKind, bool)>,
}

impl TableReader {
    /// A reader of this file, which finds out everything.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            encoding: None,
            delimiter: None,
            quotes: true,
            comment: None,
            header: None,
            skip: 0,
            missing: Vec::new(),
            decimal_comma: None,
            date_order: None,
            kinds: Vec::new(),
        }
    }

    /// The encoding.
    #[must_use]
    pub fn encoding(self, encoding: Encoding) -> Self {
        Self { encoding: Some(encoding), ..self }
    }

    /// The sign between fields, such as `b';'`; `b' '` stands for any number of blanks.
    #[must_use]
    pub fn delimiter(self, delimiter: impl Into<Delimiter>) -> Self {
        Self { delimiter: Some(delimiter.into()), ..self }
    }

    /// Quotation marks are part of the fields.
    #[must_use]
    pub fn without_quotes(self) -> Self {
        Self { quotes: false, ..self }
    }

    /// Lines that begin with this sign are left out.
    #[must_use]
    pub fn comment(self, sign: u8) -> Self {
        Self { comment: Some(sign), ..self }
    }

    /// Whether the first line, after those that are skipped, is the header.
    #[must_use]
    pub fn header(self, header: bool) -> Self {
        let header = if header { Header::First } else { Header::None };
        Self { header: Some(header), ..self }
    }

    /// The line of the header, from 1.
    #[must_use]
    pub fn header_line(self, line: u64) -> Self {
        Self { header: Some(Header::Line(line)), ..self }
    }

    /// The number of lines at the beginning that are left out.
    #[must_use]
    pub fn skip_lines(self, lines: usize) -> Self {
        Self { skip: lines, ..self }
    }

    /// A text that stands for a missing value, such as `-999`, besides those that always do.
    #[must_use]
    pub fn missing(mut self, text: impl Into<String>) -> Self {
        self.missing.push(text.into());
        self
    }

    /// Whether numbers have a decimal comma, and points between thousands; else it is the other way round.
    #[must_use]
    pub fn decimal_comma(self, comma: bool) -> Self {
        Self { decimal_comma: Some(comma), ..self }
    }

    /// The order of day and month in dates such as `1/2/2003`.
    #[must_use]
    pub fn date_order(self, order: DateOrder) -> Self {
        Self { date_order: Some(order), ..self }
    }

    /// The kind of a column.
    #[must_use]
    pub fn kind(mut self, column: impl Into<String>, kind: ColumnKind) -> Self {
        self.kinds.push((column.into(), kind, true));
        self
    }

    /// The kind of a column, if the file has it.
    #[must_use]
    pub fn kind_if_there(mut self, column: impl Into<String>, kind: ColumnKind) -> Self {
        self.kinds.push((column.into(), kind, false));
        self
    }
}
