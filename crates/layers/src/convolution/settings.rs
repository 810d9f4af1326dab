//! The settings that all convolutions have.

use std::sync::Arc;

use chainrule_core::{Constant, Initializer};

use super::window::SlidingWindow;
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
