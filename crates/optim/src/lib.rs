//! Optimizers, schedules of the learning rate, and clipping, over flat slices.
//!
//! The decision here: **an optimizer sees slices of numbers and the names of parameters, and nothing else**. It knows no layers
//! and no losses: parameters, gradients and its own state are slices that the caller owns. So it works on anything that
//! has a gradient, and its state is saved as one slice. It says what it needs ([`Optimizer`]). Most need one number at a time: a
//! trainer may split their slices into buckets and update these on several threads, with the same bits however they are
//! split. Some need a whole parameter, as those do that take its norm; some see all parameters before the first is updated
//! ([`Whole`]), and may evaluate the loss again. [`Kfac`] also needs second moments of what dense layers multiply
//! ([`Update::factors`]): it is for a trainer.
//!
//! | | |
//! |---|---|
//! | in code | `sgd(0.1).momentum(0.9)`, `adam(1e-3)`, `lion(1e-4).weight_decay(0.1)`, `rmsprop(1e-2).keras()` |
//! | by name | `lion(lr=1e-4, weight_decay=0.1)`, `adam.keras`: see [`register_optimizers`] |
//! | one after the other | `(ClipByGlobalNorm(1.0), adam(1e-3))`, `clip_by_global_norm(1) then adam` |
//!
//! Each has its formula, its source and its settings on its own page, and in its [`Entry`](chainrule_core::Entry), from which
//! `chainrule list optimizers` prints all of them. Defaults are PyTorch's where it has the optimizer, else Keras', else optax'; where
//! the others differ, there are presets with their names. The learning rate is any [`Schedule`]: a number, a closure, or one of
//! [`schedule`]'s.
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
//! # Stages, groups and means
//!
//! | | |
//! |---|---|
//! | before an optimizer | clipping ([`ClipByGlobalNorm`], [`ClipByNorm`], [`ClipByValue`], [`AdaptiveClip`]), penalties ([`WeightDecay`], [`L1L2`], [`OrthogonalPenalty`]), [`Sam`] |
//! | after it | constraints ([`MaxNorm`], [`MinMaxNorm`], [`UnitNorm`], [`NonNegative`]), means of the weights that are evaluated in place of them ([`Ema`], [`Swa`], [`Lookahead`]) |
//! | for some parameters | `groups(adamw(1e-3)).on("*.bias", sgd(0.1)).freeze("0.*")`: see [`groups()`] |
//!
//! Stages that look at all gradients ([`Optimizer::needs_all_gradients`]) act before the others, each in its position among them. So
//! clipping does not see penalties, as in PyTorch.
//!
//! # Rows of tables
//!
//! An embedding whose layer is `sparse()` has a list of gradients for the rows that a batch used. Optimizers that work number by number then
//! update these rows only: momentum and means of the others stay as they are, and they are not decayed (PyTorch's `SparseAdam` does the
//! same). All other embeddings, and all optimizers that need all gradients or whole parameters, treat the rows that a batch did not use
//! as having the gradient 0, as PyTorch's dense form does.
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
//! /// Quasi-hyperbolic momentum (Ma and Yarats 2019): `m ← β m + (1 - β) g`, then `p ← p - η ((1 - ν) g + ν m)`.
//! #[derive(Debug)]
//! struct QuasiHyperbolic {
//!     rate: f64,
//!     beta: f64,
//!     nu: f64,
//! }
//!
//! impl Optimizer for QuasiHyperbolic {
//!     fn slots(&self) -> usize {
//!         1
//!     }
//! }
//!
//! impl<T: Real> UpdateRule<T> for QuasiHyperbolic {
//!     fn update(&self, update: Update<'_, T>) {
//!         let [rate, new, nu] = [self.rate, 1.0 - self.beta, self.nu].map(T::of);
//!         let (p, grads, [m]) = update.split();
//!         each!(
//!             [p, m] = |g: grads| {
//!                 let m = m + new * (g - m);
//!                 [p - rate * (g + nu * (m - g)), m]
//!             }
//!         );
//!     }
//! }
//! ```
//!
//! With an entry (see [`describe!`](chainrule_core::describe!)) and a line that registers it, it has a name as well. Adding one to this
//! crate touches five files: its own, this one (a line for the module and one for its names), the list of names in `kind.rs`, the
//! lists of `tests/every_optimizer/cases.rs` and, where another library has it, `reference.py` next to them.
#![doc(html_root_url = "https://docs.rs/chainrule-optim/latest")]

mod acprop;
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
mod layerwise;
mod lion;
mod madgrad;
mod matrices;
mod nadam;
mod nadamw;
mod noisy_sgd;
mod optimistic_adam;
mod optimistic_sgd;
mod optimizer;
mod penalties;
mod radam;
mod rate_free;
mod rmsprop;
mod rprop;
mod running_mean;
pub mod schedule;
mod schedule_free;
mod searching;
mod setters;
mod sgd;
mod sign;
mod sign_sgd;
mod signum;
mod simplified_ademamix;
mod sm3;
mod sophia;
mod step;
mod stepper;
mod units;
mod update;
mod weight_decay;
mod whole;
mod yogi;

pub use acprop::*;
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
pub use layerwise::*;
pub use lion::*;
pub use madgrad::*;
pub use matrices::*;
pub use nadam::*;
pub use nadamw::*;
pub use noisy_sgd::*;
pub use optimistic_adam::*;
pub use optimistic_sgd::*;
pub use optimizer::*;
pub use penalties::*;
pub use radam::*;
pub use rate_free::*;
pub use rmsprop::*;
pub use rprop::*;
pub use schedule::Schedule;
pub use schedule_free::*;
pub use searching::*;
pub use sgd::*;
pub use sign_sgd::*;
pub use signum::*;
pub use simplified_ademamix::*;
pub use sm3::*;
pub use sophia::*;
pub use step::*;
pub use stepper::*;
pub use update::*;
pub use weight_decay::*;
pub use whole::*;
pub use yogi::*;
