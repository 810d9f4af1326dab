//! Tables, as values of metrics.

use std::fmt;

use super::Plot;

/// Rows of numbers with a name for each column, such as a curve or a confusion matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    title: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<f64>>,
    row_names: Vec<String>,
    notes: Vec<String>,
    plot: Option<Plot>,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn new(title: &'static str, columns: impl IntoIterator<Item: Into<String>>) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self { title, columns, ..Self::default() }
    }

    /// What the rows are, such as `"true \\ predicted"`.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// The name of each column.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows, each with a number for each column.
    pub fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }

    /// The name of each row; nothing if they have none.
    pub fn row_names(&self) -> &[String] {
        &self.row_names
    }

    /// What is missing in it, and why: a line for each class that has no curve.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How it is drawn, if it is a curve.
    pub fn plot(&self) -> Option<Plot> {
        self.plot
    }

    /// Says how it is drawn.
    pub fn set_plot(&mut self, plot: Plot) {
        self.plot = Some(plot);
    }

    /// The numbers of the column with this name.
    pub fn column(&self, name: &str) -> Option<Vec<f64>> {
        let index = self.columns.iter().position(|column| column == name)?;
        Some(self.rows.iter().map(|row| row[index]).collect())
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// If it does not have a number for each column.
    pub fn push(&mut self, row: Vec<f64>) {
        assert_eq!(row.len(), self.columns.len(), "a number for each column");
        self.rows.push(row);
    }

    /// Gives each row a name.
    pub fn name_rows(&mut self, names: impl IntoIterator<Item: Into<String>>) {
        self.row_names = names.into_iter().map(Into::into).collect();
    }

    /// Adds a line that says what is missing, and why.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|&number| cell(number)).collect()).collect();
        let first = self.row_names.iter().map(String::len).chain([self.title.len()]).max().unwrap_or(0);
        let widest = cells.iter().flatten().chain(&self.columns).map(String::len).max().unwrap_or(0);
        write!(f, "{:first$}", self.title)?;
        self.columns.iter().try_for_each(|column| write!(f, " {column:>widest$}"))?;
        for (index, row) in cells.iter().enumerate() {
            write!(f, "\n{:>first$}", self.row_names.get(index).map_or("", String::as_str))?;
            row.iter().try_for_each(|cell| write!(f, " {cell:>widest$}"))?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

/// A number as a table shows it: whole ones as such.
fn cell(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number}") } else { format!("{number:.4}") }
}
