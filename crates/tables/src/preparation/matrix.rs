//! From a table to matrices and data sets.

use std::collections::HashMap;
use std::sync::Arc;

use chainrule_data::Rows;
use chainrule_tensor::Real;
use ndarray::Array2;

use super::{Preparation, PreparationError, TargetColumn};
use crate::column::{ColumnData, ColumnKind};
use crate::table::Table;
use crate::transform::{Feature, Features, TransformError};

impl Table {
    /// The error of a transform with the line of its row.
    pub(super) fn transform_error(&self, source: TransformError) -> PreparationError {
        let line = source.row().map(|row| self.line(row));
        let source = Box::new(source);
        PreparationError::Transform { path: self.source.path.clone(), line, source }
    }
}

impl Preparation {
    /// The features of a table, one row each, in the order of [`feature_names`](Self::feature_names).
    ///
    /// # Errors
    ///
    /// [`PreparationError`] with the line, if the table lacks a column, or a value is missing or cannot be transformed.
    pub fn features<T: Real>(&self, table: &Table) -> Result<Array2<T>, PreparationError> {
        let mut columns = Vec::new();
        for group in self.groups() {
            let input: Result<Vec<Feature>, _> = group
                .columns()
                .iter()
                .map(|name| table.column(name).map(|column| Feature::new(name, column.data.clone())))
                .collect();
            let output = group.transform().apply(&Features::new(input?));
            columns.extend(output.map_err(|source| table.transform_error(source))?.into_columns());
        }
        let (rows, features) = (table.rows(), columns.len());
        let memory = || PreparationError::Memory { rows, features };
        let size = rows.checked_mul(features).ok_or_else(memory)?;
        let mut values: Vec<T> = Vec::new();
        values.try_reserve_exact(size).map_err(|_| memory())?;
        values.resize(size, T::of(0.0));
        for (index, column) in columns.iter().enumerate().take(size) {
            if column.len() != rows {
                let (column, found) = (column.name().to_owned(), column.len());
                return Err(table.transform_error(TransformError::Rows { column, expected: rows, found }));
            }
            write(&mut values[index..], features, table, column)?;
        }
        Ok(Array2::from_shape_vec((rows, features), values).expect("it was made of this size"))
    }

    /// A data set with the class of each row, an index of [`class_names`](Self::class_names).
    ///
    /// # Errors
    ///
    /// [`PreparationError`] with the line, or if there is not one target that is a class.
    pub fn classification<T: Real>(&self, table: &Table) -> Result<Rows<T, u32>, PreparationError> {
        let (target, classes) = match self.targets() {
            [target @ TargetColumn { classes: Some(classes), .. }] => (target, classes),
            _ => {
                let remedy = "name one with `class_target`";
                return Err(self.wrong_targets("a classification", "one target that is a class", remedy));
            }
        };
        let rows = Rows::new(self.features(table)?, self.classes_of(table, target)?);
        Ok(rows.expect("a target was made for each row").with_classes(classes.len()))
    }

    /// The class of each row, an index of [`TargetColumn::classes`], for one of the [`targets`](Self::targets).
    ///
    /// # Errors
    ///
    /// [`PreparationError`] with the line, or if the target is no class.
    pub fn classes_of(&self, table: &Table, target: &TargetColumn) -> Result<Vec<u32>, PreparationError> {
        let Some(classes) = target.classes() else {
            let remedy = "name it with `class_target`";
            return Err(self.wrong_targets("a classification", "targets that are classes", remedy));
        };
        let mut known: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
        let column = table.column(target.column())?;
        if target.kind() == ColumnKind::Boolean && classes.len() == 2 && column.texts().is_none() {
            // The words of another file may be others; they are 0 and 1 in all of them.
            known = HashMap::from([("0", 0), ("1", 1)]);
        }
        let texts = Feature::new(target.column(), column.data.clone()).to_texts();
        let of_words: Vec<Option<u32>> =
            texts.words().iter().map(|word| known.get(&**word).copied()).collect();
        let mut targets = Vec::with_capacity(table.rows());
        for (row, &code) in texts.codes().iter().enumerate() {
            let class = of_words.get(code as usize).ok_or_else(|| missing_target(table, row, target))?;
            targets.push(class.ok_or_else(|| PreparationError::Class {
                path: table.source().path.clone(),
                line: table.line(row),
                column: target.column().to_owned(),
                text: texts.get(row).unwrap_or_default().to_owned(),
                classes: classes.iter().take(20).cloned().collect::<Vec<_>>().join(", "),
            })?);
        }
        Ok(targets)
    }

