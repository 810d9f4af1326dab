//! The settings that a thing is built from.

use std::fmt;
use std::sync::Arc;

use super::description::Description;
use super::entry::{Entry, Preset, first_outside};
use super::error::DescriptionError;
use super::names::with_article;
use super::registry::{Kind, Registry};
use super::value::Value;

/// The settings of one thing: those that were given, those of a preset, and defaults for the rest.
#[derive(Debug)]
pub struct Settings<'a> {
    entry: &'static Entry,
    preset: Option<&'static Preset>,
    given: Vec<Option<&'a Value>>,
    place: Place<'a>,
}

/// Where a value is, for errors, and the registry that inner things are built with.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    registry: &'a Registry,
    path: String,
}

impl<'a> Settings<'a> {
    /// Finds each given setting in the entry.
    pub(crate) fn new(
        description: &'a Description,
        entry: &'static Entry,
        preset: Option<&'static Preset>,
        place: Place<'a>,
    ) -> Result<Self, DescriptionError> {
        let mut given = vec![None; entry.settings.len()];
        let path = || place.path.clone();
        for (position, (name, value)) in description.settings.iter().enumerate() {
            let index = if name.is_empty() {
                let settings = entry.settings.len();
                (position < settings)
                    .then_some(position)
                    .ok_or(DescriptionError::Surplus { place: path(), settings })?
            } else {
                entry.setting(name).ok_or_else(|| DescriptionError::Setting {
                    place: path(),
                    setting: name.clone(),
                    known: entry.settings.iter().map(|setting| setting.name).collect(),
                })?
            };
            let setting = entry.settings[index].name;
            if given[index].replace(value).is_some() {
                return Err(DescriptionError::Twice { place: path(), setting });
            }
            let range = entry.settings[index].range;
            if first_outside(&range, value).is_some() {
                return Err(place.setting(setting).wrong(value, range.words()));
            }
        }
        Ok(Self { entry, preset, given, place })
    }

    /// The value of a setting: the given one, else that of the preset, else the default.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] if it is of another type, or missing without a default, or the entry has no such setting.
    pub fn get<V: SettingValue>(&self, name: &str) -> Result<V, DescriptionError> {
        let Some(index) = self.entry.setting(name) else {
            return Err(DescriptionError::Setting {
                place: self.place.path.clone(),
                setting: name.to_owned(),
                known: self.entry.settings.iter().map(|setting| setting.name).collect(),
            });
        };
        let setting = &self.entry.settings[index];
        let place = self.place.setting(setting.name);
        if let Some(value) = self.given[index] {
            return V::from_value(value, &place);
        }
        let preset = self.preset.map_or(&[][..], |preset| preset.settings);
        let preset = preset.iter().find(|(name, _)| setting.is_named(name)).map(|&(_, text)| text);
        let missing = || DescriptionError::Missing {
            place: self.place.path.clone(),
            setting: setting.name,
            summary: setting.summary,
        };
        let text = preset.or(setting.default).ok_or_else(missing)?;
        V::from_value(&text.parse()?, &place)
    }

    /// Whether a setting was given, rather than left to its default.
    pub fn is_given(&self, name: &str) -> bool {
        self.entry.setting(name).is_some_and(|index| self.given[index].is_some())
    }

    /// Where the thing is, for errors of its own.
    pub fn place(&self) -> &Place<'a> {
        &self.place
    }
}

impl<'a> Place<'a> {
    pub(crate) fn new(registry: &'a Registry, path: String) -> Self {
        Self { registry, path }
    }

    /// That of a setting of the thing here.
    pub(crate) fn setting(&self, name: &str) -> Self {
        Self { registry: self.registry, path: format!("{}.{name}", self.path) }
    }

    /// That of an item of the list here.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self { registry: self.registry, path: format!("{}[{index}]", self.path) }
    }

    /// The registry that inner things are built with.
    pub fn registry(&self) -> &'a Registry {
        self.registry
    }

    /// The path, such as `adam.betas[1]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The error of a value that is not what is `allowed`.
    pub fn wrong(&self, value: &Value, allowed: impl Into<String>) -> DescriptionError {
        DescriptionError::Value {
            place: self.path.clone(),
            found: value.to_string(),
            allowed: allowed.into(),
        }
    }

    /// Builds the thing that a value describes.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] if it describes none of this kind.
    pub fn build<K: Kind>(&self, value: &Value) -> Result<K, DescriptionError> {
        if let Some(built) = K::from_plain(value) {
            return Ok(built);
        }
        match value {
            Value::Described(description) => self.registry.build_at(description, Some(self)),
            Value::Text(text) => self.registry.build_at(&text.parse()?, Some(self)),
            _ => Err(self.wrong(value, format!("the name of {}", with_article(K::KIND)))),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// The type of a setting: how it is made of a [`Value`], and that of it.
pub trait SettingValue: Sized {
    /// The setting that this value stands for.
    ///
    /// # Errors
    ///
    /// [`DescriptionError::Value`] (see [`Place::wrong`]) if it stands for none.
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError>;

    /// The value that stands for this setting.
    fn to_value(&self) -> Value;
}

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
}
