//! The types that settings may have.

use std::sync::Arc;

use chainrule_tensor::Shape;

use super::description::Value;
use super::error::DescriptionError;
use super::registry::{Kind, Place, SettingValue};

impl SettingValue for bool {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        match value {
            Value::Bool(value) => Ok(*value),
            _ => Err(place.wrong(value, "true or false")),
        }
    }

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
}

impl SettingValue for f64 {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        value.as_f64().ok_or_else(|| place.wrong(value, "a number"))
    }

    fn to_value(&self) -> Value {
        Value::Number(*self)
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl SettingValue for $integer {
            fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
                let whole = match *value {
                    Value::Integer(whole) => Some(whole),
                    // All whole numbers of this size are exact.
                    Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(number as i128),
                    _ => None,
                };
                let whole = whole.and_then(|whole| Self::try_from(whole).ok());
                let allowed = || format!("a whole number from {} to {}", Self::MIN, Self::MAX);
                whole.ok_or_else(|| place.wrong(value, allowed()))
            }

            fn to_value(&self) -> Value {
                Value::from(*self)
            }
        }
    )*};
}
integers!(u8 u32 u64 usize i32 i64 isize);

impl SettingValue for String {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(place.wrong(value, "a text")),
        }
    }

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

/// Any value, for a setting that is read in several ways.
impl SettingValue for Value {
    fn from_value(value: &Value, _: &Place<'_>) -> Result<Self, DescriptionError> {
        Ok(value.clone())
    }

    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl<V: SettingValue> SettingValue for Option<V> {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        match value {
            Value::None => Ok(None),
            value => V::from_value(value, place).map(Some),
        }
    }

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::None, V::to_value)
    }
}

impl<V: SettingValue> SettingValue for Vec<V> {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        let Value::List(values) = value else { return Err(place.wrong(value, "a list, such as [1, 2]")) };
        values.iter().enumerate().map(|(index, value)| V::from_value(value, &place.item(index))).collect()
    }

    fn to_value(&self) -> Value {
        Value::List(self.iter().map(V::to_value).collect())
    }
}

/// A list of the lengths of its axes.
impl SettingValue for Shape {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        let axes = Vec::<usize>::from_value(value, place)?;
        let few = "a list of at most 6 axes, whose values together can be counted";
        Self::new(&axes).ok_or_else(|| place.wrong(value, few))
    }

    fn to_value(&self) -> Value {
        Value::from(self.to_vec())
    }
}

/// One value stands for as many equal ones: `kernel=3` is `kernel=[3, 3]`.
impl<V: SettingValue, const N: usize> SettingValue for [V; N] {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        let values: Vec<V> = match value {
            Value::List(_) => Vec::from_value(value, place)?,
            value => (0..N).map(|_| V::from_value(value, place)).collect::<Result<_, _>>()?,
        };
        values.try_into().map_err(|_| place.wrong(value, format!("a list of {N}")))
    }

    fn to_value(&self) -> Value {
        Value::List(self.iter().map(V::to_value).collect())
    }
}

/// What a registry builds: `Arc<dyn Schedule>` as a setting is a schedule.
impl<K: ?Sized> SettingValue for Arc<K>
where
    Self: Kind,
{
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        place.build(value)
    }

    fn to_value(&self) -> Value {
        self.to_plain()
    }

    fn completed_by(self, default: &Value) -> Self {
        Kind::completed_by(self, default)
    }
}

/// As an `Arc`.
impl<K: ?Sized> SettingValue for Box<K>
where
    Self: Kind,
{
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        place.build(value)
    }

    fn to_value(&self) -> Value {
        self.to_plain()
    }

    fn completed_by(self, default: &Value) -> Self {
        Kind::completed_by(self, default)
    }
}
