//! Layers and merges as kinds of things that a registry builds, and the containers among them.

use chainrule_tensor::Real;

use super::any::{AnyLayer, AnyMerge};
use super::branches::Branches;
use super::frozen::Frozen;
use super::graph::Graph;
use super::lambda::LambdaText;
use super::residual::Residual;
use super::sequential::Sequential;
use super::side_by_side::SideBySide;
use crate::{Description, DescriptionError, Kind, Registry, register};

impl<T: Real> Kind for AnyLayer<T> {
    const KIND: &'static str = "layer";
    const KINDS: &'static str = "layers";

    fn description(&self) -> Description {
        self.0.description()
    }

    /// Layers one after the other are a [`Sequential`].
    fn chain(parts: &[Description], registry: &Registry) -> Result<Self, DescriptionError> {
        let layers = parts.iter().map(|part| registry.build(part)).collect::<Result<_, _>>()?;
        Ok(Self::new(Sequential::of(layers)))
    }
}

impl<T: Real> Kind for AnyMerge<T> {
    const KIND: &'static str = "merge";
    const KINDS: &'static str = "merges";

    fn description(&self) -> Description {
        self.0.description()
    }
}

/// Registers the containers, as layers of this element type.
pub fn register_containers<T: Real>(registry: &mut Registry) {
    register!(
        *registry, AnyLayer<T>, AnyLayer::new;
        Sequential<T>,
        Residual<AnyLayer<T>>,
        Branches<T>,
        Graph<T>,
        Frozen<AnyLayer<T>>,
        SideBySide<AnyMerge<T>>,
    );
    registry.add::<AnyLayer<T>, LambdaText>(|nothing| match nothing {});
}
