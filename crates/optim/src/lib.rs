//! Optimizers, schedules of the learning rate, and clipping, over flat slices.
//!
//! The decision here: **an optimizer sees slices of numbers and nothing else**. It knows no layers, no losses and no
//! tensors: parameters, gradients and its own state are three slices that the caller owns. So it works on anything that
//! has a gradient, its state is saved as one slice, and a trainer may split the slices into buckets and update these on
//! several threads: every optimizer here returns the same bits however the slices are split.
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
//! use chainrule_optim::{ClipByGlobalNorm, Stepper, adam, schedule::Cosine};
//!
//! let cosine = Cosine::new(0.1).steps(500);
//! let mut params = [3.0f64, -2.0];
//! let mut stepper = Stepper::new((ClipByGlobalNorm(1.0), adam(cosine)), &params)?;
//! for _ in 0..500 {
//!     let mut grads = params.map(|p| 2.0 * (p - 1.0)); // of Σ (p - 1)²
//!     stepper.step(&mut params, &mut grads);
//! }
//! assert!(params.iter().all(|p| (p - 1.0).abs() < 1e-3));
//! # Ok::<(), chainrule_optim::SettingError>(())
//! ```
//!
//! # An optimizer of your own
//!
//! [`Optimizer`] says what it needs, [`UpdateRule`] is its formula, which
//! [`each!`](chainrule_tensor::each!) runs with the widest instructions of the CPU:
//!
//! ```
//! use chainrule_optim::{Optimizer, Real, Update, UpdateRule};
//! use chainrule_tensor::each;
//!
//! /// Signum (Bernstein et al. 2018): `m ← β m + (1 - β) g`, then `p ← p - η sign(m)`.
//! #[derive(Debug)]
//! struct Signum {
//!     rate: f64,
//!     beta: f64,
//! }
//!
//! impl Optimizer for Signum {
//!     fn slots(&self) -> usize {
//!         1
//!     }
//! }
//!
//! impl<T: Real> UpdateRule<T> for Signum {
//!     fn update(&self, update: Update<'_, T>) {
//!         let [rate, beta, rest] = [self.rate, self.beta, 1.0 - self.beta].map(T::of);
//!         let (p, grads, [m]) = update.split();
//!         each!(
//!             [p, m] = |g: grads| {
//!                 let m = beta * m + rest * g;
//!                 [p - rate * m.signum(), m]
//!             }
//!         );
//!     }
//! }
//! ```
//!
//! Adding one to this crate touches four files: its own, this one (a line for the module and one for its names), the
//! lists of `tests/every_optimizer/cases.rs` and, where PyTorch has it, `reference.py` next to them.
#![doc(html_root_url = "https://docs.rs/chainrule-optim/latest")]

mod adabelief;
mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod adamaxw;
mod adamw;
mod adan;
mod ademamix;
mod adopt;
mod amsgrad;
mod asgd;
mod averaging;
mod chain;
mod clip;
mod constraints;
mod decay;
mod ftrl;
mod groups;
mod kind;
mod lion;
mod madgrad;
mod nadam;
mod nadamw;
mod noisy_sgd;
mod optimistic_adam;
mod optimistic_sgd;
mod optimizer;
mod penalties;
mod radam;
mod rmsprop;
mod rprop;
mod running_mean;
pub mod schedule;
mod schedule_free;
mod setters;
mod sgd;
mod sign;
mod sign_sgd;
mod signum;
mod sm3;
mod sophia;
mod step;
mod stepper;
mod units;
mod update;
mod weight_decay;
mod whole;
mod yogi;

pub use adabelief::*;
pub use adadelta::*;
pub use adagrad::*;
pub use adam::*;
pub use adamax::*;
pub use adamaxw::*;
pub use adamw::*;
pub use adan::*;
pub use ademamix::*;
pub use adopt::*;
pub use amsgrad::*;
pub use asgd::*;
pub use averaging::*;
pub use chainrule_core::{ParamKind, SettingError};
pub use chainrule_tensor::{Real, vector};
pub use clip::*;
pub use constraints::*;
pub use ftrl::*;
pub use groups::*;
pub use kind::*;
pub use lion::*;
pub use madgrad::*;
pub use nadam::*;
pub use nadamw::*;
pub use noisy_sgd::*;
pub use optimistic_adam::*;
pub use optimistic_sgd::*;
pub use optimizer::*;
pub use penalties::*;
pub use radam::*;
pub use rmsprop::*;
pub use rprop::*;
pub use schedule::Schedule;
pub use schedule_free::*;
pub use sgd::*;
pub use sign_sgd::*;
pub use signum::*;
pub use sm3::*;
pub use sophia::*;
pub use step::*;
pub use stepper::*;
pub use update::*;
pub use weight_decay::*;
pub use whole::*;
pub use yogi::*;
