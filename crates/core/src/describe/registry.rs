//! What descriptions may name, and how the things are built.
//!
//! A [`Registry`] finds the entry of a type and builds it ([`Described`]) from its [`Settings`], which may be things of any
//! [`Kind`] in turn: so these are one file.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::description::{CHAIN, Description, Value};
use super::entry::{Entry, Preset, first_outside};
use super::error::DescriptionError;
use super::names::{nearest_name, same_name, with_article};
use crate::settings::SettingError;

/// How deep things may be inside of each other.
const MAX_DEPTH: usize = 64;

/// A kind of things that descriptions name, as the type in which any of them can be held: `Arc<dyn Initializer>`.
pub trait Kind: Sized + 'static {
    /// What errors call one of them: `"initializer"`.
    const KIND: &'static str;

    /// What lists call them: `"initializers"`.
    const KINDS: &'static str;

    /// What this is; see [`Described::describe`].
    fn description(&self) -> Description;

    /// The thing that a value stands for without a name, as a number for a schedule; `None`, the default, if it stands for none.
    fn from_plain(value: &Value) -> Option<Self> {
        let _ = value;
        None
    }

    /// The value that stands for this as a setting: by default its description.
    fn to_plain(&self) -> Value {
        self.description().into()
    }

    /// What `a then b` is, by default an error.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] if a part cannot be built, or things of this kind do not follow each other.
    fn chain(parts: &[Description], registry: &Registry) -> Result<Self, DescriptionError> {
        let _ = (parts, registry);
        Err(DescriptionError::Chain { kind: Self::KIND })
    }

    /// The same with what it leaves out taken from the default of its setting, as a schedule without a rate takes the default
    /// rate. By default it leaves out nothing.
    #[must_use]
    fn completed_by(self, default: &Value) -> Self {
        let _ = default;
        self
    }
}

/// A [`Kind`] that is held in an `Arc`, for a trait of another crate: `impl SharedKind for dyn Schedule` makes `Arc<dyn Schedule>`
/// a kind, which that crate could not do itself.
pub trait SharedKind: 'static {
    /// See [`Kind::KIND`].
    const KIND: &'static str;

    /// See [`Kind::KINDS`].
    const KINDS: &'static str;

    /// See [`Kind::description`].
    fn description(&self) -> Description;

    /// See [`Kind::from_plain`].
    fn from_plain(value: &Value) -> Option<Arc<Self>> {
        let _ = value;
        None
    }

    /// See [`Kind::to_plain`].
    fn to_plain(&self) -> Value {
        self.description().into()
    }

    /// See [`Kind::chain`].
    ///
    /// # Errors
    ///
    /// As there.
    fn chain(parts: &[Description], registry: &Registry) -> Result<Arc<Self>, DescriptionError> {
        let _ = (parts, registry);
        Err(DescriptionError::Chain { kind: Self::KIND })
    }

    /// See [`Kind::completed_by`].
    #[must_use]
    fn completed_by(this: Arc<Self>, default: &Value) -> Arc<Self> {
        let _ = default;
        this
    }
}

impl<K: SharedKind + ?Sized> Kind for Arc<K> {
    const KIND: &'static str = K::KIND;
    const KINDS: &'static str = K::KINDS;

    fn description(&self) -> Description {
        (**self).description()
    }

    fn from_plain(value: &Value) -> Option<Self> {
        K::from_plain(value)
    }

    fn to_plain(&self) -> Value {
        (**self).to_plain()
    }

    fn chain(parts: &[Description], registry: &Registry) -> Result<Self, DescriptionError> {
        K::chain(parts, registry)
    }

    fn completed_by(self, default: &Value) -> Self {
        K::completed_by(self, default)
    }
}

