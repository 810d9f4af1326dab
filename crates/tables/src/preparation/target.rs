use chainrule_core::{DescriptionError, Place, SettingValue, Value, describe};

use crate::column::ColumnKind;

/// A column that is to be predicted.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetColumn {
    pub(super) column: String,
    pub(super) kind: ColumnKind,
    pub(super) classes: Option<Vec<String>>,
}

describe! {
    /// A column that is to be predicted.
    TargetColumn = "target";
    settings {
        /// Its name.
        column as "of": required;
        /// What it is.
        kind: required;
        /// Its classes in their order, if it is a class and no number.
        classes: none;
    }
}

impl TargetColumn {
    /// Its name.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// What it is.
    pub fn kind(&self) -> ColumnKind {
        self.kind
    }

    /// Its classes in their order, if it is a class and no number.
    pub fn classes(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }
}

impl SettingValue for TargetColumn {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        place.build_type(value)
    }

    fn to_value(&self) -> Value {
        super::described(self)
    }
}
