//! Comma-separated values.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chainrule_tensor::Real;
use ndarray::Array2;

use crate::Rows;

/// Which column holds the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The column with this index, from 0.
    Index(usize),
    /// The column with this name in the header.
    Name(String),
    /// The last column.
    Last,
}

/// A CSV file of numbers with one target column.
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
}

impl Csv {
    /// A file with a header line, whose last column is the target.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), header: true, target: Column::Last }
    }

    /// Without a header line.
    #[must_use]
    pub fn without_header(self) -> Self {
        Self { header: false, ..self }
    }

    /// Another target column.
    #[must_use]
    pub fn target(self, target: Column) -> Self {
        Self { target, ..self }
    }

    /// Reads the target as a class: each different text is one, numbered in the order of first appearance. Returns the samples and the texts.
    ///
    /// # Errors
    ///
    /// [`CsvError`] with the file, the line and the column.
    pub fn classes<T: Real>(&self) -> Result<(Rows<T, u32>, Vec<String>), CsvError> {
        let (mut numbers, mut names) = (HashMap::new(), Vec::new());
        let rows = self.read(|text, _| {
            Ok(*numbers.entry(text.to_owned()).or_insert_with(|| {
                names.push(text.to_owned());
                names.len() as u32 - 1
            }))
        })?;
        Ok((rows, names))
    }

    /// Reads the target as a number.
    ///
    /// # Errors
    ///
    /// [`CsvError`] with the file, the line and the column.
    pub fn numbers<T: Real>(&self) -> Result<Rows<T, [T; 1]>, CsvError> {
        self.read(|text, place| Ok([place.number(text)?]))
    }

    fn read<T: Real, Y: Clone + Send + Sync>(
        &self,
        mut target: impl FnMut(&str, &Place<'_>) -> Result<Y, CsvError>,
    ) -> Result<Rows<T, Y>, CsvError> {
        let path = &self.path;
        let failed = |source| CsvError::Read { path: path.clone(), source };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(self.header)
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(failed)?;
        let named = match (&self.target, self.header) {
            (Column::Name(name), true) => {
                let headers = reader.headers().map_err(failed)?;
                let known = || headers.iter().collect::<Vec<_>>().join(", ");
                let found = headers.iter().position(|header| header == name);
                Some(found.ok_or_else(|| CsvError::Column {
                    path: path.clone(),
                    wanted: name.clone(),
                    known: known(),
                })?)
            }
            _ => None,
        };
        let (mut values, mut targets, mut columns) = (Vec::new(), Vec::new(), 0);
        for record in reader.records() {
            let record = record.map_err(failed)?;
            columns = record.len();
            let line = record.position().map_or(0, csv::Position::line);
            let index = match &self.target {
                Column::Index(index) => *index,
                Column::Last => columns.saturating_sub(1),
                Column::Name(_) => named.unwrap_or(usize::MAX),
            };
            if index >= columns {
                let (wanted, known) =
                    (format!("{:?}", self.target), format!("0 to {}", columns.saturating_sub(1)));
                return Err(CsvError::Column { path: path.clone(), wanted, known });
            }
            for (column, text) in record.iter().enumerate() {
                let place = Place { path, line, column };
                if column == index {
                    targets.push(target(text, &place)?);
                } else {
                    values.push(place.number(text)?);
                }
            }
        }
        let features = columns.saturating_sub(1);
        // The reader has made sure that all records have as many fields as the first.
        let samples = Array2::from_shape_vec((targets.len(), features), values);
        match samples.map(|samples| Rows::new(samples, targets)) {
            Ok(Ok(rows)) if columns > 1 => Ok(rows),
            _ => Err(CsvError::Empty { path: path.clone() }),
        }
    }
}

/// Where a field stands.
struct Place<'a> {
    path: &'a Path,
    line: u64,
    column: usize,
}

impl Place<'_> {
    fn number<T: Real>(&self, text: &str) -> Result<T, CsvError> {
        let number: Option<f64> = text.parse().ok();
        number.filter(|number| number.is_finite()).map(T::of).ok_or_else(|| CsvError::Number {
            path: self.path.to_owned(),
            line: self.line,
            column: self.column + 1,
            text: text.to_owned(),
        })
    }
}

/// A CSV file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// It cannot be read, or its lines differ in length.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: csv::Error,
    },
    /// The target column is not there.
    #[error("{} has no column {wanted}: it has {known}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column that was asked for.
        wanted: String,
        /// The columns that it has.
        known: String,
    },
    /// A field is no finite number.
    #[error("{}, line {line}, column {column}: {text:?} is not a finite number: mend it, or leave the column away", path.display())]
    Number {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// What stands there.
        text: String,
    },
    /// There is nothing to learn from.
    #[error("{} has no samples, or no columns beside the target", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}
