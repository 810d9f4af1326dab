//! Layers over the steps of a sequence. A sample is `[steps, features]`, or `[steps, ...]` where a step is itself an
//! image.
//!
//! A recurrent layer carries a state from step to step, `hₜ = f(xₜ, hₜ₋₁)`, with the same weights in each. Three
//! things make one, and each is written once:
//!
//! - a [`Product`] computes the gates from the input and the state: [`Affine`] is `Z = X Wx + H Wh + b`, and
//!   [`Joined`] any layer that takes both, such as a convolution;
//! - a [`Cell`] computes the next state from the gates: [`RnnCell`], [`LstmCell`], [`GruCell`], or your own;
//! - [`Recurrent`] goes through the steps, and knows about directions, padding and carried states.
//!
//! [`Rnn`], [`Lstm`], [`Gru`] and [`ConvLstm`] are names of their combinations. They stack in a `Sequential`,
//! all but the last one with [`sequences`](Recurrent::sequences):
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
//! Shorter sequences are filled up with steps whose features are **all exactly 0**, at the end, at the front or
//! anywhere. A layer that is [`masked`](Recurrent::masked) takes such a step for padding: it carries its state past
//! it, and gives zeros for it where it gives all steps. So the mask travels in the data from layer to layer.
//! [`Masking`] makes padding of steps that are filled with another value. A ReLU can make such a step of any other,
//! so put none between masked layers.

mod affine;
mod bidirectional;
mod cell;
mod gru;
mod joined;
mod lstm;
mod masking;
mod memory;
mod product;
mod rnn;
mod time_distributed;
mod unrolled;

pub use affine::Affine;
pub use bidirectional::{Bidirectional, Both};
pub use cell::{Cell, Gates};
pub use gru::{Gru, GruCell};
pub use joined::{ConvLstm, Joined, JoinedCache};
pub use lstm::{Lstm, LstmCell};
pub use masking::Masking;
pub use memory::Memory;
pub use product::Product;
pub use rnn::{Rnn, RnnCell};
pub use time_distributed::{Flat, TimeDistributed};
pub use unrolled::{Recurrent, Unrolled};

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::Shape;

/// How many steps a sample has, and the shape of one.
fn steps(input: Shape, plan: &Plan) -> Result<(usize, Shape), ShapeError> {
    match input.split_first() {
        Some((&steps @ 1.., step)) => Ok((steps, Shape::new(step).expect("fewer axes than the input"))),
        _ => Err(plan.error(input, "sequences of at least one step, [steps, ...]", "reshape the samples")),
    }
}

/// Plans what is done for each of so many steps of a sample of shape `input`.
fn repeated<R>(
    plan: &mut Plan,
    input: Shape,
    steps: usize,
    work: impl FnOnce(&mut Plan) -> Result<R, ShapeError>,
) -> Result<R, ShapeError> {
    let before = [plan.total_flops(), plan.total_memory()];
    let planned = work(plan)?;
    let after = [plan.total_flops(), plan.total_memory()];
    // The first step is counted already.
    let more = |k: usize| {
        let more = (after[k] - before[k]).checked_mul(steps.saturating_sub(1) as u64)?;
        after[k].checked_add(more).and(Some(more))
    };
    let (Some(flops), Some(memory)) = (more(0), more(1).and_then(|more| usize::try_from(more).ok())) else {
        return Err(plan.error(input, "sequences whose work can be counted", "take fewer steps"));
    };
    plan.flops(flops);
    plan.memory(memory);
    Ok(planned)
}
