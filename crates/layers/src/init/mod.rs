//! The initialisers: rules for the first values of parameters.
//!
//! A layer says which parameter it wants filled with a [`ParamSpec`]: its shape, its `fan_in`, how
//! many inputs an output sums over, and its `fan_out`, how many outputs an input takes part in. The rules that go by
//! variance look at the fans alone, and so do not mind how a weight is laid out. Those that make a structure look at
//! the shape:
//!
//! | | takes the shape as |
//! |---|---|
//! | [`Identity`], [`Orthogonal`], [`Sparse`] | a matrix: the first axis is its rows, the others together its columns |
//! | [`Dirac`] | a convolution's kernel `[out, in / groups, k...]`, PyTorch's |
//!
//! `Dense` has its weight as `[inputs, units]`, the transpose of PyTorch's. That makes no difference to the identity and
//! to an orthogonal matrix.
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
mod identity;
#[cfg(feature = "lapack")]
mod orthogonal;
mod random;
mod sparse;
mod variance_scaling;

pub use chainrule_core::Constant;
pub use constant::{Ones, Zeros};
pub use gain::{Nonlinearity, gain};
pub use identity::{Dirac, Identity};
#[cfg(feature = "lapack")]
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

/// The shape as a matrix: how many rows the first axis has, and how many columns the others make.
fn matrix(spec: ParamSpec) -> (usize, usize) {
    let rows = spec.shape.first().copied().unwrap_or(1);
    (rows, spec.shape.iter().skip(1).product())
}
