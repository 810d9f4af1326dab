//! Optimizers, schedules of the learning rate, and clipping, over flat slices.
//!
//! The decision here: **an optimizer sees slices of numbers and nothing else**. It knows no layers, no
//! losses and no tensors: parameters, gradients and its own state are three slices that someone else owns.
//! So it works on anything that has a gradient, its state is written to a file in one piece, and a trainer
//! may cut the slices and update the pieces on several threads: every optimizer here gives the same bits
//! however they are cut.
//!
//! | optimizer | made by | state per parameter |
//! |---|---|---|
//! | [`Sgd`] | `sgd(0.1)`, `sgd(0.1).momentum(0.9).nesterov()` | 0, with momentum 1 |
//! | [`Adam`] | `adam(1e-3)`, `adam(1e-3).keras()` | 2 |
//! | [`AdamW`] | `adamw(1e-3)`, `adamw(1e-3).weight_decay(0.1)` | 2 |
//! | [`RmsProp`] | `rmsprop(1e-2)`, `rmsprop(1e-2).momentum(0.9).centered()` | 1 to 3 |
//! | [`ClipByGlobalNorm`], [`ClipByValue`], [`WeightDecay`] | `(ClipByGlobalNorm(1.0), adam(1e-3))` | 0 |
//!
//! Optimizers compose: `(A, B)` is A, then B. Where PyTorch and Keras differ, defaults are PyTorch's.
//! The learning rate is any [`Schedule`]: a number, a closure, or one of [`schedule`]'s.
//!
//! ```
//! use chainrule_optim::{ClipByGlobalNorm, ParamKind, Update, UpdateRule, adam, schedule::Cosine};
//!
//! let cosine = Cosine { rate: 0.1, steps: 500, floor: 0.0 };
//! let optimizer: &dyn UpdateRule<f64> = &(ClipByGlobalNorm(1.0), adam(cosine));
//! optimizer.validate()?;
//!
//! let mut params = [3.0f64, -2.0];
//! let mut state = vec![0.0; optimizer.slots() * params.len()];
//! for step in 0..500 {
//!     let mut grads = params.map(|p| 2.0 * (p - 1.0)); // of Σ (p - 1)²
//!     optimizer.transform_all(step, &mut grads);
//!     optimizer.update(Update {
//!         step,
//!         kind: ParamKind::Weight,
//!         params: &mut params,
//!         grads: &mut grads,
//!         state: &mut state,
//!     });
//! }
//! assert!(params.iter().all(|p| (p - 1.0).abs() < 1e-3));
//! # Ok::<(), chainrule_optim::SettingError>(())
//! ```
//!
//! An optimizer of one's own implements [`Optimizer`] and [`UpdateRule::update`] as a closure over one parameter, its gradient
//! and its state, which [`each!`](chainrule_tensor::each!) runs with the widest instructions of the CPU.

mod adam;
mod adamw;
mod clip;
mod optimizer;
mod rmsprop;
pub mod schedule;
mod sgd;
mod weight_decay;

pub use adam::*;
pub use adamw::*;
pub use chainrule_core::{ParamKind, SettingError};
pub use chainrule_tensor::{Real, vector};
pub use clip::*;
pub use optimizer::*;
pub use rmsprop::*;
pub use schedule::Schedule;
pub use sgd::*;
pub use weight_decay::*;
