//! The text format of svmlight and LIBSVM: sparse samples, one a line.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use chainrule_tensor::{Real, SparseMatrix};

use crate::SparseRows;
use crate::csv::number;

/// The maximum number of classes.
const MAX_CLASSES: usize = 1 << 16;

/// The most bytes of a line, some million values: a file without line feeds is none of this format, and may have no end.
const MAX_LINE: u64 = 1 << 26;

/// How many known classes an error lists.
const LISTED: usize = 20;

/// A file in the text format of svmlight and LIBSVM, one sample a line: its target, then `column:value` for each value that is not 0.
///
/// ```text
/// +1 3:0.5 77:2 # a comment
/// -1 qid:4 5:1
/// ```
///
/// Columns count from 1, as in the collection of LIBSVM, unless there is a column 0; they increase in each line. What follows `#` is a
/// comment, and `qid:` a group of ranked samples, which is left out. So are empty lines.
///
/// ```
/// use chainrule_data::svmlight::Svmlight;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("words.svm");
/// std::fs::write(&path, "+1 3:0.5 77:2\n-1 5:1\n")?;
/// let (data, names) = Svmlight::new(&path).columns(100).classes::<f32>()?;
/// assert_eq!((data.targets(), names), (&[1, 0][..], vec![-1.0, 1.0]));
/// assert_eq!(data.samples().row(0), (&[2, 76][..], &[0.5, 2.0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Svmlight {
    path: PathBuf,
    columns: Option<usize>,
    first: Option<u32>,
}

