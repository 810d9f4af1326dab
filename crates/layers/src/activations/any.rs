//! An activation of any type, for layers that contain one and are built from descriptions.

use std::fmt;
use std::sync::Arc;

use chainrule_core::{AnyLayer, Description, DescriptionError, Kind, Layer, Place, SettingValue, Value};
use chainrule_tensor::Real;

use super::Activation;
use super::gate_loops::GateLoops;
use crate::recurrent::AnyRnnCell;

/// An activation of any type: the [`Kind`] of activations, which a registry builds from a description.
pub struct AnyActivation<T: Real> {
    layer: AnyLayer<T>,
    element_wise: Option<ElementWise<T>>,
}

/// An activation that acts on each value alone, as the layers that contain one need it: the loops over their values, with the
/// activation in them.
pub(crate) struct ElementWise<T: Real> {
    description: Description,
    pub(crate) gate: Arc<dyn GateLoops<T>>,
    pub(crate) cell: AnyRnnCell<T>,
}

impl<T: Real> AnyActivation<T> {
    /// An activation of several values together, such as a softmax. [`element_wise`](Self::element_wise) makes one of each value
    /// alone.
    pub fn new(layer: impl Layer<T>) -> Self {
        Self { layer: AnyLayer::new(layer), element_wise: None }
    }

    /// An activation of each value alone, which recurrent layers and gated units can contain.
    pub fn element_wise<A: Activation<T> + Layer<T>>(activation: A) -> Self {
        let element_wise = ElementWise {
            description: Activation::description(&activation),
            gate: Arc::new(activation),
            cell: AnyRnnCell::new(activation),
        };
        Self { element_wise: Some(element_wise), ..Self::new(activation) }
    }

    /// The activation as a layer.
    pub fn into_layer(self) -> AnyLayer<T> {
        self.layer
    }
}

impl<T: Real> fmt::Debug for AnyActivation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.layer, f)
    }
}

impl<T: Real> Kind for AnyActivation<T> {
    const KIND: &'static str = "activation";
    const KINDS: &'static str = "activations";

    fn description(&self) -> Description {
        Layer::description(&self.layer)
    }
}

impl<T: Real> SettingValue for ElementWise<T> {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        let AnyActivation { element_wise, .. } = place.build(value)?;
        element_wise.ok_or_else(|| place.wrong(value, "an activation that acts on each value alone"))
    }

    fn to_value(&self) -> Value {
        self.description.clone().into()
    }
}