/// How one type is built as one kind.
type Build<K> = Box<dyn Fn(&Settings<'_>) -> Result<K, DescriptionError> + Send + Sync>;

struct Registered {
    kind: TypeId,
    entry: &'static Entry,
    /// A [`Build`] of that kind.
    build: Box<dyn Any + Send + Sync>,
}

/// The types that descriptions may name, of all kinds; see [`register!`](crate::register!).
#[derive(Default)]
pub struct Registry {
    types: Vec<Registered>,
}

impl Registry {
    /// One that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a type of a kind. If two have one name, the later one has it.
    ///
    /// A program whose type has a setting called `name` or `then` does not compile: in files, those are the name of the thing and
    /// the parts of a chain.
    pub fn add<K: Kind, D: Described>(&mut self, wrap: impl Fn(D) -> K + Send + Sync + 'static) {
        const {
            assert!(!D::ENTRY.has_reserved_setting(), "a setting has another name than `name` and `then`");
        }
        let build: Build<K> = Box::new(move |settings| D::from_settings(settings).map(&wrap));
        self.types.push(Registered {
            kind: TypeId::of::<K>(),
            entry: const { &D::ENTRY },
            build: Box::new(build),
        });
    }

    /// The entries of all types of a kind, in the order in which they were registered.
    pub fn entries<K: Kind>(&self) -> impl Iterator<Item = &'static Entry> + '_ {
        self.of_kind::<K>().map(|registered| registered.entry)
    }

    /// The entry of the type that is called so.
    ///
    /// # Errors
    ///
    /// [`DescriptionError::Name`] if there is none, with the nearest name.
    pub fn entry<K: Kind>(&self, name: &str) -> Result<&'static Entry, DescriptionError> {
        self.find::<K>(name).map(|registered| registered.entry)
    }

    /// Builds the thing that is described.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] if there is none of this kind with that name, or its settings cannot be.
    pub fn build<K: Kind>(&self, description: &Description) -> Result<K, DescriptionError> {
        self.build_at(description, None)
    }

    /// As [`build`](Self::build), for a thing that is a setting.
    pub(crate) fn build_at<K: Kind>(
        &self,
        description: &Description,
        place: Option<&Place<'_>>,
    ) -> Result<K, DescriptionError> {
        if description.name == CHAIN {
            return K::chain(&description.parts(), self);
        }
        let registered = self.find::<K>(name_and_preset(description).0)?;
        let settings = self.settings(description, registered.entry, place)?;
        let build = registered.build.downcast_ref::<Build<K>>().expect("it was registered for this kind");
        build(&settings)
    }

    /// The settings of a thing with this entry that is described.
    pub(crate) fn settings<'a>(
        &'a self,
        description: &'a Description,
        entry: &'static Entry,
        place: Option<&Place<'_>>,
    ) -> Result<Settings<'a>, DescriptionError> {
        let (_, preset) = name_and_preset(description);
        let known = entry.presets.iter();
        let preset = match (preset, known.clone().find(|known| same_name(known.name, preset))) {
            ("", _) => None,
            (_, Some(preset)) => Some(preset),
            (name, None) => {
                let known = known.map(|preset| preset.name).collect();
                return Err(DescriptionError::Preset { owner: entry.name, name: name.to_owned(), known });
            }
        };
        let path = match place {
            None => entry.name.to_owned(),
            Some(place) => format!("{place}.{}", entry.name),
        };
        let place = Place::new(self, path);
        if place.path().matches('.').count() > 2 * MAX_DEPTH {
            return Err(place.wrong(&Value::from(entry.name), "less deep"));
        }
        Settings::new(description, entry, preset, place)
    }

    fn of_kind<K: Kind>(&self) -> impl Iterator<Item = &Registered> {
        self.types.iter().filter(|registered| registered.kind == TypeId::of::<K>())
    }

    fn find<K: Kind>(&self, name: &str) -> Result<&Registered, DescriptionError> {
        let found = self.of_kind::<K>().filter(|registered| registered.entry.is_named(name)).last();
        found.ok_or_else(|| {
            let nearest = nearest_name(name, self.entries::<K>().flat_map(Entry::names));
            DescriptionError::Name { kind: K::KIND, name: name.to_owned(), nearest }
        })
    }
}

/// The name of a description, and that of the preset after its dot.
fn name_and_preset(description: &Description) -> (&str, &str) {
    description.name.split_once('.').unwrap_or((&description.name, ""))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.types.iter().map(|registered| registered.entry.name)).finish()
    }
}

/// A type with an entry, made by [`describe!`](crate::describe!).
///
/// By hand, where the fields of the type are not its settings: `ENTRY` by [`entry!`](crate::entry!), and the two functions
/// from settings to the type and back.
pub trait Described: Sized + 'static {
    /// What is said about the type.
    const ENTRY: Entry;

    /// The type with these settings.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] if a value is not of the type of its setting, or settings exclude each other.
    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError>;

    /// The values of the settings, in the order of the entry.
    fn setting_values(&self) -> Vec<Value>;

    /// What this is: its name and all its settings.
    fn describe(&self) -> Description {
        Self::ENTRY.description(self.setting_values())
    }

    /// Checks the numbers of the settings against the ranges of the entry.
    ///
    /// # Errors
    ///
    /// [`SettingError::Range`] for the first that is not in its range.
    fn check_ranges(&self) -> Result<(), SettingError> {
        Self::ENTRY.check_ranges(self.setting_values())
    }
}

/// The settings of one thing: those that were given, those of a preset, and defaults for the rest.
#[derive(Debug)]
pub struct Settings<'a> {
    entry: &'static Entry,
    preset: Option<&'static Preset>,
    given: Vec<Option<&'a Value>>,
    place: Place<'a>,
}

/// The value of a setting.
struct Found<'a> {
    value: Cow<'a, Value>,
    place: Place<'a>,
    /// Of a value that was given: what completes it.
    default: Option<Value>,
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
        let Found { value, place, default } = self.find(name)?;
        let value = V::from_value(&value, &place)?;
        Ok(match default {
            Some(default) => value.completed_by(&default),
            None => value,
        })
    }

    /// The value of a setting.
    fn find(&self, name: &str) -> Result<Found<'_>, DescriptionError> {
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
            let default = setting.default.map(str::parse).transpose()?;
            return Ok(Found { value: Cow::Borrowed(value), place, default });
        }
        let preset = self.preset.map_or(&[][..], |preset| preset.settings);
        let preset = preset.iter().find(|(name, _)| setting.is_named(name)).map(|&(_, text)| text);
        let missing = || DescriptionError::Missing {
            place: self.place.path.clone(),
            setting: setting.name,
            summary: setting.summary,
        };
        let text = preset.or(setting.default).ok_or_else(missing)?;
        Ok(Found { value: Cow::Owned(text.parse()?), place, default: None })
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

impl Place<'_> {
    /// Makes a thing of the type `D`, whatever the registry has, of a value that describes one.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] if it describes another thing, or its settings cannot be.
    pub fn build_type<D: Described>(&self, value: &Value) -> Result<D, DescriptionError> {
        let entry = const { &D::ENTRY };
        let described = value
            .to_description()
            .filter(|described| described.name.split('.').next().is_some_and(|name| entry.is_named(name)));
        let description =
            described.ok_or_else(|| self.wrong(value, format!("{} with its settings", entry.name)))?;
        D::from_settings(&self.registry.settings(&description, entry, Some(self))?)
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

    /// The same with what it leaves out taken from the default: see [`Kind::completed_by`].
    #[must_use]
    fn completed_by(self, default: &Value) -> Self {
        let _ = default;
        self
    }
}
