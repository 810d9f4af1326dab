//! Transforms of columns, which learn from a table and are applied to it and to others.

mod byte_pairs;
mod chain;
mod error;
mod features;
mod fitted;
mod hashing;
mod impute;
mod keep;
mod log;
mod min_max;
mod murmur;
mod one_hot;
mod ordinal;
mod principal_components;
mod robust;
mod spectrum;
mod standardise;
mod token_numbers;
mod whiten;
mod words;

use std::fmt::Debug;
use std::sync::Arc;

use chainrule_core::{Description, DescriptionError, Registry, SharedKind, register};

pub use byte_pairs::BytePairNumbers;
pub use chain::TransformChain;
pub use error::TransformError;
pub use features::{Feature, Features};
pub(crate) use fitted::categories as categories_of;
pub use hashing::Hashing;
pub use impute::{Impute, ImputeStrategy};
pub use keep::Keep;
pub use log::Log;
pub use min_max::MinMax;
pub use one_hot::{DropCategory, OneHot};
pub use ordinal::Ordinal;
pub use principal_components::PrincipalComponents;
pub use robust::Robust;
pub use standardise::Standardise;
pub use whiten::Whiten;
pub use words::Words;

/// What an encoder does with a category that it has not seen when it was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownCategory {
    /// It is an error.
    Error,
    /// It is none of the known ones: zeros, or a value of its own.
    Ignore,
}

chainrule_core::setting_words! { UnknownCategory { Error = "error", Ignore = "ignore" } }

/// A transform of columns, as of scikit-learn: it learns from the columns of a table, and is then applied to the same columns of
/// this and of other tables.
///
/// What it learns are settings like the others, so that one that has been fitted is written and read as text:
/// `standardise(mean=[3.5], deviation=[1.2])`.
///
/// ```
/// use chainrule_tables::transform::{Feature, Features, Standardise, Transform};
/// let ages = Features::new(vec![Feature::numbers("age", vec![20.0, 30.0, 40.0])]);
/// let fitted = Standardise::default().fit(&ages)?;
/// assert_eq!(fitted.description().to_string(), "standardise(centre=true, scale=true, mean=[30.0], deviation=[8.16496580927726])");
/// let later = Features::new(vec![Feature::numbers("age", vec![30.0])]);
/// assert_eq!(fitted.apply(&later)?.columns()[0].as_numbers(), Some(&[0.0][..]));
/// # Ok::<(), chainrule_tables::transform::TransformError>(())
/// ```
pub trait Transform: Debug + Send + Sync {
    /// What this is, with what it has learnt.
    fn description(&self) -> Description;

    /// The same with what it learns from these columns.
    ///
    /// # Errors
    ///
    /// [`TransformError`] if they are not what it takes, or a setting cannot work.
    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError>;

    /// These columns transformed. They have the order in which it was fitted.
    ///
    /// # Errors
    ///
    /// [`TransformError`] if it was not fitted, or a value has no transformed one.
    fn apply(&self, features: &Features) -> Result<Features, TransformError>;

    /// This and then another, which is fitted to what this gives.
    fn then(self, next: impl Transform + 'static) -> TransformChain
    where
        Self: Sized + 'static,
    {
        TransformChain::new(vec![Arc::new(self), Arc::new(next)])
    }
}

impl Transform for Arc<dyn Transform> {
    fn description(&self) -> Description {
        (**self).description()
    }

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        (**self).fit(features)
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        (**self).apply(features)
    }
}

impl SharedKind for dyn Transform {
    const KIND: &'static str = "transform";
    const KINDS: &'static str = "transforms";

    fn description(&self) -> Description {
        Transform::description(self)
    }

    fn chain(parts: &[Description], registry: &Registry) -> Result<Arc<Self>, DescriptionError> {
        let parts: Result<Vec<Arc<dyn Transform>>, _> =
            parts.iter().map(|part| registry.build(part)).collect();
        Ok(Arc::new(TransformChain::new(parts?)))
    }
}

/// Registers the transforms, so that a registry builds them as `Arc<dyn Transform>`.
pub fn register_transforms(registry: &mut Registry) {
    register!(*registry, Arc<dyn Transform>, Arc::new;
        Standardise, MinMax, Robust, Impute, OneHot, Ordinal, Log, Hashing, Words, BytePairNumbers,
        PrincipalComponents, Whiten, Keep);
}

/// The transform with this text, such as `impute(median) then standardise`, of those in this crate.
///
/// # Errors
///
/// [`DescriptionError`] if it describes none.
pub fn transform(text: &str) -> Result<Arc<dyn Transform>, DescriptionError> {
    let mut registry = Registry::new();
    register_transforms(&mut registry);
    registry.build(&text.parse()?)
}
