//! Some rows of a table.

use crate::TableError;
use crate::column::{ColumnData, TableColumn, Texts};
use crate::table::{Lines, Table};

impl Table {
    /// The rows with these indices below [`rows`](Self::rows), in this order. Texts that occur in none of them are forgotten, so that
    /// what is fitted to them knows nothing of the others.
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|column| {
            let data = match &column.data {
                ColumnData::Numbers(numbers) => ColumnData::Numbers(numbers.select(rows)),
                ColumnData::Texts(texts) => ColumnData::Texts(texts.select(rows)),
            };
            TableColumn { data, ..column.clone() }
        });
        let mut lines = Lines::default();
        rows.iter().enumerate().for_each(|(row, &old)| lines.push(row, self.line(old)));
        Self {
            columns: columns.collect(),
            rows: rows.len(),
            row_names: self.row_names.as_ref().map(|names| names.select(rows)),
            lines,
            source: self.source.clone(),
        }
    }

    /// The rows in which these columns have a value.
    ///
    /// # Errors
    ///
    /// [`TableError::Column`] if there is no such column.
    pub fn without_missing<'c>(
        &self,
        columns: impl IntoIterator<Item = &'c str>,
    ) -> Result<Self, TableError> {
        let columns = columns.into_iter().map(|name| self.column(name)).collect::<Result<Vec<_>, _>>()?;
        let has_value = |row: usize| {
            columns.iter().all(|column| match &column.data {
                ColumnData::Numbers(numbers) => !numbers.values()[row].is_nan(),
                ColumnData::Texts(texts) => texts.codes()[row] != Texts::MISSING,
            })
        };
        let rows: Vec<usize> = (0..self.rows).filter(|&row| has_value(row)).collect();
        Ok(self.select(&rows))
    }
}
