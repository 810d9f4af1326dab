//! Recurrent layers, over the steps of a sequence. A sample is `[steps, features]`, or `[steps, ...]` where each step is
//! itself an image.
//!
//! A recurrent layer passes a hidden state from step to step, `hₜ = f(xₜ, hₜ₋₁)`, with the same weights in each. It is
//! made of three parts:
//!
//! - a projection computes the gates from the input and the hidden state: [`GateProjection`] is `Z = X Wx + H Wh + b`, and
//!   [`ConcatProjection`] any layer that is given both, such as a convolution;
//! - a [`Cell`] computes the next state from the gates: [`RnnCell`], [`LstmCell`], [`GruCell`] or your own;
//! - [`Recurrent`] unrolls both over the steps, and handles directions, padding and states that are kept between batches.
//!
//! [`Rnn`], [`Lstm`], [`Gru`] and [`ConvLstm`] are names of their combinations. In a stack, all but the last one return
//! [`sequences`](Recurrent::sequences):
//!
//! ```
//! use chainrule_core::{Sequential, gradcheck};
//! use chainrule_layers::{Bidirectional, Dense, Dropout, Gru, Lstm};
//! let layers = Sequential::<f64>::default()
//!     .then(Bidirectional::new(Lstm::new(4).sequences()))
//!     .then(Dropout::new(0.2))
//!     .then(Gru::new(5))
//!     .then(Dense::new(2));
//! gradcheck::gradients(&layers, [3, 2])?;
//! # Ok::<(), chainrule_core::gradcheck::GradientError>(())
//! ```
//!
//! # Sequences of different lengths
//!
//! Shorter sequences are padded with steps whose features are **all exactly 0**, at the end, at the start or anywhere. A
//! layer that is [`masked`](Recurrent::masked) treats such a step as padding: it keeps its state, and returns zeros for the
//! step if it returns sequences. So the mask travels in the data from layer to layer. [`Masking`] turns steps that are
//! filled with another value into padding. A ReLU can turn any step into padding, so do not put one between masked layers.

mod bidirectional;
mod cell;
mod concat_projection;
mod conv_lstm;
mod gate_projection;
mod gru;
mod layer;
mod lstm;
mod masking;
mod recurrent_projection;
mod rnn;
mod steps;
mod time_distributed;
mod unrolled;

pub(crate) use bidirectional::BidirectionalText;
pub use bidirectional::{AnyRecurrent, Bidirectional};
pub use cell::{Cell, GateLayout};
pub use concat_projection::ConcatProjection;
pub use conv_lstm::ConvLstm;
pub use gate_projection::GateProjection;
pub(crate) use gate_projection::UnitsUniform;
pub use gru::{Gru, GruCell};
pub use layer::Recurrent;
pub(crate) use lstm::UnitForgetBias;
pub use lstm::{Lstm, LstmCell};
pub use masking::Masking;
pub(crate) use rnn::{AnyRnn, AnyRnnCell};
pub use rnn::{Rnn, RnnCell};
pub use time_distributed::TimeDistributed;
