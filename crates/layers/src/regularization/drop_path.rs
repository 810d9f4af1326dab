//! Stochastic depth.

use chainrule_core::{Plan, Range, ShapeError, describe};
use chainrule_tensor::{Real, Shape};

use super::dropout::inverted;
use super::noise::{Noise, NoiseGroups, check_probability, noise_layer};

/// In training, sets whole samples to 0 with probability `p` and divides the others by `1 - p`; otherwise the
/// identity.
///
/// As the last layer of the branch of a [`Residual`](chainrule_core::Residual) it skips the branch for these samples,
/// which makes the network less deep for them: stochastic depth (Huang et al. 2016; scaled as
/// torchvision's `StochasticDepth` and timm's `DropPath`).
///
/// ```
/// use chainrule_core::{Residual, Sequential, gradcheck};
/// use chainrule_layers::{Dense, DropPath, Tanh};
/// let branch = Sequential::<f64>::default().then(Dense::new(4)).then(Tanh).then(DropPath::new(0.1));
/// gradcheck::gradients(&Residual(branch), [4])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DropPath {
    p: f64,
}

describe! {
    /// Sets random samples to 0 in training, and scales the others: for the branch of a residual.
    DropPath = "drop_path";
    aliases ["stochastic_depth"];
    source "Huang et al. 2016";
    settings {
        /// The probability of a sample to be dropped.
        p ("rate"): 0.5, Range::FRACTION;
    }
}

impl DropPath {
    /// Drops each sample with probability `p`, in `[0, 1)`.
    pub fn new(p: f64) -> Self {
        Self { p }
    }
}

impl Noise for DropPath {
    fn groups(self, input: Shape, plan: &Plan) -> Result<NoiseGroups, ShapeError> {
        check_probability(self.p, input, plan)?;
        Ok(NoiseGroups { count: 1, inner: input.size() })
    }

    #[inline(always)]
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2] {
        inverted(self.p, bits)
    }
}

noise_layer!(DropPath);
