//! The axes that a layer normalises over.

use chainrule_core::{DescriptionError, Place, Plan, SettingValue, ShapeError, Value};
use chainrule_tensor::Shape;

/// The axes of a sample that a layer normalises over.
#[derive(Clone, Copy, Debug)]
pub(super) enum NormalizedAxes {
    /// This many of the last axes.
    Last(usize),
    All,
}

/// Their number, or `all`.
impl SettingValue for NormalizedAxes {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        match value {
            Value::Text(word) if word == "all" => Ok(Self::All),
            count => usize::from_value(count, place)
                .map(Self::Last)
                .map_err(|_| place.wrong(count, "a number of axes, or all")),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::All => "all".into(),
            Self::Last(count) => count.to_value(),
        }
    }
}

impl NormalizedAxes {
    /// The sizes of these axes.
    pub(super) fn of(self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let first = match self {
            Self::All => Some(0),
            Self::Last(0) => None,
            Self::Last(count) => input.len().checked_sub(count),
        };
        let axes = first.and_then(|first| Shape::new(&input[first..]));
        axes.filter(|axes| !axes.is_empty() && input.size() > 0).ok_or_else(|| {
            let expected = match self {
                Self::Last(count) if count > 1 => format!("samples of at least {count} axes"),
                _ => "samples of at least one axis".to_owned(),
            };
            let help = "normalise over at least one of the sample's axes, and at least one value";
            plan.error(input, &expected, help)
        })
    }
}
