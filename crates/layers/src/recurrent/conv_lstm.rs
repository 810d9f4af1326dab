//! Convolutional long short-term memory.

use chainrule_core::{AnyLayer, Described, DescriptionError, Entry, Layer, Range, Settings, Value, entry};
use chainrule_tensor::Real;

use super::concat_projection::ConcatProjection;
use super::layer::{Recurrent, RecurrentOptions};
use super::lstm::LstmCell;

/// Long short-term memory whose gates are computed by another layer, such as a convolution that keeps height and width
/// (Shi et al. 2015, "Convolutional LSTM network", without the connections from *c* to the gates, as in Keras):
///
/// > *i, f, g, o* = *σ, σ*, tanh, *σ* of *layer*([*xₜ*; *hₜ₋₁*])
///
/// and the rest as in [`Lstm`](crate::Lstm). For samples `[steps, channels, height, width]` the layer is given
/// `[channels + hidden, height, width]`, the channels of the input and then those of the state, and returns
/// `[4 * hidden, height, width]`, the gates in the order *i, f, g, o*. The output is `[hidden, height, width]`, or
/// `[steps, hidden, height, width]` with [`sequences`](Recurrent::sequences). Samples may have any axes after the
/// channels, or none: around a dense layer this is an `Lstm`.
///
/// ```
/// use chainrule_core::gradcheck;
/// use chainrule_layers::{ConvLstm, Dense};
/// let layer = ConvLstm::new(3, Dense::new(4 * 3)); // for images, a convolution with 4 * 3 filters
/// gradcheck::gradients(&layer, [5, 2])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
pub type ConvLstm<L> = Recurrent<LstmCell, ConcatProjection<L>>;

impl<T: Real> Described for ConvLstm<AnyLayer<T>> {
    const ENTRY: Entry = entry! {
        /// An LSTM whose products are a layer, such as a convolution, of the input and the state.
        ConvLstm = "conv_lstm";
        source "Shi et al. 2015";
        settings {
            /// The number of channels of the state.
            hidden: required, Range::AT_LEAST_ONE;
            /// The layer, which returns four times as many channels.
            layer: required;
            /// Whether the steps are returned, rather than the last one alone.
            sequences ("return_sequences"): false;
            /// Whether the steps are taken from the last to the first.
            backwards ("go_backwards"): false;
            /// Whether steps of zeros are padding.
            masked: false;
            /// Whether a batch continues the one before.
            stateful: false;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let layer = Self::new(settings.get("hidden")?, settings.get("layer")?);
        Ok(layer.with_options(RecurrentOptions::from_settings(settings)?))
    }

    fn setting_values(&self) -> Vec<Value> {
        Self::ENTRY.values_of(&Layer::<T>::description(self))
    }
}

impl<L> ConvLstm<L> {
    /// With this many hidden channels, around a layer that returns four times as many.
    pub fn new(hidden: usize, layer: L) -> Self {
        Self::new_with(LstmCell, ConcatProjection::new(hidden, layer))
    }
}