    /// A data set with the targets of each row as numbers, in the order in which they were named.
    ///
    /// # Errors
    ///
    /// [`PreparationError`] with the line, or if there is no target, or one is a class.
    pub fn regression<T: Real>(&self, table: &Table) -> Result<Rows<T, Arc<[T]>>, PreparationError> {
        let (wanted, needed) = ("a regression", "targets that are numbers");
        if self.targets().is_empty() {
            return Err(self.wrong_targets(wanted, needed, "name them with `target`"));
        }
        let mut columns = Vec::new();
        for target in self.targets() {
            let numbers = table.column(target.column())?.numbers().filter(|_| target.classes.is_none());
            let remedy = "use `classification`, or give the column the kind number";
            columns.push((target, numbers.ok_or_else(|| self.wrong_targets(wanted, needed, remedy))?));
        }
        let mut targets = Vec::with_capacity(table.rows());
        for row in 0..table.rows() {
            let value = |(target, numbers): &(&TargetColumn, &crate::Numbers)| {
                let value: T = numbers.get(row);
                if value.is_nan() {
                    return Err(missing_target(table, row, target));
                }
                finite(value, numbers.values()[row], table, (row, target.column()))
            };
            targets.push(columns.iter().map(value).collect::<Result<Arc<[T]>, _>>()?);
        }
        Ok(Rows::new(self.features(table)?, targets).expect("a target was made for each row"))
    }

    fn wrong_targets(
        &self,
        wanted: &'static str,
        needed: &'static str,
        remedy: &'static str,
    ) -> PreparationError {
        let words = |target: &TargetColumn| match target.classes() {
            Some(classes) => format!("{:?} ({} classes)", target.column(), classes.len()),
            None => format!("{:?} ({}s)", target.column(), target.kind()),
        };
        let found: Vec<String> = self.targets().iter().map(words).collect();
        let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        PreparationError::Targets { found, wanted, needed, remedy }
    }
}

fn missing_target(table: &Table, row: usize, target: &TargetColumn) -> PreparationError {
    PreparationError::Missing {
        path: table.source().path.clone(),
        line: table.line(row),
        column: target.column().to_owned(),
        remedy: "a row without a target cannot be learnt from, leave it out with `Table::without_missing`",
    }
}

/// Writes a column into every `stride`-th value.
fn write<T: Real>(
    values: &mut [T],
    stride: usize,
    table: &Table,
    column: &Feature,
) -> Result<(), PreparationError> {
    let ColumnData::Numbers(numbers) = column.data() else {
        let source = TransformError::Texts { transform: "a matrix", column: column.name().to_owned() };
        return Err(table.transform_error(source));
    };
    for (row, value) in values.iter_mut().step_by(stride).enumerate() {
        let number: T = numbers.get(row);
        if number.is_nan() {
            return Err(PreparationError::Missing {
                path: table.source().path.clone(),
                line: table.line(row),
                column: column.name().to_owned(),
                remedy: "put the transform `impute` before the others, or leave the row out",
            });
        }
        *value = finite(number, numbers.values()[row], table, (row, column.name()))?;
    }
    Ok(())
}

/// The number, if it is finite; `exact` is the same in double precision.
fn finite<T: Real>(
    value: T,
    exact: f64,
    table: &Table,
    (row, column): (usize, &str),
) -> Result<T, PreparationError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(PreparationError::Infinite {
        path: table.source().path.clone(),
        line: table.line(row),
        column: column.to_owned(),
        value: exact,
        precision: T::NAME,
    })
}
