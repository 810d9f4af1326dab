//! Inputs and nodes of a graph in its description.

use chainrule_tensor::{Real, Shape};

use super::node::{Node, Operation};
use crate::containers::any::{AnyLayer, AnyMerge};
use crate::{
    Described, Description, DescriptionError, Entry, Place, SettingValue, Settings, Value, describe, entry,
    same_name,
};

/// An input: `input(image, [28, 28])`.
#[derive(Debug)]
pub(crate) struct InputText {
    pub(crate) id: String,
    pub(crate) shape: Shape,
}

describe! {
    /// An input of a graph.
    InputText = "input";
    settings {
        /// Its name.
        id: required;
        /// Its shape.
        shape: required;
    }
}

impl SettingValue for InputText {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        place.build_type(value)
    }

    fn to_value(&self) -> Value {
        self.describe().into()
    }
}

/// `layer(deep, dense(10), image)`
struct LayerText<T: Real>(String, AnyLayer<T>, String);

/// `merge(sum, add, [image, deep])`
struct MergeText<T: Real>(String, AnyMerge<T>, Vec<String>);

/// `shared(again, deep, [sum])`
struct SharedText(String, String, Vec<String>);

impl<T: Real> Described for LayerText<T> {
    const ENTRY: Entry = entry! {
        /// A node with a layer.
        LayerText = "layer";
        settings {
            /// Its name.
            id: required;
            /// The layer.
            layer: required;
            /// The input or earlier node that it is applied to.
            input: required;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self(settings.get("id")?, settings.get("layer")?, settings.get("input")?))
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.0.to_value(), self.1.to_value(), self.2.to_value()]
    }
}

impl<T: Real> Described for MergeText<T> {
    const ENTRY: Entry = entry! {
        /// A node with a merge, or a layer of several inputs.
        MergeText = "merge";
        settings {
            /// Its name.
            id: required;
            /// The merge.
            merge: required;
            /// The inputs or earlier nodes that it is applied to.
            inputs: required;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self(settings.get("id")?, settings.get("merge")?, settings.get("inputs")?))
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.0.to_value(), self.1.to_value(), self.2.to_value()]
    }
}

describe! {
    /// A node with the layer and the weights of another.
    SharedText = "shared";
    settings {
        /// Its name.
        0 as "id": required;
        /// The node whose layer it applies.
        1 as "of": required;
        /// The inputs or earlier nodes that it is applied to.
        2 as "inputs": required;
    }
}

impl<T: Real> SettingValue for Node<T> {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        let is = |entry: Entry| {
            let named = |described: &Description| same_name(&described.name, entry.name);
            value.to_description().is_some_and(|described| named(&described))
        };
        if is(LayerText::<T>::ENTRY) {
            let LayerText(name, AnyLayer(erased), input) = place.build_type(value)?;
            return Ok(Self { name, inputs: vec![input], operation: Operation::Own(erased) });
        }
        if is(MergeText::<T>::ENTRY) {
            let MergeText(name, AnyMerge(erased), inputs) = place.build_type(value)?;
            return Ok(Self { name, inputs, operation: Operation::Own(erased) });
        }
        if is(SharedText::ENTRY) {
            let SharedText(name, of, inputs) = place.build_type(value)?;
            return Ok(Self { name, inputs, operation: Operation::Shared(of) });
        }
        Err(place.wrong(value, "a node: layer(...), merge(...) or shared(...)"))
    }

    fn to_value(&self) -> Value {
        let Self { name, inputs, operation } = self;
        let name = name.to_value();
        let description = match operation {
            Operation::Own(erased) if erased.is_merge() => {
                MergeText::<T>::ENTRY.description([name, erased.description().into(), inputs.to_value()])
            }
            Operation::Own(erased) => {
                let input = inputs.first().cloned().unwrap_or_default();
                LayerText::<T>::ENTRY.description([name, erased.description().into(), input.into()])
            }
            Operation::Shared(of) => SharedText::ENTRY.description([name, of.to_value(), inputs.to_value()]),
        };
        description.into()
    }
}