impl Svmlight {
    /// A file with as many columns as the largest number of one.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), columns: None, first: None }
    }

    /// The number of columns. Test data, which may lack the last of them, needs that of the training data.
    #[must_use]
    pub fn columns(self, columns: usize) -> Self {
        Self { columns: Some(columns), ..self }
    }

    /// The number of the first column, 0 or 1, whichever numbers there are. Test data needs that of the training data, too.
    #[must_use]
    pub fn first_column(self, first: u32) -> Self {
        Self { first: Some(first), ..self }
    }

    /// Reads the targets as classes: each distinct number is one, in increasing order. Returns the samples and these numbers.
    ///
    /// # Errors
    ///
    /// [`SvmlightError`] with the file and the line.
    pub fn classes<T: Real>(&self) -> Result<(SparseRows<T, u32>, Vec<f64>), SvmlightError> {
        let (samples, targets) = self.read::<T, f64>()?;
        let mut names = targets.clone();
        names.sort_unstable_by(f64::total_cmp);
        names.dedup();
        if names.len() > MAX_CLASSES {
            return Err(SvmlightError::Classes { path: self.path.clone(), found: names.len() });
        }
        self.known(samples, &targets, &names).map(|data| (data, names))
    }

    /// Reads the targets as one of these numbers, whose index is the class: for test data, with those of the training data.
    ///
    /// # Errors
    ///
    /// [`SvmlightError`] with the file and the line.
    pub fn known_classes<T: Real>(&self, names: &[f64]) -> Result<SparseRows<T, u32>, SvmlightError> {
        let (samples, targets) = self.read::<T, f64>()?;
        self.known(samples, &targets, names)
    }

    /// Reads the targets as numbers.
    ///
    /// # Errors
    ///
    /// [`SvmlightError`] with the file and the line.
    pub fn numbers<T: Real>(&self) -> Result<SparseRows<T, [T; 1]>, SvmlightError> {
        let (samples, targets) = self.read::<T, T>()?;
        Ok(rows(samples, targets.into_iter().map(|target| [target]).collect()))
    }

    fn known<T: Real>(
        &self,
        samples: SparseMatrix<T>,
        targets: &[f64],
        names: &[f64],
    ) -> Result<SparseRows<T, u32>, SvmlightError> {
        let mut classes: Vec<(f64, u32)> = names.iter().copied().zip(0..).collect();
        classes.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
        let class = |(sample, target): (usize, &f64)| {
            let found =
                classes.binary_search_by(|(name, _)| name.partial_cmp(target).unwrap_or(Ordering::Less));
            found.map(|position| classes[position].1).map_err(|_| SvmlightError::Class {
                path: self.path.clone(),
                sample,
                target: *target,
                known: known_classes(names),
            })
        };
        let targets: Vec<u32> = targets.iter().enumerate().map(class).collect::<Result<_, _>>()?;
        Ok(rows(samples, targets).with_classes(names.len()))
    }

    /// The samples and their targets.
    fn read<T: Real, Y: Real>(&self) -> Result<(SparseMatrix<T>, Vec<Y>), SvmlightError> {
        let path = &self.path;
        let failed = |source| SvmlightError::Io { path: path.clone(), source };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let (mut offsets, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
        let mut targets = Vec::new();
        let mut bytes = Vec::new();
        for number in 1.. {
            let line = Line { path, number };
            match next_line(&mut file, &mut bytes, MAX_LINE).map_err(failed)? {
                NextLine::Whole => {}
                NextLine::TooLong => return Err(line.wrong("a line of more than 64 MiB", "a line feed")),
                NextLine::None => break,
            }
            let text = bytes.split(|&byte| byte == b'#').next().unwrap_or_default();
            let text =
                std::str::from_utf8(text).map_err(|_| line.wrong("bytes that are not UTF-8", "text"))?;
            let mut fields = text.split_ascii_whitespace();
            let Some(target) = fields.next() else { continue };
            let read =
                number::parse(target).ok_or_else(|| line.wrong(target, "a target, a finite number"))?;
            let start = values.len();
            for field in fields.filter(|field| !field.starts_with("qid:")) {
                let (column, value) = line.value::<T>(field)?;
                if indices[start..].last().is_some_and(|&before| before >= column) {
                    return Err(line.wrong(field, "a larger column than the one before"));
                }
                let room = indices.try_reserve(1).and_then(|()| values.try_reserve(1));
                room.map_err(|_| SvmlightError::Memory { path: path.clone(), line: number })?;
                indices.push(column);
                values.push(value);
            }
            let room = targets.try_reserve(1).and_then(|()| offsets.try_reserve(1));
            room.map_err(|_| SvmlightError::Memory { path: path.clone(), line: number })?;
            targets.push(read);
            offsets.push(values.len());
        }
        if targets.is_empty() {
            return Err(SvmlightError::Empty { path: path.clone() });
        }
        let samples = self.matrix(&offsets, indices, values)?;
        Ok((samples, targets))
    }

    /// The matrix of all lines, whose columns are numbered as in the file.
    fn matrix<T: Real>(
        &self,
        offsets: &[usize],
        mut indices: Vec<u32>,
        values: Vec<T>,
    ) -> Result<SparseMatrix<T>, SvmlightError> {
        let smallest = indices.iter().copied().min().unwrap_or(1);
        let first = self.first.unwrap_or(smallest.min(1));
        let outside = |column| SvmlightError::Columns {
            path: self.path.clone(),
            column,
            first,
            columns: self.columns.unwrap_or(u32::MAX as usize),
        };
        if smallest < first {
            return Err(outside(smallest));
        }
        indices.iter_mut().for_each(|column| *column -= first);
        let needed = indices.iter().max().map_or(0, |&column| column as usize + 1);
        let columns = self.columns.unwrap_or(needed);
        if needed > columns {
            return Err(outside((needed - 1) as u32 + first));
        }
        Ok(SparseMatrix::from_csr(columns, offsets, indices, values)
            .expect("rows that were checked line by line"))
    }
}

enum NextLine {
    Whole,
    TooLong,
    None,
}

