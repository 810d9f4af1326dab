//! An activation of any type, for layers that contain one and are built from descriptions.

use std::fmt;
use std::sync::Arc;

use chainrule_core::{AnyLayer, Description, DescriptionError, Kind, Layer, Place, SettingValue, Value};
use chainrule_tensor::Real;

use crate::recurrent::{AnyRecurrent, GateProjection, RecurrentOptions};

/// An activation of any type: the [`Kind`] of activations, which a registry builds from a description.
pub struct AnyActivation<T: Real> {
    layer: AnyLayer<T>,
    element_wise: Option<ElementWise<T>>,
}

/// An activation that acts on each value alone, as the layers that contain one: each a type of its own, with the activation in its
/// loops.
pub(crate) struct ElementWise<T: Real> {
    pub(crate) description: Description,
    pub(crate) gated: Arc<dyn Fn(Option<usize>) -> AnyLayer<T> + Send + Sync>,
    pub(crate) rnn: Arc<dyn Fn(GateProjection, RecurrentOptions) -> AnyRecurrent<T> + Send + Sync>,
}

impl<T: Real> AnyActivation<T> {
    /// An activation of several values together, such as a softmax. [`element_wise`](Self::element_wise) makes one of each value
    /// alone.
    pub fn new(layer: impl Layer<T>) -> Self {
        Self { layer: AnyLayer::new(layer), element_wise: None }
    }

    pub(crate) fn with(self, element_wise: ElementWise<T>) -> Self {
        Self { element_wise: Some(element_wise), ..self }
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
