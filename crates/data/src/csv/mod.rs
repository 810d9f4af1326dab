//! Tables of comma-separated values.

pub(crate) mod number;
mod plain;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use chainrule_tensor::Real;
use ndarray::Array2;

use crate::Rows;
use plain::{Place, RowLayout};

/// The column of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The column with this index, from 0.
    Index(usize),
    /// The column with this name in the header.
    Name(String),
    /// The last column.
    Last,
}

/// A CSV file of numbers with a target column.
///
/// ```
/// use chainrule_data::csv::{Column, Csv};
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("iris.csv");
/// std::fs::write(&path, "length,width,kind\n5.1,3.5,setosa\n7.0,3.2,versicolor\n4.9,3.0,setosa\n")?;
/// let (rows, names) = Csv::new(&path).target(Column::Name("kind".into())).classes::<f32>()?;
/// assert_eq!(rows.targets(), [0, 1, 0]);
/// assert_eq!(names, ["setosa", "versicolor"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Csv {
    path: PathBuf,
    header: bool,
    target: Column,
    delimiter: u8,
}

impl Csv {
    /// A file with a header line, whose last column is the target.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), header: true, target: Column::Last, delimiter: b',' }
    }

    /// The file has no header line.
    #[must_use]
    pub fn without_header(self) -> Self {
        Self { header: false, ..self }
    }

    /// The target column; the default is the last.
    #[must_use]
    pub fn target(self, target: Column) -> Self {
        Self { target, ..self }
    }

    /// The character between fields, such as `b';'` or `b'\t'`; the default is a comma.
    #[must_use]
    pub fn delimiter(self, delimiter: u8) -> Self {
        Self { delimiter, ..self }
    }

    /// Reads the target as a class: each distinct text is one, numbered in the order of first appearance. Returns the
    /// samples and the texts.
    ///
    /// Another file may have another order: read test data with the texts of the training data, with
    /// [`known_classes`](Self::known_classes).
    ///
    /// # Errors
    ///
    /// [`CsvError`] with the file, the line and the column.
    pub fn classes<T: Real>(&self) -> Result<(Rows<T, u32>, Vec<String>), CsvError> {
        let (mut numbers, mut names) = (HashMap::new(), Vec::new());
        let rows = self.one(|field| {
            Ok(*numbers.entry(field.text.to_owned()).or_insert_with(|| {
                names.push(field.text.to_owned());
                names.len() as u32 - 1
            }))
        })?;
        Ok((rows, names))
    }

    /// Reads the target as one of these texts, whose index is the class.
    ///
    /// # Errors
    ///
    /// [`CsvError`] with the file, the line and the column.
    pub fn known_classes<T: Real>(&self, names: &[impl AsRef<str>]) -> Result<Rows<T, u32>, CsvError> {
        let numbers: HashMap<&str, u32> = names.iter().map(AsRef::as_ref).zip(0..).collect();
        let known = || names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
        self.one(|field| numbers.get(field.text).copied().ok_or_else(|| field.class(known())))
    }

    /// Reads the target as the number of a class, from 0 to below `classes`.
    ///
    /// # Errors
    ///
    /// [`CsvError`] with the file, the line and the column.
    pub fn numbered_classes<T: Real>(&self, classes: u32) -> Result<Rows<T, u32>, CsvError> {
        self.one(|field| {
            let number = field.text.parse().ok().filter(|&number| number < classes);
            number.ok_or_else(|| field.class(format!("{classes} numbers from 0")))
        })
    }

    /// Reads the target as a number.
    ///
    /// # Errors
    ///
    /// [`CsvError`] with the file, the line and the column.
    pub fn numbers<T: Real>(&self) -> Result<Rows<T, [T; 1]>, CsvError> {
        self.one(|field| Ok([field.number()?]))
    }

    /// Reads these columns, in this order, as a target of several numbers; [`target`](Self::target) is ignored.
    ///
    /// # Errors
    ///
    /// [`CsvError`] with the file, the line and the column.
    pub fn vectors<T: Real>(&self, targets: &[Column]) -> Result<Rows<T, Arc<[T]>>, CsvError> {
        self.read(targets, |fields| fields.iter().map(Field::number).collect())
    }

    /// Reads the file with a target of one column.
    fn one<T: Real, Y: Clone + Send + Sync>(
        &self,
        mut target: impl FnMut(&Field<'_>) -> Result<Y, CsvError>,
    ) -> Result<Rows<T, Y>, CsvError> {
        self.read(slice::from_ref(&self.target), |fields| target(&fields[0]))
    }

    fn read<T: Real, Y: Clone + Send + Sync>(
        &self,
        wanted: &[Column],
        mut target: impl FnMut(&[Field<'_>]) -> Result<Y, CsvError>,
    ) -> Result<Rows<T, Y>, CsvError> {
        let path = &self.path;
        let failed = |source: csv::Error| {
            let path = path.clone();
            if source.is_io_error() { CsvError::Io { path, source } } else { CsvError::Line { path, source } }
        };
        let file = File::open(path).map_err(|error| failed(error.into()))?;
        let is_file = file.metadata().is_ok_and(|found| found.is_file());
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(self.header)
            .delimiter(self.delimiter)
            .trim(csv::Trim::All)
            .from_reader(file);
        let header = if self.header { Some(reader.headers().map_err(failed)?.clone()) } else { None };
        let mut values: Vec<T> = Vec::new();
        let mut targets = Vec::new();
        // The columns of the target, known from the first record on.
        let mut target_columns: Vec<usize> = Vec::new();
        let mut features = 0;
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(failed)? {
            let is_first = targets.is_empty();
            if is_first {
                let index = |column| self.index(column, header.as_ref(), record.len());
                target_columns = wanted.iter().map(index).collect::<Result<_, _>>()?;
                features = (0..record.len()).filter(|column| !target_columns.contains(column)).count();
            }
            let line = record.position().map_or(0, csv::Position::line);
            let field = |column| Field { path, line, column, text: &record[column] };
            let fields: Vec<_> = target_columns.iter().map(|&column| field(column)).collect();
            let room = targets.try_reserve(1).and_then(|()| values.try_reserve(features));
            room.map_err(|_| CsvError::Memory { path: path.clone(), line })?;
            let placed = |error| self.placed(error, record.position().filter(|_| is_file));
            targets.push(target(&fields).map_err(placed)?);
            for column in (0..record.len()).filter(|column| !target_columns.contains(column)) {
                values.push(field(column).number().map_err(placed)?);
            }
            // The others are read on all cores, up to one that is unusual.
            let layout =
                RowLayout { delimiter: self.delimiter, fields: record.len(), targets: &target_columns };
            if !(is_first && is_file && layout.can_be_plain()) {
                continue;
            }
            let mut position = reader.position().clone();
            let start = Place { byte: position.byte(), line: position.line() };
            let take = |rows: plain::Rows<'_, T>| {
                let room =
                    targets.try_reserve(rows.len()).and_then(|()| values.try_reserve(rows.values().len()));
                let before = targets.len();
                let whole = room.is_ok()
                    && rows.targets().all(|(line, texts)| {
                        let field = |(&column, text)| {
                            let text = std::str::from_utf8(text).ok()?.trim();
                            Some(Field { path, line, column, text })
                        };
                        let fields: Option<Vec<_>> = target_columns.iter().zip(texts).map(field).collect();
                        let read = fields.and_then(|fields| target(&fields).ok());
                        read.map(|read| targets.push(read)).is_some()
                    });
                if whole {
                    values.extend_from_slice(rows.values())
                } else {
                    targets.truncate(before)
                }
                whole
            };
            let stopped = plain::read(reader.get_mut(), start, layout, take);
            let Some(place) = stopped.map_err(|error| failed(error.into()))? else { break };
            let records = position.record() + targets.len() as u64 - 1;
            position.set_byte(place.byte).set_line(place.line).set_record(records);
            reader.seek_raw(SeekFrom::Start(place.byte), position).map_err(failed)?;
        }
        // The reader has checked that all records have the same number of fields.
        let samples = Array2::from_shape_vec((targets.len(), features), values);
        match samples.map(|samples| Rows::new(samples, targets)) {
            Ok(Ok(rows)) if features > 0 => Ok(rows),
            _ => Err(CsvError::Empty { path: path.clone() }),
        }
    }

    /// An error in the record at this position of a file, with its line: the reader counts a record from the rest of the end of the line
    /// before on, and blank lines to it.
    fn placed(&self, mut error: CsvError, position: Option<&csv::Position>) -> CsvError {
        let before = position.and_then(|position| {
            let mut file = File::open(&self.path).ok()?;
            file.seek(SeekFrom::Start(position.byte())).ok()?;
            let bytes = BufReader::new(file).bytes().map_while(Result::ok);
            Some(bytes.take_while(|byte| matches!(byte, b'\n' | b'\r')).filter(|&byte| byte == b'\n').count())
        });
        if let CsvError::Number { line, .. } | CsvError::Class { line, .. } = &mut error {
            *line += before.unwrap_or(0) as u64;
        }
        error
    }

    /// The index of a column in records of `columns` fields.
    fn index(
        &self,
        column: &Column,
        header: Option<&csv::StringRecord>,
        columns: usize,
    ) -> Result<usize, CsvError> {
        let found = match column {
            Column::Index(index) => Some(*index).filter(|&index| index < columns),
            Column::Last => columns.checked_sub(1),
            Column::Name(name) => header.and_then(|header| header.iter().position(|known| known == name)),
        };
        found.ok_or_else(|| CsvError::Column {
            path: self.path.clone(),
            wanted: match column {
                Column::Name(name) => format!("{name:?}"),
                Column::Index(index) => index.to_string(),
                Column::Last => "at all".to_owned(),
            },
            known: match header {
                Some(header) => header.iter().collect::<Vec<_>>().join(", "),
                None => format!("{columns} columns without names, from 0"),
            },
        })
    }
}

/// One field of the file.
struct Field<'a> {
    path: &'a Path,
    line: u64,
    column: usize,
    text: &'a str,
}

