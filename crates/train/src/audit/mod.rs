//! The audit of a training: what keeps it from learning, found in its first steps.
//!
//! A training that cannot learn mostly does not fail: its loss just stays where it is. The audit looks at the targets before the
//! first step, and at the values and gradients between the layers for a few samples now and then ([`layers`]); at how the losses and
//! the parameters move ([`progress`]); and says in words what is wrong with [outputs], [gradients], [inputs], [targets] and the
//! [rate]. What only looks wrong in one moment is no finding: it has to be so again later. [`auditor`] remembers what was seen.

pub(crate) mod auditor;
mod column_sizes;
mod finding;
pub(crate) mod gradients;
pub(crate) mod inputs;
pub(crate) mod layers;
pub(crate) mod outputs;
pub(crate) mod progress;
pub(crate) mod rate;
pub(crate) mod relation;
pub(crate) mod targets;

pub use finding::{AuditFinding, Fault};

/// Looks for what keeps a training from learning: see [`Trainer::audit`](crate::Trainer::audit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Audit {
    /// The number of steps that it takes part in.
    pub(crate) steps: u64,
}

impl Default for Audit {
    /// During the first 100 steps.
    fn default() -> Self {
        Self::steps(100)
    }
}

impl Audit {
    /// During the first `steps` steps. The fewer there are, the less it can say of the learning rate and of targets that have nothing to
    /// do with the inputs.
    pub fn steps(steps: u64) -> Self {
        Self { steps }
    }
}
