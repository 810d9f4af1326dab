//! The [`Layer`] trait, the containers that combine layers ([`Sequential`], [`Residual`], [`Branches`], [`Graph`]),
//! and the gradient check.
//!
//! A layer is one `impl` of three functions: what it needs, its forward pass, its backward pass.
//!
//! ```
//! use chainrule_core::{Backward, Forward, Layer, Plan, Sequential, ShapeError, gradcheck};
//! use chainrule_tensor::{Real, Shape, map};
//!
//! /// `y = x²`, so `dx = 2 x dy`.
//! #[derive(Debug)]
//! struct Square;
//!
//! impl<T: Real> Layer<T> for Square {
//!     type Cache = ();
//!
//!     fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
//!         Ok((input, ()))
//!     }
//!
//!     fn forward(&self, Forward { x, y, .. }: Forward<'_, T>) {
//!         map!(y = |x| x * x);
//!     }
//!
//!     fn backward(&self, Backward { x, dy, dx, .. }: Backward<'_, T>) {
//!         let Some(dx) = dx else { return };
//!         map!(dx = |x, dy| (x + x) * dy);
//!     }
//! }
//!
//! // Is that the derivative? The gradient check compares it with difference quotients.
//! gradcheck::gradients(&Square, [4])?;
//! let layers = Sequential::new().then(Square).then(Square);
//! assert_eq!(format!("{layers:?}"), "Sequential[Square, Square]");
//! # Ok::<(), gradcheck::GradientError>(())
//! ```
//!
//! The decision here: **a layer is an immutable description without weights.** The parameters of a whole
//! model are one flat vector, its gradients another, and a layer is passed its own range of each. So an
//! optimizer, gradient clipping, a checkpoint or an exchange between processes is one loop over one slice, and
//! one layer can run on many threads at once. This crate knows no particular layer, and a layer depends on nothing
//! but this crate and `chainrule-tensor`.
//!
//! An author of layers needs [`Layer`], [`Plan`], [`Params`] and [`Grads`]. What only containers and trainers need
//! of the last two is apart, in [`runner`].
//!
#![doc = include_str!("mathematics.md")]
#![doc(html_root_url = "https://docs.rs/chainrule-core/latest")]

pub mod batch_group;
pub mod carried;
mod containers;
pub mod describe;
mod error;
pub mod gradcheck;
mod grads;
mod initializer;
mod inner;
mod label;
mod layer;
mod merge;
mod param_kind;
mod params;
mod plan;
pub mod runner;
mod settings;
mod sparse_grad;
pub mod watch;

pub use containers::any::{AnyCache, AnyLayer, AnyMerge};
pub use containers::branches::Branches;
pub use containers::frozen::Frozen;
pub use containers::graph::Graph;
pub use containers::kinds::register_containers;
pub use containers::lambda::Lambda;
pub use containers::new::New;
pub use containers::residual::Residual;
pub use containers::sequential::{Sequential, SequentialCache};
pub use containers::side_by_side::SideBySide;
#[doc(hidden)]
pub use describe::describe_default;
pub use describe::{
    Described, Description, DescriptionError, Entry, Kind, Place, Preset, Range, Registry, Setting,
    SettingValue, Settings, SharedKind, Value, nearest_name, same_name,
};
pub use error::{ShapeError, ValueError};
pub use grads::Grads;
pub use initializer::{Constant, Initializer, ParamSpec};
pub use label::Label;
pub use layer::{Backward, Forward, Layer, Mode};
pub use merge::{Merge, MergeBackward, MergeForward};
pub use param_kind::ParamKind;
pub use params::Params;
pub use plan::{LayerInfo, ParamEntry, Plan};
pub use settings::{SettingCheck, SettingError};
pub use sparse_grad::{SparseGrad, TableGrad};