/// Reads the next line, of so many bytes at most.
fn next_line(file: impl BufRead, bytes: &mut Vec<u8>, most: u64) -> io::Result<NextLine> {
    bytes.clear();
    let read = file.take(most).read_until(b'\n', bytes)? as u64;
    Ok(match read {
        0 => NextLine::None,
        read if read == most && !bytes.ends_with(b"\n") => NextLine::TooLong,
        _ => NextLine::Whole,
    })
}

/// The samples of a file, of which there are as many as targets.
fn rows<T: Real, Y>(samples: SparseMatrix<T>, targets: Vec<Y>) -> SparseRows<T, Y> {
    SparseRows::new(samples, targets).expect("each line has a target")
}

/// A line of a file.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    path: &'a Path,
    number: u64,
}

impl Line<'_> {
    /// The column and the value of a field.
    fn value<T: Real>(self, field: &str) -> Result<(u32, T), SvmlightError> {
        let parts = field.split_once(':');
        let read = parts.and_then(|(column, value)| Some((column.parse().ok()?, number::parse(value)?)));
        read.ok_or_else(|| self.wrong(field, "column:value, a whole number and a finite one"))
    }

    fn wrong(self, found: &str, expected: &'static str) -> SvmlightError {
        /// How much of a text an error repeats.
        const SHOWN: usize = 40;
        let found = found.chars().take(SHOWN).collect();
        SvmlightError::Line { path: self.path.to_owned(), line: self.number, found, expected }
    }
}

