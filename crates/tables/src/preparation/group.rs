use std::sync::Arc;

use chainrule_core::{DescriptionError, Place, SettingValue, Value, describe};

use crate::column::{ColumnData, ColumnKind, Texts};
use crate::transform::{Feature, Transform};
use crate::values::Numbers;

/// Columns that share a transform.
#[derive(Clone, Debug)]
pub struct ColumnGroup {
    pub(super) columns: Vec<String>,
    /// One for each column.
    pub(super) kinds: Vec<ColumnKind>,
    pub(super) transform: Arc<dyn Transform>,
}

describe! {
    /// Columns that share a transform.
    ColumnGroup = "columns";
    settings {
        /// Their names.
        columns as "of": required;
        /// What each of them is.
        kinds: required;
        /// The transform, fitted.
        transform: required;
    }
}

impl ColumnGroup {
    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What they are.
    pub fn kinds(&self) -> &[ColumnKind] {
        &self.kinds
    }

    /// Their transform, fitted.
    pub fn transform(&self) -> &dyn Transform {
        &*self.transform
    }

    /// The columns without rows.
    pub(super) fn empty(&self) -> Vec<Feature> {
        let data = |kind: &ColumnKind| match kind {
            ColumnKind::Category | ColumnKind::Text | ColumnKind::Identifier => {
                ColumnData::Texts(Texts::default())
            }
            _ => ColumnData::Numbers(Numbers::default()),
        };
        self.columns.iter().zip(&self.kinds).map(|(name, kind)| Feature::new(name, data(kind))).collect()
    }
}

impl SettingValue for ColumnGroup {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        let group: Self = place.build_type(value)?;
        if group.columns.len() == group.kinds.len() {
            return Ok(group);
        }
        Err(place.wrong(value, "columns with a kind for each"))
    }

    fn to_value(&self) -> Value {
        super::described(self)
    }
}