impl Field<'_> {
    fn number<T: Real>(&self) -> Result<T, CsvError> {
        number::parse(self.text).ok_or_else(|| CsvError::Number {
            path: self.path.to_owned(),
            line: self.line,
            column: self.column + 1,
            text: self.text.to_owned(),
        })
    }

    fn class(&self, known: String) -> CsvError {
        CsvError::Class {
            path: self.path.to_owned(),
            line: self.line,
            column: self.column + 1,
            text: self.text.to_owned(),
            known,
        }
    }
}

/// A CSV file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// The system cannot read it.
    #[error("cannot read {}: check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: csv::Error,
    },
    /// A line whose number of fields differs from the first line's, or that is not UTF-8.
    #[error("{} has a line that cannot be read: correct it, or check the delimiter", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, and what is wrong. After a line that ends in two bytes, and after blank ones, it is the one in which the record before
        /// ends.
        source: csv::Error,
    },
    /// There is no such column.
    #[error("{} has no column {wanted}: it has {known}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The requested column.
        wanted: String,
        /// The columns of the file.
        known: String,
    },
    /// A field that is not a finite number.
    #[error("{}, line {line}, column {column}: {text:?} is not a finite number: correct it, or remove the column", path.display())]
    Number {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// The text of the field.
        text: String,
    },
    /// A target that is not a known class.
    #[error("{}, line {line}, column {column}: {text:?} is not a class: the known ones are {known}", path.display())]
    Class {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// The text of the field.
        text: String,
        /// The known classes.
        known: String,
    },
    /// There is no memory for its numbers.
    #[error("{} holds more than the system has memory for, from line {line} on: use a smaller file, or free some memory", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// There are no samples or no features.
    #[error("{} has no samples, or no columns besides the target: use another file, or another target", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}
