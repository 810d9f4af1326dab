//! The settings that all convolutions have.

use std::sync::Arc;

use chainrule_core::{Constant, DescriptionError, Entry, Initializer, SettingValue, Settings, Value};

use super::window::SlidingWindow;
use crate::bias::{bias_init, bias_values};
use crate::init::{FanInUniform, GlorotUniform};

/// The window, and the initializers of kernel and biases.
#[derive(Clone, Debug)]
pub(super) struct ConvSettings<const N: usize> {
    pub(super) window: SlidingWindow<N>,
    pub(super) weight: Arc<dyn Initializer>,
    pub(super) bias: Option<Arc<dyn Initializer>>,
}

impl<const N: usize> ConvSettings<N> {
    pub(super) fn new(kernel: [usize; N]) -> Self {
        let (weight, bias) = (Arc::new(FanInUniform), Some(Arc::new(FanInUniform) as _));
        Self { window: SlidingWindow::new(kernel), weight, bias }
    }

    /// Those of a description.
    pub(super) fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let window = SlidingWindow::from_settings(settings)?;
        Ok(Self { window, weight: settings.get("weight_init")?, bias: bias_init(settings)? })
    }

    /// The values of the settings that an entry begins with the first settings of, in their order, with those of the layer itself
    /// in between.
    pub(super) fn values(&self, entry: &Entry, own: Vec<Value>) -> Vec<Value> {
        let [bias, bias_init] = bias_values(self.bias.as_ref(), entry);
        let mut values = Vec::from(self.window.values());
        values.extend(own);
        values.extend([bias, self.weight.to_value(), bias_init]);
        values
    }

    pub(super) fn keras(kernel: [usize; N]) -> Self {
        let (weight, bias) = (Arc::new(GlorotUniform), Some(Arc::new(Constant(0.0)) as _));
        Self { window: SlidingWindow::new(kernel), weight, bias }
    }
}

/// The settings of the window and of the parameters, as methods of the layer.
macro_rules! settings {
    ($layer:ident) => {
        super::window::window!($layer, settings.window);

        impl<const N: usize> $layer<N> {
            /// Sets the initializer of the weights.
            #[must_use]
            pub fn weight_init(mut self, init: impl chainrule_core::Initializer + 'static) -> Self {
                self.settings.weight = std::sync::Arc::new(init);
                self
            }

            /// Sets the initializer of the biases.
            #[must_use]
            pub fn bias_init(mut self, init: impl chainrule_core::Initializer + 'static) -> Self {
                self.settings.bias = Some(std::sync::Arc::new(init));
                self
            }

            /// Removes the biases.
            #[must_use]
            pub fn without_bias(mut self) -> Self {
                self.settings.bias = None;
                self
            }
        }
    };
}
pub(super) use settings;
