//! Initialisers: rules for the initial values of parameters.
//!
//! A layer describes a parameter by a [`ParamSpec`]: its shape; its `fan_in`, the number of inputs that an output sums over; and
//! its `fan_out`, the number of outputs that an input contributes to. Rules based on the variance depend only on the fans, not on
//! the layout of the weight. Rules that create a structure depend on the shape:
//!
//! | | interprets the shape as |
//! |---|---|
//! | [`Identity`], [`Orthogonal`], [`Sparse`] | a matrix: the first axis is its rows, the others together its columns |
//! | [`Dirac`] | a convolution's kernel `[out, in / groups, k...]`, PyTorch's |
//!
//! The weight of `Dense` is `[inputs, units]`, the transpose of PyTorch's. For the identity and for orthogonal matrices that makes
//! no difference.
//!
//! # Names in PyTorch and Keras
//!
//! | here | PyTorch's `torch.nn.init` | Keras |
//! |---|---|---|
//! | [`Zeros`], [`Ones`], [`Constant`] | `zeros_`, `ones_`, `constant_` | `Zeros`, `Ones`, `Constant` |
//! | [`Uniform`], [`Normal`] | `uniform_`, `normal_` | `keras()` is `RandomUniform`'s, `RandomNormal`'s |
//! | [`TruncatedNormal`] | `trunc_normal_`, cut at fixed values | `keras` cuts at two deviations |
//! | [`GlorotUniform`], [`GlorotNormal`] | `xavier_uniform_`, `xavier_normal_` | `keras()` cuts the tails of the normal |
//! | [`HeUniform`], [`HeNormal`] | `kaiming_uniform_`, `kaiming_normal_` for ReLU | likewise |
//! | [`LecunUniform`], [`LecunNormal`] | `kaiming_..._` with `nonlinearity="linear"` | likewise |
//! | [`VarianceScaling`] | any of these with a `gain`, a mode or a distribution | `VarianceScaling` |
//! | [`Orthogonal`], [`Identity`] | `orthogonal_`, `eye_` | `Orthogonal`, `Identity` |
//! | [`Dirac`], [`Sparse`] | `dirac_`, `sparse_` | |
//! | [`gain`] | `calculate_gain` | |
//!
//! ```
//! use chainrule_layers::init::{self, Nonlinearity, gain};
//! use chainrule_layers::{Dense, Relu, Tanh};
//! let he = Dense::new(8).weight_init(init::HeNormal).bias_init(init::Zeros); // before Relu
//! let xavier = Dense::new(8).weight_init(init::XavierUniform.scaling().gain(gain(Nonlinearity::Tanh)));
//! ```

mod constant;
mod gain;
mod householder;
mod identity;
mod orthogonal;
mod random;
mod sparse;
mod variance_scaling;

pub use chainrule_core::Constant;
pub use constant::{Ones, Zeros};
pub use gain::{Nonlinearity, gain};
pub use identity::{Dirac, Identity};
pub use orthogonal::Orthogonal;
pub use random::{Normal, TruncatedNormal, Uniform};
pub use sparse::Sparse;
pub use variance_scaling::{Distribution, Fan, VarianceScaling};
pub use variance_scaling::{
    FanInUniform, GlorotNormal, GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform,
};
pub use variance_scaling::{
    GlorotNormal as XavierNormal, GlorotUniform as XavierUniform, HeNormal as KaimingNormal,
    HeUniform as KaimingUniform,
};

use chainrule_core::ParamSpec;

/// The shape as a matrix: the first axis is its rows, the product of the others its columns.
fn matrix(spec: ParamSpec) -> (usize, usize) {
    let rows = spec.shape.first().copied().unwrap_or(1);
    (rows, spec.shape.iter().skip(1).product())
}