/// The first of these, and how many more there are.
fn known_classes(names: &[f64]) -> String {
    let listed: Vec<String> = names.iter().take(LISTED).map(f64::to_string).collect();
    let more = names.len().saturating_sub(LISTED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    listed.join(", ") + &rest
}

/// A file of sparse samples that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SvmlightError {
    /// The system cannot read it.
    #[error("cannot read {}: check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A line is not in the format.
    #[error("{}, line {line}: {found:?} stands where {expected} has to be: correct the line", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What the line has.
        found: String,
        /// What it should have.
        expected: &'static str,
    },
    /// A column that the samples do not have.
    #[error("{} has a value in column {column}, but there are {columns} columns, from {first}: give the number of columns of all files, and the number of the first of them", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// The column, as the file numbers it.
        column: u32,
        /// The number of the first column.
        first: u32,
        /// The number of columns.
        columns: usize,
    },
    /// A target that is not a known class.
    #[error("sample {sample} of {} has the target {target}, which is no class: the known ones are {known}", path.display())]
    Class {
        /// The file.
        path: PathBuf,
        /// The sample, from 0.
        sample: usize,
        /// Its target.
        target: f64,
        /// The known classes.
        known: String,
    },
    /// There are too many different targets to be classes.
    #[error("{} has {found} different targets, more than {MAX_CLASSES} classes: read them as numbers, with `numbers`", path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// The number of different targets.
        found: usize,
    },
    /// There is no memory for its values.
    #[error("{} holds more than the system has memory for, from line {line} on: use a smaller file, or free some memory", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// There are no samples.
    #[error("{} has no samples: use another file", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> (tempfile::TempDir, Svmlight) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("samples.svm");
        std::fs::write(&path, text).unwrap();
        (directory, Svmlight::new(path))
    }

    #[test]
    fn lines_are_samples() {
        let (_directory, file) =
            file(b"# made by hand\n3 qid:7 1:0.5 4:-2e1 # the first\r\n\n-1\n3.0 2:1e-3");
        let (data, names) = file.classes::<f32>().unwrap();
        assert_eq!((data.targets(), &names[..]), (&[1, 0, 1][..], &[-1.0, 3.0][..]));
        let right = ndarray::array![[0.5, 0.0, 0.0, -20.0], [0.0; 4], [0.0, 1e-3, 0.0, 0.0]];
        assert_eq!(data.samples().to_dense(), right);
        let wider = file.clone().columns(9).known_classes::<f64>(&[3.0, -1.0]).unwrap();
        assert_eq!((wider.targets(), wider.samples().columns()), (&[0, 1, 0][..], 9));
        assert_eq!(file.numbers::<f32>().unwrap().targets(), [[3.0], [-1.0], [3.0]]);
        let from_zero = file.first_column(0).numbers::<f32>().unwrap();
        assert_eq!(from_zero.samples().columns(), 5);
    }

    #[test]
    fn lines_end_somewhere() {
        let mut bytes = Vec::new();
        let mut endless = BufReader::new(io::repeat(b'1'));
        assert!(matches!(next_line(&mut endless, &mut bytes, 100), Ok(NextLine::TooLong)));
        assert_eq!(bytes.len(), 100);
        let mut two = &b"1 1:1\n2"[..];
        for expected in [&b"1 1:1\n"[..], b"2"] {
            assert!(matches!(next_line(&mut two, &mut bytes, 6), Ok(NextLine::Whole)));
            assert_eq!(bytes, expected);
        }
        assert!(matches!(next_line(&mut two, &mut bytes, 6), Ok(NextLine::None)));
    }

    #[test]
    fn columns_from_0_are_found_out() {
        let (_directory, file) = file(b"1 1:1 2:1\n1 0:1 2:1\n");
        let data = file.numbers::<f32>().unwrap();
        assert_eq!(data.samples().to_dense(), ndarray::array![[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]);
    }

    #[test]
    fn many_different_targets_are_numbers() {
        let text: String = (0..=MAX_CLASSES).map(|target| format!("{target} 1:1\n")).collect();
        let (_directory, file) = file(text.as_bytes());
        let error = file.classes::<f32>().unwrap_err().to_string();
        assert!(error.ends_with(
            "has 65537 different targets, more than 65536 classes: read them as numbers, with `numbers`"
        ));
        let names: Vec<f64> = (1..=30).map(f64::from).collect();
        let error = file.known_classes::<f32>(&names).unwrap_err().to_string();
        assert!(error.ends_with("18, 19, 20 and 10 more"), "{error}");
        assert_eq!(file.numbers::<f64>().unwrap().targets()[MAX_CLASSES], [65536.0]);
    }

    #[test]
    fn errors_say_the_line() {
        let error = |text: &[u8], change: fn(Svmlight) -> Svmlight| {
            let (_directory, file) = file(text);
            let message = change(file).classes::<f32>().unwrap_err().to_string();
            message.split_once("samples.svm").unwrap().1.to_owned()
        };
        let as_it_is = |file| file;
        let field = "column:value, a whole number and a finite one has to be: correct the line";
        for wrong in ["5", "x:1", "1:x", "-1:2", "1:inf", "4294967296:1", "1:1e39"] {
            let text = format!("1 1:1\n1 {wrong}\n");
            assert_eq!(error(text.as_bytes(), as_it_is), format!(", line 2: {wrong:?} stands where {field}"));
        }
        assert!(error(b"yes 1:1", as_it_is).starts_with(", line 1: \"yes\" stands where a target"));
        assert!(error(b"1 2:1 2:1", as_it_is).contains("a larger column than the one before"));
        assert!(error(b"1 2:1 \xff", as_it_is).starts_with(", line 1: \"bytes that are not UTF-8\""));
        assert!(error(b"# nothing\n\n", as_it_is).starts_with(" has no samples"));
        let columns = " has a value in column 4, but there are 3 columns, from 1";
        assert!(error(b"1 4:1", |file| file.columns(3)).starts_with(columns));
        assert!(error(b"1 0:1", |file| file.first_column(1)).starts_with(" has a value in column 0"));
        assert!(Svmlight::new("/no/such/file").numbers::<f32>().is_err());
        let (_directory, file) = file(b"2 1:1\n");
        let message = file.known_classes::<f32>(&[0.0, 1.0]).unwrap_err().to_string();
        assert!(
            message.ends_with("has the target 2, which is no class: the known ones are 0, 1"),
            "{message}"
        );
    }
}
