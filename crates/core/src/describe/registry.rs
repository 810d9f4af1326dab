//! What descriptions may name.

use std::any::{Any, TypeId};
use std::fmt;

use super::description::{CHAIN, Description};
use super::entry::{Described, Entry};
use super::error::DescriptionError;
use super::names::{nearest_name, same_name};
use super::settings::{Place, Settings};
use super::value::Value;

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
    pub fn add<K: Kind, D: Described>(&mut self, wrap: impl Fn(D) -> K + Send + Sync + 'static) {
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
        let (name, preset) = description.name.split_once('.').unwrap_or((&description.name, ""));
        let registered = self.find::<K>(name)?;
        let entry = registered.entry;
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
        let settings = Settings::new(description, entry, preset, place)?;
        let build = registered.build.downcast_ref::<Build<K>>().expect("it was registered for this kind");
        build(&settings)
    }

    fn of_kind<K: Kind>(&self) -> impl Iterator<Item = &Registered> {
        self.types.iter().filter(|registered| registered.kind == TypeId::of::<K>())
    }

    fn find<K: Kind>(&self, name: &str) -> Result<&Registered, DescriptionError> {
        let found = self.of_kind::<K>().filter(|registered| registered.entry.is_named(name)).last();
        found.ok_or_else(|| {
            let names = self
                .entries::<K>()
                .flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied()));
            DescriptionError::Name {
                kind: K::KIND,
                name: name.to_owned(),
                nearest: nearest_name(name, names),
            }
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.types.iter().map(|registered| registered.entry.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Constant, Initializer, Range, SettingError, describe, register};

    /// Something with settings of all sorts, that may be inside of itself.
    #[derive(Debug)]
    struct Tree {
        size: usize,
        shares: [f64; 2],
        first: Option<Arc<dyn Initializer>>,
    }

    describe! {
        /// A tree
        /// of values.
        Tree = "tree";
        aliases ["Bush"];
        formula "size → shares";
        source "nobody";
        settings {
            /// How large.
            size: required, Range::AT_LEAST_ONE;
            /// Two parts.
            shares ("parts"): [0.25, 0.5], Range::UNIT;
            /// What is inside.
            first as "inside": none;
        }
        presets { small { size = 1, parts = 0.0 } }
    }

    impl Initializer for Tree {
        fn fill(&self, _: crate::ParamSpec, _: chainrule_tensor::Seed, values: &mut [f64]) {
            values.fill(self.shares[0] * self.size as f64);
        }

        crate::described!();
    }

    fn built(text: &str) -> Result<String, String> {
        let mut registry = Registry::new();
        register!(registry, Arc<dyn Initializer>, Arc::new; Constant, Tree);
        let description: Description = text.parse().map_err(|error: DescriptionError| error.to_string())?;
        let thing =
            registry.build::<Arc<dyn Initializer>>(&description).map_err(|error| error.to_string())?;
        let described = Initializer::description(&*thing);
        // What it says of itself can be built again.
        let again = registry.build::<Arc<dyn Initializer>>(&described).map_err(|error| error.to_string())?;
        assert_eq!(Initializer::description(&*again), described);
        Ok(described.to_string())
    }

    #[test]
    fn entries_say_everything() {
        let Entry { title, name, aliases, summary, formula, source, settings, presets } = Tree::ENTRY;
        assert_eq!((title, name, aliases), ("Tree", "tree", &["Bush"][..]));
        assert_eq!((summary, formula, source), ("A tree of values.", "size → shares", "nobody"));
        let defaults: Vec<_> = settings.iter().map(|setting| (setting.name, setting.default)).collect();
        assert_eq!(defaults, [("size", None), ("shares", Some("[0.25, 0.5]")), ("inside", Some("none"))]);
        assert_eq!(presets[0].settings, [("size", "1"), ("parts", "0.0")]);
    }

    #[test]
    fn what_can_be_built() {
        for (text, described) in [
            ("tree(3)", "tree(size=3, shares=[0.25, 0.5], inside=none)"),
            ("BUSH(size=2.0, parts=1)", "tree(size=2, shares=[1.0, 1.0], inside=none)"),
            ("tree.small", "tree(size=1, shares=[0.0, 0.0], inside=none)"),
            (
                "tree.Small(inside=tree(2, inside=constant(0.5)), size=5)",
                "tree(size=5, shares=[0.0, 0.0], inside=tree(size=2, shares=[0.25, 0.5], inside=constant(value=0.5)))",
            ),
            ("tree(1, inside=constant)", "tree(size=1, shares=[0.25, 0.5], inside=constant(value=0.0))"),
        ] {
            assert_eq!(built(text).as_deref(), Ok(described));
        }
    }

    #[test]
    fn what_cannot_be_built() {
        let deep = format!("{}constant{}", "tree(1, inside=".repeat(60), ")".repeat(60));
        assert!(built(&deep).is_ok());
        for (text, error) in [
            ("bushes", "there is no initializer named `bushes`; the nearest name is `Bush`"),
            ("tree", "tree needs the setting `size`: How large."),
            ("tree(0)", "tree.size is 0, but must be at least 1"),
            ("tree(1.5)", "tree.size is 1.5, but must be a whole number from 0 to 18446744073709551615"),
            ("tree(1, [0, 2])", "tree.shares is [0, 2], but must be from 0 to 1"),
            ("tree(1, nan)", "tree.shares is nan, but must be from 0 to 1"),
            ("tree(1, [1])", "tree.shares is [1], but must be a list of 2"),
            ("tree(1, [1, true])", "tree.shares[1] is true, but must be a number"),
            ("tree(1, leaves=3)", "tree has no setting named `leaves`; it has size, shares, inside"),
            ("tree(1, size=1)", "tree is given `size` twice"),
            ("tree(1, 1, none, 2)", "tree is given more than its 3 settings"),
            ("tree(1, inside=7)", "tree.inside is 7, but must be the name of an initializer"),
            ("tree(1, inside=tree(0))", "tree.inside.tree.size is 0, but must be at least 1"),
            ("tree.large", "tree has no preset named `large`, only small"),
            ("constant.keras", "constant has no presets, so there is no `constant.keras`"),
            ("tree(1) then tree(2)", "one initializer cannot follow another: leave out the `then`"),
        ] {
            assert_eq!(built(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_last_of_a_name_is_taken() {
        #[derive(Debug)]
        struct Other {}
        describe! {
            /// Another constant.
            Other = "constant";
        }
        let mut registry = Registry::new();
        register!(registry, Arc<dyn Initializer>, Arc::new; Constant);
        registry.add::<Arc<dyn Initializer>, Other>(|_| Arc::new(Constant(7.0)));
        let built: Arc<dyn Initializer> = registry.build(&Description::new("constant")).unwrap();
        assert_eq!(Initializer::description(&*built).to_string(), "constant(value=7.0)");
        assert_eq!(registry.entries::<Arc<dyn Initializer>>().count(), 2);
    }

    #[test]
    fn ranges_are_checked() {
        let tree = Tree { size: 1, shares: [0.5, 1.5], first: None };
        let error = tree.check_ranges().unwrap_err();
        let range =
            SettingError::Range { owner: "Tree", setting: "shares", value: 1.5, allowed: "from 0 to 1" };
        assert_eq!(error, range);
    }
}
