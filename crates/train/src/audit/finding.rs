//! What an audit has found.

use std::fmt;

/// What keeps a training from learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// No parameter is trained.
    NothingTrained,
    /// A parameter gets no gradient.
    NoGradient,
    /// A parameter gets no gradient, since what it is multiplied with is 0 for all samples.
    ZeroInputs,
    /// A value or a gradient is not finite.
    NotFinite,
    /// Most units of a layer return 0, or a constant, for all samples, so that they get no gradient.
    DeadUnits,
    /// The output is the same for all samples.
    ConstantOutput,
    /// The last layer is a softmax, or something else that bounds the outputs, and the loss takes logits.
    SecondActivation,
    /// The loss takes probabilities, and the outputs are none.
    NoProbabilities,
    /// All targets are the same.
    ConstantTargets,
    /// The targets seem to have nothing to do with the inputs.
    UnrelatedTargets,
    /// All samples are the same.
    SameInputs,
    /// The inputs are much too large, too small, or far from 0.
    UnscaledInputs,
    /// The learning rate is far too high.
    RateTooHigh,
    /// The learning rate is far too low.
    RateTooLow,
}

/// Something that keeps a training from learning, with the remedy, as [`Trainer::audit`](crate::Trainer::audit) finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFinding {
    /// What it is.
    pub fault: Fault,
    /// The path of the layer that is to blame, such as `"2.residual.0"`, if it is one.
    pub layer: Option<String>,
    /// What was found, and what to do.
    pub text: String,
}

impl AuditFinding {
    pub(crate) fn new(fault: Fault, text: impl Into<String>) -> Self {
        Self { fault, layer: None, text: text.into() }
    }

    /// The same, of the layer with this path.
    pub(crate) fn of_layer(self, path: &str) -> Self {
        Self { layer: Some(path.to_owned()), ..self }
    }
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
