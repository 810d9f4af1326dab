//! Augmentations by name.

use chainrule_core::{Described, Description, Kind, Registry, register};
use chainrule_tensor::{Real, Rng, Shape};

use super::*;

/// An augmentation of any kind, as a registry builds it: `random_affine(rotate=10)`, or `mix_up`.
#[derive(Debug)]
pub enum AnyAugmentation {
    /// A change of single pictures, for [`Augmented`].
    Picture(Box<dyn Augmentation>),
    /// A way to mix two samples, for [`Mixed`].
    Mixing(AnyMixing),
}

/// One of the ways to mix two samples.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AnyMixing {
    /// [`MixUp`].
    MixUp(MixUp),
    /// [`CutMix`].
    CutMix(CutMix),
}

impl AnyAugmentation {
    /// Checks the settings. Whether samples have the right shape is checked where they are augmented.
    ///
    /// # Errors
    ///
    /// [`SettingError`] says what is allowed.
    pub fn check(&self) -> Result<(), SettingError> {
        match self {
            Self::Picture(augmentation) => augmentation.check(),
            Self::Mixing(AnyMixing::MixUp(mixing)) => mixing.check_ranges(),
            Self::Mixing(AnyMixing::CutMix(mixing)) => mixing.check_ranges(),
        }
    }
}

impl Kind for AnyAugmentation {
    const KIND: &'static str = "augmentation";
    const KINDS: &'static str = "augmentations";

    fn description(&self) -> Description {
        match self {
            Self::Picture(augmentation) => augmentation.description(),
            Self::Mixing(AnyMixing::MixUp(mixing)) => mixing.describe(),
            Self::Mixing(AnyMixing::CutMix(mixing)) => mixing.describe(),
        }
    }
}

impl Mixing for AnyMixing {
    fn check(&self, shape: Shape) -> Result<(), AugmentError> {
        match self {
            Self::MixUp(mixing) => mixing.check(shape),
            Self::CutMix(mixing) => mixing.check(shape),
        }
    }

    fn mix<T: Real>(&self, sample: &mut [T], other: &[T], shape: Shape, rng: &mut Rng) -> f64 {
        match self {
            Self::MixUp(mixing) => mixing.mix(sample, other, shape, rng),
            Self::CutMix(mixing) => mixing.mix(sample, other, shape, rng),
        }
    }
}

/// Registers the augmentations, so that a registry builds them as [`AnyAugmentation`].
///
/// ```
/// use chainrule_core::Registry;
/// use chainrule_data::augment::{AnyAugmentation, register_augmentations};
/// let mut registry = Registry::new();
/// register_augmentations(&mut registry);
/// let turned: AnyAugmentation = registry.build(&"random_affine(rotate=10, shift=0.1)".parse()?)?;
/// let error = registry.build::<AnyAugmentation>(&"rotate(10)".parse()?).unwrap_err();
/// assert!(error.to_string().starts_with("there is no augmentation named `rotate`"));
/// # Ok::<(), chainrule_core::DescriptionError>(())
/// ```
pub fn register_augmentations(registry: &mut Registry) {
    fn picture(augmentation: impl Augmentation + 'static) -> AnyAugmentation {
        AnyAugmentation::Picture(Box::new(augmentation))
    }
    register!(*registry, AnyAugmentation, picture;
        HorizontalFlip, VerticalFlip, RandomAffine, Elastic, PadAndCrop, Cutout, Brightness, Contrast, Noise);
    registry.add::<AnyAugmentation, MixUp>(|mixing| AnyAugmentation::Mixing(AnyMixing::MixUp(mixing)));
    registry.add::<AnyAugmentation, CutMix>(|mixing| AnyAugmentation::Mixing(AnyMixing::CutMix(mixing)));
}
