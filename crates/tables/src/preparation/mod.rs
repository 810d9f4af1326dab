//! From a table to matrices: which columns are features and targets, and how they become numbers.

mod error;
mod group;
mod matrix;
mod roles;
mod storage;
mod target;

use std::fmt;

use chainrule_core::{Described, Value, describe};

pub use error::PreparationError;
pub use group::ColumnGroup;
pub use roles::ColumnRoles;
pub use target::TargetColumn;

use crate::TableReader;
use crate::transform::{Feature, Features, TransformError};

/// What has been learnt from a table to make matrices of it and of others like it: the columns that are features, their fitted
/// transforms, and the targets. [`ColumnRoles`] makes one.
///
/// Its `Display` and [`description`](Described::describe) are texts that [`Preparation::from_text`] reads, so it is saved with a
/// model, and applied again to the tables that the model is to predict for.
///
/// ```
/// use chainrule_tables::{ColumnRoles, Table};
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("plants.csv");
/// std::fs::write(&path, "height,soil,species\n5.0,clay,oak\nNA,sand,elm\n7.0,clay,oak\n")?;
/// let table = Table::read(&path)?;
/// let preparation = ColumnRoles::new().target("species").fit(&table)?;
/// assert_eq!(preparation.feature_names()?, ["height", "height_missing", "soil_clay", "soil_sand"]);
/// assert_eq!(preparation.class_names().unwrap(), ["elm", "oak"]);
/// let rows = preparation.classification::<f32>(&table)?;
/// assert_eq!(rows.targets(), [1, 0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Preparation {
    groups: Vec<ColumnGroup>,
    targets: Vec<TargetColumn>,
    left_out: Vec<String>,
    decimal_comma: bool,
}

describe! {
    /// What makes matrices of tables: columns with their fitted transforms, and targets.
    Preparation = "preparation";
    settings {
        /// The columns that are features, with their transforms.
        groups: [];
        /// The targets.
        targets: [];
        /// The columns that are neither.
        left_out: [];
        /// Whether numbers have decimal commas.
        decimal_comma: false;
    }
}

impl Preparation {
    /// The groups of columns that share a transform.
    pub fn groups(&self) -> &[ColumnGroup] {
        &self.groups
    }

    /// The targets.
    pub fn targets(&self) -> &[TargetColumn] {
        &self.targets
    }

    /// The columns that are neither features nor targets.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The classes in their order, if there is one target and it is a class.
    pub fn class_names(&self) -> Option<&[String]> {
        match &*self.targets {
            [target] => target.classes(),
            _ => None,
        }
    }

    /// The names of the columns of the matrices.
    ///
    /// # Errors
    ///
    /// [`TransformError`] if a transform of the user's cannot be applied to no rows.
    pub fn feature_names(&self) -> Result<Vec<String>, TransformError> {
        let mut names = Vec::new();
        for group in &self.groups {
            let features = group.transform().apply(&Features::new(group.empty()))?;
            names.extend(features.columns().iter().map(Feature::name).map(str::to_owned));
        }
        Ok(names)
    }

    /// A reader of another file with the same columns, told what they are. A file to predict for needs no targets.
    pub fn reader(&self, path: impl Into<std::path::PathBuf>) -> TableReader {
        let mut reader = TableReader::new(path);
        for group in &self.groups {
            for (column, kind) in group.columns().iter().zip(group.kinds()) {
                reader = reader.kind_if_there(column, *kind);
            }
        }
        for target in &self.targets {
            reader = reader.kind_if_there(target.column(), target.kind());
        }
        if self.decimal_comma { reader.decimal_comma(true) } else { reader }
    }
}

/// The text form, which [`Preparation::from_text`] reads.
impl fmt::Display for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.describe(), f)
    }
}

/// The settings of an inner thing as a value.
fn described<D: Described>(thing: &D) -> Value {
    thing.describe().into()
}
