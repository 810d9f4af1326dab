//! Convolutional long short-term memory.

use super::concat_projection::ConcatProjection;
use super::layer::Recurrent;
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

impl<L> ConvLstm<L> {
    /// With this many hidden channels, around a layer that returns four times as many.
    pub fn new(hidden: usize, layer: L) -> Self {
        Self::new_with(LstmCell, ConcatProjection::new(hidden, layer))
    }
}
